//! `mcp-secure approve` beside a socket that answers as a server does.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Output},
    thread::JoinHandle,
};

use serde_json::{Value, json};

/// Answers one request, and gives back what it was.
fn server(socket: &Path, answer: Value) -> JoinHandle<Value> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        reader.read_line(&mut line).unwrap();
        writeln!(reader.get_mut(), "{answer}").unwrap();
        serde_json::from_str(&line).unwrap()
    })
}

fn run(socket: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .arg("approve")
        .arg(socket)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn what_waits_is_listed_whole_and_a_terminal_is_not_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let long = "x".repeat(5000);
    let asked = server(
        &socket,
        json!({ "questions": [{
            "id": "abc", "server": "ledger", "tool": "wire", "description": "Wire money.",
            "caller": "alice of i", "client": null, "effects": ["sql read-write: ledger"],
            "arguments": { "to": "\u{1b}[8mhidden\u{202e}", "note": long }, "people": 1, "until": 0,
        }] }),
    );
    let output = run(&socket, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(asked.join().unwrap(), json!({ "list": {} }));
    for part in [
        "abc",
        "wire of ledger",
        "alice of i",
        "sql read-write",
        long.as_str(),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{202e}'),
        "{said:?}"
    );
}

#[test]
fn what_runs_without_asking_is_listed_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let asked = server(
        &socket,
        json!({ "remembered": [{
            "id": "abc", "tool": "wire", "caller": "alice of i", "by": "uid:7 of approver:terminal",
            "arguments": ["to: the same, \"\u{202e}bob\"", "amount: any number"], "until": 0,
        }] }),
    );
    let output = run(&socket, &["--remembered"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(asked.join().unwrap(), json!({ "remembered": {} }));
    for part in ["abc", "wire", "alice of i", "any number", "uid:7"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains('\u{202e}'), "{said:?}");
    for (at, (heard, done)) in [("revoked", true), ("unknown", false)]
        .into_iter()
        .enumerate()
    {
        let socket = folder.path().join(at.to_string());
        let asked = server(&socket, json!({ "heard": heard }));
        let output = run(&socket, &["--revoke", "abc"]);
        assert_eq!(asked.join().unwrap(), json!({ "revoke": { "id": "abc" } }));
        assert_eq!(output.status.success(), done, "{heard}");
    }
    let socket = folder.path().join("yes");
    let asked = server(&socket, json!({ "heard": "counted" }));
    assert!(
        run(&socket, &["--yes", "abc", "--remember"])
            .status
            .success()
    );
    let said = json!({ "answer": { "id": "abc", "yes": true, "remember": true } });
    assert_eq!(asked.join().unwrap(), said);
}

#[test]
fn a_yes_and_a_no_are_sent_and_what_did_not_count_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (at, (option, yes, heard, counted)) in [
        ("--yes", true, "counted", true),
        ("--no", false, "counted", true),
        ("--yes", true, "over", false),
        ("--yes", true, "not yours", false),
        ("--yes", true, "unknown", false),
        ("--yes", true, "something new", false),
    ]
    .into_iter()
    .enumerate()
    {
        let socket = folder.path().join(at.to_string());
        let asked = server(&socket, json!({ "heard": heard }));
        let output = run(&socket, &[option, "abc"]);
        assert_eq!(
            asked.join().unwrap(),
            json!({ "answer": { "id": "abc", "yes": yes, "remember": false } })
        );
        assert_eq!(output.status.success(), counted, "{heard}");
    }
    assert!(!run(&folder.path().join("none"), &[]).status.success());
}
