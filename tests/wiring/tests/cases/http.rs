//! The HTTP ring: what is turned away before a message is a message.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::*;

/// A good request in the newer generation, with its headers to be changed.
fn call(server: &Server, method: &str, head: &[(&str, &str)], body: &str) -> Exchange {
    let mut request = format!("{method} /mcp HTTP/1.1\r\n");
    for (name, value) in head {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    Exchange::tcp(server.port(), request.as_bytes())
}

fn body(client: &Client<'_>) -> String {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": { "text": "x" }, "_meta": client.meta() },
    })
    .to_string()
}

/// Replaces, adds or (with an empty value) removes headers of a good request.
fn with<'a>(
    server: &'a Server,
    host: &'a str,
    bearer: &'a str,
    changes: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let _ = server;
    let mut head = vec![
        ("Host", host),
        ("Authorization", bearer),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "echo"),
    ];
    for (name, value) in changes {
        if let Some(name) = name.strip_prefix('+') {
            head.push((name, value));
            continue;
        }
        head.retain(|(existing, _)| existing != name);
        if !value.is_empty() {
            head.push((name, value));
        }
    }
    head
}

/// Sends one changed request after the other and expects each to be refused so.
fn refused(control: &str, cases: &[(&[(&str, &str)], u16)]) {
    let server = HTTP_2026.start();
    let client = server.client(HTTP_2026);
    let host = format!("127.0.0.1:{}", server.port());
    let bearer = format!("Bearer {}", server.token());
    let body = body(&client);
    for (changes, status) in cases {
        let changes: Vec<(&str, String)> = changes
            .iter()
            .map(|(n, v)| {
                (
                    *n,
                    v.replace("PORT", &server.port().to_string())
                        .replace("TOKEN", &server.token()),
                )
            })
            .collect();
        let changes: Vec<(&str, &str)> = changes.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut exchange = call(
            &server,
            "POST",
            &with(&server, &host, &bearer, &changes),
            &body,
        );
        assert_eq!(exchange.status(), *status, "{changes:?}");
        let said = exchange.message().unwrap_or_default().to_string();
        assert!(
            !said.contains("evil") && !said.contains(&server.token()),
            "{said}"
        );
        assert_eq!(exchange.header("access-control-allow-origin"), None);
    }
    assert!(!server.reached("echo"));
    let record = server.refused(control);
    assert_eq!(record["peer"], "127.0.0.0/24", "{record}");
    // A flood is a few lines: the first at once, then sums.
    let lines = server
        .audit()
        .iter()
        .filter(|r| r["control"] == control)
        .count();
    assert!(lines <= 4, "{lines}");
    // The same request, unchanged.
    let mut exchange = call(&server, "POST", &with(&server, &host, &bearer, &[]), &body);
    assert_eq!(exchange.status(), 200);
    assert!(server.reached("echo"));
}

#[test]
fn a_host_that_was_rebound_is_refused() {
    refused(
        "http/host",
        &[
            (&[("Host", "evil.example")], 403),
            (&[("Host", "evil.example:PORT")], 403),
            (&[("Host", "localhost.evil.example:PORT")], 403),
            (&[("Host", "evil.example@127.0.0.1:PORT")], 403),
            (&[("Host", "127.0.0.1:1")], 403),
            (&[("Host", "127.0.0.1.:PORT")], 403),
            (&[("Host", "0.0.0.0:PORT")], 403),
            (&[("Host", "")], 400),
            (&[("+Host", "evil.example")], 400),
            (&[("+Host", "127.0.0.1:PORT")], 400),
        ],
    );
}

#[test]
fn a_page_of_another_origin_is_refused() {
    refused(
        "http/origin",
        &[
            (&[("Origin", "https://evil.example")], 403),
            (&[("Origin", "null")], 403),
            (&[("Origin", "http://127.0.0.1.evil.example:PORT")], 403),
            (&[("Origin", "http://127.0.0.1:1")], 403),
            (&[("Origin", "https://127.0.0.1:PORT")], 403),
            (&[("Origin", "http://evil.example@127.0.0.1:PORT")], 403),
            (
                &[
                    ("Origin", "http://127.0.0.1:PORT"),
                    ("+Origin", "https://evil.example"),
                ],
                403,
            ),
            (&[("Origin", "file://")], 403),
        ],
    );
}

#[test]
fn a_request_without_the_token_is_refused() {
    refused(
        "http/auth",
        &[
            (&[("Authorization", "")], 401),
            (&[("Authorization", "Bearer")], 401),
            (&[("Authorization", "Bearer wrong")], 401),
            (&[("Authorization", "Bearer TOKENx")], 401),
            (&[("Authorization", "Bearer TOKEN TOKEN")], 401),
            (&[("Authorization", "Basic TOKEN")], 401),
            (&[("Authorization", "TOKEN")], 401),
            (&[("+Authorization", "Bearer wrong")], 401),
            (&[("Authorization", ""), ("Cookie", "token=TOKEN")], 401),
            (&[("Authorization", ""), ("X-Api-Key", "TOKEN")], 401),
            (
                &[
                    ("Authorization", ""),
                    ("X-Forwarded-User", "root"),
                    ("X-Real-IP", "127.0.0.1"),
                ],
                401,
            ),
        ],
    );
}

#[test]
fn a_challenge_names_the_scheme() {
    let server = HTTP_2026.start();
    let host = format!("127.0.0.1:{}", server.port());
    let mut none = call(
        &server,
        "POST",
        &[("Host", &host), ("Content-Type", "application/json")],
        "{}",
    );
    assert_eq!(none.status(), 401);
    assert_eq!(none.header("www-authenticate").as_deref(), Some("Bearer"));
    let mut wrong = call(
        &server,
        "POST",
        &[("Host", &host), ("Authorization", "Bearer wrong")],
        "{}",
    );
    assert!(
        wrong
            .header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
}

/// A form or plain text goes across origins without a preflight.
#[test]
fn what_a_page_can_send_without_asking_is_refused() {
    refused(
        "http/content-type",
        &[
            (&[("Content-Type", "text/plain")], 415),
            (
                &[("Content-Type", "application/x-www-form-urlencoded")],
                415,
            ),
            (&[("Content-Type", "multipart/form-data; boundary=x")], 415),
            (&[("Content-Type", "")], 415),
        ],
    );
}

/// A proxy decides by one value and the server by the other.
#[test]
fn a_deciding_header_that_occurs_twice_is_refused() {
    refused(
        "http/headers",
        &[
            (&[("+Mcp-Method", "tools/list")], 400),
            (&[("+Mcp-Name", "admin")], 400),
            (&[("+MCP-Protocol-Version", "2025-11-25")], 400),
            (&[("+Content-Type", "text/plain")], 400),
        ],
    );
}

#[test]
fn a_header_that_contradicts_the_body_is_refused() {
    let server = HTTP_2026.start();
    let client = server.client(HTTP_2026);
    let host = format!("127.0.0.1:{}", server.port());
    let bearer = format!("Bearer {}", server.token());
    for changes in [
        ("Mcp-Method", "tools/list"),
        ("Mcp-Name", "whoami"),
        ("Mcp-Method", ""),
        ("Mcp-Name", ""),
        ("MCP-Protocol-Version", "2025-11-25"),
        ("MCP-Protocol-Version", "2099-01-01"),
    ] {
        let head = with(&server, &host, &bearer, &[changes]);
        let mut exchange = call(&server, "POST", &head, &body(&client));
        assert!(
            (400..500).contains(&exchange.status()),
            "{changes:?} {}",
            exchange.status()
        );
    }
    assert!(!server.reached("echo"));
}

#[test]
fn only_the_endpoint_and_its_methods_exist() {
    let server = HTTP_2026.start();
    let client = server.client(HTTP_2026);
    for (line, status) in [
        ("POST /", 404),
        ("POST /mcp/", 404),
        ("POST //mcp", 404),
        ("POST /x/../mcp", 404),
        ("POST /%6dcp", 404),
        ("GET /sse", 404),
        ("GET /.well-known/oauth-protected-resource", 404),
        ("PUT /mcp", 405),
        ("PATCH /mcp", 405),
        ("OPTIONS /mcp", 405),
        ("TRACE /mcp", 405),
    ] {
        let head = server.head("POST", "", 0).replacen("POST /mcp", line, 1);
        let mut exchange = Exchange::tcp(server.port(), head.as_bytes());
        assert_eq!(exchange.status(), status, "{line}");
        assert_eq!(exchange.header("access-control-allow-origin"), None);
    }
    let mut good = client.begin_call("echo", json!({ "text": "x" }));
    assert_eq!(text(&client.next(&mut good)), "x");
}

#[test]
fn nothing_may_be_kept_by_a_cache_or_taken_for_another_type() {
    let server = HTTP_2026.start();
    let client = server.client(HTTP_2026);
    let host = format!("127.0.0.1:{}", server.port());
    let bearer = format!("Bearer {}", server.token());
    for changes in [
        vec![],
        vec![("Authorization", "")],
        vec![("Host", "evil.example")],
        vec![("Mcp-Method", "")],
    ] {
        let head = with(&server, &host, &bearer, &changes);
        let mut exchange = call(&server, "POST", &head, &body(&client));
        let _ = exchange.status();
        assert_eq!(
            exchange.header("cache-control").as_deref(),
            Some("no-store"),
            "{changes:?}"
        );
        assert_eq!(
            exchange.header("x-content-type-options").as_deref(),
            Some("nosniff")
        );
    }
    let sessions = server.client(HTTP_2025);
    let mut stream = server.post(
        &format!(
            "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {}\r\n",
            sessions.session().unwrap()
        ),
        json!({ "jsonrpc": "2.0", "id": 9, "method": "ping" })
            .to_string()
            .as_bytes(),
    );
    assert_eq!(stream.header("cache-control").as_deref(), Some("no-store"));
}

#[test]
fn a_body_that_is_too_large_is_refused_declared_or_not() {
    let server = HTTP_2026.setup().limits("http.body_bytes=4096").start();
    let client = server.client(HTTP_2026);
    let big = "x".repeat(10_000);
    let mut declared = client.begin_call("echo", json!({ "text": big }));
    let answer = client.next(&mut declared);
    assert!(answer.get("error").is_some(), "{answer}");
    // In chunks, so that no length warns of it.
    let head = server
        .head(
            "POST",
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n",
            0,
        )
        .replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let mut chunked = head.into_bytes();
    for _ in 0..10 {
        chunked.extend(format!("{:x}\r\n{}\r\n", 1_000, "x".repeat(1_000)).bytes());
    }
    chunked.extend(b"0\r\n\r\n");
    assert_eq!(Exchange::tcp(server.port(), &chunked).status(), 413);
    assert!(!server.reached("echo"));
    server.refused("http/body-size");
    assert_eq!(
        text(&client.call("echo", json!({ "text": "small" }))),
        "small"
    );
}

#[test]
fn a_body_that_drips_is_cut_off() {
    let server = HTTP_2026.setup().limits("http.body_time=300").start();
    let client = server.client(HTTP_2026);
    let body = body(&client);
    let headers =
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n";
    let head = server.head("POST", headers, body.len());
    let started = Instant::now();
    let mut exchange = Exchange::tcp(server.port(), head.as_bytes());
    exchange.drip(&body.as_bytes()[..20], Duration::from_millis(30));
    assert_eq!(exchange.status(), 408);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!server.reached("echo"));
    server.refused("http/body-time");
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let server = HTTP_2026.setup().limits("http.header_time=300").start();
    let started = Instant::now();
    let mut exchange = Exchange::tcp(server.port(), b"POST /mcp HTT");
    exchange.drip(b"P/1.1\r\nX-", Duration::from_millis(100));
    server.refused("http/head-time");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = HTTP_2026.start();
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(64 * 1024));
    for headers in [many, long] {
        let head = server.head("POST", &headers, 0);
        assert_eq!(Exchange::tcp(server.port(), head.as_bytes()).status(), 431);
    }
    server.refused("http/head");
}

/// Two lengths, or a length and chunks: where a proxy and a server disagree, a request hides.
#[test]
fn a_request_with_two_lengths_is_refused() {
    let server = HTTP_2026.start();
    let client = server.client(HTTP_2026);
    let body = body(&client);
    let headers =
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n";
    let head = server.head(
        "POST",
        &format!("{headers}Content-Length: 3\r\n"),
        body.len(),
    );
    let mut exchange = Exchange::tcp(server.port(), format!("{head}{body}").as_bytes());
    assert_eq!(exchange.status(), 400);
    assert!(!server.reached("echo"));
}

#[test]
fn sessions_are_bounded() {
    for limit in ["http.sessions=2", "http.sessions_per_principal=2"] {
        let server = HTTP_2025.setup().limits(limit).start();
        let kept = [server.client(HTTP_2025), server.client(HTTP_2025)];
        let initialize = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": { "name": "wiring", "version": "1" },
            },
        })
        .to_string();
        let mut third = server.post("", initialize.as_bytes());
        assert_eq!(third.status(), 503, "{limit}");
        assert!(third.header("retry-after").is_some());
        server.refused("http/session-cap");
        for client in &kept {
            assert_eq!(text(&client.call("echo", json!({ "text": "x" }))), "x");
        }
        // Who has none is not kept out.
        assert_eq!(
            text(
                &server
                    .client(HTTP_2026)
                    .call("echo", json!({ "text": "y" }))
            ),
            "y"
        );
        // An end makes room.
        let session = kept[0].session().unwrap();
        let headers = format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n");
        let mut end = Exchange::tcp(server.port(), server.head("DELETE", &headers, 0).as_bytes());
        assert!((200..300).contains(&end.status()));
        server.client(HTTP_2025);
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
        assert_eq!(
            server.post(&headers, ping.as_bytes()).status(),
            404,
            "it is gone"
        );
    }
}

/// `rmcp`'s event store would answer with events of other sessions.
#[test]
fn a_request_of_the_older_revision_needs_its_session() {
    let server = HTTP_2025.start();
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": { "text": "x" } } });
    let headers = "MCP-Protocol-Version: 2025-11-25\r\n";
    let mut answer = server.post(headers, call.to_string().as_bytes());
    assert_eq!(answer.status(), 400);
    for method in ["GET", "DELETE"] {
        let head = server.head(method, headers, 0);
        let mut answer = Exchange::tcp(server.port(), head.as_bytes());
        assert_eq!(answer.status(), 400, "{method}");
    }
    server.refused("http/protocol");
    assert!(!server.reached("echo"));
}

#[test]
fn events_are_not_replayed() {
    let server = HTTP_2025.start();
    let client = server.client(HTTP_2025);
    client.call("echo", json!({ "text": "from before" }));
    for session in [client.session().unwrap(), "other"] {
        for id in ["0/0", "0", "1", "0/1"] {
            let headers = format!(
                "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\nLast-Event-ID: {id}\r\n"
            );
            let request = server.head("GET", &headers, 0);
            let mut exchange = Exchange::tcp(server.port(), request.as_bytes());
            if exchange.status() == 200 {
                // A stream of its own, with nothing of the past in it.
                assert!(!exchange.hears_within(Duration::from_millis(100), "from before"));
            }
        }
    }
}

#[test]
fn what_is_no_message_is_refused_in_constant_words() {
    for way in [HTTP_2025, HTTP_2026] {
        let server = way.start();
        let client = server.client(way);
        let headers = match client.session() {
            Some(session) => {
                format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n")
            }
            None => {
                "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"
                    .to_owned()
            }
        };
        let batch = format!("[{}]", body(&client));
        let deep = "[".repeat(100_000);
        for body in [
            "{",
            "",
            "null",
            "{}",
            "[]",
            &batch,
            &deep,
            "\u{feff}{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        ] {
            let mut exchange = server.post(&headers, body.as_bytes());
            assert_eq!(exchange.status(), 400, "{body:.40}");
            let answer = exchange.message().unwrap().to_string();
            assert!(
                answer.starts_with('{') && !answer.contains("column"),
                "{answer}"
            );
        }
        assert!(!server.reached("echo"));
        assert_eq!(
            text(&client.call("echo", json!({ "text": "and on" }))),
            "and on"
        );
    }
}

#[test]
fn a_stuck_tool_does_not_keep_the_process_from_ending() {
    for way in [HTTP_2025, HTTP_2026] {
        for tool in ["slow", "stuck"] {
            let server = way.setup().limits("http.drain=500").start();
            let client = server.client(way);
            let _running = client.begin_call(tool, json!({ "ms": 30_000 }));
            server.wait_for_trace(&format!("{tool}:started"));
            server.terminate();
            let took = server.wait_for_end();
            assert!(took < Duration::from_secs(4), "{tool}: {took:?}");
        }
    }
}

#[test]
fn what_rmcp_refuses_by_itself_leaves_a_trace() {
    refused(
        "http/protocol",
        &[
            (&[("Mcp-Name", "write")], 400),
            (&[("Mcp-Method", "tools/list")], 400),
            (&[("MCP-Protocol-Version", "1999-01-01")], 400),
            (&[("Accept", "text/html")], 406),
        ],
    );
}
