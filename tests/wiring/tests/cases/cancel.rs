//! What is withdrawn stops.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn a_withdrawn_call_is_dropped_with_all_it_holds(way: Way) {
        let server = way.setup().limits("tool_concurrency=1").start();
        let client = server.client(way);
        let begun = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        client.cancel(begun);
        // Not when its time is over: now.
        server.wait_for_trace("slow:dropped");
        assert_record(&server.outcome("slow"), "cancelled", "allow", Some("cancel"));
        // Its permit is free again.
        assert_eq!(text(&client.call("slow", json!({ "ms": 0 }))), "slow took 0 ms");
    }
}
