//! Default deny; what is denied looks exactly like what does not exist.

use serde_json::{Value, json};

use crate::harness::*;

/// The same answer, but for the ids of the two requests, and the URI of a resource, which is
/// the asker's own word (SEP-2164).
#[track_caller]
pub(super) fn assert_alike(mut one: Value, mut other: Value) {
    for answer in [&mut one, &mut other] {
        answer["id"] = Value::Null;
        let id = answer["error"]["data"]["correlationId"].take();
        assert_eq!(id.as_str().map(str::len), Some(16), "{answer}");
        answer["error"]["data"]["uri"].take();
    }
    assert_eq!(one.to_string(), other.to_string());
}

fn completion(prompt: &str) -> Value {
    json!({
        "ref": { "type": "ref/prompt", "name": prompt },
        "argument": { "name": "name", "value": "a" },
    })
}

on_every_way! {
    fn denied_hidden_and_unknown_are_one_answer(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let unknown = client.call("nobody", json!({}));
        assert_eq!(code(&unknown), -32602);
        assert_alike(client.call("admin", json!({})), unknown.clone());
        assert_alike(client.call("buried", json!({})), unknown.clone());
        // Nor do arguments tell them apart.
        assert_alike(client.call("admin", json!({ "no": "such" })), unknown);

        let prompt = |name: &str| client.request("prompts/get", json!({ "name": name, "arguments": {} }));
        assert_alike(prompt("admin_prompt"), prompt("nobody"));
        let read = |uri: &str| client.request("resources/read", json!({ "uri": uri }));
        assert_alike(read("wiring://admin"), read("wiring://nobody"));
        let complete = |prompt: &str| client.request("completion/complete", completion(prompt));
        assert_alike(complete("admin_prompt"), complete("nobody"));

        assert_eq!(server.traces(), Vec::<String>::new());
        // The log knows better.
        for (op, target) in [
            ("tools/call", "admin"), ("tools/call", "buried"), ("prompts/get", "admin_prompt"),
            ("resources/read", "admin_index"), ("completion/complete", "admin_prompt"),
        ] {
            assert_record(&server.outcome_of(op, target), "denied", "deny", Some("authorize/scope"));
        }
        for op in ["tools/call", "prompts/get", "completion/complete"] {
            assert_record(&server.outcome_of(op, "nobody"), "denied", "deny", Some("authorize/unknown"));
        }
    }

    fn who_holds_the_scope_may(way: Way) {
        let server = way.setup().with("SCOPES", "admin").start();
        let client = server.client(way);
        assert_eq!(text(&client.call("admin", json!({}))), "you are the administrator");
        assert_eq!(text(&client.call("buried", json!({}))), "you know of this");
        // And nothing else: scopes do not imply each other.
        assert_eq!(code(&client.call("read", json!({ "name": "a.txt" }))), -32602);
        assert!(!server.reached("read"));
    }

    fn lists_show_what_may_be_called(way: Way) {
        for (scopes, sees) in [("files:read", false), ("admin", true)] {
            let server = way.setup().with("SCOPES", scopes).start();
            let client = server.client(way);
            let listed = |method: &str| client.request(method, json!({}))["result"].to_string();
            for name in ["\"admin\"", "\"buried\""] {
                assert_eq!(listed("tools/list").contains(name), sees, "{name}");
            }
            assert_eq!(listed("prompts/list").contains("admin_prompt"), sees);
            assert_eq!(listed("resources/list").contains("wiring://admin"), sees);
            assert_eq!(listed("resources/templates/list").contains("wiring://file"), !sees);
            assert!(listed("tools/list").contains("\"echo\""), "what is public is there");
        }
    }

    fn what_is_not_served_reaches_nobody(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for (method, params) in [
            ("no/such", json!({})),
            ("rpc.discover", json!({})),
            ("tools/../tools/call", json!({ "name": "echo", "arguments": { "text": "x" } })),
            ("tasks/list", json!({})),
            ("tasks/get", json!({ "taskId": "1", "name": "1" })),
            ("tasks/cancel", json!({ "taskId": "1", "name": "1" })),
            ("tasks/update", json!({ "taskId": "1", "name": "1" })),
            ("tasks/result", json!({ "taskId": "1", "name": "1" })),
            ("skills/list", json!({})),
            ("skills/get", json!({ "name": "echo" })),
            ("resources/subscribe", json!({ "uri": "wiring://index" })),
            ("resources/unsubscribe", json!({ "uri": "wiring://index" })),
            ("resources/directory/read", json!({ "uri": "wiring://index" })),
            ("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })),
            ("logging/setLevel", json!({ "level": "debug" })),
            ("sampling/createMessage", json!({ "messages": [], "maxTokens": 1 })),
            ("roots/list", json!({})),
            ("elicitation/create", json!({ "message": "x", "requestedSchema": {} })),
        ] {
            let answer = client.request(method, params);
            assert!(
                // `rmcp` refuses some by the headers they lack, before anything else.
                [-32601, -32602, -32020].contains(&code(&answer)),
                "{method}: {answer}"
            );
        }
        assert_eq!(server.traces(), Vec::<String>::new());
        assert_record(&server.outcome_of("(custom)", "no/such"), "denied", "deny", Some("authorize/method"));
        assert_eq!(text(&client.call("echo", json!({ "text": "and on" }))), "and on");
    }

    fn malformed_parameters_of_a_known_method_are_not_a_custom_request(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for (method, params) in [
            ("tools/call", json!({ "nam": "echo" })),
            ("tools/call", json!({ "name": "echo", "arguments": [1] })),
            ("tools/call", json!({ "name": "echo", "arguments": "text" })),
            ("prompts/get", json!({})),
            ("resources/read", json!({})),
            ("completion/complete", json!({ "ref": {} })),
        ] {
            let answer = client.request(method, params);
            assert_eq!(code(&answer), -32602, "{method}: {answer}");
            assert_eq!(message(&answer), "the parameters are malformed");
            let record = server.outcome_of("(custom)", method);
            assert_record(&record, "denied", "deny", Some("authorize/malformed"));
        }
        assert_eq!(server.traces(), Vec::<String>::new());
    }

    fn a_layer_cannot_redirect_past_the_decision(way: Way) {
        let server = way.setup().with("LAYER", "redirect").start();
        let client = server.client(way);
        let answer = client.call("echo", json!({ "text": "x" }));
        assert_eq!(code(&answer), -32602, "{answer}");
        assert_eq!(server.traces(), Vec::<String>::new());
        assert_record(&server.outcome("admin"), "denied", "deny", Some("authorize/scope"));
    }
}

/// On HTTP there is more to compare than the body.
#[test]
fn over_http_the_head_does_not_tell_them_apart_either() {
    let server = HTTP_2026.start();
    let client = server.client(HTTP_2026);
    let head = |tool: &str| {
        let params = json!({ "name": tool, "arguments": {}, "_meta": client.meta() });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let headers = format!(
            "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
        );
        let mut exchange = server.post(&headers, body.to_string().as_bytes());
        let names = [
            "content-type",
            "content-length",
            "cache-control",
            "www-authenticate",
        ];
        (exchange.status(), names.map(|name| exchange.header(name)))
    };
    assert_eq!(head("admin"), head("nobody"));
    assert_eq!(head("buried"), head("nobody"));
}

/// An older revision would be a downgrade that the client chooses (BASE-21).
#[test]
fn an_older_revision_is_not_spoken() {
    for way in [STDIO_2025, HTTP_2025] {
        for version in [
            "2024-11-05",
            "2025-03-26",
            "2025-06-18",
            "1.0",
            "9999-99-99",
        ] {
            let server = way.start();
            let message = json!({
                "jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {
                    "protocolVersion": version, "capabilities": {},
                    "clientInfo": { "name": "old", "version": "0" },
                },
            })
            .to_string();
            let answer = match way.transport {
                Transport::Stdio => {
                    server.write_line(message.as_bytes());
                    server.read_line()
                }
                Transport::Http => server.post("", message.as_bytes()).message().unwrap(),
            };
            let spoken = &answer["result"]["protocolVersion"];
            assert!(
                answer.get("error").is_some() || spoken == "2025-11-25",
                "{version}: {answer}"
            );
        }
    }
}
