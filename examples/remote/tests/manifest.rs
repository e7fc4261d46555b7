//! What the server is, as an auditor reads it. That its tokens are checked is in `tests/oauth`,
//! and that its TLS is what it should be in `tests/wiring`.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::process::Command;

use serde_json::Value;

fn manifest() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_remote"))
        .args(["manifest", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_manifest_says_whose_tokens_are_taken_and_for_what() {
    let reviewed: Value = serde_json::from_str(include_str!("../manifest.json")).unwrap();
    let manifest = manifest();
    assert_eq!(manifest, reviewed);
    let callers: Vec<&str> = manifest["callers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    assert!(callers.contains(&"tokens of https://auth.example"));
    assert!(callers.contains(&"for https://mcp.example/mcp"));
    assert_eq!(manifest["transports"], serde_json::json!(["https"]));
}

#[test]
fn without_its_certificate_it_does_not_start_and_says_which_file_it_looked_for() {
    let empty = std::env::temp_dir();
    let output = Command::new(env!("CARGO_BIN_EXE_remote"))
        .args(["serve", "--http", "127.0.0.1:0", "--audit", "stderr"])
        .current_dir(empty)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("cert.pem"), "{told}");
}

#[test]
fn the_operators_file_is_understood() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/operator.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_remote"))
        .args(["check", "--http", "--config", file])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("/var/log/remote/audit.jsonl"), "{said}");
}
