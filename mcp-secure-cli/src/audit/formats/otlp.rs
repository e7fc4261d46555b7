//! OTLP as JSON, one export request a line: what the collector's `otlpjsonfile` receiver reads, and
//! what `/v1/traces` of any receiver takes.
//!
//! The server itself has no exporter. It may not open connections once its sandbox is closed, and
//! telemetry that is sent by the process that is attacked says what the attacker likes; this one
//! is made of the log, elsewhere. Arguments and results are in no record, and so in no span.

use serde_json::{Value, json};

use super::{Line, put};

/// One record as one request; nothing for what is no end of a request.
pub(in crate::audit) fn otlp(line: &Line) -> Option<String> {
    if line.event() != "outcome" {
        return None;
    }
    let id = line.text("id");
    let is_id = id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id {
        return None;
    }
    let trace = |field: &str| line.value("trace")?.get(field)?.as_str();
    // Without a trace of the client's the request is one of its own.
    let trace_id = trace("trace").map_or_else(|| id.repeat(2), str::to_owned);
    let end = line.nanos()?;
    let took = line.number("duration_us").unwrap_or_default();
    let start = end.saturating_sub(took.saturating_mul(1000));
    let (op, target) = (line.text("op"), line.text("target"));
    // A name that a client made up would be a name of its own in every backend.
    let is_known = !target.is_empty() && line.text("control") != "authorize/unknown";
    let name = match is_known {
        true => format!("{op} {target}"),
        false => op.to_owned(),
    };
    let mut span = json!({
        "traceId": trace_id,
        "spanId": id,
        "name": name,
        "kind": SERVER,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": end.to_string(),
        "attributes": attributes(line, is_known),
        "status": { "code": if is_well(line) { 0 } else { FAILED } },
    });
    if let Some(parent) = trace("parent") {
        put(&mut span, "parentSpanId", parent);
    }
    let request = json!({ "resourceSpans": [{
        "resource": { "attributes": [attribute("service.name", "mcp-secure")] },
        "scopeSpans": [{ "scope": { "name": "mcp-secure" }, "spans": [span] }],
    }] });
    Some(request.to_string())
}

fn attributes(line: &Line, is_known: bool) -> Vec<Value> {
    let transport = match line.text("transport") {
        "stdio" => "pipe",
        "unix" => "unix",
        _ => "tcp",
    };
    let op = line.text("op");
    let mut all = vec![
        (semconv::METHOD, op),
        (semconv::TRANSPORT, transport),
        (semconv::PROTOCOL_VERSION, line.text("protocol")),
        (semconv::SESSION, line.text("session")),
        (CONTROL, line.text("control")),
        (DECISION, line.text("decision")),
    ];
    if op == "tools/call" {
        all.push((semconv::OPERATION, "execute_tool"));
    }
    if is_known {
        match op.split('/').next() {
            Some("tools") => all.push((semconv::TOOL, line.text("target"))),
            Some("prompts") => all.push((semconv::PROMPT, line.text("target"))),
            _ => {}
        }
    }
    if !is_well(line) {
        all.push((semconv::ERROR, line.text("outcome")));
    }
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| attribute(key, value))
        .collect()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn is_well(line: &Line) -> bool {
    matches!(line.text("outcome"), "ok" | "input_required")
}

/// Names of the semantic conventions for MCP: they left the main conventions for those of
/// generative AI, where they are in development. As they were in July 2026.
mod semconv {
    pub(super) const METHOD: &str = "mcp.method.name";
    pub(super) const PROTOCOL_VERSION: &str = "mcp.protocol.version";
    /// Here the digest of the record: the id itself would let its reader into the session.
    pub(super) const SESSION: &str = "mcp.session.id";
    pub(super) const TOOL: &str = "gen_ai.tool.name";
    pub(super) const PROMPT: &str = "gen_ai.prompt.name";
    pub(super) const OPERATION: &str = "gen_ai.operation.name";
    pub(super) const TRANSPORT: &str = "network.transport";
    pub(super) const ERROR: &str = "error.type";
}

const CONTROL: &str = "mcp_secure.control";
const DECISION: &str = "mcp_secure.decision";
const SERVER: u8 = 2;
const FAILED: u8 = 2;
