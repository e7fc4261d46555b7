//! A handle is lent for one call.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn a_handle_that_was_kept_or_spawned_away_is_dead(way: Way) {
        let server = way.start();
        let client = server.client(way);
        assert_eq!(text(&client.call("keep", json!({ "name": "a.txt" }))), "kept");
        let answer = client.call("use_kept", json!({ "name": "a.txt" }));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(!answer.to_string().contains("the content of a"), "{answer}");
        let record = server.outcome("use_kept");
        assert_eq!((&record["outcome"], &record["decision"]), (&json!("denied"), &json!("deny")), "{record}");
        server.wait_for_trace("spawned:refused");
        assert!(!server.reached("spawned:read"));
        // The grant itself lives.
        assert_eq!(text(&client.call("read", json!({ "name": "a.txt" }))), "the content of a");
    }
}
