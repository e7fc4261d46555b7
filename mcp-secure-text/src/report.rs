//! What is looked for, where, and what was found.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::describe::Described;
use crate::scan::{Hit, Scan, is_plain};

/// How many findings a [`Report`] keeps; the others are counted.
///
/// Without a bound, a text of hidden characters would cost a hundred times its own size.
pub const MAX_FINDINGS: usize = 256;

/// Looks for characters in `text` that a person does not see and a model reads.
///
/// Nothing is allocated for a clean text.
///
/// ```
/// use mcp_secure_text::{Field, inspect};
///
/// assert!(inspect("Reads a file.\nReturns its text.", Field::Description).is_clean());
///
/// let report = inspect("Reads a fi\u{200B}le.", Field::Description);
/// let finding = &report.findings[0];
/// assert_eq!(finding.rule, "hidden/zero-width");
/// assert_eq!(finding.span, 10..13);
/// assert!(finding.to_string().starts_with("U+200B ZERO WIDTH SPACE at byte 10:"));
/// ```
pub fn inspect(text: &str, field: Field) -> Report {
    let mut report = Report {
        findings: Vec::new(),
        omitted: 0,
        worst: None,
    };
    if is_plain(text, field) {
        return report;
    }
    for hit in Scan::new(text, field) {
        report.worst = report.worst.max(Some(hit.severity));
        if report.findings.len() < MAX_FINDINGS {
            report.findings.push(hit.into());
        } else {
            report.omitted += 1;
        }
    }
    report
}

/// Where a text stands: what it may hold depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The name of a tool, prompt, resource or parameter. One line; every finding is denied.
    /// [`check_name`](crate::check_name) has the whole grammar.
    Name,
    /// A title shown in menus. One line.
    Title,
    /// The description of a tool, prompt or resource.
    Description,
    /// The description of a parameter in a schema.
    ParameterDoc,
    /// A value of an `enum`, `const` or `default` in a schema.
    EnumValue,
    /// An example in a schema.
    Example,
    /// A text inside annotations. One line.
    Annotation,
    /// The server's `instructions`.
    Instructions,
    /// A message of a prompt.
    PromptText,
    /// What a tool returns, errors included.
    ToolOutput,
}

impl Field {
    /// Whether the field may hold tabs and line breaks.
    ///
    /// ```
    /// use mcp_secure_text::Field;
    /// assert!(Field::Description.is_multiline());
    /// assert!(!Field::Title.is_multiline());
    /// ```
    pub const fn is_multiline(self) -> bool {
        !matches!(self, Self::Name | Self::Title | Self::Annotation)
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What copying and pasting leaves behind: take it out and go on.
    Warn,
    /// What has no honest use here: refuse the text.
    Deny,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warn => "warn",
            Self::Deny => "deny",
        })
    }
}

/// One hidden character, or several of one rule in a row.
///
/// Its `Display` is ASCII and never repeats what it found: a report must not carry the attack on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The stable name of the rule, one of those in [`rule`](crate::rule).
    pub rule: &'static str,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// The first character of the span.
    pub character: char,
    /// How many characters the span has.
    pub count: usize,
    /// What the author of the text should do.
    pub advice: &'static str,
}

impl From<Hit> for Finding {
    fn from(hit: Hit) -> Self {
        Self {
            rule: hit.rule,
            span: hit.span,
            severity: hit.severity,
            character: hit.character,
            count: hit.count,
            advice: crate::rule::advice(hit.rule),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Described(self.character))?;
        if self.count > 1 {
            write!(f, " (the first of {} characters)", self.count)?;
        }
        write!(
            f,
            " at byte {}: {} [{}]",
            self.span.start, self.advice, self.rule
        )
    }
}

/// What [`inspect`] found, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Report {
    /// The first [`MAX_FINDINGS`] findings. Spans do not overlap.
    pub findings: Vec<Finding>,
    /// How many findings came after those.
    pub omitted: usize,
    worst: Option<Severity>,
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.worst.is_none()
    }

    /// The worst severity of all findings, the omitted ones included; none if the text is clean.
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }
}
