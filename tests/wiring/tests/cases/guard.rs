//! What leaves is capped, true to its schema, and visible.

use serde_json::json;

use crate::harness::*;

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{e0000}'..='\u{e007f}' | '\u{1b}' | '\u{7}')
}

on_every_way! {
    fn an_answer_that_is_too_large_does_not_leave(way: Way) {
        let server = way.start();
        let client = server.client(way);
        assert_eq!(text(&client.call("huge", json!({ "bytes": 16_384 }))).len(), 16_384);
        let answer = client.call("huge", json!({ "bytes": 16_385 }));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(answer.to_string().len() < 1_000);
        assert_record(&server.outcome_that_is("huge", "denied"), "denied", "deny", Some("guard/size"));
    }

    fn the_servers_own_cap_holds_where_a_tool_has_none(way: Way) {
        let server = way.setup().limits("max_output=1000").start();
        let client = server.client(way);
        assert!(is_tool_error(&client.call("echo", json!({ "text": "x".repeat(1_001) }))));
        assert!(!is_tool_error(&client.call("echo", json!({ "text": "x".repeat(1_000) }))));
        assert_record(&server.outcome_that_is("echo", "denied"), "denied", "deny", Some("guard/size"));
    }

    fn an_answer_that_nests_too_deeply_does_not_leave(way: Way) {
        let server = way.start();
        let client = server.client(way);
        // The object around the value is the first level.
        assert!(!is_refusal(&client.call("deep", json!({ "levels": 31 }))));
        let answer = client.call("deep", json!({ "levels": 32 }));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(answer["result"].get("structuredContent").is_none(), "{answer}");
        assert_record(&server.outcome_that_is("deep", "failed"), "failed", "allow", Some("guard/depth"));
    }

    fn an_answer_that_breaks_its_promise_does_not_leave(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let honest = client.call("lie", json!({ "number": 10 }));
        assert_eq!(honest["result"]["structuredContent"]["number"], 10, "{honest}");
        let answer = client.call("lie", json!({ "number": 987_654_321 }));
        assert!(is_tool_error(&answer) && !answer.to_string().contains("987654321"), "{answer}");
        assert_record(&server.outcome_that_is("lie", "failed"), "failed", "allow", Some("guard/schema"));
    }

    fn nothing_leaves_that_a_person_cannot_see(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let answer = client.call("unseen", json!({}));
        assert!(text(&answer).starts_with("fine"), "{answer}");
        assert!(!text(&answer).contains(is_unseen), "{:?}", text(&answer));
        let structured = client.call("unseen_structured", json!({}));
        assert!(!structured.to_string().contains(is_unseen), "{structured:?}");
        assert!(!structured["result"].to_string().contains("\\u001b"));
        // Nor in the words of a refusal.
        let refused = client.call("refuse", json!({}));
        assert!(is_tool_error(&refused) && !text(&refused).contains(is_unseen), "{refused:?}");
        // What an argument carries in does not come out either.
        let echoed = client.call("echo", json!({ "text": "a\u{202e}\u{e0041}b" }));
        assert!(!text(&echoed).contains(is_unseen));
    }

    fn a_resource_is_guarded_as_a_tool_is(way: Way) {
        let server = way
            .setup()
            .limits("max_output=1000")
            .file("big.txt", &"x".repeat(1_001))
            .file("unseen.txt", "fine\u{202e}\u{e0041}\u{1b}[8m")
            .start();
        let client = server.client(way);
        let read = |name: &str| {
            client.request("resources/read", json!({ "uri": format!("wiring://file/{name}") }))
        };
        let answer = read("big.txt");
        assert!(answer.get("error").is_some() && answer.to_string().len() < 1_000, "{answer}");
        assert_record(&server.outcome_of("resources/read", "file"), "denied", "deny", Some("guard/size"));
        let answer = read("unseen.txt");
        let content = answer["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(content.starts_with("fine") && !content.contains(is_unseen), "{content:?}");
    }

    fn a_completion_has_a_hundred_values_at_most(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let answer = client.request("completion/complete", json!({
            "ref": { "type": "ref/prompt", "name": "greeting" },
            "argument": { "name": "name", "value": "A\u{202e}" },
        }));
        let completion = &answer["result"]["completion"];
        assert_eq!(completion["values"].as_array().unwrap().len(), 100, "{answer}");
        assert_eq!(completion["hasMore"], true);
        assert!(!answer.to_string().contains(is_unseen));
    }
}
