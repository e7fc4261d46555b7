//! The text rules against the files of the Unicode Character Database, as Debian's package
//! `unicode-data` has them. `cargo xtask install` installs it; without it these tests fail.
//!
//! The files are of Unicode 15.0 and the tables of the rules are of 18.0: characters that are only
//! in the tables are tried with the tables' own data. The table of confusables (UTS #39) is in no
//! package, so it is read from the crate `unicode-security`, as the rules do.
//!
//! Exceptions are counted, and the counts are asserted: a number that moves is a rule that moved.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod confusables;
mod emoji;
mod files;
mod ignorable;
mod normalization;
mod scripts;
mod selectors;

use mcp_secure_text::{Field, Policy, Report, inspect, sanitize};

/// What is found in a description.
fn report(text: &str) -> Report {
    inspect(text, Field::Description)
}

/// That a text is clean, and handed through as it is.
#[track_caller]
fn passes(text: &str) {
    let report = report(text);
    assert!(report.is_clean(), "{:?} in {text:?}", report.findings);
    for policy in [Policy::Strip, Policy::Escape] {
        let clean = sanitize(text, policy);
        assert_eq!((clean.as_str(), clean.changed()), (text, 0));
    }
}

/// Whether hidden characters are found in a text. This is the walk alone; that `inspect` agrees
/// with it is a law of its own.
fn is_changed(text: &str) -> bool {
    sanitize(text, Policy::Strip).changed() > 0
}
