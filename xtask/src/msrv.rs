//! `cargo xtask msrv`: the stated `rust-version` is one the dependencies can keep.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workspace::{Result, Workspace, metadata};

pub(crate) fn run(_: &Workspace) -> Result<()> {
    let metadata = metadata(&["--all-features"])?;
    let report = Report::from_metadata(&metadata)?;
    for (name, version) in &report.too_new {
        eprintln!("{name} needs Rust {version}");
    }
    if report.too_new.is_empty() {
        eprintln!(
            "stated {}; the most demanding dependency is {} with {}",
            report.stated, report.highest.0, report.highest.1
        );
        Ok(())
    } else {
        let found = report.too_new.len();
        Err(format!(
            "{found} dependencies need more than the stated {}",
            report.stated
        )
        .into())
    }
}

struct Report {
    stated: Version,
    highest: (String, Version),
    too_new: Vec<(String, Version)>,
}

impl Report {
    /// Dev-dependencies are left out: whoever builds the library never compiles them.
    fn from_metadata(metadata: &Value) -> Result<Self> {
        let packages: BTreeMap<&str, &Value> = list(metadata, "packages")
            .filter_map(|package| Some((text(package, "id")?, package)))
            .collect();
        let members: BTreeSet<&str> = list(metadata, "workspace_members")
            .filter_map(Value::as_str)
            .collect();
        let nodes: BTreeMap<&str, &Value> = metadata
            .get("resolve")
            .into_iter()
            .flat_map(|resolve| list(resolve, "nodes"))
            .filter_map(|node| Some((text(node, "id")?, node)))
            .collect();

        let mut reached = members.clone();
        let mut open: Vec<&str> = members.iter().copied().collect();
        while let Some(id) = open.pop() {
            let node = nodes.get(id).ok_or_else(|| format!("no node for `{id}`"))?;
            for dependency in list(node, "deps") {
                let used = list(dependency, "dep_kinds")
                    .any(|kind| text(kind, "kind").is_none_or(|kind| kind != "dev"));
                if let Some(id) = text(dependency, "pkg").filter(|_| used)
                    && reached.insert(id)
                {
                    open.push(id);
                }
            }
        }

        let mut stated = None;
        let mut highest = (String::from("none"), Version([0; 3]));
        let mut asked = Vec::new();
        for id in reached {
            let package = packages
                .get(id)
                .ok_or_else(|| format!("no package for `{id}`"))?;
            let name = text(package, "name").unwrap_or(id);
            let version = text(package, "rust_version")
                .map(Version::parse)
                .transpose()?;
            match version {
                // The lowest statement of a member is the promise.
                Some(version) if members.contains(id) => {
                    stated = Some(stated.map_or(version, |known: Version| known.min(version)));
                }
                Some(version) => {
                    let name = format!("{name} {}", text(package, "version").unwrap_or("?"));
                    if version > highest.1 {
                        highest = (name.clone(), version);
                    }
                    asked.push((name, version));
                }
                None if members.contains(id) => {
                    return Err(format!("`{name}` states no rust-version").into());
                }
                None => {}
            }
        }
        let stated = stated.ok_or("the workspace has no members")?;
        asked.retain(|(_, version)| *version > stated);
        Ok(Self {
            stated,
            highest,
            too_new: asked,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

impl Version {
    fn parse(text: &str) -> Result<Self> {
        let mut parts = [0; 3];
        let mut given = text.split('.');
        for (part, text) in parts.iter_mut().zip(given.by_ref()) {
            *part = text
                .parse()
                .map_err(|_| format!("`{text}` in a rust-version is no number"))?;
        }
        if given.next().is_some() {
            return Err(format!("`{text}` is not a rust-version").into());
        }
        Ok(Self(parts))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}")?;
        if patch == 0 {
            Ok(())
        } else {
            write!(f, ".{patch}")
        }
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Version::parse("1.100").unwrap() > Version::parse("1.89.1").unwrap());
        assert_eq!(
            Version::parse("1.90").unwrap(),
            Version::parse("1.90.0").unwrap()
        );
        assert!(Version::parse("1.90-nightly").is_err());
        assert!(Version::parse("1.2.3.4").is_err());
    }

    #[test]
    fn a_dependency_newer_than_the_promise_is_found_and_a_dev_dependency_is_not() {
        let found = Report::from_metadata(&graph("1.91", "1.99")).unwrap();
        assert_eq!(
            found.too_new,
            [("used 1.0.0".to_owned(), Version([1, 91, 0]))]
        );
        assert_eq!(found.highest.0, "used 1.0.0");
        assert!(
            Report::from_metadata(&graph("1.90", "1.99"))
                .unwrap()
                .too_new
                .is_empty()
        );
    }

    fn graph(used: &str, dev: &str) -> Value {
        json!({
            "workspace_members": ["ours"],
            "packages": [
                { "id": "ours", "name": "ours", "version": "0.1.0", "rust_version": "1.90" },
                { "id": "used", "name": "used", "version": "1.0.0", "rust_version": used },
                { "id": "dev", "name": "dev", "version": "1.0.0", "rust_version": dev },
            ],
            "resolve": { "nodes": [
                { "id": "ours", "deps": [
                    { "pkg": "used", "dep_kinds": [{ "kind": null }] },
                    { "pkg": "dev", "dep_kinds": [{ "kind": "dev" }] },
                ] },
                { "id": "used", "deps": [] },
                { "id": "dev", "deps": [] },
            ] },
        })
    }
}
