//! What the module promises, read as leaks, as honest text, and as laws.

mod benign;
mod laws;
mod leaks;

use core::cell::Cell;
use std::string::String;
use std::vec::Vec;

use super::{Kinds, find};

std::thread_local! {
    /// How many bytes were looked at.
    pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// What is found in a text, as ids with what they cover.
fn all(text: &str, kinds: Kinds) -> Vec<(&'static str, String)> {
    find(text, kinds)
        .map(|secret| (secret.id, text[secret.span].into()))
        .collect()
}

/// That one secret is found, and which part of the text it is.
#[track_caller]
fn leaks(text: &str, id: &str, secret: &str) {
    let found = all(text, Kinds::ALL);
    assert_eq!(found.len(), 1, "{found:?} in {text:?}");
    assert_eq!((found[0].0, found[0].1.as_str()), (id, secret), "{text:?}");
}

/// That nothing is found.
#[track_caller]
fn is_clean(text: &str) {
    let found = all(text, Kinds::ALL);
    assert!(found.is_empty(), "{found:?} in {text:?}");
}
