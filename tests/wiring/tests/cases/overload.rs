//! What is over the limit waits in the queue, if there is one, and is refused otherwise; nobody
//! else waits.

use std::time::Duration;

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
        if is_stateless(way) {
            // Before anybody is asked who they are.
            server.refused("load_shed/door");
        } else {
            let record = server.outcome("echo");
            assert_record(&record, "overloaded", "deny", Some("load_shed/server"));
        }
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

    fn a_burst_of_twice_as_many_is_served_with_a_queue(way: Way) {
        let limits = "concurrency=4 principal_concurrency=4 tool_concurrency=4 queue=4 queue_wait=20000";
        let server = way.setup().limits(limits).start();
        let client = server.client(way);
        let burst: Vec<Begun> =
            (0..8).map(|_| client.begin_call("slow", json!({ "ms": 300 }))).collect();
        for one in burst {
            assert_eq!(text(&client.end(one)), "slow took 300 ms");
        }
        assert_eq!(server.traces().iter().filter(|t| *t == "slow:started").count(), 8);
    }

    fn the_queue_is_bounded_and_what_leaves_it_makes_room(way: Way) {
        let server = way.setup().limits(ONE).start();
        let client = server.client(way);
        let running = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        let waiting = client.begin_call("whoami", json!({}));
        std::thread::sleep(A_MOMENT);
        let refused = client.call("echo", json!({ "text": "x" }));
        assert_eq!(code(&refused), -31001, "{refused}");
        assert_eq!(refused["error"]["data"]["retryAfterMs"], 1000, "{refused}");
        // Withdrawn while it waits: it leaves, and has not run.
        client.cancel(waiting);
        server.outcome_that_is("whoami", "cancelled");
        let waiting = client.begin_call("echo", json!({ "text": "after" }));
        std::thread::sleep(A_MOMENT);
        client.cancel(running);
        assert_eq!(text(&client.end(waiting)), "after");
        assert_eq!(server.traces().iter().filter(|t| *t == "whoami").count(), 0);
    }

    fn the_wait_counts_against_the_deadline(way: Way) {
        let server = way.setup().limits("concurrency=1 queue=1 queue_wait=20000 timeout=5000").start();
        let client = server.client(way);
        let running = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        let waiting = client.begin_call("slow", json!({ "ms": 3000 }));
        std::thread::sleep(Duration::from_millis(3000));
        client.cancel(running);
        // Two of its five seconds are left.
        let answer = client.end(waiting);
        assert_eq!(code(&answer), -31002, "{answer}");
        assert_eq!(server.traces().iter().filter(|t| *t == "slow:started").count(), 2);
    }

    fn nobody_waits_longer_than_the_queue_lets(way: Way) {
        let server = way.setup().limits("concurrency=1 queue=1 queue_wait=100").start();
        let client = server.client(way);
        let running = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        let late = client.call("echo", json!({ "text": "x" }));
        assert_eq!(code(&late), -31001, "{late}");
        let record = server.outcome("echo");
        assert_record(&record, "overloaded", "deny", Some("load_shed/server"));
        assert_eq!(record["reason"], "no place was free within 100ms", "{record}");
        client.cancel(running);
    }

    fn who_waits_when_the_server_ends_is_told(way: Way) {
        let server = way.setup().limits(ONE).start();
        let client = server.client(way);
        let running = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        let waiting = client.begin_call("echo", json!({ "text": "x" }));
        std::thread::sleep(A_MOMENT);
        server.terminate();
        let answer = client.end(waiting);
        assert_eq!(code(&answer), -31001, "{answer}");
        assert_eq!(message(&answer), "the server is stopping; try again later");
        assert!(!server.reached("echo"));
        drop(running);
    }
}

#[test]
fn a_full_server_says_so_before_it_asks_who_is_there() {
    let way = HTTP_2026;
    let server = way.setup().limits("concurrency=2").start();
    let client = server.client(way);
    let token = server.token();
    let slow = || client.begin_call("slow", json!({ "ms": 60_000 }));
    let running = [slow(), slow()];
    server.wait_for_traces("slow:started", 2);
    server.sign_in("of-nobody");
    for _ in 0..50 {
        let mut begun = client.begin_call("echo", json!({ "text": "x" }));
        let exchange = begun.exchange_mut();
        assert_eq!(exchange.status(), 503);
        assert_eq!(exchange.header("retry-after").as_deref(), Some("1"));
        assert_eq!(exchange.header("connection"), None, "it may ask again");
        let answer = client.end(begun);
        assert_eq!(code(&answer), -31001, "{answer}");
        assert_eq!(answer["error"]["data"]["retryAfterMs"], 1000, "{answer}");
    }
    // Nor is a body waited for.
    let head = server.head("POST", "MCP-Protocol-Version: 2026-07-28\r\n", 100_000);
    assert_eq!(server.exchange(head.as_bytes()).status(), 503);
    // A made-up session opens no door, nor does an honest one in a request that has none.
    let forged = "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: made-up\r\n";
    assert_eq!(server.post(forged, b"{}").status(), 503);
    assert_eq!(server.refused("load_shed/door")["peer"], "127.0.0.0/24");
    let refusals = |control: &str| {
        let all = server.audit();
        let refused = all.iter().filter(|r| r["event"] == "refused");
        refused.filter(|r| r["control"] == control).count()
    };
    assert_eq!(refusals("http/auth"), 0, "nobody was asked who they are");
    assert!(refusals("load_shed/door") < 5, "one line for many");
    // With room again a token counts again.
    for one in running {
        client.cancel(one);
    }
    server.wait_for_traces("slow:dropped", 2);
    let status = || {
        client
            .begin_call("echo", json!({ "text": "x" }))
            .exchange_mut()
            .status()
    };
    assert_eq!(status(), 401);
    server.sign_in(&token);
    assert_eq!(status(), 200);
}

#[test]
fn what_lets_a_running_call_end_gets_into_a_full_server() {
    let way = HTTP_2025;
    let server = way.setup().limits("concurrency=1").start();
    let client = server.client(way);
    let mut asking = client.begin_call("ask", json!({ "greeting": "Hello" }));
    let question = client.next(&mut asking);
    assert_eq!(question["method"], "elicitation/create", "{question}");
    // It is full: whoever has no session stays outside.
    let stranger = server.client(HTTP_2026);
    assert_eq!(code(&stranger.call("echo", json!({ "text": "x" }))), -31001);
    let session = client.session().unwrap().to_owned();
    let headers = format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Session-Id: {session}\r\n");
    assert_eq!(server.post(&headers, b"{}").status(), 503);
    server.refused("load_shed/door");
    let said = json!({ "action": "accept", "content": { "name": "Ann" } });
    client.answer(&question["id"], said);
    let answer = client.end(asking);
    assert!(!is_refusal(&answer), "{answer}");
}

/// One runs, one waits.
const ONE: &str = "concurrency=1 queue=1 queue_wait=20000";
/// For a request to get where it waits. If it is too short, a test sees less than it could.
const A_MOMENT: Duration = Duration::from_millis(300);

fn is_stateless(way: Way) -> bool {
    way.transport == Transport::Http && way.is_modern()
}
