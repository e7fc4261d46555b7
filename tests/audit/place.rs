//! The place of a log: one writer, room, and the file that readers find.

use std::fs;

use serde_json::json;

use crate::scene::*;

#[test]
fn a_second_server_does_not_write_into_the_same_log() {
    let scene = Scene::new();
    let mut server = scene.start();
    assert!(server.leave("one"));
    let said = scene.refusal();
    assert!(
        said.contains("another server writes it") && said.contains("--audit"),
        "{said}"
    );
    assert!(server.leave("two"));
    server.end();
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_second_server_without_a_log_of_its_own_gets_one() {
    let scene = Scene::new();
    let start = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_audit-target"));
        command
            .args(["serve", "--stdio", "--grant"])
            .arg(format!("files={}", scene.path("files").display()))
            .env("HOME", scene.path("state"))
            .env_remove("XDG_STATE_HOME")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        Server::start(&mut command)
    };
    let (mut one, mut two) = (start(), start());
    assert!(one.leave("one") && two.leave("two"));
    one.end();
    two.end();
    for name in ["audit-target.audit.jsonl", "audit-target.2.audit.jsonl"] {
        let log = scene.path("state/.local/state/mcp-secure").join(name);
        let seen = mcp_secure::audit::Verify::of(log).run().unwrap();
        assert!(seen.findings.is_empty() && seen.records > 3, "{seen:?}");
    }
}

#[test]
fn nothing_is_done_that_the_disk_has_no_room_to_record() {
    let mut scene = Scene::configured("queue = \"64 KiB\"");
    scene.file_size = Some(32 * 1024);
    let mut server = scene.start();
    assert!(server.leave("before"));
    let mut refused = None;
    for n in 0..2000 {
        if !server.leave(&format!("f{n}")) {
            refused = Some(n);
            break;
        }
    }
    let refused = refused.expect("the disk was never full");
    assert!(!scene.left(&format!("f{refused}")));
    assert!(!server.leave("after") && !scene.left("after"));
    // What only reads goes on until its records find no room; then it is refused as well.
    let mut answered = 0;
    let busy = loop {
        let answer = server.call("echo", json!({ "text": "x" }));
        if answer["error"].is_object() {
            break answer;
        }
        answered += 1;
        assert!(answered < 1000);
    };
    assert!(answered > 5, "{answered}");
    assert_eq!(busy["error"]["code"], -31_001, "{busy}");
    // What could be written is whole, but for the line that the disk ended in.
    server.kill();
    scene.file_size = None;
    let server = scene.start();
    server.end();
    assert_eq!(scene.kinds(), []);
}

#[test]
fn when_the_operator_says_so_reading_goes_on_and_the_gap_is_counted() {
    let mut scene = Scene::configured("queue = \"64 KiB\"\nwhen_full = \"gap\"");
    scene.file_size = Some(32 * 1024);
    let mut server = scene.start();
    // Each another call: the same one again and again would be a loop.
    for n in 0..400 {
        let answer = server.call("echo", json!({ "text": n.to_string() }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    assert!(!server.leave("after") && !scene.left("after"));
    server.kill();
}

#[test]
fn a_log_that_was_taken_away_stops_what_has_effects() {
    let scene = Scene::new();
    let mut server = scene.start();
    assert!(server.leave("one"));
    let aside = scene.path("state/aside");
    fs::rename(scene.log(), &aside).unwrap();
    assert!(!server.leave("two") && !scene.left("two"));
    // Another file in its place is not the log.
    fs::write(scene.log(), "").unwrap();
    assert!(!server.leave("three") && !scene.left("three"));
    // Then nothing at all is done, until it is back.
    until("a refusal", || {
        server.call("echo", json!({ "text": "x" }))["error"]["code"] == -31_001
    });
    fs::rename(aside, scene.log()).unwrap();
    until("an answer", || {
        server.call("echo", json!({ "text": "x" }))["result"].is_object()
    });
    assert!(server.leave("four"));
    server.end();
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_log_may_not_lie_where_a_tool_writes() {
    let scene = Scene::new();
    let mut command = scene.command();
    let log = scene.path("files/audit.jsonl");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    command.arg("--audit").arg(&log);
    let mut all: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let at = all.iter().position(|a| a == "--audit").unwrap();
    all.drain(at..at + 2);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_audit-target"))
        .args(all)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("audit.jsonl` lies in"),
        "{said}"
    );
}

#[test]
fn the_report_names_what_stays_open_for_the_log() {
    let scene = Scene::new();
    let command = scene.command();
    let all: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let output = std::process::Command::new(command.get_program())
        .args(["doctor", "--json"])
        .args(&all[1..])
        .env("HOME", scene.path("state"))
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let value: serde_json::Value =
        serde_json::from_str(&report).unwrap_or_else(|_| panic!("{report} {errors}"));
    let segments = scene.beside("segments");
    let named = value["files"].as_array().unwrap().iter().any(|file| {
        file["path"] == segments.to_str().unwrap() && file["because"] == "the audit log"
    });
    assert!(named, "{report}");
}
