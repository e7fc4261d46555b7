//! What a server writes verifies, and what somebody does to it afterwards is found.

use std::fs;

use mcp_secure::audit::{Cosigner, Kind, Verify, init, prove, verify_proof};
use serde_json::json;

use crate::scene::*;

/// A log with some records, orderly ended.
fn written() -> Scene {
    let scene = Scene::new();
    let mut server = scene.start();
    for n in 0..20 {
        server.call("echo", json!({ "text": "x" }));
        assert!(server.leave(&format!("f{n}")));
    }
    server.call("fall", json!({}));
    assert!(server.end().success());
    scene
}

#[test]
fn the_log_of_a_server_verifies_with_all_keys_and_has_each_record() {
    let scene = written();
    let seen = scene.verify();
    assert!(seen.findings.is_empty(), "{seen:?}");
    assert!(seen.keyed && seen.checkpoints > 0);
    let records = scene.records();
    assert_eq!(seen.records, records.len() as u64);
    for (seq, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], seq as u64);
        assert_eq!(record["mac"].as_str().unwrap().len(), 43);
    }
    assert_eq!(records[0]["event"], "genesis");
    assert_eq!(records[0]["server"], "audit-target");
    let count = |event: &str, op: &str| {
        let is = |r: &&serde_json::Value| r["event"] == event && r["target"] == op;
        records.iter().filter(is).count()
    };
    assert_eq!(count("intent", "leave"), 20);
    assert_eq!(count("outcome", "leave"), 20);
    assert_eq!(count("outcome", "echo"), 20);
    assert_eq!(count("outcome", "fall"), 1);
    // An orderly end is signed to its last record.
    let last = records.last().unwrap();
    assert_eq!(last["event"], "checkpoint");
    assert_eq!(records[records.len() - 2]["event"], "closed");
}

#[test]
fn a_record_that_somebody_edits_is_named() {
    let scene = written();
    let victim = scene
        .records()
        .into_iter()
        .find(|r| r["event"] == "intent")
        .unwrap();
    let seq = victim["seq"].as_u64().unwrap();
    let id = victim["id"].as_str().unwrap();
    edit(
        &scene.log(),
        &format!("\"id\":\"{id}\""),
        "\"id\":\"nobody\"",
    );
    let seen = scene.verify();
    assert_eq!(kinds(&seen), [Kind::Edited]);
    assert_eq!(seen.findings[0].seq, Some(seq));
    assert_eq!(seen.findings[0].line, seq + 1);
}

#[test]
fn a_record_that_somebody_removes_is_missed() {
    let scene = written();
    let text = scene.text();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let without: String = lines
        .iter()
        .enumerate()
        .filter(|(n, _)| *n != 7)
        .map(|(_, l)| *l)
        .collect();
    fs::write(scene.log(), without).unwrap();
    let seen = scene.verify();
    assert_eq!(kinds(&seen), [Kind::Missing]);
    assert_eq!(seen.findings[0].seq, Some(8));
}

#[test]
fn a_cut_end_and_an_older_copy_need_an_external_head() {
    let scene = Scene::configured(&format!("anchor = \"{}\"", "state/heads"));
    let mut server = scene.start();
    assert!(server.leave("one"));
    server.end();
    let older: Vec<(std::path::PathBuf, Vec<u8>)> = ["", ".state"]
        .iter()
        .map(|end| scene.path(&format!("state/audit.jsonl{end}")))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let mut server = scene.start();
    assert!(server.leave("two"));
    server.end();
    assert_eq!(scene.kinds(), []);
    let heads = scene.path("state/heads");
    let with_head = || kinds(&Verify::of(scene.log()).head(&heads).run().unwrap());
    assert_eq!(with_head(), []);
    // Log and state as they were: a server even goes on with them.
    for (path, bytes) in &older {
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(scene.kinds(), [], "missed without");
    assert_eq!(with_head(), [Kind::Truncated]);
    let mut server = scene.start();
    for n in 0..10 {
        assert!(server.leave(&format!("other{n}")));
    }
    // Kept elsewhere means that the server cannot unsay it.
    server.end();
    assert_eq!(scene.kinds(), [], "missed without");
    let found = with_head();
    assert!(found.contains(&Kind::Replaced), "{found:?}");
}

/// Each checkpoint that the anchor file has, as its note.
fn notes(heads: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(heads).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .map(|line: serde_json::Value| line["note"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_head_that_the_second_key_did_not_sign_is_none() {
    let scene = Scene::configured(
        "anchor = \"state/heads\"\nanchor_cosigner_file = \"state/second\"\ncheckpoint_records = 4",
    );
    let (heads, second) = (scene.path("state/heads"), scene.path("state/second"));
    Cosigner::make("witness.example/1", &second).unwrap();
    let mut server = scene.start();
    assert!(server.leave("one"));
    assert!(server.leave("two"));
    server.end();
    let verify = |heads: &std::path::Path| {
        Verify::of(scene.log())
            .head(heads)
            .witness(scene.path("state/second.pub"))
            .run()
            .unwrap()
    };
    let seen = verify(&heads);
    assert!(seen.findings.is_empty(), "{seen:?}");
    assert!(seen.heads > 0 && seen.witnessed == seen.heads, "{seen:?}");

    // Who has the log and its signing key has what the log's key signed, and not the second word.
    let newest = notes(&heads).pop().unwrap();
    let one = scene.path("state/one");
    let only = |note: &str| {
        fs::write(&one, note).unwrap();
        let without = kinds(&Verify::of(scene.log()).head(&one).run().unwrap());
        let seen = verify(&one);
        let reasons: Vec<String> = seen.findings.iter().map(|one| one.reason.clone()).collect();
        (without, kinds(&seen), reasons.join("; "))
    };
    let lines: Vec<&str> = newest.lines().collect();
    assert_eq!(lines.len(), 6, "{newest}");
    let stripped = lines[..5].join("\n") + "\n";
    let (without, with, why) = only(&stripped);
    assert_eq!((without, with), (vec![], vec![Kind::Signature]));
    assert!(
        why.contains("has no cosignature of the witness `witness.example/1`"),
        "{why}"
    );
    // The word for another checkpoint.
    let older = notes(&heads)
        .into_iter()
        .find(|note| *note != newest)
        .unwrap();
    let moved = format!("{stripped}{}\n", older.lines().last().unwrap());
    let (_, with, why) = only(&moved);
    assert_eq!(with, [Kind::Signature]);
    assert!(why.contains("has a wrong cosignature"), "{why}");
    // Another key of the same name.
    let other = scene.path("state/other");
    Cosigner::make("witness.example/1", &other).unwrap();
    let (_, with, _) = only(&Cosigner::open(&other).unwrap().cosign(&stripped).unwrap());
    assert_eq!(with, [Kind::Signature]);
    let (_, with, _) = only(&newest);
    assert_eq!(with, []);

    let no_head = Verify::of(scene.log()).witness(scene.path("state/second.pub"));
    assert!(no_head.run().unwrap_err().to_string().contains("no head"));
}

#[test]
fn a_second_key_that_signs_nothing_or_that_a_tool_reads_stops_the_start() {
    let nowhere = Scene::configured("anchor_cosigner_file = \"state/second\"");
    Cosigner::make("w", &nowhere.path("state/second")).unwrap();
    let said = nowhere.refusal();
    assert!(said.contains("nothing keeps what that signs"), "{said}");
    let within =
        Scene::configured("anchor = \"state/heads\"\nanchor_cosigner_file = \"files/second\"");
    Cosigner::make("w", &within.path("files/second")).unwrap();
    let said = within.refusal();
    assert!(said.contains("the second key of the audit log"), "{said}");
    let missing =
        Scene::configured("anchor = \"state/heads\"\nanchor_cosigner_file = \"state/none\"");
    assert!(
        missing
            .refusal()
            .contains("the second key of the audit log")
    );
}

#[test]
fn checkpoints_that_code_keeps_elsewhere_are_a_head_too() {
    let scene = Scene::new();
    let heads = scene.path("files/heads");
    let start = || Server::start(scene.command().env("AUDIT_ANCHOR", &heads));
    let mut server = start();
    assert!(server.leave("one"));
    server.end();
    let older = fs::read(scene.log()).unwrap();
    let mut server = start();
    assert!(server.leave("two"));
    server.end();
    let with_head = || kinds(&Verify::of(scene.log()).head(&heads).run().unwrap());
    assert_eq!(with_head(), []);
    fs::write(scene.log(), older).unwrap();
    assert_eq!(with_head(), [Kind::Truncated]);

    let configured = Scene::configured("anchor = \"state/heads\"");
    let started = configured
        .command()
        .env("AUDIT_ANCHOR", configured.path("state/more"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&started.stderr);
    assert!(
        !started.status.success() && said.contains("two anchors"),
        "{said}"
    );
}

#[test]
fn a_log_that_is_shorter_than_its_state_says_stops_the_start() {
    let scene = written();
    let text = scene.text();
    let half: String = text.split_inclusive('\n').take(9).collect();
    fs::write(scene.log(), half).unwrap();
    let said = scene.refusal();
    assert!(
        said.contains("its end was taken away") && said.contains("help:"),
        "{said}"
    );
}

#[test]
fn a_log_whose_state_is_gone_stops_the_start() {
    let scene = written();
    fs::remove_file(scene.beside("state")).unwrap();
    let said = scene.refusal();
    assert!(said.contains("no state beside it"), "{said}");
}

#[test]
fn the_keys_of_a_log_that_was_prepared_do_not_lie_beside_it() {
    let scene = Scene::new();
    let key = scene.path("elsewhere.key");
    init(&scene.log(), &key).unwrap();
    let secret = fs::read_to_string(&key).unwrap();
    let mut server = scene.start();
    assert!(server.leave("one"));
    server.end();
    assert!(!scene.beside("key").exists());
    let seen = Verify::of(scene.log()).key(&key).run().unwrap();
    assert!(seen.findings.is_empty() && seen.keyed, "{seen:?}");
    // It has moved on: not even the state knows it any more.
    let state = fs::read_to_string(scene.beside("state")).unwrap();
    assert!(!state.contains(secret.trim().rsplit(' ').next().unwrap()));
    // Nobody makes keys over those of a log.
    assert!(init(&scene.log(), &scene.path("second.key")).is_err());
}

#[test]
fn one_record_is_proven_to_who_does_not_see_the_log() {
    let scene = written();
    let public = scene.beside("pub");
    for seq in [0, 5, 11] {
        let proof = prove(&scene.log(), &public, seq).unwrap();
        let record = verify_proof(&proof, &public).unwrap();
        assert!(scene.text().contains(&record), "{record}");
        assert!(record.ends_with(&format!("\"seq\":{seq}")), "{record}");
        // Another record, another place.
        let other = proof.replace(&format!("index {seq}\n"), &format!("index {}\n", seq + 1));
        assert!(verify_proof(&other, &public).is_err());
        let mut lines: Vec<&str> = proof.lines().collect();
        let extra = prove(&scene.log(), &public, seq + 1).unwrap();
        lines[1] = extra.lines().nth(1).unwrap();
        assert!(verify_proof(&(lines.join("\n") + "\n"), &public).is_err());
    }
}
