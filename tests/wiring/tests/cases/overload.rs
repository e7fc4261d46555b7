//! What is over the limit is refused at once, and nobody else waits.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn the_server_runs_so_many_requests_at_once_and_no_more(way: Way) {
        let server = way.setup().limits("concurrency=2").start();
        let client = server.client(way);
        let running: Vec<Begun> =
            (0..2).map(|_| client.begin_call("slow", json!({ "ms": 60_000 }))).collect();
        server.wait_for_traces("slow:started", 2);
        let flood: Vec<Begun> =
            (0..20).map(|_| client.begin_call("echo", json!({ "text": "x" }))).collect();
        for one in flood {
            let answer = client.end(one);
            assert_eq!(code(&answer), -31001, "{answer}");
        }
        assert!(!server.reached("echo"));
        assert_record(&server.outcome("echo"), "overloaded", "deny", Some("load_shed/server"));
        for one in running {
            client.cancel(one);
        }
        server.wait_for_traces("slow:dropped", 2);
        assert_eq!(text(&client.call("echo", json!({ "text": "again" }))), "again");
    }

    fn a_slow_tool_does_not_take_the_whole_server(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let running = client.begin_call("single", json!({ "ms": 60_000 }));
        server.wait_for_trace("single:started");
        let second = client.call("single", json!({ "ms": 0 }));
        assert_eq!(code(&second), -31001, "{second}");
        assert_record(&server.outcome("single"), "overloaded", "deny", Some("concurrency/tool"));
        assert_eq!(text(&client.call("echo", json!({ "text": "free" }))), "free");
        client.cancel(running);
        server.wait_for_trace("single:dropped");
        assert_eq!(server.traces().iter().filter(|t| *t == "single:started").count(), 1);
    }

    fn the_default_bounds_each_tool_as_well(way: Way) {
        let server = way.setup().limits("tool_concurrency=2 concurrency=32").start();
        let client = server.client(way);
        let flood: Vec<Begun> =
            (0..12).map(|_| client.begin_call("slow", json!({ "ms": 800 }))).collect();
        let answers = flood.into_iter().map(|one| client.end(one));
        let (done, refused): (Vec<_>, Vec<_>) = answers.partition(|a| a.get("error").is_none());
        assert_eq!((done.len(), refused.len()), (2, 10));
        assert!(refused.iter().all(|answer| code(answer) == -31001));
    }
}
