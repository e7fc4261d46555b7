//! The official clients against the example `notes` and against the fixture: two languages,
//! two transports, two protocol generations.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use support::{Server, node, output_of, python, scripts};
use tempfile::TempDir;

/// One client, one transport, one generation.
struct Way {
    client: &'static str,
    transport: &'static str,
    generation: &'static str,
}

macro_rules! ways {
    ($($name:ident: $client:literal $transport:literal $generation:literal;)*) => {
        mod notes {
            $(#[test] fn $name() {
                super::notes(&super::Way { client: $client, transport: $transport, generation: $generation });
            })*
        }
        mod fixture {
            $(#[test] fn $name() {
                super::fixture(&super::Way { client: $client, transport: $transport, generation: $generation });
            })*
        }
    };
}

ways! {
    typescript_over_stdio_2025: "typescript" "stdio" "2025-11-25";
    typescript_over_stdio_2026: "typescript" "stdio" "2026-07-28";
    typescript_over_http_2025: "typescript" "http" "2025-11-25";
    typescript_over_http_2026: "typescript" "http" "2026-07-28";
    python_over_stdio_2025: "python" "stdio" "2025-11-25";
    python_over_stdio_2026: "python" "stdio" "2026-07-28";
    python_over_http_2025: "python" "http" "2025-11-25";
    python_over_http_2026: "python" "http" "2026-07-28";
}

/// List, read, search, prompt, resource, completion; a write that a person allows, one that
/// they decline, one whose box they do not tick.
fn notes(way: &Way) {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("notes");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("boat.md"), "a boat\n").unwrap();
    let server;
    let target = if way.transport == "http" {
        server = Server::notes(&folder);
        json!({ "url": server.url(), "token": server.token() })
    } else {
        let grant = format!("notes={}", folder.display());
        let audit = home.path().join("audit.jsonl");
        let program = env!("CARGO_BIN_EXE_conformance-notes");
        json!({ "stdio": [program, "serve", "--stdio", "--audit", audit, "--grant", grant] })
    };
    let seen = drive(way, "notes", target);

    assert_eq!(seen["version"], way.generation);
    assert_eq!(seen["server"], "notes");
    let tools = json!(["list_notes", "read_note", "search_notes", "write_note"]);
    assert_eq!(seen["tools"], tools);
    assert_eq!(seen["read"], "a boat\n");
    assert_eq!(
        seen["found"],
        json!({ "matches": [{ "note": "boat.md", "line": 1 }] })
    );
    assert_eq!(seen["unknown"]["code"], -32602);
    assert_eq!(seen["escape"]["isError"], true);
    assert_eq!(seen["prompts"], json!(["summarize"]));
    assert_eq!(
        seen["prompt"],
        "Summarize this note in three sentences:\n\na boat\n"
    );
    assert_eq!(seen["resources"], json!(["notes://index"]));
    assert_eq!(seen["templates"], json!(["notes://note/{name}"]));
    assert_eq!(seen["index"], "accepted.md\nboat.md");
    assert_eq!(seen["note"], "a boat\n");
    // The TypeScript client turns the older code into the newer one.
    let is_old = way.generation == "2025-11-25" && way.client == "python";
    let missing = if is_old { -32002 } else { -32602 };
    assert_eq!(seen["missing"]["code"], missing);
    assert_eq!(seen["completion"], json!(["boat.md"]));

    assert_eq!(seen["accepted"]["isError"], false, "{}", seen["accepted"]);
    assert_eq!(
        fs::read_to_string(folder.join("accepted.md")).unwrap(),
        "written by a client"
    );
    for refused in ["declined", "unticked"] {
        assert_eq!(seen[refused]["isError"], true, "{}", seen[refused]);
        assert!(!folder.join(format!("{refused}.md")).exists());
    }
    // The person was asked each time, and saw everything that would run.
    let asked = seen["asked"].as_array().unwrap();
    assert_eq!(asked.len(), 3);
    for (question, name) in asked.iter().zip(["accepted", "declined", "unticked"]) {
        let question = question.as_str().unwrap();
        for part in ["write_note", &format!("{name}.md"), "written by a client"] {
            assert!(question.contains(part), "{question}");
        }
    }
    is_a_stranger(way, &seen);
}

/// Progress, cancellation, questions to the person in one and in more rounds, an argument in
/// a header, and a capability that the client does not have.
fn fixture(way: &Way) {
    let home = TempDir::new().unwrap();
    let server;
    let audit;
    let target = if way.transport == "http" {
        server = Server::fixture(None);
        audit = server.audit_log();
        json!({ "url": server.url(), "token": server.token() })
    } else {
        audit = home.path().join("audit.jsonl");
        let program = env!("CARGO_BIN_EXE_conformance-fixture");
        json!({ "stdio": [program, "serve", "--stdio", "--audit", audit] })
    };
    let seen = drive(way, "fixture", target);

    assert_eq!(seen["version"], way.generation);
    let progress = seen["progress"].as_array().unwrap();
    let done: Vec<_> = progress
        .iter()
        .map(|report| report[0].as_f64().unwrap())
        .collect();
    assert_eq!(done, [0.0, 50.0, 100.0]);
    assert!(
        seen["waited"].as_u64().unwrap() < 10_000,
        "cancelled, not waited for"
    );
    assert!(was_cancelled(&audit), "the server stopped it as well");
    assert_eq!(seen["after"], "This is a simple text response for testing.");
    let (said, content) = seen["elicited"].as_str().unwrap().split_once('{').unwrap();
    assert_eq!(said, "User response: action=accept, content=");
    let content: Value = serde_json::from_str(&format!("{{{content}")).unwrap();
    assert_eq!(
        content,
        json!({ "email": "ada@example.org", "username": "ada" })
    );
    let rounds =
        r#"action=accept, content={"name":"a name"} action=accept, content={"color":"a color"}"#;
    assert_eq!(seen["rounds"], rounds);
    assert_eq!(
        seen["prompt"],
        r#"Use this context: action=accept, content={"context":"a context"}"#
    );
    assert_eq!(seen["header"], "a value Some(42)");
    // Unasked, asked for, and asked for less than there is: before 2026-07-28 the server
    // decides until a level is set, after it a request that asks for nothing gets nothing.
    let unasked = if way.generation == "2025-11-25" { 3 } else { 0 };
    assert_eq!(seen["logs"], json!([unasked, 3, 0]));
    let undeclared = if way.generation == "2025-11-25" {
        -32600
    } else {
        -32021
    };
    assert_eq!(seen["sampling"]["code"], undeclared);
    assert_eq!(seen["asked"].as_array().unwrap().len(), 4);
    is_a_stranger(way, &seen);
}

/// Who has another token gets 401, whatever they ask.
fn is_a_stranger(way: &Way, seen: &Value) {
    if way.transport == "http" {
        assert_eq!(seen["stranger"]["status"], 401, "{}", seen["stranger"]);
    }
}

/// A client gives up as soon as it says so; the server hears of it a moment later.
fn was_cancelled(audit: &Path) -> bool {
    (0..50).any(|_| {
        let log = fs::read_to_string(audit).unwrap();
        let of_the_wait = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap_or_default();
            record["target"] == "test_wait" && record["outcome"] == "cancelled"
        };
        let found = log.lines().any(of_the_wait);
        if !found {
            std::thread::sleep(Duration::from_millis(100));
        }
        found
    })
}

/// Runs the script of a client and reads what it prints.
fn drive(way: &Way, server: &str, mut target: Value) -> Value {
    target["generation"] = way.generation.into();
    target["server"] = server.into();
    let mut command = match way.client {
        "typescript" => {
            let mut command = Command::new(node());
            command.arg(scripts().join("typescript.mjs"));
            command
        }
        _ => {
            let mut command = Command::new(python());
            command.arg("-B").arg(scripts().join("python.py"));
            command
        }
    };
    let output = output_of(command.arg(target.to_string()), LIMIT);
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{said}\n{complained}",
        output.status
    );
    // What a client does not like, it drops, and says so only here.
    assert!(!complained.contains("excluding tool"), "{complained}");
    match serde_json::from_str(&said) {
        Ok(seen) => seen,
        Err(error) => panic!("{error}: {said}\n{complained}"),
    }
}

const LIMIT: Duration = Duration::from_secs(120);
