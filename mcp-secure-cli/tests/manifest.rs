//! The command on real manifests, through its own process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    path::Path,
    process::{Command, Output},
};

const NOTES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/notes/manifest.json"
);

fn command(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .args(args)
        .output()
        .expect("the command runs")
}

#[test]
fn a_manifest_that_gained_a_right_fails_the_comparison() {
    let text = std::fs::read_to_string(NOTES).unwrap();
    let folder = std::env::temp_dir().join(format!("mcp-secure-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let wider = folder.join("wider.json");
    let changed = text.replacen(
        "\"approval\": \"required\"",
        "\"approval\": \"not needed\"",
        1,
    );
    assert_ne!(
        changed, text,
        "the notes example has a tool that needs approval"
    );
    std::fs::write(&wider, changed).unwrap();

    let same = command(&["diff", NOTES, NOTES]);
    assert!(same.status.success());
    assert!(same.stdout.is_empty());
    let gained = command(&["diff", NOTES, wider.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        gained.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&gained.stderr)
    );
    assert!(String::from_utf8_lossy(&gained.stdout).contains("write_note"));
}

#[test]
fn a_page_names_the_tools_and_a_digest_is_one_line() {
    let page = command(&["show", NOTES]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("write_note"));
    let digest = String::from_utf8(command(&["digest", NOTES]).stdout).unwrap();
    assert!(
        digest.starts_with("sha256:") && digest.lines().count() == 1,
        "{digest}"
    );
}

#[test]
fn what_is_no_manifest_is_refused_with_its_name() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let refused = command(&["show", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("error: "));
}

#[test]
fn a_check_refuses_what_a_model_would_read_and_what_is_over() {
    let text = std::fs::read_to_string(NOTES).unwrap();
    let folder = folder_of("check");
    let written = |name: &str, from: &str, to: &str| {
        let file = folder.join(name);
        let changed = text.replacen(from, to, 1);
        assert!(from.is_empty() || changed != text);
        std::fs::write(&file, changed).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let exception = |until: &str| {
        format!(
            "\"exceptions\": [{{\"rule\": \"hidden/bidi-control\", \"reason\": \"a reason\", \
             \"until\": \"{until}\"}}], \"approval\": "
        )
    };
    let over = written("over.json", "\"approval\": ", &exception("2026-01-01"));
    let holds = written("holds.json", "\"approval\": ", &exception("9999-12-31"));
    let hidden = written(
        "hidden.json",
        "\"description\": \"",
        "\"description\": \"\u{202E}",
    );

    assert!(command(&["check", NOTES]).status.success());
    assert!(command(&["check", &holds]).status.success());
    assert!(command(&["show", &holds]).status.success());
    for verb in ["check", "show"] {
        let told = command(&[verb, &over]);
        assert_eq!(told.status.code(), Some(1), "{verb}");
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.starts_with("error: exceptions are over:"), "{told}");
    }
    let widened = command(&["diff", NOTES, &holds]);
    assert_eq!(widened.status.code(), Some(1));
    let refused = command(&["check", &hidden]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("U+202E"), "{refused}");
}

fn folder_of(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("mcp-secure-cli-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
