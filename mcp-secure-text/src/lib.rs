//! What no model should read: the text rules of mcp-secure.
//!
//! A tool description, a prompt or a tool's answer is read twice: by a person who approves it and
//! by a model that obeys it. Unicode has some four hundred characters that only the second reader
//! sees. This crate finds them ([`inspect`]), takes them out or makes them visible ([`sanitize`]),
//! and checks names against the grammar of MCP ([`check_name`]).
//!
//! ```
//! use mcp_secure_text::{Field, Policy, Severity, inspect, sanitize};
//!
//! let text = "Adds two numbers.\u{E0049}\u{E0067}\u{E006E}\u{E006F}\u{E0072}\u{E0065}";
//! let report = inspect(text, Field::Description);
//! assert_eq!(report.worst(), Some(Severity::Deny));
//! assert_eq!(report.findings[0].rule, "hidden/tag-character");
//!
//! let clean = sanitize(text, Policy::Strip);
//! assert_eq!(clean.as_str(), "Adds two numbers.");
//! assert_eq!(clean.changed(), 6);
//!
//! // A family, a flag and Persian are text like any other.
//! let text = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} می\u{200C}خواهم";
//! assert!(inspect(text, Field::Description).is_clean());
//! ```
//!
//! # How it decides
//!
//! First a gate: text of printable ASCII (and line breaks, where the [`Field`] has them) is clean,
//! and is neither copied nor looked at twice. Whatever remains is walked once, and each invisible
//! character is judged by its neighbours: a zero width joiner is right between two emoji or inside
//! an Arabic or Indic word and wrong inside an English one. The stable names of the rules are in
//! [`rule`], with what each of them lets through.
//!
//! Time is linear in the text and memory is bounded on every input.
//!
//! The tables are those of [`UNICODE_VERSION`]. A character that later versions assign passes,
//! unless its code point is one that Unicode reserves for invisible characters.
//!
//! Credentials and personal data in what leaves a server are the subject of [`secret`].
//!
//! # What it cannot do
//!
//! It removes the invisible channel, and says nothing of what visible words ask for.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)
)]

mod clean;
mod describe;
mod name;
mod report;
pub mod rule;
mod scan;
pub mod secret;
mod structure;
#[cfg(test)]
mod tests;
mod view;
mod wording;

/// For fuzz targets and benchmarks; no part of the interface.
#[doc(hidden)]
pub mod fuzzing {
    use std::ops::Range;

    use crate::View;

    /// The words of which a text has one if any rule over words matches.
    pub fn anchors() -> Vec<String> {
        crate::wording::anchors()
    }

    /// All readings of a text, and where each of them came from.
    pub fn readings(text: &str) -> Vec<(View, String, Range<usize>)> {
        let mut readings = Vec::new();
        let mut keep = |reading: crate::view::Reading| {
            let span = reading.span(0..reading.text.len());
            readings.push((reading.view, reading.text, span));
        };
        crate::view::readings(text, &mut keep);
        readings
    }
}

pub use clean::{Clean, Policy, sanitize, sanitize_field};
pub use name::{MAX_NAME_LEN, NameError, check_name};
pub use report::{
    Evidence, Field, Finding, MAX_FINDINGS, Report, Severity, Verdict, View, inspect,
};

/// The version of the Unicode Character Database behind the rules: 18.0.0.
pub const UNICODE_VERSION: (u64, u64, u64) = unicode_properties::UNICODE_VERSION;
