// Calls a tool that a person has to approve on a page, with the official TypeScript client.
//
//   node approve.mjs '{"generation": "2026-07-28", "url": "…", "token": "…", "tool": "append", "arguments": {…}}'
//   node approve.mjs '{"generation": "2025-11-25", "stdio": ["program", "argument", …], …}'
//
// Each link that the client is asked to show is written as a line of JSON; its user has been there
// when a line comes back: "accept", "decline" or "cancel". At the end it writes what came of the call,
// and which questions it was told are done. It judges nothing.

import { createInterface } from "node:readline";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const target = JSON.parse(process.argv[2]);
const modern = target.generation >= "2026-07-28";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => console.log(JSON.stringify(message));

function transport() {
  if (target.stdio) {
    const [command, ...args] = target.stdio;
    return new StdioClientTransport({ command, args, env: { ...process.env }, stderr: "ignore" });
  }
  const headers = { Authorization: `Bearer ${target.token}` };
  return new StreamableHTTPClientTransport(new URL(target.url), { requestInit: { headers } });
}

const client = new Client(
  { name: "typescript", version: "1.0.0" },
  {
    capabilities: { elicitation: { url: {} } },
    versionNegotiation: { mode: modern ? { pin: target.generation } : "legacy" },
  },
);
client.setRequestHandler("elicitation/create", async ({ params }) => {
  say({ asked: params });
  const { value } = await lines.next();
  return { action: value };
});

const completed = [];
client.setNotificationHandler("notifications/elicitation/complete", ({ params }) => {
  completed.push(params.elicitationId);
});

let outcome;
try {
  await client.connect(transport());
  const result = await client.callTool({ name: target.tool, arguments: target.arguments });
  outcome = {
    isError: result.isError ?? false,
    text: result.content.map((block) => block.text).join(""),
  };
} catch (error) {
  outcome = { code: error.code ?? null, message: String(error.message) };
}
// It may come on another stream than the answer.
for (let waited = 0; !modern && outcome.text && !completed.length && waited < 40; waited += 1) {
  await new Promise((done) => setTimeout(done, 50));
}
say({ outcome, completed });
await client.close();
process.exit(0);
