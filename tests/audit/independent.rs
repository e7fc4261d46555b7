//! The same log, verified by a program that shares no code with this one.

use std::process::Command;

use mcp_secure::audit::{prove_consistency, verify_consistency};
use serde_json::{Value, json};

use crate::scene::*;

fn python(scene: &Scene) -> (bool, Value) {
    let files = [scene.log(), scene.beside("key"), scene.beside("pub")];
    asked(&files.map(|file| file.display().to_string()))
}

fn asked(arguments: &[String]) -> (bool, Value) {
    let python = std::env::var("MCP_SECURE_PYTHON")
        .expect("MCP_SECURE_PYTHON is not set: run `cargo xtask test`, or see CONTRIBUTING.md");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/verify.py");
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {errors}"));
    (output.status.success(), value)
}

#[test]
fn a_verifier_by_somebody_else_says_the_same_of_each_change() {
    let scene = Scene::configured("checkpoint_records = 10\nsegment = \"16 KiB\"");
    let mut server = scene.start();
    for n in 0..60 {
        server.call("echo", json!({ "text": "ä\u{1b}\"}" }));
        assert!(server.leave(&format!("f{n}")));
    }
    server.end();
    let (good, seen) = python(&scene);
    assert!(good, "{seen}");
    let ours = scene.verify();
    assert!(ours.findings.is_empty(), "{ours:?}");
    assert_eq!(seen["records"], ours.records);
    assert_eq!(seen["checkpoints"], ours.checkpoints);

    let whole = std::fs::read(scene.log()).unwrap();
    // One bit, at many places.
    let mut at = 11;
    while at < whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(scene.log(), &changed).unwrap();
        let (good, seen) = python(&scene);
        let ours = scene.verify();
        assert!(
            !good && !ours.findings.is_empty(),
            "byte {at}: {seen} {ours:?}"
        );
        at += whole.len() / 12;
    }
}

#[test]
fn a_verifier_by_somebody_else_agrees_that_a_log_has_only_grown() {
    let scene = Scene::configured("checkpoint_records = 5\nsegment = \"16 KiB\"");
    let mut server = scene.start();
    for n in 0..30 {
        server.call("echo", json!({ "text": "x" }));
        assert!(server.leave(&format!("f{n}")));
    }
    server.end();
    let notes: Vec<String> = scene
        .records()
        .iter()
        .filter_map(|record| Some(record["note"].as_str()?.to_owned()))
        .collect();
    assert!(notes.len() > 8, "{}", notes.len());
    let file = |name: &str, text: &str| {
        let path = scene.path(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let public = scene.beside("pub");
    let new = file("new", notes.last().unwrap());
    for (at, note) in notes.iter().enumerate() {
        let old = file("old", note);
        let proof = prove_consistency(&scene.log(), &public, &old, &new).unwrap();
        let ours = verify_consistency(&proof, &public, &old).unwrap();
        let check = |proof: &str| {
            let proof = file("proof", proof);
            asked(&[
                "consistency".to_owned(),
                public.display().to_string(),
                old.display().to_string(),
                proof.display().to_string(),
            ])
        };
        let (good, seen) = check(&proof);
        assert!(good, "{seen} {proof}");
        assert_eq!(
            (seen["old"].as_u64(), seen["new"].as_u64()),
            (Some(ours.0), Some(ours.1))
        );
        // The same proof with one node changed.
        let mut lines: Vec<String> = proof.lines().map(str::to_owned).collect();
        if at + 1 < notes.len() {
            let wrong = match lines[2].starts_with('A') {
                true => lines[2].replacen('A', "B", 1),
                false => lines[2].replacen(|_: char| true, "A", 1),
            };
            lines[2] = wrong;
            let changed = lines.join("\n") + "\n";
            assert!(!check(&changed).0);
            assert!(verify_consistency(&changed, &public, &old).is_err());
        }
    }
}
