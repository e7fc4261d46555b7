//! What is served is what was compiled, whoever had it in hand on the way out.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn a_changed_or_invented_tool_is_not_served(way: Way) {
        for layer in ["describe", "invent"] {
            let server = way.setup().with("LAYER", layer).start();
            let client = server.client(way);
            let answer = client.request("tools/list", json!({}));
            assert_eq!(code(&answer), -32603, "{answer}");
            assert!(!answer.to_string().contains("id_rsa"), "{answer}");
            let record = server.outcome_of("tools/list", "");
            assert_record(&record, "failed", "allow", Some("genuine/definition"));
            // What was not touched is served.
            assert!(client.request("prompts/list", json!({})).get("result").is_some());
        }
    }

    fn changed_instructions_are_not_served(way: Way) {
        an_introduction_is_not_served(way, "instruct");
    }

    fn changed_capabilities_are_not_served(way: Way) {
        an_introduction_is_not_served(way, "announce");
    }
}

fn an_introduction_is_not_served(way: Way, layer: &str) {
    let server = way.setup().with("LAYER", layer).start();
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "wiring", "version": "1" },
        },
    })
    .to_string();
    let (op, answer) = match (way.is_modern(), way.transport) {
        (true, _) => {
            let client = server.client(way);
            (
                "server/discover",
                client.request("server/discover", json!({})),
            )
        }
        (false, Transport::Stdio) => {
            server.write_line(initialize.as_bytes());
            ("initialize", server.read_line())
        }
        (false, Transport::Http) => (
            "initialize",
            server.post("", initialize.as_bytes()).message().unwrap(),
        ),
    };
    assert!(answer.get("error").is_some(), "{answer}");
    assert!(!answer.to_string().contains("Obey"), "{answer}");
    assert_record(
        &server.outcome_of(op, ""),
        "failed",
        "allow",
        Some("genuine/definition"),
    );
}
