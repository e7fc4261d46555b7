//! Checkpoints of the audit log that are posted to another machine.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::json;

use crate::harness::*;

/// Keeps what it is sent, or says that it cannot.
struct Witness {
    port: u16,
    notes: Arc<Mutex<Vec<String>>>,
    works: Arc<AtomicBool>,
}

impl Witness {
    fn start(works: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let witness = Self {
            port: listener.local_addr().unwrap().port(),
            notes: Arc::default(),
            works: Arc::new(AtomicBool::new(works)),
        };
        let (notes, works) = (Arc::clone(&witness.notes), Arc::clone(&witness.works));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).unwrap_or(0) > 2 {
                    head.push_str(&line.to_ascii_lowercase());
                    line.clear();
                }
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                    .unwrap_or(0);
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                let good = works.load(Ordering::Relaxed) && head.starts_with("post /heads http");
                if good {
                    notes.lock().unwrap().push(String::from_utf8(body).unwrap());
                }
                let status = if good {
                    "200 OK"
                } else {
                    "503 Service Unavailable"
                };
                let _ = write!(
                    reader.get_mut(),
                    "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
            }
        });
        witness
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

fn anchored(port: u16, more: &str) -> Setup {
    let setup = HTTP_2026.setup();
    let path = setup.folder().join("config.toml");
    let text = format!(
        "[audit]\ncheckpoint_every = \"50ms\"\nanchor_url = \"http://127.0.0.1:{port}/heads\"\n{more}\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    setup.argument("--config").argument(path.to_str().unwrap())
}

#[test]
fn a_log_whose_end_was_cut_off_is_shorter_than_what_was_posted() {
    let witness = Witness::start(true);
    let server = anchored(witness.port, "").start();
    let client = server.client(HTTP_2026);
    client.call("echo", json!({ "text": "x" }));
    server.wait_for("a note", || (!witness.notes().is_empty()).then_some(()));
    let first = witness.notes().len();
    client.call("echo", json!({ "text": "y" }));
    server.wait_for("another note", || {
        (witness.notes().len() > first).then_some(())
    });
    server.terminate();
    server.wait_for_end();
    let newest = witness.notes().pop().unwrap();
    assert!(newest.starts_with("mcp-secure/audit/"), "{newest}");
    let head = server.folder().join("head");
    std::fs::write(&head, newest).unwrap();
    let log = server.folder().join("audit.jsonl");
    let seen = || {
        let verify = mcp_secure::audit::Verify::of(&log).head(&head);
        verify.run().unwrap().findings
    };
    assert!(seen().is_empty(), "{:?}", seen());
    // Cut after a line that a signature covers.
    let text = std::fs::read_to_string(&log).unwrap();
    let kept = text.find("\"event\":\"checkpoint\"").unwrap();
    let end = kept + text[kept..].find('\n').unwrap() + 1;
    std::fs::write(&log, &text[..end]).unwrap();
    assert_eq!(
        seen()[0].kind,
        mcp_secure::audit::Kind::Truncated,
        "{:?}",
        seen()
    );
}

#[test]
fn a_witness_that_is_away_stops_nothing_and_is_told_again() {
    let witness = Witness::start(false);
    let server = anchored(witness.port, "")
        .argument("--metrics")
        .argument("127.0.0.1:0")
        .start();
    let client = server.client(HTTP_2026);
    for n in 0..20 {
        let answer = client.call("echo", json!({ "text": n.to_string() }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    server.wait_for_stderr("could not be anchored");
    let port = super::metrics::port(&server);
    let numbers = || super::metrics::get(port, "/metrics").1;
    assert!(
        !numbers().contains("mcp_secure_audit_anchor_failures_total 0\n"),
        "{}",
        numbers()
    );
    witness.works.store(true, Ordering::Relaxed);
    server.wait_for("a note", || (!witness.notes().is_empty()).then_some(()));
    server.wait_for("its number", || {
        (!numbers().contains("mcp_secure_audit_anchored_total 0\n")).then_some(())
    });
}

#[test]
fn where_the_operator_says_so_nothing_is_done_that_no_witness_knows_of() {
    let witness = Witness::start(false);
    let server = anchored(witness.port, "anchor_within = \"300ms\"").start();
    let client = server.client(HTTP_2026);
    let mut n = 0;
    server.wait_for("a refusal", || {
        n += 1;
        let answer = client.call("echo", json!({ "text": n.to_string() }));
        (answer["error"]["code"] == -31_001).then_some(())
    });
    witness.works.store(true, Ordering::Relaxed);
    server.wait_for("an answer", || {
        n += 1;
        let answer = client.call("echo", json!({ "text": n.to_string() }));
        answer["result"].is_object().then_some(())
    });
}
