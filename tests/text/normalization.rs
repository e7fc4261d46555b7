//! Canonical and compatible spellings of one text are read as one and are never changed.

use std::collections::BTreeSet;

use mcp_secure_text::fuzzing::fold;
use mcp_secure_text::{Policy, sanitize};
use unicode_normalization::UnicodeNormalization as _;

use crate::files::{Counts, assert_counts, count, known, read_bz2, rows, text};
use crate::report;

const FILE: &str = "NormalizationTest.txt.bz2";

#[test]
fn all_forms_are_one_reading() {
    let file = read_bz2(FILE);
    let mut total = 0;
    for row in rows(&file) {
        total += 1;
        let forms: Vec<String> = row[..5].iter().map(|hex| text(hex)).collect();
        let folded: BTreeSet<String> = forms.iter().map(|form| fold(form)).collect();
        assert_eq!(folded.len(), 1, "{}: {folded:?}", row[0]);
    }
    assert_eq!(total, 19_074);
}

#[test]
fn no_form_is_changed() {
    let file = read_bz2(FILE);
    let mut rules = Counts::new();
    for row in rows(&file) {
        for form in row[..5].iter().map(|hex| text(hex)) {
            let findings = report(&form).findings;
            let clean = sanitize(form.as_str(), Policy::Strip);
            assert_eq!(findings.is_empty(), clean.as_str() == form);
            for finding in findings {
                count(&mut rules, &format!("{} of {}", finding.rule, row[0]));
            }
        }
    }
    // Letters without a shape, and what they are compatible with.
    let fillers = [("hidden/filler of 3164", 5), ("hidden/filler of FFA0", 5)];
    assert_counts(&rules, &fillers);
}

/// The same for each single character of the tables that Debian's files do not know.
#[test]
fn characters_of_later_versions() {
    let known: BTreeSet<char> = known().into_iter().collect();
    let mut total = 0;
    for c in ('\0'..=char::MAX).filter(|c| !known.contains(c)) {
        let composed = String::from(c);
        let forms: [String; 4] = [
            composed.nfc().collect(),
            composed.nfd().collect(),
            composed.nfkc().collect(),
            composed.nfkd().collect(),
        ];
        if forms.iter().all(|form| *form == composed) {
            continue;
        }
        total += 1;
        for form in &forms {
            assert_eq!(fold(form), fold(&composed), "{c:?} {form:?}");
        }
    }
    assert_eq!(total, 125);
}
