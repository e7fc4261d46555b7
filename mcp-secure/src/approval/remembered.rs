//! What a person said that holds for a while: this tool, arguments of this shape, this caller and
//! client, this manifest. Only where the policy allows it, and only if the person wanted it so.
//!
//! It is in the store like everything else that was said, so that all replicas know it and a
//! restart forgets no revocation. Cells are written once: what is revoked is marked, not removed.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Decision, Desk, Matter, Pending, Person, desk::now, places::whose};
use crate::{call::nonce, pipeline::arguments_digest};

/// What the policy lets a person tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) seconds: u64,
    /// The digest of what has to be the same.
    pub(crate) shape: String,
    /// What that is, a line for each argument.
    pub(crate) words: Vec<String>,
}

/// One decision that holds for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) id: String,
    pub(crate) matter: Matter,
    pub(crate) manifest: String,
    shape: String,
    pub(crate) words: Vec<String>,
    pub(crate) decision: Decision,
    /// Seconds since 1970, for whoever reads it; what counts is the store's own clock.
    pub(crate) until: u64,
    /// The browser that said it, where nobody signs in.
    browser: Option<String>,
}

/// What a call has to match.
pub(crate) struct Wanted<'a> {
    pub(crate) caller: &'a Person,
    pub(crate) client: Option<&'a str>,
    pub(crate) tool: &'a str,
    pub(crate) manifest: &'a str,
    pub(crate) shape: &'a str,
}

/// Whose decisions a page shows.
#[cfg(feature = "http")]
pub(crate) enum Whose<'a> {
    Person(&'a Person),
    Browser(&'a str),
}

impl Offer {
    /// For these arguments, of which those named `same` have to stay as they are.
    pub(crate) fn of(
        time: Duration,
        arguments: &serde_json::Map<String, Value>,
        same: &[String],
    ) -> Self {
        Self {
            seconds: time.as_secs(),
            shape: shape(arguments, same),
            words: words(arguments, same),
        }
    }
}

impl Memory {
    fn is(&self, wanted: &Wanted<'_>) -> bool {
        self.matter.caller == *wanted.caller
            && self.matter.client.as_deref() == wanted.client
            && self.matter.tool == wanted.tool
            && self.manifest == wanted.manifest
            && self.shape == wanted.shape
    }

    #[cfg(feature = "http")]
    pub(crate) fn is_of(&self, whose: &Whose<'_>) -> bool {
        match whose {
            Whose::Person(person) => self.matter.caller == **person,
            Whose::Browser(browser) => self.browser.as_deref() == Some(browser),
        }
    }
}

impl Desk {
    /// What was said before of such a call, and holds. A store that does not answer knows of
    /// nothing: the person is asked.
    pub(crate) async fn remembered(&self, wanted: &Wanted<'_>) -> Option<Memory> {
        let whose = digest(&whose(wanted.caller));
        let cells = (0..OF_ONE).map(|place| of_one(&whose, place)).collect();
        for memory in self.memories(cells).await {
            if memory.is(wanted) && self.holds(&memory).await {
                return Some(memory);
            }
        }
        None
    }

    /// Remembers what was said to a question, if it may be. `None` if not: the call runs once all
    /// the same.
    pub(crate) async fn remember(
        &self,
        id: &str,
        pending: &Pending,
        decision: &Decision,
        browser: Option<String>,
    ) -> Option<Memory> {
        let offer = pending.remember.as_ref().filter(|_| decision.yes)?;
        let time = Duration::from_secs(offer.seconds);
        let memory = Memory {
            id: nonce()?,
            matter: Matter::of(pending, self.audit()),
            manifest: pending.manifest.clone(),
            shape: offer.shape.clone(),
            words: offer.words.clone(),
            decision: decision.clone(),
            until: now().saturating_add(offer.seconds),
            browser,
        };
        let whose = digest(&whose(&memory.matter.caller));
        // What nobody could find, to revoke it, does not hold: first where it is listed.
        let listed = (0..OF_ALL).map(of_all).collect();
        let held = (0..OF_ONE).map(|place| of_one(&whose, place)).collect();
        if !self.put_first(listed, &memory, time).await
            || !self.put_first(held, &memory, time).await
        {
            tracing::warn!(target: "mcp_secure::approval", "a decision could not be remembered");
            return None;
        }
        if let Some(audit) = self.audit() {
            audit.remembered(Some(id), &memory, "remembered", &decision.by);
        }
        Some(memory)
    }

    /// All that hold, those that end first before the others.
    pub(crate) async fn all_remembered(&self) -> Vec<Memory> {
        let mut all = Vec::new();
        for memory in self.memories((0..OF_ALL).map(of_all).collect()).await {
            if self.holds(&memory).await {
                all.push(memory);
            }
        }
        all.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
        all
    }

    /// From now on it holds no more. `false` if it could not be made so.
    pub(crate) async fn revoke(&self, memory: &Memory, by: &Person) -> bool {
        let left = Duration::from_secs(memory.until.saturating_sub(now()).max(60) + SLACK);
        let cell = revoked(&memory.id);
        match self.store().keep(&cell, b"1", left).await {
            Ok(is_new) => {
                if let Some(audit) = self.audit().filter(|_| is_new) {
                    audit.remembered(None, memory, "revoked", by);
                }
                true
            }
            Err(_) => false,
        }
    }

    /// Whether nobody took it back. Where that is not known, somebody has.
    async fn holds(&self, memory: &Memory) -> bool {
        matches!(self.store().look(&revoked(&memory.id)).await, Ok(None))
    }

    async fn memories(&self, cells: Vec<String>) -> Vec<Memory> {
        let found = join_all(cells.iter().map(|cell| self.store().look(cell))).await;
        cells
            .iter()
            .zip(found)
            .filter_map(|(cell, found)| self.open(&found.ok()??, cell))
            .collect()
    }

    async fn put_first(&self, cells: Vec<String>, memory: &Memory, time: Duration) -> bool {
        for cell in cells {
            let Some(sealed) = self.seal_for(memory, &cell, time) else {
                return false;
            };
            match self.store().keep(&cell, sealed.as_bytes(), time).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// The decisions that a server remembers, for an approver that shows them to its persons.
#[derive(Clone)]
pub struct Decisions(Weak<Desk>);

/// One of them, in words.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Remembered {
    /// By which it is revoked.
    pub id: String,
    /// The tool that runs without asking.
    pub tool: String,
    /// For whom.
    pub caller: String,
    /// With what arguments, a line each.
    pub arguments: Vec<String>,
    /// Who said so.
    pub by: String,
    /// Seconds since 1970.
    pub until: u64,
}

impl Decisions {
    pub(crate) fn of(desk: &Arc<Desk>) -> Self {
        Self(Arc::downgrade(desk))
    }

    /// All that hold now.
    pub async fn list(&self) -> Vec<Remembered> {
        let Some(desk) = self.0.upgrade() else {
            return Vec::new();
        };
        let told = |person: &Person| format!("{} of {}", person.subject, person.issuer);
        let all = desk.all_remembered().await;
        let shown = all.into_iter().map(|memory| Remembered {
            caller: told(&memory.matter.caller),
            by: told(&memory.decision.by),
            id: memory.id,
            tool: memory.matter.tool,
            arguments: memory.words,
            until: memory.until,
        });
        shown.collect()
    }

    /// Takes one back, for a person of this approver. `false` if there is none such, or if it
    /// could not be taken back.
    pub async fn revoke(&self, id: &str, approver: &str, by: &str) -> bool {
        let Some(desk) = self.0.upgrade() else {
            return false;
        };
        let by = Person {
            issuer: format!("approver:{approver}"),
            subject: by.to_owned(),
        };
        let all = desk.all_remembered().await;
        match all.iter().find(|memory| memory.id == id) {
            Some(memory) => desk.revoke(memory, &by).await,
            None => false,
        }
    }
}

/// The digest of what has to be the same: names and types of all that is in the arguments, and
/// the values of those that are to stay.
pub(crate) fn shape(arguments: &serde_json::Map<String, Value>, same: &[String]) -> String {
    let kept = arguments
        .iter()
        .map(|(name, value)| match same.contains(name) {
            true => (
                name.clone(),
                Value::Array(vec!["same".into(), value.clone()]),
            ),
            false => (name.clone(), Value::Array(vec!["any".into(), kind(value)])),
        });
    arguments_digest(&kept.collect())
}

/// A value without what it is.
fn kind(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), kind(value)))
                    .collect(),
            )
        }
        // However many there are, of which kinds.
        Value::Array(items) => {
            let mut kinds: Vec<Value> = Vec::new();
            for item in items.iter().map(kind) {
                if !kinds.contains(&item) {
                    kinds.push(item);
                }
            }
            kinds.sort_by_key(Value::to_string);
            Value::Array(kinds)
        }
        other => word(other).into(),
    }
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "yes or no",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn words(arguments: &serde_json::Map<String, Value>, same: &[String]) -> Vec<String> {
    let mut arguments: Vec<_> = arguments.iter().collect();
    arguments.sort_unstable_by_key(|(name, _)| *name);
    let words = arguments
        .into_iter()
        .map(|(name, value)| match same.contains(name) {
            true => {
                let value: String = value.to_string().chars().take(MOST_SHOWN).collect();
                format!("{name}: the same, {value}")
            }
            false => format!("{name}: any {}", word(value)),
        });
    words.collect()
}

fn digest(text: &str) -> String {
    crate::hex::hex(&Sha256::digest(text.as_bytes()))
}

fn of_one(whose: &str, place: usize) -> String {
    format!("approval/remembered-of/{whose}/{place}")
}

fn of_all(place: usize) -> String {
    format!("approval/remembered/{place}")
}

fn revoked(id: &str) -> String {
    format!("approval/revoked/{id}")
}

/// That hold for one caller at a time.
const OF_ONE: usize = 8;
/// And for all of them.
const OF_ALL: usize = 128;
/// A revocation outlives what it revokes, whichever clock is ahead.
const SLACK: u64 = 24 * 60 * 60;
/// Of a value that stays the same, in a list.
const MOST_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str, same: &[&str]) -> String {
        let same: Vec<String> = same.iter().map(|&name| name.to_owned()).collect();
        shape(
            serde_json::from_str::<Value>(text)
                .unwrap()
                .as_object()
                .unwrap(),
            &same,
        )
    }

    #[test]
    fn a_shape_is_names_and_types_and_what_has_to_stay() {
        let one = of(
            r#"{"to":"bob","amount":1,"tags":["a"],"deep":{"x":1}}"#,
            &["to"],
        );
        assert_eq!(
            one,
            of(
                r#"{"deep":{"x":2},"tags":["b","c"],"amount":9,"to":"bob"}"#,
                &["to"]
            )
        );
        for other in [
            r#"{"to":"mallory","amount":1,"tags":["a"],"deep":{"x":1}}"#,
            r#"{"to":"bob","amount":"1","tags":["a"],"deep":{"x":1}}"#,
            r#"{"to":"bob","amount":1,"tags":[1],"deep":{"x":1}}"#,
            r#"{"to":"bob","amount":1,"tags":[],"deep":{"x":1}}"#,
            r#"{"to":"bob","amount":1,"tags":["a"],"deep":{"y":1}}"#,
            r#"{"to":"bob","amount":1,"tags":["a"],"deep":{"x":1},"more":true}"#,
            r#"{"to":"bob","amount":1,"tags":["a"]}"#,
        ] {
            assert_ne!(one, of(other, &["to"]), "{other}");
        }
        // Whoever writes a value that looks like a type is still of that type.
        assert_ne!(of(r#"{"a":"number"}"#, &[]), of(r#"{"a":1}"#, &[]));
        assert_ne!(
            of(r#"{"a":["any","text"]}"#, &["a"]),
            of(r#"{"a":"x"}"#, &[])
        );
    }
}
