//! The verbs of `mcp-secure audit`, on a log that a server wrote and that lies in the tree: keys,
//! log and head are test vectors for other verifiers, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A copy of the vectors.
fn vectors() -> (TempDir, PathBuf) {
    let from = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/audit/data"));
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        let to = folder.path().join(entry.file_name());
        fs::copy(entry.path(), &to).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    let log = folder.path().join("audit.jsonl");
    (folder, log)
}

fn audit(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .arg("audit")
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_exit_code_says_what_was_found() {
    let (_folder, log) = vectors();
    let path = log.to_str().unwrap();
    let good = audit(&["verify", path]);
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    assert!(said(&good).ends_with("nothing was found\n"));

    let text = fs::read_to_string(&log).unwrap();
    fs::write(
        &log,
        text.replacen("\"target\":\"echo\"", "\"target\":\"ohce\"", 1),
    )
    .unwrap();
    let found = audit(&["verify", path, "--json"]);
    assert_eq!(found.status.code(), Some(3));
    let seen: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(seen["findings"][0]["kind"], "edited");
    assert!(seen["findings"][0]["seq"].is_u64());
    assert!(said(&audit(&["verify", path])).contains("the record was changed"));

    let missing = audit(&["verify", path, "--key", "/nowhere/key"]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(audit(&["verify"]).status.code(), Some(2));
}

#[test]
fn a_cut_log_is_found_with_the_head_that_was_kept() {
    let (folder, log) = vectors();
    let text = fs::read_to_string(&log).unwrap();
    let first = text.find("\"event\":\"checkpoint\"").unwrap();
    let end = first + text[first..].find('\n').unwrap() + 1;
    fs::write(&log, &text[..end]).unwrap();
    let path = log.to_str().unwrap();
    let head = folder.path().join("heads");
    assert_eq!(audit(&["verify", path]).status.code(), Some(0));
    let found = audit(&["verify", path, "--head", head.to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(3));
    assert!(said(&found).contains("kept elsewhere"), "{}", said(&found));
}

#[test]
fn records_are_found_by_what_is_in_them() {
    let (_folder, log) = vectors();
    let path = log.to_str().unwrap();
    let count = |arguments: &[&str]| {
        let mut all = vec!["query", path];
        all.extend(arguments);
        let output = audit(&all);
        assert!(output.status.success());
        said(&output).lines().count()
    };
    let all = fs::read_to_string(&log).unwrap().lines().count();
    assert_eq!(count(&[]), all);
    assert_eq!(
        said(&audit(&["export", path])),
        fs::read_to_string(&log).unwrap()
    );
    assert_eq!(count(&["--tool", "leave", "--event", "intent"]), 3);
    assert_eq!(count(&["--tool", "leave"]), 6);
    assert_eq!(
        count(&["--decision", "deny"]),
        count(&["--control", "authorize"])
    );
    assert_eq!(count(&["--control", "authorize/unknown"]), 1);
    assert_eq!(count(&["--control", "auth"]), 0);
    assert_eq!(count(&["--since", "2020-01-01"]), all);
    assert_eq!(count(&["--until", "2020-01-01"]), 0);
    let tail = said(&audit(&["tail", path, "--once", "-n", "3"]));
    assert_eq!(tail.lines().count(), 3);
    let tail = said(&audit(&["tail", path, "--once", "--tool", "echo"]));
    assert!(tail.contains("tools/call echo allow ok"), "{tail}");
}

#[test]
fn one_record_can_be_proven_by_a_file() {
    let (folder, log) = vectors();
    let path = log.to_str().unwrap();
    let public = folder.path().join("audit.jsonl.pub");
    let proof = audit(&["prove", path, "4"]);
    assert!(proof.status.success());
    let file = folder.path().join("four.tlog-proof");
    fs::write(&file, &proof.stdout).unwrap();
    let check = || {
        let (file, public) = (file.to_str().unwrap(), public.to_str().unwrap());
        audit(&["verify-proof", file, "--pub", public])
    };
    let good = check();
    assert!(good.status.success());
    let record: serde_json::Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(record["seq"], 4);
    let text = said(&proof).replace("index 4", "index 5");
    fs::write(&file, text).unwrap();
    assert!(!check().status.success());
}

/// The notes of a log, the oldest first.
fn notes(log: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap();
    let lines = text
        .lines()
        .filter(|line| line.contains("\"event\":\"checkpoint\""));
    lines
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["note"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn that_a_log_has_only_grown_is_proven_to_who_kept_a_checkpoint() {
    let (folder, log) = vectors();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let all = notes(&log);
    assert!(all.len() > 1, "{all:?}");
    let (old, new) = (file("old", &all[0]), file("new", all.last().unwrap()));
    let path = log.to_str().unwrap();
    let public = format!("{path}.pub");
    let proof = audit(&["prove", path, "--consistency", &old, &new]);
    assert!(proof.status.success(), "{proof:?}");
    let proof = said(&proof);
    let checked = |proof: &str, kept: &str| {
        let proof = file("proof", proof);
        audit(&[
            "verify-proof",
            &proof,
            "--pub",
            &public,
            "--consistency",
            kept,
        ])
    };
    let good = checked(&proof, &old);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert!(said(&good).contains("begins with those"), "{good:?}");
    // Of another checkpoint, with another node, without one, with another size.
    assert_eq!(checked(&proof, &new).status.code(), Some(1));
    let node = proof.lines().nth(2).unwrap().to_owned();
    let other = match node.starts_with('A') {
        true => node.replacen('A', "B", 1),
        false => node.replacen(|_: char| true, "A", 1),
    };
    for wrong in [
        proof.replacen(&node, &other, 1),
        proof.replacen(&format!("{node}\n"), "", 1),
        proof.replacen("\nold ", "\nold 1", 1),
        proof.replacen("consistency", "inclusion", 1),
    ] {
        assert_ne!(wrong, proof);
        assert_eq!(checked(&wrong, &old).status.code(), Some(1), "{wrong}");
    }
    // A log that was changed since gives no proof.
    let text = fs::read_to_string(&log).unwrap();
    let changed = text.replacen("\"target\":\"echo\"", "\"target\":\"ohce\"", 1);
    fs::write(&log, changed).unwrap();
    let refused = audit(&["prove", path, "--consistency", &old, &new]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn a_head_without_the_word_of_the_witness_is_found() {
    let (folder, log) = vectors();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = audit(&["witness", "witness.example/1", "--key", &at("second")]);
    assert!(made.status.success(), "{made:?}");
    let again = audit(&["witness", "witness.example/1", "--key", &at("second")]);
    assert_eq!(again.status.code(), Some(1), "a key is not overwritten");
    let bad = audit(&["witness", "a name", "--key", &at("third")]);
    assert_eq!(bad.status.code(), Some(1));

    let verify = |head: &str| {
        let witness = at("second.pub");
        audit(&[
            "verify",
            log.to_str().unwrap(),
            "--head",
            head,
            "--witness",
            &witness,
        ])
    };
    let found = verify(&at("heads"));
    assert_eq!(found.status.code(), Some(3));
    assert!(said(&found).contains("no cosignature of the witness `witness.example/1`"));
    let key = mcp_secure::audit::Cosigner::open(&folder.path().join("second")).unwrap();
    let newest = notes(&log).pop().unwrap();
    fs::write(at("cosigned"), key.cosign(&newest).unwrap()).unwrap();
    let good = verify(&at("cosigned"));
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    assert!(said(&good).contains("1 external heads, 1 of them cosigned"));
    let headless = audit(&[
        "verify",
        log.to_str().unwrap(),
        "--witness",
        &at("second.pub"),
    ]);
    assert_eq!(headless.status.code(), Some(2));
}

#[test]
fn the_keys_are_made_where_they_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("new.jsonl");
    let key = folder.path().join("away.key");
    let (log, key) = (log.to_str().unwrap(), key.to_str().unwrap());
    assert!(audit(&["init", log, "--key", key]).status.success());
    assert!(
        fs::read_to_string(key)
            .unwrap()
            .starts_with("mcp-secure-audit-key-1 ")
    );
    assert!(!audit(&["init", log, "--key", key]).status.success());
}
