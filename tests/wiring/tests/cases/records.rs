//! What the records say: as published, and of values only what their author asked for.

use serde_json::{Value, json};

use super::approve;
use crate::harness::*;

on_every_way! {
    fn a_record_is_as_published_and_has_no_field_that_is_not(way: Way) {
        let server = way.setup().limits("timeout=5000").start();
        let client = server.client(way);
        client.call("echo", json!({ "text": "a" }));
        client.call("look_up", json!({ "city": "Ghent", "number": 7 }));
        client.call("nobody", json!({ "text": "a" }));
        client.call("fall_over", json!({}));
        client.call("hasty", json!({ "ms": 60_000 }));
        client.call("read", json!({ "name": "a.txt" }));
        client.call("scribble", json!({ "name": "b.txt", "text": "1" }));
        client.call("unseen", json!({}));
        client.request("prompts/get", json!({ "name": "greeting", "arguments": { "name": "a" } }));
        client.request("tools/list", json!({}));
        if way.transport == Transport::Http {
            let head = server.head("POST", "", 2).replace("127.0.0.1", "evil.example");
            server.exchange((head + "{}").as_bytes()).status();
            server.refused("http/host");
        } else {
            server.write_line(b"{ no message");
            server.refused("stdio/parse");
        }
        let schema: Value = serde_json::from_str(include_str!("../../../../book/src/audit-record.schema.json")).unwrap();
        let published = jsonschema::validator_for(&schema).unwrap();
        let mut events = std::collections::BTreeSet::new();
        for record in server.audit() {
            let wrong: Vec<String> = published.iter_errors(&record).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:?}\n{record}");
            let event = record["event"].as_str().unwrap().to_owned();
            let known = fields(&schema, &event);
            for field in record.as_object().unwrap().keys() {
                assert!(known.contains(field) || field == "seq" || field == "mac", "`{field}` of {record}");
            }
            events.insert(event);
        }
        for event in ["intent", "outcome", "refused", "sandbox"] {
            assert!(events.contains(event), "{event}");
        }
    }

    fn arguments_are_a_digest_that_only_equal_ones_have(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let digest = |city: &str, number: u64| {
            client.call("look_up", json!({ "number": number, "city": city }));
            let record = server.audit().pop().unwrap();
            record["arguments_digest"].as_str().unwrap().to_owned()
        };
        let first = digest("Ghent", 9_007_199_254_740_993);
        assert_eq!(first, digest("Ghent", 9_007_199_254_740_993));
        assert_ne!(first, digest("Ghent", 9_007_199_254_740_992), "the same double");
        assert_ne!(first, digest("Bruges", 9_007_199_254_740_993));
        assert_eq!(first.len(), 64);
        // The key is not in the log, and no tool or reader of the log gets at it.
        let key = std::fs::read_to_string(server.folder().join("audit.jsonl.digest-key")).unwrap();
        assert!(!server.audit_text().contains(key.trim()));
    }

    fn only_the_value_that_its_author_named_is_in_the_record_and_clean(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let city = format!("Ghent\u{202e}\n{}", "y".repeat(4000));
        client.call("look_up", json!({ "city": city, "number": 123_456_789 }));
        let record = server.outcome("look_up");
        let shown = record["values"]["city"].as_str().unwrap();
        assert!(shown.starts_with("Ghent") && shown.len() < 1100, "{record}");
        assert!(!shown.contains('\u{202e}'), "{record}");
        assert!(record["values"].get("number").is_none(), "{record}");
        assert!(!server.audit_text().contains("123456789"));
        // What does not have its shape was never looked at.
        client.call("look_up", json!({ "city": { "a": SECRET }, "number": 1 }));
        assert!(server.outcome_that_is("look_up", "denied").get("values").is_none());
    }

    fn a_member_that_its_author_named_is_in_the_record_and_its_neighbours_are_not(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let parcel = json!({
            "to": { "country": "Belgium\u{202e}", "street": "Hidden Lane 987654321" },
            "items": [{ "article": 77, "grams": 123_456_789 }, { "article": 78, "grams": 1 }],
        });
        client.call("look_up", json!({ "city": "Ghent", "number": 1, "parcel": parcel }));
        let values = &server.outcome("look_up")["values"];
        let expected = json!({
            "city": "Ghent",
            "parcel.to.country": "Belgium\\u{202E}",
            "parcel.items[0].article": 77,
            "parcel.items[1].article": 78,
        });
        assert_eq!(*values, expected);
        let log = server.audit_text();
        assert!(!log.contains("Hidden Lane") && !log.contains("123456789"), "{log}");
        // A client is told nothing of it.
        let tools = client.request("tools/list", json!({})).to_string();
        assert!(tools.contains("article") && !tools.contains("x-mcp-secure-audit"), "{tools}");
    }

    fn files_are_steps_without_their_names(way: Way) {
        let server = way.setup().file("private-name.txt", "12345").start();
        let client = server.client(way);
        client.call("read", json!({ "name": "private-name.txt" }));
        let step = server.outcome("read")["steps"][0].clone();
        assert_eq!(step["kind"], "fs");
        assert_eq!(step["capability"], "files");
        assert_eq!(step["action"], "read_to_string");
        assert_eq!(step["outcome"], "ok");
        assert_eq!(step["bytes_in"], 5);
        client.call("read", json!({ "name": "private-name.txt" }));
        let again = server.audit().pop().unwrap()["steps"][0].clone();
        assert_eq!(step["file"], again["file"], "the same file");
        client.call("read", json!({ "name": "a.txt" }));
        let other = server.audit().pop().unwrap()["steps"][0].clone();
        assert_ne!(step["file"], other["file"]);
        client.call("read", json!({ "name": ".env" }));
        let closed = server.audit().pop().unwrap()["steps"][0].clone();
        assert_eq!(closed["outcome"], "denied", "{closed}");
        assert_eq!(closed["control"], "fs/policy", "{closed}");
        assert!(!server.audit_text().contains("private-name"));
    }

    fn a_trace_is_taken_over_as_it_should_be_or_not_at_all(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let call = |parent: &str| {
            let mut meta = match way.is_modern() {
                true => client.meta(),
                false => json!({}),
            };
            meta["traceparent"] = parent.into();
            let params = json!({ "name": "whoami", "arguments": {}, "_meta": meta });
            client.end(client.begin_raw("tools/call", params));
            server.audit().pop().unwrap()
        };
        let record = call("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(record["trace"]["trace"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(record["trace"]["parent"], "b7ad6b7169203331");
        for forged in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",\"outcome\":\"denied",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        ] {
            let record = call(forged);
            assert_eq!(record["target"], "whoami");
            assert!(record.get("trace").is_none(), "{record}");
        }
    }

    fn an_agreement_is_linked_with_its_question(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let arguments = json!({ "name": "note.txt", "text": "1" });
        let question = approve::asked(&client, "write", arguments.clone());
        assert!(!is_refusal(&question.answered(approve::yes())));
        let done = server.outcome_that_is("write", "ok");
        let id = done["approval_id"].as_str().unwrap();
        assert_eq!(done["approval"], "client-attested");
        let intent = server.audit().into_iter().find(|r| r["event"] == "intent").unwrap();
        assert_eq!(intent["approval_id"], id);
        match way.is_modern() {
            // The question ended a request of its own.
            true => assert_eq!(server.outcome_that_is("write", "input_required")["approval_id"], id),
            false => assert!(done["phases"]["approval_us"].as_u64() > Some(0), "{done}"),
        }
        let again = approve::asked(&client, "write", arguments);
        assert!(!is_refusal(&again.answered(approve::yes())));
        let last = server.audit().pop().unwrap();
        assert_ne!(last["approval_id"], id, "another agreement: {last}");
    }

    fn the_revision_and_the_session_are_named_and_the_session_gives_nothing_away(way: Way) {
        let server = way.start();
        let client = server.client(way);
        client.call("whoami", json!({}));
        let record = server.outcome("whoami");
        assert_eq!(record["protocol"], if way.is_modern() { "2026-07-28" } else { "2025-11-25" });
        assert!(record["phases"]["tool_us"].is_u64() && record["phases"]["queue_us"].is_u64());
        match client.session() {
            Some(id) => {
                assert_eq!(record["session"].as_str().unwrap().len(), 16);
                assert!(!server.audit_text().contains(id));
            }
            None => assert!(record.get("session").is_none(), "{record}"),
        }
    }
}

#[test]
fn a_key_that_others_can_read_stops_the_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = STDIO_2026.setup();
    let key = setup.folder().join("audit.jsonl.digest-key");
    std::fs::write(&key, "0".repeat(64)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = setup.start_fails();
    assert!(
        said.contains("digest-key") && said.contains("others"),
        "{said}"
    );
}

/// The names of the fields of an event, as published.
fn fields(schema: &Value, event: &str) -> std::collections::BTreeSet<String> {
    let definitions = schema["$defs"].as_object().unwrap();
    let of = |node: &Value| -> Value {
        match node["$ref"].as_str() {
            Some(path) => definitions[path.rsplit('/').next().unwrap()].clone(),
            None => node.clone(),
        }
    };
    let mut variant = schema["anyOf"].as_array().unwrap().iter().map(of);
    let variant = variant
        .find(|one| one["properties"]["event"]["const"] == event)
        .unwrap();
    let mut names = std::collections::BTreeSet::new();
    collect(&variant, &of, &mut names);
    names
}

fn collect(
    node: &Value,
    of: &dyn Fn(&Value) -> Value,
    names: &mut std::collections::BTreeSet<String>,
) {
    let node = of(node);
    names.extend(
        node["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    for key in ["allOf", "anyOf"] {
        for part in node[key].as_array().into_iter().flatten() {
            collect(part, of, names);
        }
    }
}
