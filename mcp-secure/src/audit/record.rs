//! The records. Values of arguments are not in them, unless their author said so of one: only
//! names, types, sizes and a digest.

use std::borrow::Cow;

use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::Value;

use super::{DigestKey, Stamp, TraceContext};
use crate::{
    approval::{Decision, Matter},
    auth::Principal,
    capability::Steps,
    layer::guard::{TextTally, cut, for_log},
    pipeline::{Journey, Phases, Refusal},
};

/// The version of all records. A reader that knows it passes over fields and events it does not
/// know; what a field means is not changed without a new one.
pub(super) const VERSION: u8 = 2;

/// How a request ended.
pub(crate) enum Ending<'a> {
    Answered(&'static str),
    Refused(&'a Refusal),
    /// Nobody waited for the answer any more.
    Dropped,
    /// The same, where leaving is how a client cancels.
    Left,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Who<'a> {
    issuer: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    assurance: &'static str,
    /// Who acts for the subject, the nearest first, as the issuer recorded it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actors: Vec<Acting<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Acting<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    subject: &'a str,
}

impl<'a> Who<'a> {
    pub(crate) fn of(principal: &'a Principal) -> Self {
        Self {
            issuer: principal.issuer(),
            subject: principal.subject(),
            client: principal.client(),
            key: principal.key_id(),
            assurance: principal.assurance().as_str(),
            actors: principal
                .actors()
                .iter()
                .map(|actor| Acting {
                    issuer: actor.issuer(),
                    subject: actor.subject(),
                })
                .collect(),
        }
    }
}

/// One person's answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AnsweredBy<'a> {
    /// The issuer at which they signed in, or `approver:` and the approver's name.
    issuer: &'a str,
    subject: &'a str,
    /// What the answer proves.
    how: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    at: chrono::DateTime<chrono::Utc>,
}

impl<'a> AnsweredBy<'a> {
    pub(super) fn of(decision: &'a Decision) -> Self {
        let at = i64::try_from(decision.at).ok();
        Self {
            issuer: &decision.by.issuer,
            subject: &decision.by.subject,
            how: decision.how.as_str(),
            at: at
                .and_then(chrono::DateTime::from_timestamp_millis)
                .unwrap_or_default(),
        }
    }
}

/// For whom a person was asked.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AskedFor<'a> {
    issuer: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
}

impl<'a> AskedFor<'a> {
    pub(super) fn of(matter: &'a Matter) -> Self {
        Self {
            issuer: &matter.caller.issuer,
            subject: &matter.caller.subject,
            client: matter.client.as_deref(),
        }
    }
}

/// A person's answer when it is heard, or that none came in time: whoever called may never come
/// back for it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Answer<'a> {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "approval")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    pub(crate) transport: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["yes", "no", "none", "left", "remembered", "revoked"])))]
    pub(crate) answer: &'static str,
    /// The same in the records of the calls that waited for it.
    pub(crate) approval_id: &'a str,
    /// What holds for a while from now on, or no more: the `approval_id` of the calls that run by
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remembered: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<AnsweredBy<'a>>,
    /// How many persons had to agree.
    pub(crate) people: u8,
    pub(crate) target: &'a str,
    pub(crate) principal: AskedFor<'a>,
    /// Their shape: names, types and sizes.
    pub(crate) arguments: &'a str,
    /// As in the records of the call, of the arguments that a person saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments_digest: Option<&'a str>,
    /// Which key the digests are made with.
    pub(crate) key: &'a str,
    pub(crate) manifest: &'a str,
}

/// What a person gave this server for calls in their name, took back, or lost. Nothing of the
/// secret itself is in it, and no digest: a short one could be found by guessing.
#[cfg(any(test, feature = "upstream"))]
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Account<'a> {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "account")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    pub(crate) transport: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["connected", "entered", "removed", "ended"])))]
    pub(crate) what: &'static str,
    /// The grant that spends it, if this server still has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<&'a str>,
    /// What it is called among the credentials of the person.
    pub(crate) entry: &'a str,
    pub(crate) principal: Whose<'a>,
    /// How it is known that it was this person; not where nobody did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("enum" = ["page", "page-link", "device"])))]
    pub(crate) how: Option<&'static str>,
    /// Whether its issuer took it back, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) taken_back: Option<bool>,
    /// The control that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control: Option<&'static str>,
    pub(crate) manifest: &'a str,
}

/// In whose name calls are made with it.
#[cfg(any(test, feature = "upstream"))]
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Whose<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
}

/// What both records of a request say of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct About<'a> {
    /// The correlation id, which an error shows the caller too.
    id: &'a str,
    transport: &'static str,
    /// The revision of the protocol that the client chose for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    /// A digest of the session's id: equal within a session, and no use to who reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    /// The client's trace, if it sent a well-formed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a TraceContext>,
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Who<'a>>,
    /// Their shape: names, types and sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    /// The keyed digest of all arguments in their canonical form.
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments_digest: Option<&'a str>,
    /// Those that are marked `#[arg(audit)]`, cut and cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<&'a JsonObject>,
    /// Which key the digests are made with.
    key: &'a str,
    /// How a person agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<&'static str>,
    /// The same in the record of the question and in that of the call that was agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<&'a str>,
    /// Who agreed, where it was said to this server and not to the client.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approved_by: Vec<AnsweredBy<'a>>,
    /// The size of the arguments in their canonical form.
    bytes_in: u64,
}

impl<'a> About<'a> {
    pub(super) fn of(journey: &'a Journey, transport: &'static str, key: &'a DigestKey) -> Self {
        let noted = journey.noted.get();
        let arguments_digest = journey.arguments_digest.get();
        Self {
            id: journey.id.as_str(),
            transport,
            protocol: noted.and_then(|noted| noted.protocol),
            session: noted.and_then(|noted| noted.session.as_deref()),
            trace: noted.and_then(|noted| noted.trace.as_ref()),
            op: journey.method,
            target: journey.subject.get().map(|s| s.as_str()),
            principal: journey.principal.get().map(Who::of),
            arguments: journey.arguments.get().map(String::as_str),
            arguments_digest: arguments_digest.map(|(digest, _)| digest.as_str()),
            values: journey.values.get(),
            key: key.id(),
            approval: journey.approval.get().copied(),
            approval_id: journey.approval_id.get().map(String::as_str),
            approved_by: journey
                .approved_by
                .get()
                .map_or_else(Vec::new, |all| all.iter().map(AnsweredBy::of).collect()),
            bytes_in: arguments_digest.map_or(0, |(_, bytes)| *bytes as u64),
        }
    }
}

/// The end of a request.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Outcome<'a> {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "outcome")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    #[serde(flatten)]
    pub(crate) about: About<'a>,
    #[cfg_attr(test, schemars(extend("enum" = ["allow", "deny"])))]
    pub(crate) decision: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = [
        "ok", "input_required", "denied", "tool_error", "failed", "panic", "timeout", "cancelled",
        "overloaded", "dropped"
    ])))]
    pub(crate) outcome: &'static str,
    /// The control that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    /// All the scopes that a caller who lacks some of them was told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) challenged: Option<&'static [&'static str]>,
    /// Why the flow of data had to be put before a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flow: Option<&'static str>,
    /// The ids of the policies that decided.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) policies: &'a [String],
    pub(crate) bytes_out: u64,
    /// What was found in text that left, by rule and kind: never the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        test,
        schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")
    )]
    pub(crate) text: Option<TextTally>,
    /// What the session's client has been sent, this answer included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) taint: Vec<&'static str>,
    /// `local`: the limits that replicas share did not answer, and this replica's part held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<&'static str>,
    /// What its handles did.
    #[serde(flatten)]
    pub(crate) steps: Option<Steps>,
    /// From the first layer to the end, all of the phases included.
    pub(crate) duration_us: u64,
    pub(crate) phases: Phases,
    /// The digest of the compiled manifest.
    pub(crate) manifest: &'a str,
}

/// What is about to have an effect.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Intent<'a> {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "intent")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    #[serde(flatten)]
    pub(crate) about: About<'a>,
    pub(crate) manifest: &'a str,
}

/// Refusals before anybody was identified, added up.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Refused<'a> {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "refused")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    pub(crate) transport: &'static str,
    pub(crate) control: &'a str,
    /// The network of the caller, or `local`, `stdio`, `(others)`.
    pub(crate) peer: &'a str,
    pub(crate) count: u64,
}

/// What the kernel keeps, once, when a server starts.
#[cfg(feature = "sandbox")]
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Sandbox<'a> {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "sandbox")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    pub(crate) transport: &'static str,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(with = "super::schema::Report"))]
    pub(crate) report: &'a crate::sandbox::SandboxReport,
    pub(crate) manifest: &'a str,
}

/// Records that were to be exported (OpenTelemetry) and were not: the collector did not take
/// them, or they found no room. They are in this log.
#[cfg(any(test, feature = "otel"))]
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Telemetry {
    #[cfg_attr(test, schemars(extend("const" = 2)))]
    pub(crate) v: u8,
    #[cfg_attr(test, schemars(extend("const" = "telemetry")))]
    pub(crate) event: &'static str,
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub(crate) ts: Stamp,
    pub(crate) transport: &'static str,
    /// How many since the last such record.
    pub(crate) lost: u64,
}

/// The shape of arguments: `name=string(12) tags=array(3)`. Names come from the client here
/// (the schema is checked later), so they are cut and cleaned.
pub(crate) fn shape(arguments: &JsonObject) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(32);
    // Sorted: whether a map is depends on the features of the build.
    let mut sorted: Vec<_> = arguments.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in sorted.into_iter().take(32) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(
            name.chars()
                .take(64)
                .map(|c| if c.is_ascii_graphic() { c } else { '\u{fffd}' }),
        );
        let _ = match value {
            Value::Null => write!(out, "=null"),
            Value::Bool(_) => write!(out, "=boolean"),
            Value::Number(_) => write!(out, "=number"),
            Value::String(text) => write!(out, "=string({})", text.len()),
            Value::Array(items) => write!(out, "=array({})", items.len()),
            Value::Object(members) => write!(out, "=object({})", members.len()),
        };
    }
    if arguments.len() > 32 {
        out.push_str(" …");
    }
    match for_log(&out) {
        Cow::Borrowed(_) => out,
        Cow::Owned(clean) => clean,
    }
}

/// A value that its author wants in the record: cut and cleaned. What is large is its shape.
pub(super) fn shown_value(value: &Value) -> Value {
    let size = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    match value {
        Value::String(text) => for_log(cut(text, MAX_VALUE)).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(items) if size > MAX_VALUE => format!("array({})", items.len()).into(),
        Value::Object(members) if size > MAX_VALUE => format!("object({})", members.len()).into(),
        Value::Array(items) => items.iter().map(shown_value).collect(),
        Value::Object(members) => {
            let clean =
                |(name, value): (&String, &Value)| (for_log(name).into_owned(), shown_value(value));
            Value::Object(members.iter().map(clean).collect())
        }
    }
}

const MAX_VALUE: usize = 1024;
