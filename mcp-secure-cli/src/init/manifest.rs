//! The lines that Cargo.toml needs: `forbid`, so that no `#[allow]` takes it back.

use std::path::Path;

use toml::{Table, Value};

/// `[lints]`, group by group.
const WANTED: &[(&str, &[&str])] = &[
    ("rust", &["unsafe_code"]),
    (
        "clippy",
        &[
            "disallowed_macros",
            "disallowed_methods",
            "disallowed_types",
        ],
    ),
];

/// The lines that are missing for the package of a folder.
pub(super) fn missing(folder: &Path) -> Result<Option<String>, String> {
    let manifest = read(&folder.join("Cargo.toml"))?;
    let (lints, heading) = match manifest.get("lints") {
        Some(lints) if lints.get("workspace") == Some(&Value::Boolean(true)) => {
            (workspace_lints(folder)?, "workspace.lints")
        }
        Some(lints) => (Some(lints.clone()), "lints"),
        None if manifest.contains_key("package") => (None, "lints"),
        None => (
            manifest
                .get("workspace")
                .and_then(|workspace| workspace.get("lints"))
                .cloned(),
            "workspace.lints",
        ),
    };
    let mut lines = String::new();
    for (group, names) in WANTED {
        let there = lints.as_ref().and_then(|lints| lints.get(group));
        let names: Vec<_> = names
            .iter()
            .filter(|name| there.and_then(|there| level(there.get(name)?)) != Some("forbid"))
            .collect();
        if !names.is_empty() {
            lines.push_str(&format!("[{heading}.{group}]\n"));
        }
        for name in names {
            lines.push_str(&format!("{name} = \"forbid\"\n"));
        }
    }
    Ok(Some(lines).filter(|lines| !lines.is_empty()))
}

/// `"forbid"` or `{ level = "forbid", … }`.
fn level(lint: &Value) -> Option<&str> {
    lint.as_str().or_else(|| lint.get("level")?.as_str())
}

/// The lints of the nearest workspace above.
fn workspace_lints(folder: &Path) -> Result<Option<Value>, String> {
    let folder = folder
        .canonicalize()
        .map_err(|error| format!("`{}` cannot be read: {error}", folder.display()))?;
    for above in folder.ancestors() {
        let path = above.join("Cargo.toml");
        if path.exists()
            && let Some(workspace) = read(&path)?.get("workspace")
        {
            return Ok(workspace.get("lints").cloned());
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Table, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}
