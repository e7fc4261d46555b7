//! A panic is an answer, and the server goes on.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn a_panic_is_an_error_with_a_reference_and_the_server_goes_on(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let answer = client.call("fall_over", json!({}));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(!answer.to_string().contains(CANARY), "{answer}");
        let record = server.outcome("fall_over");
        assert_record(&record, "panic", "allow", Some("catch_panic"));
        assert!(text(&answer).contains(record["id"].as_str().unwrap()), "{answer}");
        assert!(record["reason"].as_str().unwrap().contains(CANARY), "{record}");

        assert_eq!(text(&client.call("echo", json!({ "text": "alive" }))), "alive");
        // Where it happened is no secret, and somebody has to mend it.
        server.wait_for_stderr("target.rs");
    }

    fn a_panic_of_a_layer_is_one_too(way: Way) {
        let server = way.setup().with("LAYER", "panic").start();
        let client = server.client(way);
        let answer = client.call("echo", json!({ "text": "x" }));
        assert!(is_refusal(&answer) && !answer.to_string().contains(CANARY), "{answer}");
        assert!(!server.reached("echo"));
        let record = server.audit().pop().unwrap();
        assert_record(&record, "panic", "allow", Some("catch_panic"));
        assert!(client.request("tools/list", json!({})).get("result").is_some());
    }
}
