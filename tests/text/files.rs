//! The files, and what is common to their lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "/usr/share/unicode";

/// The text of a file of the database.
pub(crate) fn read(name: &str) -> String {
    let path = Path::new(FOLDER).join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => panic!(
            "{}: {error}; `cargo xtask install` installs the Debian package unicode-data",
            path.display()
        ),
    }
}

/// The same of a file that Debian compresses.
pub(crate) fn read_bz2(name: &str) -> String {
    let path = Path::new(FOLDER).join(name);
    assert!(
        path.exists(),
        "{} is missing; `cargo xtask install` installs the Debian package unicode-data",
        path.display()
    );
    let output = Command::new("bzip2")
        .args(["--decompress", "--stdout"])
        .arg(&path)
        .output()
        .expect("`cargo xtask install` installs the Debian package bzip2");
    assert!(output.status.success(), "{}", path.display());
    String::from_utf8(output.stdout).unwrap()
}

/// The fields of each line that has some.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (!line.is_empty() && !line.starts_with('@'))
            .then(|| line.split(';').map(str::trim).collect())
    })
}

/// `0023 FE0F` as text.
pub(crate) fn text(hex: &str) -> String {
    hex.split_whitespace().map(character).collect()
}

pub(crate) fn character(hex: &str) -> char {
    char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap()
}

/// `0041` or `0041..005A`; surrogates are no characters.
pub(crate) fn range(hex: &str) -> impl Iterator<Item = char> {
    let (from, to) = hex.split_once("..").unwrap_or((hex, hex));
    let number = |hex| u32::from_str_radix(hex, 16).unwrap();
    (number(from)..=number(to)).filter_map(char::from_u32)
}

/// How many there are of each kind.
pub(crate) type Counts = BTreeMap<String, usize>;

pub(crate) fn count(counts: &mut Counts, kind: &str) {
    *counts.entry(kind.to_owned()).or_default() += 1;
}

/// That there are so many of each kind and none of any other.
#[track_caller]
pub(crate) fn assert_counts(counts: &Counts, expected: &[(&str, usize)]) {
    let counts: Vec<(&str, usize)> = counts.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    assert_eq!(counts, expected);
}

/// The code points that have a name in Debian's version.
pub(crate) fn known() -> Vec<char> {
    let age = read("DerivedAge.txt");
    let mut known: Vec<char> = rows(&age).flat_map(|row| range(row[0])).collect();
    known.sort_unstable();
    known
}

#[test]
fn the_files_are_older_than_the_tables() {
    let text = read("DerivedAge.txt");
    let first = text.lines().next().unwrap_or_default();
    let version: Vec<u64> = first
        .trim_start_matches("# DerivedAge-")
        .trim_end_matches(".txt")
        .split('.')
        .map(|number| number.parse().unwrap())
        .collect();
    let tables = mcp_secure_text::UNICODE_VERSION;
    assert_eq!(tables, (18, 0, 0));
    assert!(version.len() == 3, "{first}");
    let files = (version[0], version[1], version[2]);
    assert!((15, 0, 0) <= files && files <= tables, "{first}");
    println!("files of {files:?}, tables of {tables:?}");
}
