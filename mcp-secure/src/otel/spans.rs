//! From an audit record to a span and a log record.
//!
//! What may leave is a list. What is not on it stays, above all `values` and `arguments` (what a
//! caller sent), `reason` (an error may quote anything), `steps` and `arguments_digest`.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    InstrumentationScope, Key, KeyValue, SpanId, TraceFlags, TraceId,
    logs::{AnyValue, LogRecord as _, Logger as _, Severity},
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::{
    logs::{SdkLogRecord, SdkLogger},
    trace::{SpanData, SpanEvents, SpanLinks},
};
use serde_json::Value;

/// One record, read back.
pub(super) struct Record(Value);

impl Record {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        value.is_object().then_some(Self(value))
    }

    fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or("")
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.0.get(field).and_then(Value::as_u64)
    }

    fn time(&self) -> Option<SystemTime> {
        let time = chrono::DateTime::parse_from_rfc3339(self.text("ts")).ok()?;
        Some(time.with_timezone(&chrono::Utc).into())
    }

    /// A request is its own trace, or a part of its caller's. The same as what `audit export` says.
    fn context(&self) -> Option<(TraceId, SpanId, Option<SpanId>)> {
        let id = self.text("id");
        let span = SpanId::from_hex(id).ok().filter(|_| id.len() == 16)?;
        let trace = self.0.get("trace");
        let said = |field: &str| trace?.get(field)?.as_str();
        let trace = match said("trace") {
            Some(trace) => TraceId::from_hex(trace).ok()?,
            None => TraceId::from_hex(&id.repeat(2)).ok()?,
        };
        let parent = said("parent").and_then(|id| SpanId::from_hex(id).ok());
        Some((trace, span, parent))
    }

    /// The name, if it is one of the registry: what a client made up names no span.
    fn target(&self) -> &str {
        match self.text("control") {
            "authorize/unknown" => "",
            _ => self.text("target"),
        }
    }

    /// The end of a request as a span.
    pub(super) fn span(&self, scope: &InstrumentationScope) -> Option<SpanData> {
        if self.text("event") != "outcome" {
            return None;
        }
        let (trace, id, parent) = self.context()?;
        let end = self.time()?;
        let took = Duration::from_micros(self.number("duration_us").unwrap_or_default());
        let (op, target) = (self.text("op"), self.target());
        let name = match target {
            "" => op.to_owned(),
            _ => format!("{op} {target}"),
        };
        let outcome = self.text("outcome");
        let status = match semconv::is_well(outcome) {
            true => Status::Unset,
            false => Status::error(outcome.to_owned()),
        };
        Some(SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: parent.is_some(),
            span_kind: SpanKind::Server,
            name: name.into(),
            start_time: end.checked_sub(took).unwrap_or(end),
            end_time: end,
            attributes: self.attributes(op, target),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: scope.clone(),
        })
    }

    fn attributes(&self, op: &str, target: &str) -> Vec<KeyValue> {
        let transport = match self.text("transport") {
            "stdio" => "pipe",
            "unix" => "unix",
            _ => "tcp",
        };
        let mut all = vec![
            (semconv::METHOD, op),
            (semconv::TRANSPORT, transport),
            (semconv::PROTOCOL_VERSION, self.text("protocol")),
            (semconv::SESSION, self.text("session")),
            ("mcp_secure.control", self.text("control")),
            ("mcp_secure.decision", self.text("decision")),
        ];
        if op == "tools/call" {
            all.push((semconv::OPERATION, "execute_tool"));
        }
        all.extend(semconv::named(op, target));
        if !semconv::is_well(self.text("outcome")) {
            all.push((semconv::ERROR, self.text("outcome")));
        }
        all.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| KeyValue::new(key, value.to_owned()))
            .collect()
    }

    /// Any record as a log record.
    pub(super) fn log(&self, logger: &SdkLogger) -> SdkLogRecord {
        let mut log = logger.create_log_record();
        let (event, severity) = match self.text("event") {
            "outcome" => match self.text("outcome") {
                "ok" | "input_required" | "cancelled" => (OUTCOME, Severity::Info),
                "failed" | "panic" => (OUTCOME, Severity::Error),
                _ => (OUTCOME, Severity::Warn),
            },
            "intent" => ("mcp_secure.intent", Severity::Info),
            "refused" => ("mcp_secure.refused", Severity::Warn),
            "account" => ("mcp_secure.account", Severity::Info),
            _ => ("mcp_secure.other", Severity::Info),
        };
        log.set_event_name(event);
        log.set_severity_number(severity);
        log.set_severity_text(severity.name());
        log.set_observed_timestamp(SystemTime::now());
        if let Some(time) = self.time() {
            log.set_timestamp(time);
        }
        if let Some((trace, span, _)) = self.context() {
            log.set_trace_context(trace, span, Some(TraceFlags::SAMPLED));
        }
        let words = ["op", "target", "outcome", "control"]
            .map(|field| self.text(field))
            .into_iter()
            .filter(|word| !word.is_empty());
        log.set_body(AnyValue::from(words.collect::<Vec<_>>().join(" ")));
        for field in FIELDS {
            if let Some(value) = any(self.0.get(field)) {
                log.add_attribute(Key::from(format!("mcp_secure.{field}")), value);
            }
        }
        for field in WHO {
            let who = self.0.get("principal").and_then(|who| who.get(field));
            if let Some(value) = any(who) {
                log.add_attribute(Key::from(format!("mcp_secure.principal.{field}")), value);
            }
        }
        for field in PHASES {
            let phase = self.0.get("phases").and_then(|phases| phases.get(field));
            if let Some(value) = any(phase) {
                log.add_attribute(Key::from(format!("mcp_secure.{field}")), value);
            }
        }
        log
    }
}

/// Texts, numbers and lists of texts.
fn any(value: Option<&Value>) -> Option<AnyValue> {
    Some(match value? {
        Value::String(text) => AnyValue::from(text.clone()),
        Value::Number(number) => AnyValue::Int(number.as_i64()?),
        Value::Array(items) => {
            let texts = items.iter().filter_map(Value::as_str);
            AnyValue::ListAny(Box::new(
                texts.map(|text| AnyValue::from(text.to_owned())).collect(),
            ))
        }
        _ => return None,
    })
}

/// What a log record says: nothing that a caller sent but the name that it called.
const FIELDS: [&str; 22] = [
    "v",
    "event",
    "id",
    "transport",
    "protocol",
    "session",
    "op",
    "target",
    "decision",
    "outcome",
    "control",
    "challenged",
    "policies",
    "taint",
    "limits",
    "approval",
    "approval_id",
    "bytes_in",
    "bytes_out",
    "duration_us",
    "peer",
    "count",
];

const WHO: [&str; 4] = ["issuer", "subject", "client", "assurance"];
const PHASES: [&str; 3] = ["queue_us", "approval_us", "tool_us"];
const OUTCOME: &str = "mcp_secure.outcome";

/// Names of the semantic conventions for MCP, as they were in July 2026.
pub(super) mod semconv {
    pub(crate) const METHOD: &str = "mcp.method.name";
    pub(crate) const PROTOCOL_VERSION: &str = "mcp.protocol.version";
    /// Here the digest of the record: the id itself would let its reader into the session.
    pub(crate) const SESSION: &str = "mcp.session.id";
    pub(crate) const OPERATION: &str = "gen_ai.operation.name";
    pub(crate) const TRANSPORT: &str = "network.transport";
    pub(crate) const ERROR: &str = "error.type";

    /// What the target of a method is called.
    pub(crate) fn named<'a>(op: &str, target: &'a str) -> Option<(&'static str, &'a str)> {
        if target.is_empty() {
            return None;
        }
        match op.split('/').next() {
            Some("tools") => Some(("gen_ai.tool.name", target)),
            Some("prompts") => Some(("gen_ai.prompt.name", target)),
            _ => None,
        }
    }

    pub(crate) fn is_well(outcome: &str) -> bool {
        matches!(outcome, "ok" | "input_required")
    }
}
