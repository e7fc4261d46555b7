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
    let (mut start, mut lines, mut columns) = (0, 0, 0);
    let mut left = MAX_OF_RULE;
    for (at, c) in text.char_indices() {
        if c == '\n' {
            lines += 1;
        } else if c.is_whitespace() {
            columns += 1;
        } else {
            if start > 0 && left > 0 && (lines >= LINES || columns >= COLUMNS) {
                left -= 1;
                findings.push(found(
                    rule::PADDING,
                    Severity::Deny,
                    start..at,
                    "empty space with text behind it",
                ));
            }
            (start, lines, columns) = (at + c.len_utf8(), 0, 0);
        }
    }
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
        if let Some(c) = c.filter(|c| c.is_alphabetic()) {
            let (_, latin, other) = word.get_or_insert((at, false, false));
            match c.script() {
                Script::Latin => *latin |= c.is_ascii(),
                Script::Cyrillic | Script::Greek | Script::Armenian | Script::Cherokee => {
                    *other = true;
                }
                _ => {}
            }
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

/// Markdown links whose words are an address on another host, and links that run code.
fn links(text: &str, findings: &mut Vec<Finding>) {
    let mut left = MAX_OF_RULE;
    for (at, _) in text.match_indices("](") {
        if left == 0 {
            return;
        }
        let target = until(text, at + 2, |c| c == ')' || c.is_whitespace(), 2048);
        let lower: String = target
            .chars()
            .take(16)
            .collect::<String>()
            .to_ascii_lowercase();
        let active = [
            "javascript:",
            "vbscript:",
            "data:text/html",
            "data:image/svg",
        ]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
        if active {
            left -= 1;
            findings.push(found(
                rule::ACTIVE_LINK,
                Severity::Deny,
                at + 2..at + 2 + target.len(),
                "a link that runs code",
            ));
            continue;
        }
        let from = text.get(..at).unwrap_or_default();
        let shown = from
            .get(from.rfind('[').map_or(at, |open| open + 1)..)
            .unwrap_or_default();
        if let (Some(said), Some(real)) = (host(shown), host(target))
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

/// The text from `at` up to a character that ends it, at most `most` bytes.
fn until(text: &str, at: usize, ends: impl Fn(char) -> bool, most: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest
        .char_indices()
        .take_while(|&(i, c)| i < most && !ends(c))
        .last()
        .map_or(0, |(i, c)| i + c.len_utf8());
    rest.get(..end).unwrap_or_default()
}

/// The host of an address that has a scheme.
fn host(address: &str) -> Option<&str> {
    if address.len() > 2048 {
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
