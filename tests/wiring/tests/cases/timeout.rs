//! Nothing runs for ever.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn a_tool_that_takes_too_long_is_stopped(way: Way) {
        let server = way.setup().limits("timeout=300").start();
        let client = server.client(way);
        // Its own deadline, and the server's.
        for tool in ["hasty", "slow"] {
            let started = Instant::now();
            let answer = client.call(tool, json!({ "ms": 60_000 }));
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            assert_eq!(code(&answer), -31002, "{answer}");
            assert_record(&server.outcome(tool), "timeout", "allow", Some("timeout"));
            server.wait_for_trace(&format!("{tool}:dropped"));
            assert!(!server.reached(&format!("{tool}:finished")));
        }
        assert_eq!(text(&client.call("hasty", json!({ "ms": 0 }))), "hasty took 0 ms");
    }
}
