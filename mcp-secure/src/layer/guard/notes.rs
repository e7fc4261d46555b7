//! What was found in text that leaves, without the text: for the client in `_meta`, for the
//! audit log in its outcome.

use mcp_secure_text::{Evidence, Finding, Report, Severity, View};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The key of the notes in the `_meta` of a result.
///
/// The grammar of the protocol wants a prefix of labels, the reverse of a domain name, of which
/// the second is neither `modelcontextprotocol` nor `mcp`.
pub(crate) const KEY: &str = "io.github.mcp-secure/text";

/// How many findings a note lists; the others are counted.
const MOST: usize = 32;

/// Where in an answer: the fields of the protocol, never a key of somebody's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) list: &'static str,
    pub(crate) index: Option<usize>,
    pub(crate) field: &'static str,
}

impl At {
    pub(crate) const fn field(field: &'static str) -> Self {
        Self {
            list: "",
            index: None,
            field,
        }
    }

    pub(crate) const fn item(list: &'static str, index: usize) -> Self {
        Self {
            list,
            index: Some(index),
            field: "",
        }
    }

    /// A field of the same item.
    pub(crate) const fn of(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    /// As a JSON pointer.
    fn pointer(self) -> String {
        match self.index {
            Some(index) => format!("{}/{index}{}", self.list, self.field),
            None => self.field.to_owned(),
        }
    }
}

/// One rule at one place.
#[derive(Clone, Debug)]
struct Noted {
    rule: &'static str,
    severity: Severity,
    view: &'static str,
    at: At,
    count: usize,
}

/// What one pass over an answer, an error or a notification found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    findings: Vec<Noted>,
    omitted: usize,
    tally: TextTally,
}

/// What the audit log is told: rules and kinds with their counts.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TextTally {
    #[serde(skip_serializing_if = "Counts::is_empty")]
    findings: Counts,
    #[serde(skip_serializing_if = "Counts::is_empty")]
    redacted: Counts,
    /// Characters that were taken out or replaced.
    changed: usize,
    /// More was among it than copying and pasting leaves behind.
    #[serde(skip)]
    pub(crate) untrusted: bool,
}

/// Counts by name; there are few names, all of them the library's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Vec<(&'static str, usize)>);

impl Counts {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, name: &'static str, count: usize) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => self.0.push((name, count)),
        }
    }

    fn add_all(&mut self, others: &Self) {
        for (name, count) in &others.0 {
            self.add(name, *count);
        }
    }
}

impl Serialize for Counts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl TextTally {
    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.redacted.is_empty() && self.changed == 0
    }

    /// How often something was taken out or replaced.
    pub(crate) fn changes(&self) -> usize {
        let redacted = self.redacted.0.iter().map(|(_, count)| *count);
        redacted.fold(self.changed, usize::saturating_add)
    }

    pub(crate) fn has_secrets(&self) -> bool {
        !self.redacted.is_empty()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.findings.add_all(&other.findings);
        self.redacted.add_all(&other.redacted);
        self.changed = self.changed.saturating_add(other.changed);
        self.untrusted |= other.untrusted;
    }
}

impl Notes {
    pub(super) fn is_empty(&self) -> bool {
        self.tally.is_empty()
    }

    pub(crate) fn tally(&self) -> &TextTally {
        &self.tally
    }

    pub(super) fn report(&mut self, report: &Report, at: At) {
        for finding in &report.findings {
            self.finding(finding, at);
        }
        if report.omitted > 0 {
            self.omitted = self.omitted.saturating_add(report.omitted);
            self.tally.findings.add("omitted", report.omitted);
        }
        self.tally.untrusted |= report.worst() == Some(Severity::Deny);
    }

    fn finding(&mut self, finding: &Finding, at: At) {
        // A stray soft hyphen is a warning and no attack; words and shapes are told only where
        // there is enough of them.
        self.tally.untrusted |= !matches!(finding.evidence, Evidence::Characters { .. });
        self.note(finding.rule, finding.severity, view(finding.view), at);
    }

    /// A finding of the guard itself.
    pub(super) fn own(&mut self, rule: &'static str, at: At) {
        self.note(rule, Severity::Warn, "text", at);
    }

    fn note(&mut self, rule: &'static str, severity: Severity, view: &'static str, at: At) {
        self.tally.findings.add(rule, 1);
        let is_room = self.findings.len() < MOST;
        let same = self
            .findings
            .iter_mut()
            .find(|noted| noted.rule == rule && noted.at == at && noted.view == view);
        match same {
            Some(noted) => {
                noted.count += 1;
                noted.severity = noted.severity.max(severity);
            }
            None if is_room => self.findings.push(Noted {
                rule,
                severity,
                view,
                at,
                count: 1,
            }),
            None => self.omitted += 1,
        }
    }

    pub(super) fn has_changed(&self) -> bool {
        self.tally.changes() > 0
    }

    /// These, and what another look found.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for noted in &other.findings {
            if self.findings.len() < MOST {
                self.findings.push(noted.clone());
            } else {
                self.omitted += noted.count;
            }
        }
        self.omitted = self.omitted.saturating_add(other.omitted);
        self.tally.add(&other.tally);
        self
    }

    pub(super) fn changed(&mut self, characters: usize) {
        self.tally.changed = self.tally.changed.saturating_add(characters);
    }

    pub(super) fn redacted(&mut self, kind: &'static str) {
        self.tally.redacted.add(kind, 1);
    }

    /// For `_meta`; nothing if nothing was found.
    pub(crate) fn annotation(&self) -> Option<Value> {
        if self.is_empty() {
            return None;
        }
        let mut note = Map::new();
        if !self.findings.is_empty() {
            let findings = self.findings.iter().map(|noted| {
                json!({
                    "rule": noted.rule,
                    "severity": noted.severity.to_string(),
                    "view": noted.view,
                    "at": noted.at.pointer(),
                    "count": noted.count,
                })
            });
            note.insert("findings".into(), findings.collect());
        }
        if self.omitted > 0 {
            note.insert("omitted".into(), self.omitted.into());
        }
        note.insert("changed".into(), self.tally.changed.into());
        if !self.tally.redacted.is_empty() {
            let redacted = self.tally.redacted.0.iter();
            let redacted = redacted.map(|(kind, count)| ((*kind).to_owned(), (*count).into()));
            note.insert("redacted".into(), Value::Object(redacted.collect()));
        }
        Some(Value::Object(note))
    }
}

/// One word for a reading, for programs.
fn view(view: View) -> &'static str {
    match view {
        View::Text => "text",
        View::Folded => "folded",
        View::Leet => "leet",
        View::Joined => "joined",
        View::Base64 => "base64",
        View::Base32 => "base32",
        View::Hex => "hex",
        View::Entities => "entities",
        View::Percent => "percent",
        View::Escapes => "escapes",
        View::Rot13 => "rot13",
        View::Reversed => "reversed",
        View::Braille => "braille",
        _ => "other",
    }
}
