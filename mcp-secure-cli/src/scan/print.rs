//! What is printed: ASCII, with nothing that a terminal obeys.

use std::fmt::{self, Write as _};

use mcp_secure_text::{Field, Finding, Severity, Verdict, View, check_name, inspect, secret};
use serde::Serialize;

/// The text in printable ASCII and line breaks; everything else is written as its code point.
pub(super) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ' '..='~' | '\n') {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
    }
    safe
}

/// One line of JSON in printable ASCII.
pub(super) fn json(value: &impl Serialize) -> super::Result<String> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            line.push(c);
        } else {
            // Outside of strings JSON is ASCII, so this stands in a string.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    Ok(line)
}

/// A finding, for programs.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) rule: &'static str,
    pub(super) severity: &'static str,
    view: &'static str,
    #[serde(skip)]
    seen_as: View,
    start: usize,
    end: usize,
    evidence: String,
    advice: &'static str,
}

impl From<&Finding> for Row {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule,
            severity: match finding.severity {
                Severity::Warn => "warn",
                Severity::Deny => "reject",
            },
            view: finding.view.id(),
            seen_as: finding.view,
            start: finding.span.start,
            end: finding.span.end,
            evidence: finding.evidence.to_string(),
            advice: finding.advice,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  ",
            if self.severity == "reject" {
                "refused"
            } else {
                "warning"
            }
        )?;
        f.write_str(&safe(&self.evidence))?;
        if self.seen_as != View::Text {
            write!(f, " (read as {})", self.seen_as)?;
        }
        write!(
            f,
            " at byte {}: {} [{}]",
            self.start, self.advice, self.rule
        )
    }
}

/// What was found in one text.
#[derive(Serialize)]
pub(super) struct Judged {
    verdict: &'static str,
    pub(super) findings: Vec<Row>,
    /// Findings beyond those that are listed.
    #[serde(skip_serializing_if = "is_zero")]
    omitted: usize,
    #[serde(skip)]
    pub(super) worst: Verdict,
}

/// So many credentials of one text are told apart.
const MOST_SECRETS: usize = 256;

impl Judged {
    /// Inspects a text; in what a tool returned, credentials are findings as well.
    pub(super) fn new(text: &str, field: Field) -> Self {
        let report = inspect(text, field);
        let mut worst = report.verdict();
        let mut omitted = report.omitted;
        let mut findings: Vec<Row> = report.findings.iter().map(Row::from).collect();
        if matches!(field, Field::Name)
            && let Err(error) = check_name(text)
        {
            worst = Verdict::Reject;
            findings.push(Row {
                rule: mcp_secure_text::toolset::NAME,
                severity: "reject",
                view: View::Text.id(),
                seen_as: View::Text,
                start: 0,
                end: text.len(),
                evidence: error.to_string(),
                advice: "name it in 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`",
            });
        }
        if matches!(field, Field::ToolOutput) {
            let mut secrets = secret::find(text, secret::Kinds::CREDENTIALS);
            for secret in secrets.by_ref().take(MOST_SECRETS) {
                worst = worst.max(Verdict::Warn);
                findings.push(Row {
                    rule: secret.id,
                    severity: "warn",
                    view: View::Text.id(),
                    seen_as: View::Text,
                    start: secret.span.start,
                    end: secret.span.end,
                    evidence: "a credential".to_owned(),
                    advice: "take it out before it leaves the server",
                });
            }
            omitted += secrets.count();
            findings.sort_by_key(|row| row.start);
        }
        Self {
            verdict: word(worst),
            findings,
            omitted,
            worst,
        }
    }
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "clean",
        Verdict::Warn => "warn",
        Verdict::Reject => "reject",
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
