//! One pass over something that leaves: every string is looked at once, cleaned in its place,
//! and counted.

use std::{borrow::Cow, collections::HashMap};

use mcp_secure_text::{Field, Policy, inspect, sanitize_field};
use rmcp::model::{ErrorCode, JsonObject, MetaObject};
use serde_json::Value;

use super::{
    notes::{At, KEY, Notes},
    policy::TextPolicy,
    secret, spotlight,
};
use crate::{layer::validate::is_within, pipeline::Refusal};

/// The hand that goes over everything in one message.
pub(crate) struct Pass<'p> {
    policy: &'p TextPolicy,
    /// By which rules: a tool's output, or a prompt's text.
    pub(super) field: Field,
    pub(super) max_depth: usize,
    pub(super) left: usize,
    pub(super) used: usize,
    pub(super) notes: Notes,
    /// What is left as it is was noted before.
    pub(super) only_changes: bool,
}

impl<'p> Pass<'p> {
    pub(super) fn new(policy: &'p TextPolicy, max: usize, max_depth: usize) -> Self {
        Self {
            policy,
            field: Field::ToolOutput,
            max_depth,
            left: max,
            used: 0,
            notes: Notes::default(),
            only_changes: false,
        }
    }

    /// Bytes that leave.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn count(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.used = self.used.saturating_add(bytes);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Refusal::denied(
                "guard/size",
                ErrorCode::INVALID_REQUEST,
                "the answer is too large; ask for less",
                "the answer is larger than its limit",
            )),
        }
    }

    /// A string that leaves. Too large a one is refused unread.
    pub(super) fn text(&mut self, text: &mut String, at: At) -> Result<(), Refusal> {
        let before = text.len();
        self.count(before)?;
        self.words(text, at);
        match text.len().checked_sub(before) {
            Some(more) => self.count(more),
            None => {
                self.used = self.used.saturating_sub(before - text.len());
                Ok(())
            }
        }
    }

    pub(super) fn texts(&mut self, text: &mut Option<String>, at: At) -> Result<(), Refusal> {
        match text {
            Some(text) => self.text(text, at),
            None => Ok(()),
        }
    }

    /// A string that is bounded by somebody else.
    pub(super) fn words(&mut self, text: &mut String, at: At) {
        let (clean, _) = self.clean(Cow::Owned(std::mem::take(text)), at);
        *text = clean.into_owned();
    }

    /// The text as it may leave, and whether it is another one. What is clean is handed through.
    pub(super) fn clean<'t>(&mut self, text: Cow<'t, str>, at: At) -> (Cow<'t, str>, bool) {
        let report = inspect(&text, self.field);
        // A key that is split by what nobody sees is no key to the eye of a detector, and one to
        // whoever puts it together again.
        let strips = self.policy.strips()
            || (!report.is_clean() && {
                let whole = sanitize_field(&*text, self.field, Policy::Strip);
                whole.changed() > 0 && secret::is_in(whole.as_str(), self.policy)
            });
        let policy = if strips {
            Policy::Strip
        } else {
            Policy::Escape
        };
        let mut text = text;
        let clean = sanitize_field(&*text, self.field, policy);
        let mut changed = clean.changed() > 0;
        if changed {
            self.notes.changed(clean.changed());
            text = Cow::Owned(clean.into_string());
        }
        if !report.is_clean() && (changed || !self.only_changes) {
            self.notes.report(&report, at);
        }
        let notes = &mut self.notes;
        if let Some(redacted) = secret::redact(&text, self.policy, |kind| notes.redacted(kind)) {
            changed = true;
            text = Cow::Owned(redacted);
        }
        (text, changed)
    }

    /// JSON of somebody's: every string and every key.
    pub(super) fn json(&mut self, value: &mut Value, at: At) -> Result<(), Refusal> {
        if !is_within(value, self.max_depth) {
            return Err(Refusal::failed("guard/depth", "an answer nests too deeply"));
        }
        self.value(value, at)
    }

    fn value(&mut self, value: &mut Value, at: At) -> Result<(), Refusal> {
        match value {
            Value::String(text) => self.text(text, at),
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.value(item, at)),
            Value::Object(members) => self.members(members, at),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.count(8),
        }
    }

    fn members(&mut self, members: &mut JsonObject, at: At) -> Result<(), Refusal> {
        let mut renamed = Vec::new();
        for (key, member) in &mut *members {
            self.count(key.len())?;
            let (clean, changed) = self.clean(Cow::Borrowed(key), at);
            if changed {
                renamed.push((key.clone(), clean.into_owned()));
            }
            self.value(member, at)?;
            if let Value::String(text) = member
                && let Some(kind) = secret::named(key, text, self.policy)
            {
                self.notes.redacted(kind);
                *text = format!("[redacted: {kind}]");
            }
        }
        self.rename(members, renamed, at);
        Ok(())
    }

    /// Keys that were different and now read the same are numbered: nothing is lost, and an
    /// honest key keeps its name.
    fn rename(&mut self, members: &mut JsonObject, renamed: Vec<(String, String)>, at: At) {
        let mut next: HashMap<String, usize> = HashMap::new();
        for (old, name) in renamed {
            let Some(member) = members.remove(&old) else {
                continue;
            };
            let mut free = name.clone();
            if members.contains_key(&free) {
                self.notes.own("guard/same-key", at);
                let number = next.entry(name.clone()).or_insert(2);
                while members.contains_key(&free) {
                    free = format!("{name}#{number}");
                    *number += 1;
                }
            }
            members.insert(free, member);
        }
    }

    /// What user code says beside an answer. The notes are the guard's alone.
    pub(super) fn meta(&mut self, meta: &mut Option<MetaObject>, at: At) -> Result<(), Refusal> {
        match meta {
            Some(MetaObject(members)) => self.meta_members(members, at),
            None => Ok(()),
        }
    }

    pub(super) fn meta_members(&mut self, members: &mut JsonObject, at: At) -> Result<(), Refusal> {
        if members
            .values()
            .any(|member| !is_within(member, self.max_depth))
        {
            return Err(Refusal::failed("guard/depth", "an answer nests too deeply"));
        }
        self.members(members, at)?;
        members.remove(KEY);
        members.remove(spotlight::KEY);
        Ok(())
    }
}
