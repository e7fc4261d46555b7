//! The short names of tests that the tables of controls and of threats use; what they stand for is
//! in the book, at the head of `controls.md`.
//!
//! A name of a form that is not known here is passed over: it is prose, code, or of the attack
//! harness, which checks its own.

use crate::spec::spans;

/// How a name begins, and what it stands for.
const SHORT: [(&str, &str); 18] = [
    ("wiring/", "mcp-secure-tests-wiring::cases::"),
    ("oauth/", "mcp-secure-tests-oauth::"),
    ("net/", "mcp-secure-tests-net::"),
    ("sql/", "mcp-secure-tests-sql::"),
    ("exec/", "mcp-secure-tests-exec::"),
    ("sandbox/", "mcp-secure-tests-sandbox::"),
    ("audit/", "mcp-secure-tests-audit::"),
    ("fs/", "mcp-secure-tests-fs::"),
    ("vault/", "mcp-secure-tests-vault::"),
    ("macros/", "mcp-secure-tests-macros::"),
    ("conformance::", "mcp-secure-tests-conformance::suite::"),
    ("http::", "mcp-secure::server::http::tests::"),
    ("dial::", "mcp-secure::capability::dial::tests::"),
    ("tokens::", "mcp-secure::auth::oauth::tests::tokens::"),
    ("keys::", "mcp-secure::auth::oauth::tests::keys::"),
    ("proofs::", "mcp-secure::auth::oauth::tests::proofs::"),
    ("asked::", "mcp-secure::auth::oauth::tests::asked::"),
    ("declared::", "mcp-secure::auth::oauth::tests::declared::"),
];

/// The tests that a page names: as they are written, and in full.
pub(crate) fn tests(page: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for line in page.lines() {
        let mut before: Option<String> = None;
        for span in spans(line) {
            let test = match span.strip_prefix("::") {
                Some(name) => before.as_deref().and_then(|before| {
                    let (module, _) = before.rsplit_once("::")?;
                    Some(format!("{module}::{name}"))
                }),
                None => full(span),
            };
            // Several at once, and the `t` by which the book explains the names, are no names.
            if let Some(test) = &test
                && !test.ends_with("::t")
                && !test.contains(['*', '{'])
            {
                all.push((span.to_owned(), test.clone()));
            }
            before = test;
        }
    }
    all
}

fn full(span: &str) -> Option<String> {
    let (path, name) = span.rsplit_once("::")?;
    if let Some(file) = path.strip_suffix(".rs") {
        // Below the library's sources, unless it begins with a package.
        let (package, file) = match file.split_once('/') {
            Some((package, file)) if package.starts_with("mcp-secure") => (package, file),
            _ => ("mcp-secure", file),
        };
        let file = file.trim_start_matches("src/").trim_start_matches("tests/");
        return Some(format!("{package}::{}::{name}", file.replace('/', "::")));
    }
    let stands_for = |(short, long): &(&str, &str)| {
        let rest = span.strip_prefix(short)?;
        Some(format!("{long}{}", rest.replace('/', "::")))
    };
    SHORT.iter().find_map(stands_for)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_short_name_stands_for_one_test() {
        let line = "| `http/host` | x | `wiring/http::a`, `::b`; `http::c` | `attacks/dos::d`, `::e` | \
                    `sql/postgres/limits::f`, `server/verbs/tests.rs::g` | `fs/x::t`, `fs/x::*` | `h` |\n\
                    `::i`, `mcp-secure-cli/tests/verify.rs::j`";
        let found: Vec<String> = tests(line).into_iter().map(|(_, test)| test).collect();
        assert_eq!(
            found,
            [
                "mcp-secure-tests-wiring::cases::http::a",
                "mcp-secure-tests-wiring::cases::http::b",
                "mcp-secure::server::http::tests::c",
                "mcp-secure-tests-sql::postgres::limits::f",
                "mcp-secure::server::verbs::tests::g",
                "mcp-secure-cli::verify::j",
            ]
        );
    }
}
