//! Descriptions that have a say over other tools.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::asked::{first, is_word};
use crate::view;

/// A tool's description that names another tool.
pub(super) struct Mention {
    /// The place of the other tool among the names.
    pub(super) other: usize,
    /// Where in the description.
    pub(super) span: Range<usize>,
    /// What makes it more than a reference, as words of the lists.
    pub(super) why: Option<Vec<&'static str>>,
}

/// The names of all tools, compiled once.
pub(super) struct Names(AhoCorasick);

/// How far from a name, in bytes, an order about it may stand.
const NEAR: usize = 160;

/// Words of order. Honest descriptions have them: `call list_tables first`.
const ORDER: &[&str] = &[
    "after", "always", "before", "every", "first", "instead", "must", "never", "required",
    "whenever", "when",
];

/// What no order among honest tools needs: silence, a recipient of its own, secrets on disk, the
/// conversation, a way around the other tool's rules.
const CHARGE: &[&str] = &[
    "all recipients",
    "authorized_keys",
    "bcc",
    "change the address",
    "change the recipient",
    "change the url",
    "chat history",
    "conversation history",
    "do not mention",
    "do not reveal",
    "do not tell",
    "dont mention",
    "dont tell",
    "don't mention",
    "don't tell",
    "id_ed25519",
    "id_rsa",
    "no longer safe",
    "proxy number",
    "redirect all",
    "replace the recipient",
    "secretly",
    "system prompt",
    "the user must not",
    "without asking",
    "without informing",
    "without mentioning",
    "without telling",
    "/etc/passwd",
];

/// What takes another tool's place. Alone, an honest server says so of its own tools.
const REPLACE: &[&str] = &[
    "do not use",
    "don't use",
    "in place of",
    "instead of",
    "never use",
    "never call",
    "rather than",
    "replaces",
];
const INSIST: &[&str] = &[
    "all requests",
    "always",
    "any tool",
    "compromised",
    "deprecated",
    "every request",
    "insecure",
    "must",
    "mandatory",
    "unsafe",
];

impl Names {
    /// None if there is nothing to look for, or more than the automaton holds.
    pub(super) fn new(names: &[&str]) -> Option<Self> {
        if names.len() < 2 {
            return None;
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(names)
            .ok()?;
        Some(Self(automaton))
    }

    /// The other tools that the description of the tool at `own` names, each once.
    pub(super) fn mentions(&self, names: &[&str], own: usize, text: &str) -> Vec<Mention> {
        let mut found: Vec<Mention> = Vec::new();
        let mut end = text.len().min(READ);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        for hit in self.0.find_iter(text) {
            let other = hit.pattern().as_usize();
            let Some(name) = names.get(other) else {
                continue;
            };
            if names.get(own) == Some(name)
                || !is_distinct(name)
                || !is_word(text, hit.start(), hit.end())
            {
                continue;
            }
            let why = why(text, hit.range());
            let full = found.len() >= MOST;
            match found.iter_mut().find(|known| known.other == other) {
                Some(known) if known.why.is_none() && why.is_some() => {
                    (known.why, known.span) = (why, hit.range());
                }
                Some(_) => {}
                None if full => break,
                None => found.push(Mention {
                    other,
                    span: hit.range(),
                    why,
                }),
            }
        }
        found
    }
}

/// So much of a description is read; more than a quarter of it is refused for its length.
const READ: usize = 64 * 1024;

/// A description that names more tools than these says nothing new with the next.
const MOST: usize = 64;

/// Whether the name is none of the words that descriptions are made of: `search`, `list`.
fn is_distinct(name: &str) -> bool {
    name.len() >= 4
        && (name.contains(['_', '-', '.'])
            || name
                .bytes()
                .skip(1)
                .any(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

fn why(text: &str, name: Range<usize>) -> Option<Vec<&'static str>> {
    let mut start = name.start.saturating_sub(NEAR);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let mut end = text.len().min(name.end + NEAR);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let near = view::fold(text.get(start..end)?).text;
    let order = first(&near, ORDER);
    if let (Some((_, order)), Some((_, charge))) = (order, first(&near, CHARGE)) {
        return Some(vec![order, charge]);
    }
    // `instead of read_file`: just before the name, or the name is what it says not to use.
    let mut close = name.start.saturating_sub(24);
    while !text.is_char_boundary(close) {
        close += 1;
    }
    let before = view::fold(text.get(close..name.start)?).text;
    let (_, replace) = first(&before, REPLACE)?;
    let (_, insist) = first(&near, INSIST)?;
    Some(vec![replace, insist])
}
