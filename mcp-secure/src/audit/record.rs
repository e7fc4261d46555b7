//! The records. Values of arguments are not in them: only names, types and sizes.

use std::borrow::Cow;

use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::Value;

use crate::{
    auth::Principal,
    capability::Steps,
    layer::guard::{TextTally, for_log},
    pipeline::Refusal,
};

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

#[derive(Serialize)]
pub(crate) struct Outcome<'a> {
    pub(crate) v: u8,
    pub(crate) event: &'static str,
    pub(crate) ts: chrono::DateTime<chrono::Utc>,
    pub(crate) id: &'a str,
    pub(crate) transport: &'static str,
    pub(crate) op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<Who<'a>>,
    pub(crate) decision: &'static str,
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<&'static str>,
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
    pub(crate) text: Option<TextTally>,
    /// What the session's client has been sent, this answer included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) taint: Vec<&'static str>,
    /// What its handles did.
    #[serde(flatten)]
    pub(crate) steps: Option<Steps>,
    pub(crate) duration_us: u64,
    pub(crate) manifest: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Intent<'a> {
    pub(crate) v: u8,
    pub(crate) event: &'static str,
    pub(crate) ts: chrono::DateTime<chrono::Utc>,
    pub(crate) id: &'a str,
    pub(crate) transport: &'static str,
    pub(crate) op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<Who<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<&'static str>,
    pub(crate) manifest: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Refused<'a> {
    pub(crate) v: u8,
    pub(crate) event: &'static str,
    pub(crate) ts: chrono::DateTime<chrono::Utc>,
    pub(crate) transport: &'static str,
    pub(crate) control: &'a str,
    pub(crate) peer: &'a str,
    pub(crate) count: u64,
}

#[cfg(feature = "sandbox")]
#[derive(Serialize)]
pub(crate) struct Sandbox<'a> {
    pub(crate) v: u8,
    pub(crate) event: &'static str,
    pub(crate) ts: chrono::DateTime<chrono::Utc>,
    pub(crate) transport: &'static str,
    #[serde(flatten)]
    pub(crate) report: &'a crate::sandbox::SandboxReport,
    pub(crate) manifest: &'a str,
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
