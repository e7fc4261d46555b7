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
const CLASSES: [&str; 17] = [
    "PATH", "LINK", "REBIND", "DOS", "SESS", "PARSER", "POISON", "SHELL", "ARGV", "QUERY", "SSRF",
    "URLAUTH", "SUPPLY", "NOAUTH", "AUTHZ", "OAUTH", "SECRET",
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
        "GHSA-8pqq-224h-x875",
        "the hole is in how a package was made, with the author's files in it",
    ),
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
            let mut absent = Vec::new();
            for (page, text) in pages(&book()) {
                for named in named(&text) {
                    looked_at += 1;
                    // A name stands for the variants below it, too.
                    let is_it = |name: &String| {
                        named.iter().any(|named| {
                            let rest = name.strip_prefix(named.as_str());
                            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                        })
                    };
                    if !names.iter().any(is_it) {
                        absent.push(format!("{page}: {named:?}"));
                    }
                }
            }
            assert_eq!(absent, [""; 0], "the book names what is no attack");
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

/// The attacks that a page names between backticks: `attacks/path::x`, `path::x` or
/// `mcp-secure-tests-attacks::path::x`. Behind one of them `::y` is another of its class, or of
/// its advisory; both are given.
fn named(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut before: Option<&str> = None;
        for span in line.split('`').skip(1).step_by(2) {
            let bare = ["attacks/", "mcp-secure-tests-attacks::"]
                .into_iter()
                .find_map(|prefix| span.strip_prefix(prefix))
                .unwrap_or(span)
                .trim_end_matches("::*");
            if !bare.chars().all(is_of_a_name) {
                continue;
            }
            if let Some(rest) = bare.strip_prefix("::") {
                let Some(before) = before else { continue };
                let class = before.split("::").next().unwrap_or_default();
                let advisory = before.rsplit_once("::").map_or(before, |(head, _)| head);
                for rest in each(rest) {
                    let of = |head: &str| format!("{head}::{rest}");
                    all.push(vec![of(class), of(advisory)]);
                }
                continue;
            }
            let class = bare.split("::").next().unwrap_or_default();
            let is_class = CLASSES
                .iter()
                .any(|known| known.to_ascii_lowercase() == class);
            before = is_class.then_some(bare);
            if is_class && bare.len() > class.len() + 2 {
                all.extend(each(bare).into_iter().map(|name| vec![name]));
            }
        }
    }
    all
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-:{},* ".contains(c)
}

/// `a::{b,c}` is `a::b` and `a::c`.
fn each(name: &str) -> Vec<String> {
    let Some((head, rest)) = name.split_once('{') else {
        return vec![name.to_owned()];
    };
    let (inner, tail) = rest.split_once('}').unwrap_or((rest, ""));
    let whole = |one: &str| format!("{head}{}{tail}", one.trim());
    inner.split(',').flat_map(|one| each(&whole(one))).collect()
}

fn line(class: &str, [all, played, not_yet]: [usize; 3]) -> String {
    format!("| {class} | {all} | {played} | {not_yet} |\n")
}
