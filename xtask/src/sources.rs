//! The sources of the workspace, as far as it takes to know whether a test is there. No compiler is
//! asked, so it takes a moment and not minutes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::workspace::{Result, read};

/// It names its tests itself, and checks what the book says of them.
const HARNESS: &str = "mcp-secure-tests-attacks";

/// The source files of each package.
pub(crate) struct Sources {
    packages: BTreeMap<String, Vec<Source>>,
}

struct Source {
    /// `auth::oauth::tests::tokens`
    module: String,
    text: String,
}

impl Sources {
    pub(crate) fn of(root: &Path) -> Result<Self> {
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

    /// Whether there is a test of this name.
    pub(crate) fn has(&self, test: &str) -> bool {
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
