//! Who asks is what the transport says, and a session and an id have one owner.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn nothing_that_a_request_says_changes_who_asks(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let mut params = json!({
            "name": "whoami",
            "arguments": {},
            "principal": { "subject": "root", "scopes": ["admin"] },
            "_meta": { "principal": "root", "sub": "root", "scope": "admin", "scopes": ["admin"] },
        });
        if way.is_modern() {
            let mut meta = client.meta();
            meta["sub"] = "root".into();
            meta["scopes"] = json!(["admin"]);
            params["_meta"] = meta;
        }
        let answer = client.end(client.begin_raw("tools/call", params));
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(text(&answer), format!("local uid:{uid} files:read,files:write"));
        assert_record(&server.outcome("whoami"), "ok", "allow", None);
    }
}

/// The second of two requests with one id would take the first one's answer.
fn an_id_in_use_is_refused(way: Way) {
    let server = way.start();
    let client = server.client(way);
    let params = |ms: u32| {
        let mut params = json!({ "name": "slow", "arguments": { "ms": ms } });
        if way.is_modern() {
            params["_meta"] = client.meta();
        }
        params
    };
    let first = client.begin_as(json!("same"), "tools/call", params(400));
    server.wait_for_trace("slow:started");
    let second = client.begin_as(json!("same"), "tools/call", params(0));
    match way.transport {
        Transport::Stdio => {
            let refused = server.read_line();
            assert_eq!(code(&refused), -32600);
            assert!(refused["id"].is_null(), "{refused}");
            assert_eq!(server.refused("stdio/duplicate-id")["count"], 1);
        }
        Transport::Http => {
            let refused = client.end(second);
            assert_eq!(code(&refused), -32600, "{refused}");
            assert_record(
                &server.outcome_of("tools/call", ""),
                "denied",
                "deny",
                Some("identity/duplicate-id"),
            );
        }
    }
    server.wait_for_trace("slow:finished");
    assert_eq!(server.traces(), ["slow:started", "slow:finished"]);
    // In a session `rmcp` counts the refusal as the answer to this id, so that the first has
    // none: a loss of the client that broke the rule, and nobody else's.
    if way.transport == Transport::Stdio {
        assert_eq!(text(&client.end(first)), "slow took 400 ms");
    }
    // Free again.
    let again = client.begin_as(json!("same"), "tools/call", params(0));
    assert_eq!(text(&client.end(again)), "slow took 0 ms");
}

#[test]
fn an_id_in_use_is_refused_on_stdio_2025() {
    an_id_in_use_is_refused(STDIO_2025);
}

#[test]
fn an_id_in_use_is_refused_on_stdio_2026() {
    an_id_in_use_is_refused(STDIO_2026);
}

#[test]
fn an_id_in_use_is_refused_in_an_http_session() {
    an_id_in_use_is_refused(HTTP_2025);
}

#[test]
fn a_session_of_another_server_a_changed_one_and_a_guessed_one_are_all_unknown() {
    let (server, other) = (HTTP_2025.start(), HTTP_2025.start());
    let client = server.client(HTTP_2025);
    let foreign = other.client(HTTP_2025);
    let session = client.session().unwrap().to_owned();
    let mut changed = session.clone().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": { "text": "x" } },
    })
    .to_string();
    let mut answers = Vec::new();
    for id in [
        foreign.session().unwrap(),
        &changed,
        "0",
        "00000000-0000-0000-0000-000000000000",
    ] {
        let headers = format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {id}\r\n");
        for method in ["POST", "GET", "DELETE"] {
            let body = if method == "POST" { body.as_str() } else { "" };
            let head = server.head(method, &headers, body.len());
            let mut exchange = Exchange::tcp(server.port(), format!("{head}{body}").as_bytes());
            assert_eq!(exchange.status(), 404, "{method} {id}");
            answers.push(exchange.body());
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one answer for all: {answers:?}");
    assert!(!server.reached("echo") && !other.reached("echo"));
    server.refused("http/session");
    // The session itself is untouched.
    assert_eq!(
        text(&client.call("echo", json!({ "text": "mine" }))),
        "mine"
    );
}
