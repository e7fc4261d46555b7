// Agent Threat Rules beside the others: corpus rows in, one verdict a row out.
//
// usage: node atr.mjs CORPUS.jsonl VERDICTS.jsonl NODE_MODULES
//
// Each text is handed to the engine as what it is to a model, the answer of a server (`tool_response`,
// the event type its own source documents for indirect injection), with the fields its own `atr_scan`
// tool fills. Texts of metadata are offered to the rules on `tool_description` too. The verdict is the
// engine's: deny is `reject`, ask is `warn`. A rule may also match and be allowed (low severity or
// confidence); such a row is `clean`, and `matches` keeps the count.

import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [corpus, verdicts, modules] = process.argv.slice(2);
if (!modules) {
  console.error("usage: node atr.mjs CORPUS.jsonl VERDICTS.jsonl NODE_MODULES");
  process.exit(2);
}

const entry = resolve(modules, "agent-threat-rules/dist/index.js");
const { ATREngine } = await import(pathToFileURL(entry).href);
const engine = new ATREngine();
await engine.loadRules();

const NAMES = { allow: "clean", ask: "warn", deny: "reject" };
const out = createWriteStream(verdicts);
let [rows, bytes, spent, slowest] = [0, 0, 0n, 0n];
for await (const line of createInterface({ input: createReadStream(corpus) })) {
  if (!line) continue;
  const { id, subset, text } = JSON.parse(line);
  const fields = { user_input: text, agent_output: text, tool_response: text, content: text };
  if (subset === "metadata") fields.tool_description = text;
  const event = { type: "tool_response", timestamp: "2026-01-01T00:00:00Z", content: text, fields };
  const start = process.hrtime.bigint();
  const { verdict } = await engine.evaluateWithVerdict(event);
  const took = process.hrtime.bigint() - start;
  spent += took;
  if (took > slowest) slowest = took;
  bytes += Buffer.byteLength(text);
  rows += 1;
  const row = { id, verdict: NAMES[verdict.outcome], matches: verdict.matches.length };
  if (!out.write(JSON.stringify(row) + "\n")) await once(out, "drain");
  if (rows % 500 === 0) console.error(`atr: ${rows} rows, ${Number(spent / 1000000n) / 1000} s`);
}
out.end();
await once(out, "finish");
const seconds = Number(spent) / 1e9;
console.log(JSON.stringify({
  scanner: "agent-threat-rules",
  rules: engine.getRuleCount(),
  rows,
  bytes,
  seconds: Number(seconds.toFixed(3)),
  bytes_per_second: Math.round(bytes / seconds),
  slowest_ms: Number(slowest) / 1e6,
}));
