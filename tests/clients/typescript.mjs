// Drives one server with the official TypeScript client and prints what happened as JSON.
//
//   node typescript.mjs '{"generation": "2026-07-28", "server": "notes", "url": "…", "token": "…"}'
//   node typescript.mjs '{"generation": "2025-11-25", "server": "fixture", "stdio": ["program", "argument", …]}'
//
// It judges nothing: the test that starts it does.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const target = JSON.parse(process.argv[2]);
const modern = target.generation >= "2026-07-28";

function transport(token) {
  if (target.stdio) {
    const [command, ...args] = target.stdio;
    return new StdioClientTransport({ command, args, env: { ...process.env }, stderr: "ignore" });
  }
  const headers = { Authorization: `Bearer ${token}` };
  return new StreamableHTTPClientTransport(new URL(target.url), { requestInit: { headers } });
}

// How the person answers the next question, and what they were asked so far.
let person = () => ({ action: "decline" });
const asked = [];

function client() {
  const made = new Client(
    { name: "typescript", version: "1.0.0" },
    {
      capabilities: { elicitation: { form: {} } },
      versionNegotiation: { mode: modern ? { pin: target.generation } : "legacy" },
    },
  );
  made.setRequestHandler("elicitation/create", async ({ params }) => {
    asked.push(params.message);
    return person(params);
  });
  return made;
}

// Log lines that arrive while a tool runs that writes three.
async function logged(it, level) {
  let lines = 0;
  it.setNotificationHandler("notifications/message", () => void (lines += 1));
  const call = { name: "test_tool_with_logging", arguments: {} };
  if (!modern && level) {
    await it.setLoggingLevel(level);
  } else if (level) {
    call._meta = { "io.modelcontextprotocol/logLevel": level };
  }
  await it.callTool(call);
  return lines;
}

const text = (result) => result.content.map((block) => block.text).join("");

async function refusal(work) {
  try {
    const result = await work();
    return { isError: result.isError ?? false, text: text(result) };
  } catch (error) {
    return { code: error.code, message: error.message, status: error.status ?? null };
  }
}

async function notes(it) {
  const read = await it.callTool({ name: "read_note", arguments: { name: "boat.md" } });
  const found = await it.callTool({ name: "search_notes", arguments: { word: "boat" } });
  const write = (name) => () =>
    it.callTool({ name: "write_note", arguments: { name, text: "written by a client" } });

  person = () => ({ action: "accept", content: { approve: true } });
  const accepted = await refusal(write("accepted.md"));
  person = () => ({ action: "decline" });
  const declined = await refusal(write("declined.md"));
  person = () => ({ action: "accept", content: { approve: false } });
  const unticked = await refusal(write("unticked.md"));

  return {
    read: text(read),
    found: found.structuredContent,
    unknown: await refusal(() => it.callTool({ name: "no_such_tool", arguments: {} })),
    escape: await refusal(() => it.callTool({ name: "read_note", arguments: { name: "../boat.md" } })),
    prompts: (await it.listPrompts()).prompts.map((prompt) => prompt.name),
    prompt: (await it.getPrompt({ name: "summarize", arguments: { name: "boat.md" } })).messages[0]
      .content.text,
    resources: (await it.listResources()).resources.map((resource) => resource.uri),
    templates: (await it.listResourceTemplates()).resourceTemplates.map((t) => t.uriTemplate),
    index: (await it.readResource({ uri: "notes://index" })).contents[0].text,
    note: (await it.readResource({ uri: "notes://note/boat.md" })).contents[0].text,
    missing: await refusal(() => it.readResource({ uri: "notes://note/none.md" })),
    completion: (
      await it.complete({
        ref: { type: "ref/prompt", name: "summarize" },
        argument: { name: "name", value: "bo" },
      })
    ).completion.values,
    accepted,
    declined,
    unticked,
  };
}

async function fixture(it) {
  const progress = [];
  await it.callTool(
    { name: "test_tool_with_progress", arguments: {} },
    { onprogress: ({ progress: done, total }) => progress.push([done, total]) },
  );

  // Cancelled as soon as the tool says that it runs.
  const stop = new AbortController();
  const begun = Date.now();
  const cancelled = await refusal(() =>
    it.callTool(
      { name: "test_wait", arguments: { millis: 20_000 } },
      { signal: stop.signal, onprogress: () => stop.abort() },
    ),
  );
  const waited = Date.now() - begun;

  person = () => ({ action: "accept", content: { username: "ada", email: "ada@example.org" } });
  const elicited = await it.callTool({ name: "test_elicitation", arguments: { message: "Who?" } });
  person = ({ requestedSchema }) => {
    const [field] = Object.keys(requestedSchema.properties);
    return { action: "accept", content: { [field]: `a ${field}` } };
  };
  const rounds = await it.callTool({ name: "test_input_required_result_multi_round", arguments: {} });
  const asking = await it.getPrompt({ name: "test_input_required_result_prompt" });
  const header = await it.callTool({
    name: "test_custom_header",
    arguments: { value: "a value", count: 42 },
  });

  return {
    progress,
    cancelled,
    waited,
    after: text(await it.callTool({ name: "test_simple_text", arguments: {} })),
    elicited: text(elicited),
    rounds: text(rounds),
    prompt: asking.messages[0].content.text,
    header: text(header),
    logs: [await logged(it), await logged(it, "info"), await logged(it, "error")],
    sampling: await refusal(() =>
      it.callTool({ name: "test_sampling", arguments: { prompt: "Are you there?" } }),
    ),
  };
}

async function main() {
  const it = client();
  await it.connect(transport(target.token));
  const results = {
    version: it.getNegotiatedProtocolVersion(),
    server: it.getServerVersion()?.name,
    tools: (await it.listTools()).tools.map((tool) => tool.name),
    ...(target.server === "notes" ? await notes(it) : await fixture(it)),
    asked,
  };
  await it.close();
  if (target.url) {
    results.stranger = await refusal(() => client().connect(transport("not-the-token")));
  }
  return results;
}

console.log(JSON.stringify(await main(), null, 2));
