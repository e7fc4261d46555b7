//! Several replicas have one allowance, or say that they cannot count.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{http::Answer, redis::Redis, replicas::Place, world::Target};

/// Counts in this Redis, and remembers there what was used once.
fn asked(redis: &Redis, more: Value) -> Value {
    let mut asked = alone(redis, more);
    asked["limits"] = redis.asked(json!({ "timeout_ms": 300 }))["redis"].clone();
    asked
}

/// Counts by itself.
fn alone(redis: &Redis, more: Value) -> Value {
    let mut asked = redis.asked(json!({}));
    for (name, value) in more.as_object().unwrap() {
        asked[name] = value.clone();
    }
    asked
}

fn pair(place: &Place, redis: &Redis, more: &Value) -> [Target; 2] {
    [(), ()].map(|()| place.replica(asked(redis, more.clone())))
}

/// How many of so many calls, at one after the other, were answered.
fn admitted(at: &[Target], tool: &str, token: &str, calls: usize) -> usize {
    let targets = at.iter().cycle().take(calls);
    targets
        .filter(|at| at.call(tool, token).status == 200)
        .count()
}

#[track_caller]
fn is_limited(answer: &Answer, limit: &str) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let data = answer.json()["error"]["data"].clone();
    assert_eq!(data["limit"], limit, "{answer:?}");
    assert!(
        data["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0),
        "{answer:?}"
    );
}

#[track_caller]
fn is_lost(at: &Target, answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], -31001, "{answer:?}");
    at.audited(|record| record["control"] == "rate/store");
}

fn until(mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_replicas_have_one_allowance_and_ask_once_a_request() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = pair(&place, &redis, &json!({}));
    let token = place.bearer();
    let before = redis.calls("evalsha");
    assert_eq!(admitted(&at, "rated", &token, 10), 4);
    assert_eq!(
        redis.calls("evalsha") - before,
        10,
        "one question a request"
    );
    assert!(redis.calls("eval") <= 2, "the script itself goes once");
    for one in &at {
        is_limited(&one.call("rated", &token), "6/h, 4 at once");
        one.audited(|record| record["control"] == "rate/tool");
    }
    assert_eq!(admitted(&at, "daily", &token, 8), 3);
    is_limited(&at[1].call("daily", &token), "3/day");
    for one in at.iter().chain(&at[..1]).take(2) {
        assert_eq!(one.call("long", &token).status, 200);
        // What was answered is counted behind the answer.
        let sets = redis.calls("set");
        until(|| redis.calls("set") >= sets);
        thread::sleep(Duration::from_millis(100));
    }
    is_limited(&at[0].call("long", &token), "4 KiB/day");
}

#[test]
fn a_total_is_one_for_all_callers_and_replicas() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = pair(&place, &redis, &json!({}));
    let (alice, bob) = (place.bearer(), place.bearer_of("bob", "native"));
    assert_eq!(admitted(&at, "shared", &alice, 3), 3);
    assert_eq!(admitted(&at, "shared", &bob, 6), 1);
    is_limited(&at[0].call("shared", &alice), "4/h");
    at[0].audited(|record| record["control"] == "rate/total");
}

/// However many accounts an application has made itself, it is one application.
#[test]
fn all_users_of_one_client_have_what_the_client_has() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    for shared in [false, true] {
        let asked = match shared {
            true => asked(&redis, json!({ "client_burst": 6 })),
            false => alone(&redis, json!({ "client_burst": 6 })),
        };
        let at = [place.replica(asked)];
        let users = ["alice", "bob", "carol", "dave"];
        let calls = users.map(|user| admitted(&at, "read", &place.bearer_of(user, "app"), 2));
        assert_eq!(calls, [2, 2, 2, 0], "shared: {shared}");
        is_limited(
            &at[0].call("read", &place.bearer_of("erin", "app")),
            "1/min, 6 at once",
        );
        at[0].audited(|record| record["control"] == "rate/client");
        let other = place.bearer_of("erin", "another");
        assert_eq!(at[0].call("read", &other).status, 200);
    }
}

#[test]
fn a_full_server_checks_no_token_and_still_says_where_one_is_had() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = place.replica(alone(&redis, json!({ "concurrency": 1 })));
    let (good, forged) = (place.bearer(), format!("{}A", place.bearer()));
    assert_eq!(at.call("read", &forged).status, 401);
    thread::scope(|scope| {
        let slow = json!({ "name": "slow", "arguments": { "ms": 4000 } });
        let running = scope.spawn(|| at.ask("tools/call", slow, &good));
        until(|| at.call("read", &forged).status == 503);
        // Neither a forged one nor a good one is looked at.
        for token in [&forged, &good] {
            let answer = at.call("read", token);
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
        }
        let document = "/.well-known/oauth-protected-resource/mcp";
        let head = format!("GET {document} HTTP/1.1\r\nHost: {}", at.address);
        assert_eq!(at.send(&head, "").status, 200);
        assert_eq!(running.join().unwrap().status, 200);
    });
    at.audited(|record| record["control"] == "load_shed/door");
    assert_eq!(at.call("read", &forged).status, 401);
    assert_eq!(at.call("read", &good).status, 200);
}

#[test]
fn guesses_at_names_are_not_multiplied_by_the_replicas() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = pair(&place, &redis, &json!({ "principal_burst": 6 }));
    let token = place.bearer();
    let told = at
        .iter()
        .cycle()
        .take(12)
        .map(|one| one.call("no_such_tool", &token));
    let told = told
        .filter(|answer| answer.body.contains("unknown tool"))
        .count();
    assert_eq!(told, 6);
}

#[test]
fn a_redis_that_is_gone_or_hangs_is_no_reason_to_go_on_uncounted() {
    let Some(mut redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = [place.replica(asked(&redis, json!({})))];
    let token = place.bearer();
    assert_eq!(at[0].call("read", &token).status, 200);
    redis.kill();
    for _ in 0..5 {
        is_lost(&at[0], &at[0].call("read", &token));
    }
    // It comes back, and knows the script no more.
    redis.restart();
    until(|| at[0].call("read", &token).status == 200);
    assert!(redis.calls("eval") >= 1);
    redis.hang();
    let begun = Instant::now();
    for _ in 0..5 {
        is_lost(&at[0], &at[0].call("read", &token));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "nobody waits for long"
    );
    redis.go_on();
    until(|| at[0].call("read", &token).status == 200);
}

#[test]
fn a_redis_that_becomes_a_replica_is_not_counted_in() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = place.replica(asked(&redis, json!({})));
    let token = place.bearer();
    assert_eq!(at.call("read", &token).status, 200);
    redis.run("REPLICAOF 127.0.0.1 1");
    until(|| at.call("read", &token).status == 503);
    for _ in 0..5 {
        is_lost(&at, &at.call("read", &token));
    }
    redis.run("REPLICAOF NO ONE");
    until(|| at.call("read", &token).status == 200);
}

#[test]
fn where_it_is_said_each_replica_has_its_part_while_nobody_counts() {
    let Some(mut redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = pair(&place, &redis, &json!({ "replicas": 2 }));
    let token = place.bearer();
    redis.kill();
    for one in &at {
        let one = std::slice::from_ref(one);
        assert_eq!(admitted(one, "rated", &token, 6), 2, "of four");
        assert_eq!(admitted(one, "daily", &token, 6), 1, "of three");
    }
    is_limited(&at[0].call("rated", &token), "6/2h, 2 at once");
    redis.restart();
    until(|| admitted(&at[..1], "rated", &token, 1) == 1);
}

#[test]
fn nobody_who_reads_the_keys_learns_who_was_there() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let at = pair(&place, &redis, &json!({}));
    assert_eq!(admitted(&at, "rated", &place.bearer(), 2), 2);
    let keys = redis.keys();
    assert!(!keys.is_empty());
    for key in keys {
        let (namespace, hash) = key.split_once(':').unwrap();
        assert_eq!((namespace, hash.len()), ("mcp-secure", 43), "{key}");
        assert!(
            redis.run(&format!("PTTL {key}")).trim() != ":-1",
            "it goes by itself"
        );
    }
}
