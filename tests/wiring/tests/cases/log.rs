//! The logs of the process: everything that travels, at every level, and nothing of it in a line.

use serde_json::json;

use crate::harness::*;

/// Nobody's, but of the form of one.
const KEY: &str = concat!("ghp", "_xOI7qL9OuUTgnOPGjKxLfLG", "YvmzjBj3kGGy1");

/// Says everything that must not be in a line.
fn say_it_all(server: &Server, way: Way) {
    let client = server.client(way);
    client.call("echo", json!({ "text": SECRET }));
    client.call("typed", json!({ "word": SECRET }));
    client.call("break_down", json!({}));
    client.call("nobody", json!({ "text": SECRET }));
    client.request("no/such", json!({ "text": SECRET }));
    client.notify("notifications/unheard", json!({ "text": SECRET }));
    let id = serde_json::Value::from(SECRET);
    let begun = client.begin_as(
        id,
        "tools/list",
        match way.is_modern() {
            true => json!({ "_meta": client.meta() }),
            false => json!({}),
        },
    );
    client.end(begun);
    client.call("mutter", json!({ "text": format!("{KEY} is a key") }));
    server.terminate();
    server.wait_for_end();
    let stderr = server.stderr();
    assert!(
        stderr.contains(" rmcp::"),
        "rmcp was heard at all: {stderr}"
    );
    for secret in [SECRET, CANARY, KEY] {
        assert!(!stderr.contains(secret), "`{secret}`: {stderr}");
    }
    if way.transport == Transport::Http {
        assert!(!stderr.contains(&server.token()), "{stderr}");
    }
    if let Some(session) = client.session() {
        assert!(!stderr.contains(session), "{stderr}");
    }
}

on_every_way! {
    fn what_travels_is_in_no_line_when_the_operator_asks_for_all_of_them(way: Way) {
        let server = way.setup().argument("--log").argument("trace").start();
        say_it_all(&server, way);
    }

    fn what_travels_is_in_no_line_of_an_authors_own_subscriber(way: Way) {
        let server = way.setup().with("SUBSCRIBER", "1").start();
        say_it_all(&server, way);
    }

    fn a_client_hears_the_log_lines_that_it_asked_for_and_no_others(way: Way) {
        // There they come on a stream of the session's own, which a test cannot wait for in vain.
        if way.transport == Transport::Http && !way.is_modern() {
            return;
        }
        let server = way.setup().with("SERVER", "leaky").files("").start();
        let client = server.client(way);
        let heard = |level: Option<&str>| {
            let mut params = json!({ "name": "narrate", "arguments": { "text": "x" } });
            if way.is_modern() {
                params["_meta"] = client.meta();
                if let Some(level) = level {
                    params["_meta"]["io.modelcontextprotocol/logLevel"] = level.into();
                }
            } else if let Some(level) = level {
                client.request("logging/setLevel", json!({ "level": level }));
            }
            let (said, _) = client.end_with_notifications(client.begin_raw("tools/call", params));
            said.iter().filter(|one| one["method"] == "notifications/message").count()
        };
        if way.is_modern() {
            assert_eq!(heard(None), 0, "nobody asked");
        }
        assert_eq!(heard(Some("error")), 0, "not so much");
        assert_eq!(heard(Some("debug")), 1);
        if !way.is_modern() {
            let answer = client.request("logging/setLevel", json!({ "level": "loud" }));
            assert!(is_refusal(&answer), "{answer}");
        }
    }

    fn what_a_client_sends_is_a_part_of_one_line(way: Way) {
        for setup in [way.setup(), way.setup().with("SUBSCRIBER", "1")] {
            let server = setup.start();
            let client = server.client(way);
            let forged = "2026-01-01T00:00:00Z ERROR forged: it was somebody else";
            for end in ["\n", "\r", "\r\n", "\u{2028}", "\u{85}", "\u{b}", "\u{1b}[2K\u{1b}[1G", "\u{202e}"] {
                client.call("mutter", json!({ "text": format!("a{end}{forged}") }));
            }
            server.terminate();
            server.wait_for_end();
            let stderr = server.stderr();
            assert!(stderr.contains("forged"), "it was logged: {stderr}");
            assert!(!stderr.contains(['\r', '\u{2028}', '\u{85}', '\u{b}', '\u{1b}', '\u{202e}']), "{stderr:?}");
            for line in stderr.lines() {
                assert!(!line.starts_with("2026-01-01") && !line.starts_with("ERROR"), "{line}");
            }
        }
    }
}

#[test]
fn the_operator_says_how_much_is_written() {
    let heard = |level: &str| {
        let server = STDIO_2026.setup().argument("--log").argument(level).start();
        server
            .client(STDIO_2026)
            .call("mutter", json!({ "text": "x" }));
        server.terminate();
        server.wait_for_end();
        server.stderr()
    };
    assert!(!heard("off").contains("wiring"));
    let errors = heard("error");
    assert!(
        errors.contains("in a span") && !errors.contains("said: x"),
        "{errors}"
    );
    assert!(heard("info").contains("said: x"));
    assert!(!heard("info").contains("rmcp"));
}
