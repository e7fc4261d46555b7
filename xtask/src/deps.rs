//! `cargo xtask deps`: every workspace dependency has its row in `DEPENDENCIES.md`, and every
//! row has its dependency.

use std::collections::BTreeSet;

use crate::workspace::{Result, Workspace, read};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let manifest = read(&workspace.root.join("Cargo.toml"))?;
    let document = read(&workspace.root.join("DEPENDENCIES.md"))?;
    let declared = declared(&manifest);
    let explained = explained(&document);

    let mut faults = Vec::new();
    for name in declared.difference(&explained) {
        faults.push(format!("`{name}` has no row in DEPENDENCIES.md"));
    }
    for name in explained.difference(&declared) {
        faults.push(format!(
            "DEPENDENCIES.md explains `{name}`, which Cargo.toml does not have"
        ));
    }
    if faults.is_empty() {
        eprintln!("{} dependencies, each with its row", declared.len());
        Ok(())
    } else {
        Err(faults.join("\n       ").into())
    }
}

/// The keys of `[workspace.dependencies]` that come from outside the workspace.
fn declared(manifest: &str) -> BTreeSet<&str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#') && !line.contains("path ="))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
        .collect()
}

/// The names in the first column of the tables: ``| `name` | … |``.
fn explained(document: &str) -> BTreeSet<&str> {
    document
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_rows_are_found() {
        let manifest = "[workspace]\nx = 1\n[workspace.dependencies]\nours = { path = \"ours\" }\n\
                        # why\nserde = \"1\"\nhttp-body = \"1\"\n\n[profile.dev]\nlto = false\n";
        assert_eq!(declared(manifest), BTreeSet::from(["serde", "http-body"]));
        let document = "| crate | for |\n|---|---|\n| `serde` | data |\ntext with `code`\n";
        assert_eq!(explained(document), BTreeSet::from(["serde"]));
    }
}
