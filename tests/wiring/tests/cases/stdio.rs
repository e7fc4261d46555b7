//! The stdio transport: every line is answered, nothing else is on standard output, and the
//! process ends when its client does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

fn echo(client: &Client<'_>) {
    assert_eq!(
        text(&client.call("echo", json!({ "text": "and on" }))),
        "and on"
    );
}

const BOTH: [Way; 2] = [STDIO_2025, STDIO_2026];

#[test]
fn a_line_that_is_too_long_is_answered_with_its_id() {
    for way in BOTH {
        let server = way.setup().limits("max_message=4096").start();
        let client = server.client(way);
        let filler = "x".repeat(100_000);
        for line in [
            json!({ "id": "first", "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "echo", "arguments": { "text": filler } } }).to_string(),
            format!(r#"{{"jsonrpc":"2.0","method":"tools/call","params":{{"id":3,"name":"echo","arguments":{{"text":"{filler}"}}}},"id":"last"}}"#),
            filler.clone(),
        ] {
            server.write_line(line.as_bytes());
            let answer = server.read_line();
            assert_eq!(code(&answer), -32600, "{answer}");
            let expected = match &line[..8] {
                "xxxxxxxx" => Value::Null,
                r#"{"id":"f"# => json!("first"),
                _ if line.contains("\"first\"") => json!("first"),
                _ => json!("last"),
            };
            assert_eq!(answer["id"], expected);
            echo(&client);
        }
        assert_eq!(server.traces(), ["echo", "echo", "echo"]);
        server.refused("stdio/size");
    }
}

/// `rmcp` stops reading whenever it has something to send, and begins anew.
#[test]
fn a_line_that_arrives_in_pieces_between_answers_is_whole() {
    for way in BOTH {
        let server = way.start();
        let client = server.client(way);
        let ping = json!({ "jsonrpc": "2.0", "id": "ping", "method": "no/such", "params": {} }).to_string();
        let waiting: Vec<Begun> =
            (1..4).map(|n| client.begin_call("slow", json!({ "ms": 100 * n }))).collect();
        let (first, rest) = ping.as_bytes().split_at(ping.len() / 2);
        server.write(first);
        for one in waiting {
            assert!(text(&client.end(one)).starts_with("slow took"));
        }
        server.write_line(rest);
        let answer = server.read_line();
        assert_eq!(answer["id"], "ping", "{answer}");
    }
}

#[test]
fn what_is_no_message_is_answered_and_the_server_goes_on() {
    for way in BOTH {
        let server = way.start();
        let client = server.client(way);
        let deep = "[".repeat(100_000);
        for (line, expected, id) in [
            ("{", -32700, Value::Null),
            ("\u{feff}{}", -32700, Value::Null),
            (
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} trailing",
                -32700,
                Value::Null,
            ),
            (deep.as_str(), -32700, Value::Null),
            ("null", -32600, Value::Null),
            ("{}", -32600, Value::Null),
            (
                r#"{"jsonrpc":"1.0","id":91,"method":"ping"}"#,
                -32600,
                json!(91),
            ),
            (r#"{"jsonrpc":"2.0","id":92,"method":7}"#, -32600, json!(92)),
            (
                r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#,
                -32600,
                Value::Null,
            ),
            // A batch: removed from the protocol, and a way to multiply work.
            ("[]", -32600, Value::Null),
            (
                r#"[{"jsonrpc":"2.0","id":93,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}]"#,
                -32600,
                Value::Null,
            ),
        ] {
            server.write_line(line.as_bytes());
            // What looks like a notification is only counted.
            let Some(answer) = server.maybe_line(Duration::from_secs(2)) else {
                assert!(line.contains("\"method\""), "no answer to {line}");
                continue;
            };
            assert_eq!(answer["error"]["code"], expected, "{line}: {answer}");
            assert_eq!(answer["id"], id, "{line}: {answer}");
            assert!(
                !answer.to_string().contains("line 1 column"),
                "no words of the parser"
            );
        }
        server.write_line(b"\xff\xfe");
        assert_eq!(code(&server.read_line()), -32700);
        server.write_line(b"");
        assert!(!server.reached("echo"));
        echo(&client);
        server.refused("stdio/parse");
        server.refused("stdio/message");
    }
}

#[test]
fn what_a_tool_prints_is_not_in_the_protocol() {
    for way in BOTH {
        let server = way.start();
        let client = server.client(way);
        let forged =
            r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"forged"}]}}"#;
        // `read_line` fails at a line that is no message.
        let answer = client.call("pollute", json!({ "line": forged }));
        assert_eq!(text(&answer), "printed");
        let answer = client.call("pollute", json!({ "line": "not a message" }));
        assert_eq!(text(&answer), "printed");
        echo(&client);
        server.wait_for_stderr("forged");
    }
}

#[test]
fn nothing_runs_before_the_client_has_introduced_itself() {
    let server = STDIO_2025.start();
    server.write_line(
        json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "echo", "arguments": { "text": "x" } },
        })
        .to_string()
        .as_bytes(),
    );
    if let Some(answer) = server.maybe_line(Duration::from_secs(2)) {
        assert!(answer.get("error").is_some(), "{answer}");
    }
    assert!(!server.reached("echo"));
}

#[test]
fn a_stuck_tool_does_not_keep_the_process_when_the_client_is_gone() {
    for way in BOTH {
        for tool in ["slow", "stuck"] {
            let server = way.start();
            let client = server.client(way);
            client.begin_call(tool, json!({ "ms": 30_000 }));
            server.wait_for_trace(&format!("{tool}:started"));
            server.close_input();
            let took = server.wait_for_end();
            assert!(took < Duration::from_secs(4), "{tool}: {took:?}");
        }
    }
}

#[test]
fn an_idle_server_ends_at_once_with_its_client_and_on_a_signal() {
    for way in BOTH {
        let server = way.start();
        echo(&server.client(way));
        server.close_input();
        assert!(server.wait_for_end() < Duration::from_secs(1));

        let server = way.start();
        echo(&server.client(way));
        server.terminate();
        assert!(server.wait_for_end() < Duration::from_secs(1));
    }
}
