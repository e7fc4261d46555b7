//! Where an author's own layers stand: inside identity, outside every decision.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn a_layer_sees_every_request_and_who_asks(way: Way) {
        let server = way.setup().with("LAYER", "count").start();
        let client = server.client(way);
        client.call("echo", json!({ "text": "x" }));
        client.call("admin", json!({}));
        client.call("nobody", json!({}));
        client.request("tools/list", json!({}));
        client.request("no/such", json!({}));
        let who = format!("uid:{}", rustix::process::getuid().as_raw());
        let seen = |method: &str| {
            let line = format!("layer:{method}:{who}");
            server.traces().iter().filter(|trace| **trace == line).count()
        };
        assert_eq!(seen("tools/call"), 3, "{:?}", server.traces());
        assert_eq!(seen("tools/list"), 1);
        assert_eq!(seen("(custom)"), 1);
        if !way.is_modern() {
            assert_eq!(seen("initialize"), 1);
        }
        assert!(!server.reached("admin"));
    }

    fn a_layer_may_refuse_in_words_of_its_own(way: Way) {
        let server = way.setup().with("LAYER", "refuse").start();
        let client = server.client(way);
        let answer = client.call("echo", json!({ "text": "x" }));
        assert_eq!(message(&answer), "closed on Sundays");
        assert!(!server.reached("echo"));
        let record = server.audit().pop().unwrap();
        assert_record(&record, "denied", "deny", Some("wiring/closed"));
    }

    fn the_words_of_a_layer_that_fails_stay_inside(way: Way) {
        let server = way.setup().with("LAYER", "fail").start();
        let client = server.client(way);
        let answer = client.call("echo", json!({ "text": "x" }));
        assert_eq!(code(&answer), -32603);
        assert!(!answer.to_string().contains(CANARY), "{answer}");
        assert!(!server.reached("echo"));
        let record = server.audit().pop().unwrap();
        assert_record(&record, "failed", "allow", Some("layer/user"));
        assert_eq!(record["id"], answer["error"]["data"]["correlationId"]);
        assert!(record["reason"].as_str().unwrap().contains(CANARY));
    }
}
