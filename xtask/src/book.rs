//! `cargo xtask book`: check the links of the book, then build it.
//!
//! mdBook has no binary package on a registry, so it is built from crates.io once (well under
//! a minute) and kept in `target/xtask/mdbook`. It stays out of the workspace: as a dependency
//! it would double `Cargo.lock` and cost every build of the tests.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::spec;
use crate::workspace::{self, Result, Workspace, output, read};

const MDBOOK_VERSION: &str = "0.5.4";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let book = workspace.root.join("book");
    let mut faults = faults(&book.join("src"))?;
    faults.extend(spec::faults(&workspace.root)?);
    if !faults.is_empty() {
        return Err(faults.join("\n       ").into());
    }
    let target = workspace.target.join("book");
    workspace::run(
        Command::new(mdbook(workspace)?)
            .arg("build")
            .arg(&book)
            .arg("--dest-dir")
            .arg(&target),
    )?;
    eprintln!("open {}", target.join("index.html").display());
    Ok(())
}

/// The pinned mdBook, built on first use, with its own lock file.
fn mdbook(workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.cache("mdbook");
    let program = home.join("bin").join("mdbook");
    if program.exists()
        && output(Command::new(&program).arg("--version"))
            .is_ok_and(|found| found.trim() == format!("mdbook v{MDBOOK_VERSION}"))
    {
        return Ok(program);
    }
    let build = workspace.cache("mdbook-build");
    // A debug build: it starts in no time, and a release build takes three times as long.
    workspace::run(
        workspace
            .cargo()
            .args([
                "install",
                "mdbook",
                "--version",
                MDBOOK_VERSION,
                "--locked",
                "--force",
            ])
            .args([
                "--no-default-features",
                "--debug",
                "--config",
                "profile.dev.debug=false",
            ])
            .arg("--root")
            .arg(&home)
            .arg("--target-dir")
            .arg(&build),
    )?;
    std::fs::remove_dir_all(build)?;
    Ok(program)
}

/// Relative links that lead nowhere, and pages that no reader can reach.
fn faults(src: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeSet::new();
    collect(src, &mut pages)?;
    let summary = src.join("SUMMARY.md");

    let mut faults = Vec::new();
    let mut listed = BTreeSet::from([summary.clone()]);
    for page in &pages {
        let text = read(page)?;
        let name = page.strip_prefix(src)?.display();
        for link in links(&text) {
            let Some(path) = link.split('#').next().filter(|path| is_relative(path)) else {
                continue;
            };
            let target = resolve(page, path);
            if !target.is_file() {
                faults.push(format!("book/src/{name}: `{link}` leads nowhere"));
            } else if *page == summary {
                listed.insert(target);
            }
        }
    }
    for page in pages.difference(&listed) {
        let name = page.strip_prefix(src)?.display();
        faults.push(format!("book/src/{name} is not in SUMMARY.md"));
    }
    Ok(faults)
}

fn collect(folder: &Path, pages: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path);
        }
    }
    Ok(())
}

/// The targets of `[text](target)` outside code blocks and code spans.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        // Every second piece between backticks is code.
        for prose in line.split('`').step_by(2) {
            for rest in prose.split("](").skip(1) {
                if let Some((target, _)) = rest.split_once(')') {
                    found.push(target);
                }
            }
        }
    }
    found
}

fn is_relative(path: &str) -> bool {
    !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:")
}

/// `page`'s folder joined with `path`, with `..` taken away in the text.
fn resolve(page: &Path, path: &str) -> PathBuf {
    let mut target = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                target.pop();
            }
            Component::CurDir => {}
            other => target.push(other),
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_are_not_links() {
        let text =
            "see [a](a.md) and [b](../b.md#c), not `[x](x.md)`\n```\n[y](y.md)\n```\n[c](c.md)";
        assert_eq!(links(text), ["a.md", "../b.md#c", "c.md"]);
    }

    #[test]
    fn a_link_is_resolved_from_its_page() {
        assert_eq!(
            resolve(Path::new("src/x/y.md"), "../z.md"),
            Path::new("src/z.md")
        );
        assert!(is_relative("a.md") && !is_relative("https://x.org/a.md") && !is_relative(""));
    }
}
