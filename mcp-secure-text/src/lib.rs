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
//! In layers, each of which leaves early when it has nothing to do:
//!
//! * **Hidden characters** (`hidden/…`). Text of printable ASCII has none. Whatever remains is walked
//!   once, and each invisible character is judged by its neighbours: a zero width joiner is right
//!   between two emoji or inside an Arabic or Indic word and wrong inside an English one.
//! * **Shape** (`structure/…`): padding, two alphabets in one word, links that lie.
//! * **Readings** ([`View`]): the text is also read as a model would read it, with look-alikes folded,
//!   letters joined and payloads decoded. These are for matching and are never sent.
//! * **Words** (`wording/…`): who is spoken to, what is demanded, what must not be told, in eleven
//!   languages. Words are weighed, and what stands close together adds up.
//!
//! The stable names of the rules are in [`rule`], with what each of them means. A description is
//! refused for one strong mechanism or for hidden characters, and doubted for what adds up; what a
//! tool returns is doubted only, since somebody else wrote it.
//!
//! Time is linear in the text and memory is bounded on every input.
//!
//! The tables are those of [`UNICODE_VERSION`]. A character that later versions assign passes,
//! unless its code point is one that Unicode reserves for invisible characters.
//!
//! Credentials and personal data in what leaves a server are the subject of [`secret`].
//!
//! With the feature `json`, the module `toolset` inspects all that a server shows at once.
//!
//! # What it cannot do
//!
//! It removes the invisible channel and raises the cost of the visible one. It does not prevent prompt
//! injection: whoever words a demand in a way that no rule knows gets it past every list of words.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)
)]

mod clean;
mod describe;
mod name;
mod parameter;
mod report;
pub mod rule;
mod scan;
pub mod secret;
mod stream;
mod structure;
#[cfg(test)]
mod tests;
mod token;
#[cfg(feature = "json")]
pub mod toolset;
mod view;
mod wording;

/// For fuzz targets and benchmarks; no part of the interface.
#[doc(hidden)]
pub mod fuzzing {
    use std::ops::Range;

    use crate::View;

    /// Where a range of a reading stands in the text.
    pub type Source<'r> = &'r dyn Fn(Range<usize>) -> Range<usize>;

    /// Gives all readings of a text, the folded one first.
    pub fn each_reading(text: &str, each: &mut dyn FnMut(View, &str, Source<'_>)) {
        let mut give = |reading: crate::view::Reading| {
            each(reading.view, &reading.text, &|range| reading.span(range));
        };
        crate::view::readings(text, &mut give);
    }

    /// The words of which a text has one if any rule over words matches.
    pub fn anchors() -> Vec<String> {
        crate::wording::anchors()
    }

    /// All readings of a text, and where each of them came from.
    pub fn readings(text: &str) -> Vec<(View, String, Range<usize>)> {
        let mut readings = Vec::new();
        each_reading(text, &mut |view, reading, source| {
            readings.push((view, reading.to_owned(), source(0..reading.len())));
        });
        readings
    }

    /// `text` as words are looked for in it.
    pub fn fold(text: &str) -> String {
        crate::view::fold(text).text
    }
}

pub use clean::{Clean, Policy, sanitize, sanitize_field};
pub use name::{MAX_NAME_LEN, NameError, check_name};
pub use report::{
    Evidence, Field, Finding, MAX_FINDINGS, Report, Severity, Verdict, View, inspect,
};

pub use stream::Sanitizer;

/// The version of the Unicode Character Database behind the rules: 18.0.0. All of the tables that
/// are built in have it.
pub const UNICODE_VERSION: (u64, u64, u64) = unicode_properties::UNICODE_VERSION;
