//! The pages of the book that answer for the specification, row by row: no row may be missing,
//! and no test that a row names.
//!
//! A test is named as nextest does, with its package: `mcp-secure-tests-oauth::step_up::name`. It
//! is looked for in the sources, which is quick and needs no compiler. What the attack harness
//! calls its tests is not in the sources as such; it checks by itself what the book says of them
//! (`corpus::the_book_names_attacks_that_there_are`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// It names its tests itself, and checks them.
const HARNESS: &str = "mcp-secure-tests-attacks";

/// What is wrong with the pages.
pub(crate) fn faults(root: &Path) -> Result<Vec<String>> {
    let sources = Sources::of(root)?;
    let mut faults = Vec::new();
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
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The source files of each package.
struct Sources {
    packages: BTreeMap<String, Vec<Source>>,
}

struct Source {
    /// `auth::oauth::tests::tokens`
    module: String,
    text: String,
}

impl Sources {
    fn of(root: &Path) -> Result<Self> {
        let mut packages = BTreeMap::new();
        for folder in folders(root)? {
            let manifest = folder.join("Cargo.toml");
            if !manifest.is_file() {
                continue;
            }
            let manifest = read(&manifest)?;
            let Some(name) = manifest.lines().find_map(|l| l.strip_prefix("name = \"")) else {
                continue;
            };
            let mut sources = Vec::new();
            collect(&folder, &folder, &mut sources)?;
            packages.insert(name.trim_end_matches('"').to_owned(), sources);
        }
        Ok(Self { packages })
    }

    fn has(&self, test: &str) -> bool {
        let Some((package, path)) = test.split_once("::") else {
            return false;
        };
        if package == HARNESS {
            return self.packages.contains_key(HARNESS);
        }
        let Some((module, name)) = path.rsplit_once("::") else {
            return false;
        };
        // A module at the end of its file.
        let outer = module.strip_suffix("::tests");
        self.packages.get(package).is_some_and(|sources| {
            sources.iter().any(|source| {
                let is_it = source.module == module || Some(source.module.as_str()) == outer;
                is_it && has_test(&source.text, name)
            })
        })
    }
}

/// The members of the workspace: all of them are one or two folders down.
fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() && !is_passed_over(&path) {
            if path.ends_with("tests") || path.ends_with("examples") {
                for entry in std::fs::read_dir(&path)? {
                    found.push(entry?.path());
                }
            }
            found.push(path);
        }
    }
    Ok(found)
}

fn is_passed_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "target" || name == "node_modules"
}

/// The sources in a folder, but not those of a package inside of it.
fn collect(package: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !is_passed_over(&path) && !path.join("Cargo.toml").exists() {
                collect(package, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = module(path.strip_prefix(package)?);
            let text = read(&path)?;
            sources.push(Source { module, text });
        }
    }
    Ok(())
}

/// `src/auth/mod.rs` is `auth`, `tests/step_up.rs` is `step_up`.
fn module(path: &Path) -> String {
    let path = path.with_extension("");
    let parts = path.components().map(|part| part.as_os_str());
    let mut parts: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
    let is_root = |first: &std::borrow::Cow<'_, str>| first == "src" || first == "tests";
    if parts.len() > 1 && parts.first().is_some_and(is_root) {
        parts.remove(0);
    }
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts.join("::")
}

/// Whether a text has this test: a function below an attribute that says so, or inside of a macro
/// that makes tests of functions.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let starts = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(at, line)| {
        let line = line.trim_start();
        if !starts.iter().any(|start| line.starts_with(start)) {
            return false;
        }
        let above = lines.iter().take(at).rev();
        let mut attributes = above.clone().map(|line| line.trim_start());
        let mut attributes = attributes
            .by_ref()
            .take_while(|l| l.starts_with(['#', '/']));
        attributes.any(|line| line.contains("test]") || line.contains("test("))
            || above
                .filter(|line| !line.starts_with(char::is_whitespace) && !line.is_empty())
                .map(|line| line.trim_end())
                .next()
                .is_some_and(|line| line.ends_with("! {"))
    })
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

    #[test]
    fn a_function_is_a_test_where_it_is_run_as_one() {
        let text = "#[test]\nfn a() {}\n\n/// Why.\n#[tokio::test(start_paused = true)]\n\
                    async fn b() {}\n\nfn c() {}\n\non_every_way! {\n    fn d(way: Way) {\n    }\n\n    \
                    fn e(way: Way) {\n    }\n}\n\nfn f() {\n    fn g() {}\n}\n";
        let found: Vec<&str> = ["a", "b", "c", "d", "e", "f", "g", "h"]
            .into_iter()
            .filter(|name| has_test(text, name))
            .collect();
        assert_eq!(found, ["a", "b", "d", "e"]);
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module(Path::new("src/auth/oauth/mod.rs")), "auth::oauth");
        assert_eq!(module(Path::new("tests/cases/http.rs")), "cases::http");
        assert_eq!(module(Path::new("race.rs")), "race");
    }
}
