//! Each control of SQLite, through a real process: what the client reads, which control
//! refused, and that the audit log says so.

use serde_json::json;

use crate::{sqlite::Files, wire::Server};

fn start() -> (Server, Files) {
    let files = Files::new();
    (Server::start("sqlite", &files.grant()), files)
}

#[test]
fn a_value_that_is_sql_finds_nothing_and_is_in_no_record() {
    let (mut server, files) = start();
    assert_eq!(
        server.call("find", json!({ "name": "boat" })),
        "Paint the boat."
    );
    let record = server.record();
    let step = &record["steps"]["steps"][0];
    let step = if step.is_null() {
        &record["steps"][0]
    } else {
        step
    };
    assert_eq!(step["kind"], "sql", "{record}");
    assert_eq!(step["capability"], "ledger");
    assert_eq!(step["outcome"], "ok");
    assert_eq!(step["detail"], "rows: 1");
    assert!(step["action"].as_str().unwrap().starts_with("SELECT "));
    let nasty = "boat' UNION SELECT word FROM secrets --";
    assert_eq!(server.call("find", json!({ "name": nasty })), "");
    assert!(!server.record()["steps"].to_string().contains("UNION"));
    assert_eq!(files.count(), 2);
}

#[test]
fn each_control_refuses_over_stdio_and_is_in_the_record() {
    let (mut server, files) = start();
    for (tool, arguments, control) in [
        ("stacked", json!({}), "sql/statement"),
        ("attach", json!({ "path": "/etc/passwd" }), "sql/statement"),
        ("brazen", json!({}), "sql/read-only"),
        ("disguised", json!({}), "sql/permission"),
        ("numbers", json!({ "upto": 1_000_000_000 }), "sql/rows"),
        ("bytes", json!({ "length": 100_001 }), "sql/bytes"),
        (
            "count",
            json!({ "upto": 1_000_000_000_000_i64 }),
            "sql/timeout",
        ),
    ] {
        let said = server.call(tool, arguments);
        let record = server.refused_by(control);
        let steps = record["steps"].to_string();
        assert!(
            steps.contains(&format!("\"control\":\"{control}\"")),
            "{record}"
        );
        for word in ["entries", "DELETE", "passwd", "sqlite"] {
            assert!(!said.contains(word), "{tool}: {said}");
        }
    }
    assert_eq!(files.count(), 2);
    assert_eq!(
        server.call("find", json!({ "name": "pond" })),
        "Dig a pond."
    );
}

#[test]
fn a_handle_that_was_kept_is_revoked() {
    let (mut server, _files) = start();
    assert_eq!(server.call("keep", json!({})), "kept");
    let said = server.call("use_kept", json!({}));
    assert!(!said.contains("boat"), "{said}");
    server.refused_by("sql/revoked");
}

#[test]
fn what_is_written_is_there_and_a_rule_of_the_schema_is_said_without_words_of_it() {
    let (mut server, files) = start();
    let entry = json!({ "name": "sail", "text": "'); DROP TABLE entries; --" });
    assert_eq!(server.call("add", entry.clone()), "added");
    assert_eq!(files.count(), 3);
    let said = server.call("add", entry);
    assert_eq!(said, "a rule of the database stands against the change");
    assert_eq!(
        server.call("find", json!({ "name": "sail" })),
        "'); DROP TABLE entries; --"
    );
}

/// The sandbox is closed when the second connection is opened, and when another program writes.
#[test]
fn in_the_sandbox_a_database_is_read_and_written_in_both_modes() {
    for mode in ["DELETE", "WAL"] {
        let files = Files::new();
        files.raw(&format!("PRAGMA journal_mode = {mode}"));
        let mut server = Server::start("only reading", &files.grant());
        let arguments = json!({ "name": "boat", "steps": 300_000 });
        let found = server.call_at_once(4, "find", &arguments);
        assert_eq!(found, vec!["Paint the boat."; 4], "{mode}");
        // What only reads may not write, whatever is in its process.
        let reached = server.reached();
        let path = files.path().canonicalize().unwrap();
        assert_eq!(reached[&*path.to_string_lossy()], "read", "{reached}");
        for text in ["Sink the boat.", "Raise the boat."] {
            files.raw(&format!(
                "UPDATE entries SET text = '{text}' WHERE name = 'boat'"
            ));
            let arguments = json!({ "name": "boat", "steps": 1 });
            assert_eq!(server.call("find", arguments), text, "{mode}");
        }
        drop(server);
        let mut server = Server::start("sqlite", &files.grant());
        for name in ["sail", "rope"] {
            let entry = json!({ "name": name, "text": name });
            assert_eq!(server.call("add", entry), "added", "{mode}");
            assert_eq!(server.call("find", json!({ "name": name })), name, "{mode}");
        }
        assert_eq!(files.count(), 4, "{mode}");
    }
}

#[test]
fn a_grant_that_others_decide_about_stops_the_start() {
    let files = Files::new();
    let open = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    };
    open(&files.path());
    let said = Server::refusal("sqlite", &files.grant());
    assert!(
        said.contains("every user of this machine may write"),
        "{said}"
    );
    let said = Server::refusal("sqlite", "ledger=/etc/passwd");
    assert!(said.contains("belongs to the system"), "{said}");
}

/// Says back what it hears, but for a `.`: then it is silent.
fn service() -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let (mut stream, mut byte) = (stream.unwrap(), [0]);
                while stream.read_exact(&mut byte).is_ok() {
                    if byte[0] != b'.' && stream.write_all(&byte).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn each_control_of_a_stream_refuses_over_stdio_and_is_in_the_record() {
    let mut server = Server::start("tcp", &format!("service={}", service()));
    assert_eq!(server.call("say", json!({ "text": "hello" })), "hello");
    let step = server.record()["steps"].to_string();
    assert!(
        step.contains("\"bytes_in\":5") && step.contains("\"bytes_out\":5"),
        "{step}"
    );
    for (text, control) in [
        ("x".repeat(101), "tcp/bytes"),
        (".".to_owned(), "tcp/timeout"),
    ] {
        let said = server.call("say", json!({ "text": text }));
        let record = server.refused_by(control);
        assert!(record["steps"].to_string().contains(control), "{record}");
        assert!(!said.contains("127."), "{said}");
    }
    // A service that is not there: nobody refused, and nobody learns where it is not.
    let nothing = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nothing.local_addr().unwrap();
    drop(nothing);
    let mut server = Server::start("tcp", &format!("service={address}"));
    let said = server.call("say", json!({ "text": "x" }));
    assert!(!said.contains("127."), "{said}");
    assert_ne!(server.record()["outcome"], "ok");
}

/// Nobody listens, and the kernel takes the port that is asked for as the near end: what was
/// connected is the socket itself, which says back whatever it hears.
#[test]
fn a_server_does_not_take_itself_for_the_service() {
    let mut server = Server::start_alone("tcp", "service=127.0.0.1:40000");
    for _ in 0..2000 {
        let said = server.call("say", json!({ "text": "hello" }));
        assert_ne!(said, "hello", "it spoke to itself");
        if server.record()["control"] == "net/address" {
            return;
        }
    }
    panic!("the kernel never chose this port");
}
