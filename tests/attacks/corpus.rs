//! The rows of `data/cve-dev.json` and `data/reports.json`, and the promise that none of the
//! classes is left out without a word.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{harness::Trial, report::Attack};

/// One public advisory; or a report without one, where the hole is no product's own.
#[derive(Deserialize, Debug, Clone)]
pub struct Advisory {
    id: String,
    ghsa: String,
    pub product: String,
    pub cls: String,
    pub cause: String,
}

/// What is played here. The other classes come with the part that stops them.
const CLASSES: [&str; 16] = [
    "PATH", "LINK", "REBIND", "DOS", "SESS", "PARSER", "POISON", "SHELL", "ARGV", "QUERY", "SSRF",
    "URLAUTH", "SUPPLY", "NOAUTH", "AUTHZ", "OAUTH",
];

/// Rows of these classes that nothing of today can play, and why.
pub const NOT_YET: &[(&str, &str)] = &[
    (
        "CVE-2025-62801",
        "the hole is in `cmd.exe` of Windows, which the tests do not run on",
    ),
    (
        "CVE-2025-64340",
        "the hole is in `cmd.exe` of Windows, which the tests do not run on; that a `.cmd` or \
         `.bat` file is no program is a unit test of `capability/exec/interpreters.rs`",
    ),
    (
        "CVE-2025-4143",
        "the hole is in an authorization server, which this library is not: it sends nobody \
         anywhere, and knows no `redirect_uri`",
    ),
    ("CVE-2026-87911", ON_POSTGRESQL),
    ("CVE-2026-85787", ON_POSTGRESQL),
    ("CVE-2026-85620", ON_POSTGRESQL),
    (
        "GHSA-c9xm-49cp-xcr9",
        "the SDK's own fetches are not reachable from outside yet; a unit test beside them has it",
    ),
];

const ON_POSTGRESQL: &str = "the hole is in the rights of a role of PostgreSQL; it is played in \
                             `tests/sql`, which starts a real server";

impl Advisory {
    /// The CVE or RUSTSEC number; else the GHSA number; else the product.
    pub fn key(&self) -> &str {
        match (self.id.as_str(), self.ghsa.as_str()) {
            ("-", "-") => &self.product,
            ("-", ghsa) => ghsa,
            (id, _) => id,
        }
    }
}

/// All rows of the classes.
pub fn advisories() -> Vec<Advisory> {
    let mut all: Vec<Advisory> = serde_json::from_str(include_str!("data/cve-dev.json")).unwrap();
    let reports: Vec<Advisory> = serde_json::from_str(include_str!("data/reports.json")).unwrap();
    all.extend(reports);
    all.into_iter()
        .filter(|row| CLASSES.contains(&row.cls.as_str()))
        .collect()
}

/// The row with this key.
pub fn advisory(key: &str) -> Advisory {
    let mut found = advisories().into_iter().filter(|row| row.key() == key);
    let row = found
        .next()
        .unwrap_or_else(|| panic!("no advisory `{key}`"));
    assert!(found.next().is_none(), "two advisories `{key}`");
    row
}

/// That every row is played or explained, that the README says so in numbers, and that the book
/// names no attack that is not there.
pub fn trials(attacks: &[Attack]) -> Vec<Trial> {
    let mut played: BTreeMap<String, String> = BTreeMap::new();
    for attack in attacks {
        played.insert(
            attack.advisory.key().to_owned(),
            attack.advisory.cls.clone(),
        );
    }
    let names: Vec<String> = attacks.iter().map(Attack::name).collect();
    let book = Trial {
        name: "corpus::the_book_names_attacks_that_there_are".to_owned(),
        run: Box::new(move || {
            let mut looked_at = 0;
            for (page, text) in pages(&book()) {
                for named in named(&text) {
                    looked_at += 1;
                    // A name stands for the variants below it, too.
                    let below = format!("{named}::");
                    let is_it = |name: &String| *name == named || name.starts_with(&below);
                    assert!(
                        names.iter().any(is_it),
                        "`{page}` names `{named}`, which is no attack"
                    );
                }
            }
            assert!(looked_at > 100, "only {looked_at} names were found");
        }),
    };
    let rows = Trial {
        name: "corpus::every_advisory_of_the_classes_is_played_or_explained".to_owned(),
        run: Box::new(move || {
            let mut lines = Vec::new();
            let mut sums = [0; 3];
            for class in CLASSES {
                let rows = advisories().into_iter().filter(|row| row.cls == class);
                let mut counts = [0; 3];
                for row in rows {
                    let key = row.key();
                    let explained = NOT_YET.iter().any(|(id, _)| *id == key);
                    assert!(
                        played.contains_key(key) != explained,
                        "`{key}` must be either played or explained"
                    );
                    counts[0] += 1;
                    counts[if explained { 2 } else { 1 }] += 1;
                }
                lines.push(line(class, counts));
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum += count;
                }
            }
            lines.push(line("all", sums));
            let readme = include_str!("README.md");
            for line in lines {
                assert!(readme.contains(&line), "README.md has no row `{line}`");
            }
            for (key, why) in NOT_YET {
                assert!(
                    readme.contains(key),
                    "README.md does not explain `{key}`: {why}"
                );
            }
        }),
    };
    vec![rows, book]
}

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src")
}

/// The pages in a folder and below it.
fn pages(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(&path).unwrap();
            all.push((path.display().to_string(), text));
        }
    }
    all
}

/// The attacks that a page names between backticks: `attacks/path::x`, `path::x`,
/// `mcp-secure-tests-attacks::path::x`, and `::y` behind one of them.
fn named(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut class = None;
        for span in line.split('`').skip(1).step_by(2) {
            let bare = ["attacks/", "mcp-secure-tests-attacks::"]
                .into_iter()
                .find_map(|prefix| span.strip_prefix(prefix))
                .unwrap_or(span);
            if let Some(rest) = bare.strip_prefix("::") {
                all.extend(class.map(|class| format!("{class}::{rest}")));
                continue;
            }
            let first = bare.split("::").next().unwrap_or_default();
            let is_class = CLASSES
                .iter()
                .any(|class| class.to_ascii_lowercase() == first);
            class = is_class.then_some(first);
            if is_class && bare.contains("::") {
                all.push(bare.to_owned());
            }
        }
    }
    all
}

fn line(class: &str, [all, played, not_yet]: [usize; 3]) -> String {
    format!("| {class} | {all} | {played} | {not_yet} |\n")
}
