//! What the shape of a text gives away: padding that pushes words out of sight, letters of two
//! alphabets in one word, links that say one host and name another, and sheer length.

use std::ops::Range;

use unicode_script::{Script, UnicodeScript as _};

use crate::report::{Evidence, Field, Finding, Severity, View};
use crate::rule;
use crate::view;

/// So many line breaks in a row, or spaces, scroll what follows out of a small window.
const LINES: usize = 5;
const COLUMNS: usize = 60;

/// Of 9,298 honest descriptions none is longer than the first; MCP clients cut at about the second.
const LONG: usize = 8 * 1024;
const TOO_LONG: usize = 16 * 1024;

/// How many findings of one rule are told apart.
const MAX_OF_RULE: usize = 8;

/// The longest address that is read.
const MAX_ADDRESS: usize = 2048;

/// What the shape of `text` gives away.
pub(crate) fn inspect(text: &str, field: Field, findings: &mut Vec<Finding>) {
    if field != Field::ToolOutput {
        padding(text, findings);
        length(text, field, findings);
    }
    if !text.is_ascii() {
        mixed_script(text, findings);
    }
    links(text, findings);
}

fn found(
    rule: &'static str,
    severity: Severity,
    span: Range<usize>,
    shape: &'static str,
) -> Finding {
    Finding {
        rule,
        span,
        severity,
        view: View::Text,
        evidence: Evidence::Shape(shape),
        advice: rule::advice(rule),
    }
}

fn padding(text: &str, findings: &mut Vec<Finding>) {
    let mut left = MAX_OF_RULE;
    let mut rest = text;
    // The whitespace before the first word hides nothing.
    rest = rest.trim_start();
    while let Some(ahead) = rest.bytes().position(may_be_space) {
        let behind = rest.get(ahead..).unwrap_or_default();
        if behind.starts_with(|c: char| !c.is_whitespace()) {
            let letter = behind.chars().next().map_or(1, char::len_utf8);
            rest = behind.get(letter..).unwrap_or_default();
            continue;
        }
        let start = text.len() - behind.len();
        rest = behind.trim_start();
        let at = text.len() - rest.len();
        let space = text.get(start..at).unwrap_or_default();
        if rest.is_empty() || left == 0 || space.len() < LINES {
            continue;
        }
        let lines = space.bytes().filter(|&b| b == b'\n').count();
        if lines >= LINES || space.chars().count() - lines >= COLUMNS {
            left -= 1;
            findings.push(found(
                rule::PADDING,
                Severity::Deny,
                start..at,
                "empty space with text behind it",
            ));
        }
    }
}

/// Whether whitespace may begin with `b`.
fn may_be_space(b: u8) -> bool {
    matches!(b, b'\t'..=b'\r' | b' ' | 0xC2 | 0xE1..=0xE3)
}

fn length(text: &str, field: Field, findings: &mut Vec<Finding>) {
    if text.len() <= LONG || matches!(field, Field::PromptText) {
        return;
    }
    let severity = if text.len() > TOO_LONG {
        Severity::Deny
    } else {
        Severity::Warn
    };
    let mut at = LONG;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    findings.push(found(
        rule::LENGTH,
        severity,
        at..text.len(),
        "more text than a person reads",
    ));
}

/// Words that mix Latin letters with letters of another alphabet that look like Latin ones.
fn mixed_script(text: &str, findings: &mut Vec<Finding>) {
    let mut left = MAX_OF_RULE;
    let mut word: Option<(usize, bool, bool)> = None;
    let ends = text.char_indices().map(|(at, c)| (at, Some(c)));
    for (at, c) in ends.chain([(text.len(), None)]) {
        let kind = c.map_or(Letter::None, Letter::of);
        if kind != Letter::None {
            let (_, latin, other) = word.get_or_insert((at, false, false));
            *latin |= kind == Letter::Latin;
            *other |= kind == Letter::Alike;
        } else if let Some((start, latin, other)) = word.take() {
            let span = start..at;
            let letters = text.get(span.clone()).unwrap_or_default();
            if latin
                && other
                && left > 0
                && letters.chars().nth(2).is_some()
                && view::fold(letters).text.is_ascii()
            {
                left -= 1;
                findings.push(found(
                    rule::MIXED_SCRIPT,
                    Severity::Warn,
                    span,
                    "letters of two alphabets in one word",
                ));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    /// No letter at all.
    None,
    /// A letter of ASCII.
    Latin,
    /// A letter of an alphabet whose letters look like Latin ones.
    Alike,
    Other,
}

impl Letter {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Latin,
            '\0'..='\u{7F}' => Self::None,
            '\u{400}'..='\u{481}' | '\u{48A}'..='\u{52F}' => Self::Alike,
            // Hebrew, Arabic, Devanagari, kana, ideographs, Hangul.
            '\u{5D0}'..='\u{5EA}'
            | '\u{620}'..='\u{657}'
            | '\u{904}'..='\u{939}'
            | '\u{3041}'..='\u{3096}'
            | '\u{30A1}'..='\u{30FA}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{AC00}'..='\u{D7A3}' => Self::Other,
            // Dashes, quotation marks, arrows, symbols, East Asian punctuation.
            '\u{2010}'..='\u{2070}'
            | '\u{2190}'..='\u{24B5}'
            | '\u{2500}'..='\u{2BFF}'
            | '\u{3000}'..='\u{3004}' => Self::None,
            _ => Self::of_table(c),
        }
    }

    fn of_table(c: char) -> Self {
        if !c.is_alphabetic() {
            return Self::None;
        }
        match c.script() {
            Script::Cyrillic | Script::Greek | Script::Armenian | Script::Cherokee => Self::Alike,
            _ => Self::Other,
        }
    }
}

/// Markdown links whose words are an address on another host, and links that run code.
fn links(text: &str, findings: &mut Vec<Finding>) {
    let mut left = MAX_OF_RULE;
    // Where the words of a link can begin: not before the link that comes before.
    let mut from = 0;
    for (at, _) in text.match_indices(']') {
        if text.as_bytes().get(at + 1) != Some(&b'(') {
            continue;
        }
        if left == 0 {
            return;
        }
        let before = text.get(from..at).unwrap_or_default();
        from = at + 2;
        let start = text.as_bytes().get(at + 2..).unwrap_or_default();
        let active = [
            "javascript:",
            "vbscript:",
            "data:text/html",
            "data:image/svg",
        ]
        .iter()
        .any(|scheme| {
            let start = start.get(..scheme.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(scheme.as_bytes())
        });
        if active {
            left -= 1;
            findings.push(found(
                rule::ACTIVE_LINK,
                Severity::Deny,
                at + 2..at + 2 + target(text, at + 2).len(),
                "a link that runs code",
            ));
            continue;
        }
        let shown = before.rfind('[').and_then(|open| before.get(open + 1..));
        if let Some(shown) = shown
            && let Some(said) = host(shown)
            && let target = target(text, at + 2)
            && let Some(real) = host(target)
            && !same_site(said, real)
        {
            left -= 1;
            findings.push(found(
                rule::LINK_MISMATCH,
                Severity::Warn,
                at - shown.len()..at + 2 + target.len(),
                "a link that names one host and leads to another",
            ));
        }
    }
}

/// The target of the link that begins at `at`; no more of it than says that it is too long.
fn target(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let bytes = rest.as_bytes();
    let mut end = 0;
    while end < MAX_ADDRESS
        && let Some(&b) = bytes.get(end)
    {
        let ends = |c: char| c == ')' || c.is_whitespace();
        if (b == b')' || may_be_space(b)) && rest.get(end..).is_some_and(|r| r.starts_with(ends)) {
            break;
        }
        end += 1;
    }
    while !rest.is_char_boundary(end) {
        end += 1;
    }
    rest.get(..end).unwrap_or_default()
}

/// The host of an address that has a scheme.
fn host(address: &str) -> Option<&str> {
    if address.len() > MAX_ADDRESS {
        return None;
    }
    let (scheme, rest) = address.trim().split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    (host.contains('.')
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'))
    .then_some(host)
}

fn same_site(one: &str, other: &str) -> bool {
    let site = |host: &str| {
        let mut labels: Vec<&str> = host.rsplit('.').take(2).collect();
        labels.reverse();
        labels.join(".").to_ascii_lowercase()
    };
    site(one) == site(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_the_tables() {
        for c in '\u{80}'..=char::MAX {
            assert!(Letter::of(c) == Letter::of_table(c), "{c:?}");
            let mut utf8 = [0; 4];
            let first = c.encode_utf8(&mut utf8).as_bytes()[0];
            assert!(may_be_space(first) || !c.is_whitespace(), "{c:?}");
        }
    }
}
