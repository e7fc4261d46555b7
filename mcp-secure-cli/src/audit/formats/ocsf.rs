//! OCSF: class API Activity, with the profile of security controls.

use serde_json::{Map, Value, json};

use super::{Line, put};

/// One record as one event.
pub(in crate::audit) fn ocsf(line: &Line) -> Option<String> {
    let refused = line.event() == "refused";
    let denied = refused || line.text("decision") == "deny";
    let (activity, name) = activity(line);
    let mut event = Map::new();
    let mut set = |key: &str, value: Value| event.insert(key.to_owned(), value);
    set("category_uid", 6.into());
    set("category_name", "Application Activity".into());
    set("class_uid", CLASS.into());
    set("class_name", "API Activity".into());
    set("activity_id", activity.into());
    set("activity_name", name.into());
    set("type_uid", (CLASS * 100 + activity).into());
    set("time", line.time().unwrap_or_default().into());
    set("severity_id", severity(line, denied).into());
    set("metadata", metadata(line));
    set("actor", actor(line));
    set("api", api(line));
    set("src_endpoint", endpoint(line));
    // 1 allowed and 2 denied; 1 allowed and 2 blocked.
    set("action_id", if denied { 2 } else { 1 }.into());
    set("disposition_id", if denied { 2 } else { 1 }.into());
    let outcome = line.text("outcome");
    if refused || !outcome.is_empty() {
        let well = matches!(outcome, "ok" | "input_required");
        set("status_id", if well { 1 } else { 2 }.into());
        set(
            "status_code",
            if refused { "refused" } else { outcome }.into(),
        );
    }
    if !line.text("reason").is_empty() {
        set("status_detail", line.text("reason").into());
    }
    if !line.text("control").is_empty() {
        set(
            "policy",
            json!({ "uid": line.text("control"), "type": "control" }),
        );
    }
    if let Some(us) = line.number("duration_us") {
        set("duration", (us / 1000).into());
    }
    set("count", line.number("count").unwrap_or(1).into());
    if !line.text("target").is_empty() {
        let resource = json!({ "name": line.text("target"), "type": kind(line.text("op")) });
        set("resources", json!([resource]));
    }
    let unmapped: Map<String, Value> = UNMAPPED
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), line.value(field)?.clone())))
        .collect();
    if !unmapped.is_empty() {
        set("unmapped", Value::Object(unmapped));
    }
    Some(Value::Object(event).to_string())
}

fn activity(line: &Line) -> (u64, &'static str) {
    match (line.event(), line.text("op")) {
        ("refused", _) => (99, "Refuse"),
        ("intent", _) => (99, "Intend"),
        ("account", _) => (99, "Account"),
        (_, "tools/call") => (99, "Call"),
        (_, "") => (0, "Unknown"),
        // What is left answers from what is there.
        _ => (2, "Read"),
    }
}

/// 1 informational, 2 low, 3 medium.
fn severity(line: &Line, denied: bool) -> u64 {
    match line.text("outcome") {
        _ if denied => 3,
        "failed" | "panic" | "timeout" => 2,
        _ => 1,
    }
}

fn metadata(line: &Line) -> Value {
    let mut metadata = json!({
        "version": "1.8.0",
        "profiles": ["security_control"],
        "product": { "name": "mcp-secure", "vendor_name": "mcp-secure" },
        "log_name": "audit",
        "log_version": line.number("v").unwrap_or_default().to_string(),
        "event_code": line.event(),
        "original_time": line.text("ts"),
    });
    if !line.text("id").is_empty() {
        put(&mut metadata, "correlation_uid", line.text("id"));
    }
    if let Some(seq) = line.number("seq") {
        put(&mut metadata, "sequence", seq);
    }
    metadata
}

fn actor(line: &Line) -> Value {
    let subject = line.principal("subject");
    if subject.is_empty() {
        return json!({ "user": { "name": "(not identified)", "type_id": 0 } });
    }
    let mut actor = json!({
        // 1 is a person or a program with an account, 99 is stated by the type.
        "user": { "uid": subject, "domain": line.principal("issuer"), "type_id": 99, "type": "Principal" },
    });
    if !line.text("session").is_empty() {
        put(
            &mut actor,
            "session",
            json!({ "uid": line.text("session") }),
        );
    }
    if !line.principal("client").is_empty() {
        put(&mut actor, "app_uid", line.principal("client"));
    }
    actor
}

fn api(line: &Line) -> Value {
    let operation = match line.text("op") {
        "" => "(none)",
        op => op,
    };
    let mut api = json!({ "operation": operation, "service": { "name": "mcp" } });
    if !line.text("id").is_empty() {
        put(&mut api, "request", json!({ "uid": line.text("id") }));
    }
    if !line.text("protocol").is_empty() {
        put(&mut api, "version", line.text("protocol"));
    }
    if !line.text("control").is_empty() {
        put(
            &mut api,
            "response",
            json!({ "error": line.text("control") }),
        );
    }
    api
}

/// The network of a caller who was not let in; of the others only the transport is known.
fn endpoint(line: &Line) -> Value {
    match line.text("peer") {
        "" => json!({ "name": line.text("transport") }),
        peer => json!({ "name": peer, "interface_name": line.text("transport") }),
    }
}

fn kind(op: &str) -> &'static str {
    match op.split('/').next() {
        Some("tools") => "tool",
        Some("prompts") => "prompt",
        Some("resources") => "resource",
        _ => "other",
    }
}

const CLASS: u64 = 6003;

/// What the class has no place for, under its own names.
const UNMAPPED: [&str; 23] = [
    "transport",
    "arguments",
    "arguments_digest",
    "values",
    "key",
    "approval",
    "approval_id",
    "bytes_in",
    "bytes_out",
    "text",
    "taint",
    "flow",
    "policies",
    "challenged",
    "steps",
    "phases",
    "trace",
    "manifest",
    "principal",
    "what",
    "entry",
    "how",
    "taken_back",
];
