//! The same log, verified by a program that shares no code with this one.

use std::process::Command;

use serde_json::{Value, json};

use crate::scene::*;

fn python(scene: &Scene) -> (bool, Value) {
    let python = std::env::var("MCP_SECURE_PYTHON")
        .expect("MCP_SECURE_PYTHON is not set: run `cargo xtask test`, or see CONTRIBUTING.md");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/verify.py");
    let output = Command::new(python)
        .arg(script)
        .arg(scene.log())
        .arg(scene.beside("key"))
        .arg(scene.beside("pub"))
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
