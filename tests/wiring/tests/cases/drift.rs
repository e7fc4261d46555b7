//! `rmcp` grows a handler method now and then. Its default would answer outside of the
//! stack, so each one must be written out in the decorator.

use std::{collections::BTreeSet, path::Path, process::Command};

/// The names after `fn ` in a text.
fn functions(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split("fn ")
        .skip(1)
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default())
        .filter(|name| !name.is_empty())
        .collect()
}

/// A block from where it is opened to the line that closes it.
fn block<'a>(text: &'a str, opening: &str) -> &'a str {
    let (_, rest) = text
        .split_once(opening)
        .unwrap_or_else(|| panic!("no {opening:?}"));
    rest.split("\n}\n").next().unwrap()
}

#[test]
fn every_handler_method_of_rmcp_goes_through_the_stack() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        // Of other systems' crates nothing was fetched.
        .args(["--filter-platform", host])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let rmcp = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "rmcp")
        .expect("rmcp is a dependency");
    let manifest = Path::new(rmcp["manifest_path"].as_str().unwrap());
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let theirs = read(&manifest.with_file_name("src").join("handler/server.rs"));
    let ours = read(&root.join("mcp-secure/src/pipeline/hardened.rs"));

    let theirs = functions(block(&theirs, "macro_rules! server_handler_methods {"));
    let ours = functions(block(&ours, "impl ServerHandler for Hardened {"));
    assert!(
        theirs.len() >= 32,
        "the macro was not understood: {theirs:?}"
    );
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(
        missing.is_empty(),
        "`rmcp` has methods that `Hardened` leaves to a default: {missing:?}"
    );
}
