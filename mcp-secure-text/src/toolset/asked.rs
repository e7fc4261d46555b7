//! Parameters with harmless names whose descriptions ask for what no tool needs.

use crate::{parameter, view};

/// Names that say little, so that the description decides.
const WEAK: &[&str] = &[
    "annotation",
    "background",
    "comment",
    "comments",
    "context",
    "debug",
    "env",
    "environment",
    "extra",
    "feedback",
    "history",
    "info",
    "log",
    "memo",
    "messages",
    "meta",
    "metadata",
    "model",
    "model name",
    "note",
    "notes",
    "reason",
    "reasoning",
    "remark",
    "remarks",
    "state",
    "summary",
    "thoughts",
    "tools",
    "trace",
    "user prompt",
];

/// What is asked for, alone enough.
const TAKEN: &[&str] = &[
    "chain of thought",
    "chat history",
    "conversation history",
    "system prompt",
    "your instructions",
    "your reasoning",
    "your system",
    "tools you have",
    "tools available to you",
];

/// How much is asked for, and of what.
const WHOLE: &[&str] = &[
    "all",
    "any",
    "complete",
    "content",
    "contents",
    "entire",
    "every",
    "everything",
    "full",
    "verbatim",
    "whole",
];
const OF_WHAT: &[&str] = &[
    "api keys",
    "chat",
    "conversation",
    "credentials",
    "environment variables",
    "passwords",
    "previous messages",
    "private keys",
    "secrets",
    "tokens",
];

/// How far apart, in bytes of the folded text, the two may stand.
const NEAR: usize = 48;
/// So much of a description is read.
const MOST: usize = 16 * 1024;

/// Whether a parameter's name says little.
pub(super) fn is_weak(name: &str) -> bool {
    name.len() <= 64 && WEAK.contains(&parameter::words(name).as_str())
}

/// What the description asks for.
pub(super) fn asks(description: &str) -> Option<Vec<&'static str>> {
    let mut end = description.len().min(MOST);
    while !description.is_char_boundary(end) {
        end -= 1;
    }
    let text = view::fold(description.get(..end)?).text;
    if let Some((_, word)) = first(&text, TAKEN) {
        return Some(vec![word]);
    }
    WHOLE.iter().find_map(|whole| {
        occurrences(&text, whole).find_map(|at| {
            let mut end = text.len().min(at + whole.len() + NEAR);
            while !text.is_char_boundary(end) {
                end += 1;
            }
            let (_, what) = first(text.get(at + whole.len()..end)?, OF_WHAT)?;
            Some(vec![*whole, what])
        })
    })
}

/// The first of `words` that stands in `text` as a word.
pub(super) fn first(text: &str, words: &[&'static str]) -> Option<(usize, &'static str)> {
    words
        .iter()
        .find_map(|word| Some((occurrences(text, word).next()?, *word)))
}

/// Where `word` stands in `text` as a word of its own.
fn occurrences<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| is_word(text, at, at + word.len()))
}

/// Whether what stands from `start` to `end` is no part of a longer word.
pub(super) fn is_word(text: &str, start: usize, end: usize) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let before = text.get(..start).and_then(|t| t.chars().next_back());
    let after = text.get(end..).and_then(|t| t.chars().next());
    let first = text.get(start..).and_then(|t| t.chars().next());
    let last = text.get(..end).and_then(|t| t.chars().next_back());
    let longer = |inner, outer| part(inner) && part(outer);
    !longer(first, before) && !longer(last, after)
}
