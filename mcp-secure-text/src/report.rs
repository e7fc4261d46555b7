//! What is looked for, where, and what was found.

use std::fmt;
use std::ops::Range;

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
    if !is_plain(text, field) {
        for hit in Scan::new(text, field) {
            report.worst = report.worst.max(Some(hit.severity));
            if report.findings.len() < MAX_FINDINGS {
                report.findings.push(hit.into());
            } else {
                report.omitted += 1;
            }
        }
    }
    let hidden = report.findings.len();
    crate::structure::inspect(text, field, &mut report.findings);
    crate::wording::inspect(text, field, &mut report.findings);
    crate::parameter::inspect(text, field, &mut report.findings);
    if let Some(visible) = report.findings.get(hidden..).filter(|v| !v.is_empty()) {
        report.worst = report.worst.max(visible.iter().map(|f| f.severity).max());
        report.findings.sort_by_key(|finding| finding.span.start);
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
    /// The name of a parameter, in a schema that somebody else may have written. One line.
    ParameterName,
    /// Any other string of a schema: comments, extensions, patterns.
    SchemaText,
    /// The server's `instructions`.
    Instructions,
    /// A message of a prompt.
    PromptText,
    /// What a tool returns, errors included.
    ToolOutput,
}

impl Field {
    /// Every field.
    ///
    /// ```
    /// use mcp_secure_text::Field;
    /// assert!(Field::ALL.contains(&Field::ToolOutput));
    /// ```
    pub const ALL: [Self; 12] = [
        Self::Name,
        Self::Title,
        Self::Description,
        Self::ParameterDoc,
        Self::EnumValue,
        Self::Example,
        Self::Annotation,
        Self::ParameterName,
        Self::SchemaText,
        Self::Instructions,
        Self::PromptText,
        Self::ToolOutput,
    ];

    /// Whether it is said in the course of a conversation, where a control token would open a turn.
    pub(crate) const fn is_said(self) -> bool {
        matches!(self, Self::PromptText | Self::ToolOutput)
    }

    /// Whether the field may hold tabs and line breaks.
    ///
    /// ```
    /// use mcp_secure_text::Field;
    /// assert!(Field::Description.is_multiline());
    /// assert!(!Field::Title.is_multiline());
    /// ```
    pub const fn is_multiline(self) -> bool {
        !matches!(
            self,
            Self::Name | Self::Title | Self::Annotation | Self::ParameterName
        )
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

/// Which reading of a text showed a finding.
///
/// Text is read in more than one way, because a model does: it understands look-alike letters,
/// spaced-out words and Base64 as well as the words themselves. Such readings are for matching
/// only; none of them is ever sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum View {
    /// The text as it stands.
    Text,
    /// Compatibility forms, case, marks and look-alikes folded (NFKC, UTS #39 skeletons).
    Folded,
    /// Digits and signs read as the letters they stand for.
    Leet,
    /// Spaces or signs between single letters taken out.
    Joined,
    /// Base64 or its URL-safe form, decoded.
    Base64,
    /// Base32, decoded.
    Base32,
    /// Hexadecimal, decoded.
    Hex,
    /// HTML entities, decoded.
    Entities,
    /// Percent encoding, decoded.
    Percent,
    /// `\u0041` and `\x41` escapes, decoded.
    Escapes,
    /// Letters turned by thirteen places.
    Rot13,
    /// The letters from last to first.
    Reversed,
    /// Braille cells as letters.
    Braille,
}

impl View {
    /// One word for it, for programs to read: it does not change.
    ///
    /// ```
    /// assert_eq!(mcp_secure_text::View::Base64.id(), "base64");
    /// ```
    pub const fn id(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Folded => "folded",
            Self::Leet => "leet",
            Self::Joined => "joined",
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Entities => "entities",
            Self::Percent => "percent",
            Self::Escapes => "escapes",
            Self::Rot13 => "rot13",
            Self::Reversed => "reversed",
            Self::Braille => "braille",
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Text => "the text",
            Self::Folded => "look-alikes",
            Self::Leet => "digits for letters",
            Self::Joined => "spaced-out letters",
            Self::Base64 => "Base64",
            Self::Base32 => "Base32",
            Self::Hex => "hexadecimal",
            Self::Entities => "HTML entities",
            Self::Percent => "percent encoding",
            Self::Escapes => "character escapes",
            Self::Rot13 => "ROT13",
            Self::Reversed => "reversed letters",
            Self::Braille => "Braille",
        })
    }
}

/// What a rule saw, in words that are safe to print: never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// Characters that a person does not see.
    Characters {
        /// The first of them.
        first: char,
        /// How many there are.
        count: usize,
    },
    /// Words and signs, as they stand in the lists of this crate.
    Words(Vec<&'static str>),
    /// The shape of the text, in words.
    Shape(&'static str),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Characters { first, count } => {
                write!(f, "{}", Described(*first))?;
                if *count > 1 {
                    write!(f, " (the first of {count} characters)")?;
                }
            }
            Evidence::Words(words) => {
                for (index, word) in words.iter().enumerate() {
                    f.write_str(if index == 0 { "`" } else { " ... " })?;
                    for c in word.chars() {
                        if c.is_ascii() {
                            write!(f, "{c}")?;
                        } else {
                            write!(f, "{}", c.escape_unicode())?;
                        }
                    }
                }
                f.write_str("`")?;
            }
            Evidence::Shape(shape) => f.write_str(shape)?,
        }
        Ok(())
    }
}

/// One thing in a text that a rule objects to.
///
/// Its `Display` is ASCII and never repeats what it found: a report must not carry the attack on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The stable name of the rule, one of those in [`rule`](crate::rule).
    pub rule: &'static str,
    /// Where it stands, in bytes of the text that was inspected.
    pub span: Range<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// Which reading of the text showed it.
    pub view: View,
    /// What the rule saw.
    pub evidence: Evidence,
    /// What the author of the text should do.
    pub advice: &'static str,
}

impl Finding {
    /// How bad it is in a text of one's own.
    ///
    /// Who writes a text can take a hidden character out at once, so it is refused there even where
    /// it is but a warning to somebody who reads a stranger's text.
    ///
    /// ```
    /// use mcp_secure_text::{Field, Severity, inspect};
    ///
    /// let report = inspect("soft\u{AD}ware", Field::Description);
    /// assert_eq!(report.findings[0].severity, Severity::Warn);
    /// assert_eq!(report.findings[0].severity_of_ones_own(), Severity::Deny);
    /// ```
    pub fn severity_of_ones_own(&self) -> Severity {
        match self.evidence {
            Evidence::Characters { .. } => Severity::Deny,
            _ => self.severity,
        }
    }
}

impl From<Hit> for Finding {
    fn from(hit: Hit) -> Self {
        Self {
            rule: hit.rule,
            span: hit.span,
            severity: hit.severity,
            view: View::Text,
            evidence: Evidence::Characters {
                first: hit.character,
                count: hit.count,
            },
            advice: crate::rule::advice(hit.rule),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.evidence)?;
        if !matches!(self.view, View::Text) {
            write!(f, " (read as {})", self.view)?;
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
    /// The first [`MAX_FINDINGS`] hidden characters and everything else that was found. Spans of
    /// hidden characters do not overlap one another.
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

    /// The report without the findings of `rules`: exceptions that a person has reviewed.
    ///
    /// Findings beyond [`MAX_FINDINGS`] cannot be excused, since nobody knows their rules.
    ///
    /// ```
    /// use mcp_secure_text::{Field, inspect, rule};
    ///
    /// let report = inspect("Prints in \u{1B}[1mbold\u{1B}[0m.", Field::Description);
    /// assert!(report.without(&[rule::ESCAPE_SEQUENCE]).is_clean());
    /// ```
    pub fn without(mut self, rules: &[&str]) -> Self {
        self.findings
            .retain(|finding| !rules.contains(&finding.rule));
        let kept = self.findings.iter().map(|finding| finding.severity).max();
        // Of the omitted ones nobody knows which rule they broke.
        self.worst = if self.omitted > 0 { self.worst } else { kept };
        self
    }

    /// The verdict on the whole text.
    ///
    /// ```
    /// use mcp_secure_text::{Field, Verdict, inspect};
    ///
    /// let report = inspect("Adds two numbers.\u{202E}", Field::Description);
    /// assert_eq!(report.verdict(), Verdict::Reject);
    /// assert_eq!(report.verdict().to_string(), "reject");
    /// ```
    pub fn verdict(&self) -> Verdict {
        match self.worst {
            None => Verdict::Clean,
            Some(Severity::Warn) => Verdict::Warn,
            Some(Severity::Deny) => Verdict::Reject,
        }
    }
}

/// What to do with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing was found.
    Clean,
    /// Something was found that a person should look at, or that is taken out in passing.
    Warn,
    /// Something was found that has no honest use.
    Reject,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Clean => "clean",
            Self::Warn => "warn",
            Self::Reject => "reject",
        })
    }
}
