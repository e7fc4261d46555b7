//! What is about to happen is on disk before it happens.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn the_intent_is_written_before_the_effect(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let begun = client.begin_call("scribble", json!({ "name": "x", "text": SECRET, "ms": 600 }));
        server.wait_for_trace("scribble");
        // The tool runs, and has done nothing yet.
        let intent = server.audit().into_iter().find(|r| r["event"] == "intent").expect("an intent");
        assert_eq!(server.file("x"), None);
        assert!(server.outcomes("tools/call", "scribble").is_empty());
        assert_eq!(intent["target"], "scribble");
        assert_eq!(intent["arguments"], format!("ms=number name=string(1) text=string({})", SECRET.len()));
        assert!(intent["principal"]["subject"].as_str().unwrap().starts_with("uid:"));

        assert_eq!(text(&client.end(begun)), "scribbled");
        let outcome = server.outcome("scribble");
        assert_record(&outcome, "ok", "allow", None);
        assert_eq!(outcome["id"], intent["id"]);
    }

    fn an_effect_that_was_cut_short_has_both_records(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let begun = client.begin_call("scribble", json!({ "name": "x", "text": "y", "ms": 60_000 }));
        server.wait_for_trace("scribble");
        client.cancel(begun);
        let outcome = server.outcome("scribble");
        assert_record(&outcome, "cancelled", "allow", Some("cancel"));
        assert!(server.audit().iter().any(|r| r["event"] == "intent" && r["id"] == outcome["id"]));
        assert_eq!(server.file("x"), None);
    }

    fn what_only_reads_needs_no_intent(way: Way) {
        let server = way.start();
        let client = server.client(way);
        client.call("read", json!({ "name": "a.txt" }));
        assert_record(&server.outcome("read"), "ok", "allow", None);
        assert!(server.audit().iter().all(|r| r["event"] != "intent"));
    }
}
