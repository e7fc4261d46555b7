//! The pages of the book that answer for the specification, row by row: no row may be missing,
//! and no test that a row names.
//!
//! A test is named as nextest does, with its package: `mcp-secure-tests-oauth::step_up::name`. It
//! is looked for in the sources, which is quick and needs no compiler. What the attack harness
//! calls its tests is not in the sources as such; it checks by itself what the book says of them
//! (`corpus::the_book_names_attacks_that_there_are`).

use std::collections::BTreeMap;
use std::path::Path;

use crate::shorthand;
use crate::sources::Sources;
use crate::workspace::{Result, read};

/// A page, and its rows.
const PAGES: &[(&str, &[Area])] = &[(
    "book/src/spec-auth.md",
    &[
        ("AUTHZ", "1-27"),
        ("AUTHZEXT", "1-5"),
        ("SCOPE", "1-4"),
        ("DEPUTY", "1-11"),
        ("SESSION", "1-15"),
        // Those that decide who gets in.
        ("TRANSPORT", "1-5 11 24-25"),
    ],
)];

/// The name of an area, and which of its rows the page has.
type Area = (&'static str, &'static str);

/// Pages that name tests in short, in tables of another form.
const SHORT: [&str; 2] = ["book/src/controls.md", "book/src/threat-matrix.md"];

/// What is wrong with the pages.
pub(crate) fn faults(root: &Path) -> Result<Vec<String>> {
    let sources = Sources::of(root)?;
    let mut faults = Vec::new();
    for page in SHORT {
        for (written, test) in shorthand::tests(&read(&root.join(page))?) {
            if !sources.has(&test) {
                faults.push(format!("{page}: there is no test `{written}` (`{test}`)"));
            }
        }
    }
    for (page, areas) in PAGES {
        let text = read(&root.join(page))?;
        let found = page_faults(&text, areas, |test| sources.has(test));
        faults.extend(found.into_iter().map(|fault| format!("{page}: {fault}")));
    }
    Ok(faults)
}

/// A row that is missing, twice there or nobody's, says too little, or names no test.
fn page_faults(text: &str, areas: &[Area], is_test: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, asked, answer, shown, _] = cells.as_slice() else {
            continue;
        };
        if !is_id(id) {
            continue;
        }
        *rows.entry(id).or_default() += 1;
        if asked.is_empty() || answer.is_empty() {
            faults.push(format!("{id} does not say what is asked and what is done"));
        }
        let tests: Vec<&str> = spans(shown).filter(|span| span.contains("::")).collect();
        // Without a test there is a reason, and a reason is a sentence.
        if tests.is_empty() && shown.split_whitespace().count() < 4 {
            faults.push(format!("{id} has neither a test nor a reason"));
        }
        for test in tests {
            if !is_test(test) {
                faults.push(format!("{id} names the test `{test}`, which is not there"));
            }
        }
    }
    for (area, numbers) in areas {
        for number in numbers_in(numbers) {
            let id = format!("{area}-{number:02}");
            match rows.remove(id.as_str()) {
                None => faults.push(format!("{id} has no row")),
                Some(1) => {}
                Some(_) => faults.push(format!("{id} has more than one row")),
            }
        }
    }
    faults.extend(rows.keys().map(|id| format!("{id} is no row of the list")));
    faults
}

/// `1-3 7` is 1, 2, 3 and 7.
fn numbers_in(text: &str) -> impl Iterator<Item = usize> {
    text.split(' ').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<usize>().unwrap_or_default();
        number(first)..=number(last)
    })
}

/// `AUTHZ-01`.
fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(area, number)| {
        !area.is_empty()
            && area.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() >= 2
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// What is between backticks.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_have_every_row_and_every_test_that_they_name() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(faults(&root).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_with_a_page_is_found() {
        let page = "| id | asked | done | test |\n|---|---|---|---|\n\
                    | A-01 | this | that | `p::m::t` |\n\
                    | A-02 | this | that | `p::m::gone`, `p::m::t` |\n\
                    | A-02 | this | | p |\n\
                    | A-05 | this | that | Who does that is somebody else. |\n";
        let faults = page_faults(page, &[("A", "1-3")], |test| test == "p::m::t");
        assert_eq!(
            faults,
            [
                "A-02 names the test `p::m::gone`, which is not there",
                "A-02 does not say what is asked and what is done",
                "A-02 has neither a test nor a reason",
                "A-02 has more than one row",
                "A-03 has no row",
                "A-05 is no row of the list",
            ]
        );
    }
}
