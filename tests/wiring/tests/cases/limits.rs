//! Who asks too often is refused, is told when to come back, and takes nothing from anybody else.

use serde_json::{Value, json};

use crate::harness::*;

fn limited(way: Way, limits: &str) -> Server {
    way.setup().with("SERVER", "limited").limits(limits).start()
}

/// Two people and more, over HTTP.
fn with_users(limits: &str) -> Server {
    HTTP_2026
        .setup()
        .with("SERVER", "limited")
        .with("USERS", "1")
        .limits(limits)
        .start()
}

/// With a config file of the operator's.
fn with_config(setup: Setup, config: &str) -> Setup {
    let path = setup.folder().join("mcp-secure.toml");
    std::fs::write(&path, config).unwrap();
    setup
        .with("SERVER", "limited")
        .argument("--config")
        .argument(&path.display().to_string())
}

fn echo(client: &Client<'_>, tool: &str) -> Value {
    client.call(tool, json!({ "text": "x" }))
}

/// How many of so many calls were answered.
fn admitted(client: &Client<'_>, tool: &str, calls: usize) -> usize {
    let answers = (0..calls).map(|_| echo(client, tool));
    answers
        .filter(|answer| answer.get("result").is_some())
        .count()
}

#[track_caller]
fn assert_limited(answer: &Value, limit: &str) {
    assert_eq!(code(answer), -31006, "{answer}");
    let data = &answer["error"]["data"];
    assert_eq!(data["limit"], limit, "{answer}");
    assert!(
        data["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0),
        "{answer}"
    );
    assert_eq!(
        data["correlationId"].as_str().map(str::len),
        Some(16),
        "{answer}"
    );
}

on_every_way! {
    fn a_tool_has_its_burst_and_no_more_and_the_others_go_on(way: Way) {
        let server = limited(way, "");
        let client = server.client(way);
        assert_eq!(admitted(&client, "rated", 10), 2);
        let refused = echo(&client, "rated");
        assert_limited(&refused, "5/h, 2 at once");
        let ms = refused["error"]["data"]["retryAfterMs"].as_u64().unwrap();
        assert!((600_000..=720_000).contains(&ms), "{ms}");
        assert_record(&server.outcome_that_is("rated", "ok"), "ok", "allow", None);
        assert_eq!(server.traces().iter().filter(|t| *t == "rated").count(), 2);
        assert_eq!(text(&echo(&client, "echo")), "x");
        let record = server.outcome_that_is("rated", "denied");
        assert_record(&record, "denied", "deny", Some("rate/tool"));
    }

    fn a_caller_has_so_many_requests_of_whatever_kind(way: Way) {
        let server = limited(way, "principal_per_minute=1 principal_burst=8");
        let client = server.client(way);
        let mut refused = None;
        let mut answered = 0;
        for n in 0..20 {
            let answer = match n % 4 {
                0 => client.request("tools/list", json!({})),
                1 => client.call("no_such_tool", json!({})),
                2 => client.call("echo", json!({ "text": 7 })),
                _ => echo(&client, "echo"),
            };
            if code_of(&answer) == Some(-31006) {
                refused = Some(answer);
            } else {
                assert!(refused.is_none(), "{answer}");
                answered += 1;
            }
        }
        // The handshake is a request as well.
        let handshake = if way.is_modern() { 0 } else { 1 };
        assert_eq!(answered + handshake, 8);
        assert_limited(&refused.unwrap(), "1/min, 8 at once");
        server.denied_by("rate/principal");
    }

    fn a_quota_is_used_up_for_the_day(way: Way) {
        let server = limited(way, "");
        let client = server.client(way);
        assert_eq!(admitted(&client, "daily", 6), 3);
        assert_limited(&echo(&client, "daily"), "3/day");
        assert_record(&server.outcome_that_is("daily", "denied"), "denied", "deny", Some("rate/quota"));
    }

    fn all_callers_of_a_tool_share_its_total(way: Way) {
        let server = limited(way, "");
        let client = server.client(way);
        assert_eq!(admitted(&client, "shared", 6), 3);
        assert_limited(&echo(&client, "shared"), "3/h");
        let record = server.outcome_that_is("shared", "denied");
        assert_record(&record, "denied", "deny", Some("rate/total"));
        assert_eq!(text(&echo(&client, "echo")), "x");
    }

    fn the_operator_lowers_what_one_tool_may(way: Way) {
        let lowered = "[tools.rated]\nrate = \"2/day\"\n\
            [tools.echo]\nrate = \"4/h\"\n\
            [tools.daily]\nquota = \"1/day\"\n\
            [tools.shared]\ntotal_rate = \"1/h\"\n\
            [tools.long]\noutput_quota = \"1 KiB/day\"\n";
        let server = with_config(way.setup(), lowered).start();
        let client = server.client(way);
        assert_eq!(admitted(&client, "rated", 5), 2);
        assert_limited(&echo(&client, "rated"), "2/day");
        assert_eq!(admitted(&client, "echo", 8), 4);
        assert_limited(&echo(&client, "echo"), "4/h");
        assert_eq!(admitted(&client, "daily", 3), 1);
        assert_limited(&echo(&client, "daily"), "1/day");
        assert_eq!(admitted(&client, "shared", 3), 1);
        assert_limited(&echo(&client, "shared"), "1/h");
        let long = || client.call("long", json!({ "bytes": 2000 }));
        assert_eq!(text(&long()).len(), 2000);
        assert_limited(&long(), "1 KiB/day");
    }

    fn the_operator_lowers_how_long_how_many_and_how_much_of_one_tool(way: Way) {
        let lowered = "[tools.slow]\ntimeout = \"100ms\"\n\
            [tools.long]\nmax_output = \"1 KiB\"\n\
            [tools.dear]\ncost = 20\n\
            [tools.ready]\nrepeat = 3\n\
            [tools.echo]\nrepeat = 2\n";
        let setup = with_config(way.setup(), lowered);
        let server = setup.limits("principal_per_minute=1 principal_burst=50").start();
        let client = server.client(way);
        let slow = client.call("slow", json!({ "ms": 60_000 }));
        assert!(is_refusal(&slow), "{slow}");
        assert_record(&server.outcome_that_is("slow", "timeout"), "timeout", "allow", Some("timeout"));
        let long = |bytes: usize| client.call("long", json!({ "bytes": bytes }));
        assert_eq!(text(&long(1024)).len(), 1024);
        assert!(is_tool_error(&long(1025)));
        assert_record(&server.outcome_that_is("long", "denied"), "denied", "deny", Some("guard/size"));
        let ready = || client.call("ready", json!({ "job": 1 }));
        assert_eq!((0..6).filter(|_| ready().get("result").is_some()).count(), 3);
        assert_limited(&ready(), "3/min");
        // The code says any number; any number of them is less.
        assert_eq!(admitted(&client, "echo", 4), 2);
        // Of 50 there are more than 20 left, and not 40.
        assert_eq!(admitted(&client, "dear", 3), 1);
        server.denied_by("rate/principal");
    }

    fn the_operator_lets_fewer_calls_of_one_tool_run_at_once(way: Way) {
        let server = with_config(way.setup(), "[tools.slow]\nconcurrency = 1\n").start();
        let client = server.client(way);
        let running = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        let second = client.call("slow", json!({ "ms": 1 }));
        assert_eq!(code(&second), -31001, "{second}");
        let record = server.outcome_that_is("slow", "overloaded");
        assert_record(&record, "overloaded", "deny", Some("concurrency/tool"));
        assert_eq!(text(&echo(&client, "echo")), "x");
        client.cancel(running);
    }

    fn what_does_not_fit_or_is_not_allowed_uses_nothing_up(way: Way) {
        let server = limited(way, "");
        let client = server.client(way);
        for _ in 0..10 {
            let refused = client.call("daily", json!({ "text": 7 }));
            assert!(is_tool_error(&refused), "{refused}");
            let refused = client.call("forbidden", json!({ "text": "x" }));
            assert!(code(&refused) != -31006, "that it is limited says that it is there");
        }
        assert_eq!(admitted(&client, "daily", 6), 3);
    }

    fn what_a_tool_answers_in_a_day_is_bounded(way: Way) {
        let server = limited(way, "");
        let client = server.client(way);
        let long = |bytes: usize| client.call("long", json!({ "bytes": bytes }));
        for _ in 0..2 {
            assert_eq!(text(&long(2000)).len(), 2000);
        }
        // Known only afterwards: the one that goes beyond is the last.
        assert_eq!(text(&long(2000)).len(), 2000);
        assert_limited(&long(1), "4 KiB/day");
        assert_record(&server.outcome_that_is("long", "denied"), "denied", "deny", Some("rate/bytes"));
        assert_eq!(server.traces().iter().filter(|t| *t == "long").count(), 3);
    }

    fn the_same_call_again_and_again_is_a_loop(way: Way) {
        let server = limited(way, "repeats_per_minute=4");
        let client = server.client(way);
        let look = |tool: &str, job: u32| client.call(tool, json!({ "job": job }));
        let answered = (0..20).filter(|_| look("ready", 1).get("result").is_some()).count();
        assert_eq!(answered, 4);
        assert_limited(&look("ready", 1), "4/min");
        assert_record(&server.outcome_that_is("ready", "denied"), "denied", "deny", Some("rate/loop"));
        // Another job, and another tool.
        assert!(look("ready", 2).get("result").is_some());
        assert!(look("twice", 1).get("result").is_some());
        // A tool of its own mind; the order of members is no other call.
        let said = |text: &str| client.call("twice", serde_json::from_str(text).unwrap());
        assert!(said(r#"{"job":7,"wait":true}"#).get("result").is_some());
        assert!(said(r#"{"wait":true,"job":7}"#).get("result").is_some());
        assert_limited(&said(r#"{"job":7.0,"wait":true}"#), "2/min");
        assert_eq!(admitted(&client, "echo", 20), 20, "where it says that it may");
    }

    fn a_dear_call_takes_more_of_what_the_caller_may_ask(way: Way) {
        let server = limited(way, "principal_per_minute=1 principal_burst=25");
        let client = server.client(way);
        assert_eq!(admitted(&client, "dear", 5), 2);
        server.denied_by("rate/principal");
    }
}

#[test]
fn the_head_of_a_whole_answer_says_when_to_come_back() {
    let server = limited(HTTP_2026, "");
    let client = server.client(HTTP_2026);
    admitted(&client, "rated", 2);
    let mut begun = client.begin_call("rated", json!({ "text": "x" }));
    let exchange = begun.exchange_mut();
    assert_eq!(exchange.status(), 429);
    let seconds: u64 = exchange.header("retry-after").unwrap().parse().unwrap();
    assert!((600..=720).contains(&seconds), "{seconds}");
    assert_limited(&client.end(begun), "5/h, 2 at once");
}

#[test]
fn an_overloaded_server_says_when_to_come_back() {
    let server = limited(HTTP_2026, "concurrency=1");
    let client = server.client(HTTP_2026);
    let running = client.begin_call("slow", json!({ "ms": 60_000 }));
    server.wait_for_trace("slow:started");
    let mut begun = client.begin_call("echo", json!({ "text": "x" }));
    assert_eq!(begun.exchange_mut().status(), 503);
    assert_eq!(
        begun.exchange_mut().header("retry-after").as_deref(),
        Some("1")
    );
    let answer = client.end(begun);
    assert_eq!(answer["error"]["data"]["retryAfterMs"], 1000, "{answer}");
    client.cancel(running);
}

#[test]
fn a_total_is_not_had_again_by_another_caller() {
    let server = with_users("");
    let client = server.client(HTTP_2026);
    server.sign_in("alice-token");
    assert_eq!(admitted(&client, "shared", 2), 2);
    server.sign_in("bob-token");
    assert_eq!(admitted(&client, "shared", 5), 1);
    server.sign_in("carol");
    assert_eq!(admitted(&client, "shared", 1), 0);
    server.denied_by("rate/total");
    server.sign_in("alice-token");
}

#[test]
fn an_operator_who_raises_or_misspells_a_tools_limit_gets_no_server() {
    let said = |config: &str| with_config(STDIO_2026.setup(), config).start_fails();
    for (config, words) in [
        (
            "[tools.rated]\nrate = \"6/h\"\n",
            "2:1: `tools.rated.rate` is 6/h, above the ceiling of 5/h, 2 at once that the code sets",
        ),
        (
            "[tools.shared]\ntotal_rate = \"1/s\"\n",
            "2:1: `tools.shared.total_rate` is 1/s, above the ceiling of 3/h that the code sets",
        ),
        (
            "[tools.daily]\nquota = \"4/day\"\n",
            "2:1: `tools.daily.quota` is 4/day, above the ceiling of 3/day that the code sets",
        ),
        (
            "[tools.long]\noutput_quota = \"5 KiB/day\"\n",
            "2:1: `tools.long.output_quota` is 5 KiB/day, above the ceiling of 4 KiB/day that",
        ),
        (
            "[tools.ratd]\nrate = \"1/h\"\n",
            "1:8: `tools.ratd` limits what is no tool\n  help: did you mean `rated`?",
        ),
        (
            "[tools.rated]\nrat = \"1/h\"\n",
            "2:1: unknown key `tools.rated.rat`\n  help: did you mean `rate`?",
        ),
        (
            "[tools.rated]\nrate = \"1/week\"\n",
            "2:1: `tools.rated.rate` is `1/week`, not a number above zero in a time",
        ),
        (
            "[tools.slow]\ntimeout = \"31s\"\n",
            "2:1: `tools.slow.timeout` is 31 s, above the ceiling of 30 s that the code sets",
        ),
        (
            "[tools.slow]\nconcurrency = 17\n",
            "2:1: `tools.slow.concurrency` is 17, above the ceiling of 16 that the code sets",
        ),
        (
            "[tools.slow]\nmax_output = \"2 MiB\"\n",
            "2:1: `tools.slow.max_output` is 2 MiB, above the ceiling of 1 MiB that the code sets",
        ),
        (
            "[tools.dear]\ncost = 9\n",
            "2:1: `tools.dear.cost` is 9, below the floor of 10 that the code sets\n  help: the \
             operator can let a call cost more, never less",
        ),
        (
            "[tools.twice]\nrepeat = 3\n",
            "2:1: `tools.twice.repeat` is 3, above the ceiling of 2 that the code sets",
        ),
        (
            "[limits]\nrepeats_per_minute = 100\n[tools.ready]\nrepeat = 101\n",
            "4:1: `tools.ready.repeat` is 101, above the ceiling of 100 that the code sets",
        ),
        (
            "[tools.ready]\nrepeat = 0\n",
            "2:1: `tools.ready.repeat` is zero",
        ),
        // What the operator lowers for all tools is the ceiling of each.
        (
            "[limits]\ntimeout = \"10s\"\n[tools.slow]\ntimeout = \"20s\"\n",
            "4:1: `tools.slow.timeout` is 20 s, above the ceiling of 10 s",
        ),
    ] {
        let said = said(config);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn many_accounts_of_one_network_have_what_the_network_has() {
    let setup = Setup::on(Transport::Http)
        .with("SERVER", "limited")
        .with("USERS", "1")
        .with("PROXIES", "127.0.0.1")
        .limits("address_per_minute=6");
    let server = setup.start();
    let client = server.client(HTTP_2026);
    let ask = |who: &str, from: &str| {
        server.sign_in(who);
        let from = format!("X-Forwarded-For: {from}\r\n");
        code_of(
            &client
                .with_header(&from)
                .call("echo", json!({ "text": "x" })),
        )
    };
    let people = ["carol", "dave", "erin", "frank", "grace", "heidi", "ivan"];
    let from = |n: usize| format!("198.51.100.{n}");
    let mut refused = people.iter().enumerate().map(|(n, who)| ask(who, &from(n)));
    assert!(refused.by_ref().take(6).all(|code| code.is_none()));
    assert_eq!(refused.next(), Some(Some(-31006)), "the seventh account");
    server.denied_by("rate/address");
    // Another network, and one account that moves about in an IPv6 network of its own.
    assert_eq!(ask("ivan", "203.0.113.7"), None);
    let moved = (0..8).map(|n| ask("judy", &format!("2001:db8:1:1{n:02}::1")));
    assert_eq!(moved.filter(Option::is_some).count(), 2);
    server.sign_in("alice-token");
}

#[test]
fn what_one_has_used_up_is_not_anothers() {
    let server = with_users("principal_per_minute=1 principal_burst=6 repeats_per_minute=2");
    server.sign_in("alice-token");
    let client = server.client(HTTP_2026);
    assert_eq!(admitted(&client, "rated", 3), 2);
    assert_eq!(admitted(&client, "daily", 8), 3);
    assert_eq!(code(&echo(&client, "echo")), -31006);
    server.sign_in("bob-token");
    assert_eq!(admitted(&client, "rated", 2), 2);
    assert_eq!(text(&echo(&client, "daily")), "x");
}

#[test]
fn one_caller_does_not_take_the_whole_server() {
    let server = with_users("concurrency=8 principal_concurrency=2");
    server.sign_in("alice-token");
    let client = server.client(HTTP_2026);
    let slow = || client.begin_call("slow", json!({ "ms": 60_000 }));
    let running: Vec<Begun> = (0..2).map(|_| slow()).collect();
    server.wait_for_traces("slow:started", 2);
    let refused = echo(&client, "echo");
    assert_eq!(code(&refused), -31001, "{refused}");
    assert_eq!(refused["error"]["data"]["retryAfterMs"], 1000);
    server.denied_by("concurrency/principal");
    server.sign_in("bob-token");
    assert_eq!(text(&echo(&client, "echo")), "x");
    drop(running);
}

#[test]
fn one_callers_flood_neither_fills_the_queue_nor_goes_first() {
    let limits = "concurrency=4 principal_concurrency=2 queue=4 queue_wait=20000";
    let server = with_users(limits);
    let client = server.client(HTTP_2026);
    let slow = || client.begin_call("slow", json!({ "ms": 60_000 }));
    server.sign_in("alice-token");
    let mut alice: Vec<Begun> = (0..2).map(|_| slow()).collect();
    server.wait_for_traces("slow:started", 2);
    // Half of the places, and so half of the queue. The others hear no at once.
    let _flood: Vec<Begun> = (0..20).map(|_| slow()).collect();
    server.denied_by("concurrency/principal");
    server.sign_in("bob-token");
    assert_eq!(text(&echo(&client, "echo")), "x", "two places are not hers");
    let bob: Vec<Begun> = (0..2).map(|_| slow()).collect();
    server.wait_for_traces("slow:started", 4);
    server.sign_in("carol");
    // Behind two of hers, in the queue.
    let waiting = client.begin_call("echo", json!({ "text": "carol" }));
    std::thread::sleep(std::time::Duration::from_millis(200));
    // A place that she leaves is for who runs least.
    client.cancel(alice.remove(0));
    assert_eq!(text(&client.end(waiting)), "carol");
    server.wait_for_traces("slow:started", 5);
    let records = server.outcomes("tools/call", "slow");
    let refused = records
        .iter()
        .filter(|r| r["control"] == "concurrency/principal");
    assert_eq!(refused.count(), 18);
    drop((alice, bob));
    // Her own name is her token, and stands in the log.
    server.sign_in("bob-token");
}

#[test]
fn a_flood_of_callers_makes_nobody_forgotten() {
    // Eight buckets, and more callers than that.
    let server = with_users("principal_per_minute=1 principal_burst=3 limit_keys=8");
    let client = server.client(HTTP_2026);
    server.sign_in("alice-token");
    assert_eq!(admitted(&client, "echo", 5), 3);
    let names = [
        "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    ];
    let mut turned_away = 0;
    for name in names {
        server.sign_in(name);
        turned_away += usize::from(code_of(&echo(&client, "echo")) == Some(-31006));
    }
    assert_eq!(turned_away, 2, "seven have found room beside her");
    server.denied_by("rate/full");
    server.sign_in("alice-token");
    assert_limited(&echo(&client, "echo"), "1/min, 3 at once");
}

/// Asks for a write and answers as a person who agrees.
fn write(client: &Client<'_>, name: &str) -> Value {
    let arguments = json!({ "name": name, "text": "x" });
    let asked = client.call("write", arguments.clone());
    let Some(state) = asked["result"]["requestState"].as_str() else {
        return asked;
    };
    let yes = json!({ "action": "accept", "content": { "approve": true } });
    client.request(
        "tools/call",
        json!({
            "name": "write",
            "arguments": arguments,
            "requestState": state,
            "inputResponses": { "mcp-secure/approval": yes },
        }),
    )
}

#[test]
fn a_call_that_a_person_agreed_to_costs_once() {
    for way in [STDIO_2026, HTTP_2026] {
        let server = limited(way, "");
        let client = server.client(way);
        for name in ["a.md", "b.md"] {
            assert_eq!(text(&write(&client, name)), "written");
        }
        // Refused before anybody is asked: nobody's time is spent on it.
        let refused = write(&client, "c.md");
        assert_eq!(code(&refused), -31006, "{refused}");
        assert!(server.file("c.md").is_none());
    }
}

#[test]
fn state_that_is_made_up_makes_no_call_cheaper() {
    let server = limited(STDIO_2026, "");
    let client = server.client(STDIO_2026);
    let forged = |tool: &str| {
        let params = json!({ "name": tool, "arguments": { "text": "x" }, "requestState": "AAAA" });
        client.request("tools/call", params)
    };
    let refused = (0..6).map(|_| forged("daily"));
    let limited = refused.filter(|answer| code_of(answer) == Some(-31006));
    assert_eq!(limited.count(), 3);
}

fn code_of(answer: &Value) -> Option<i64> {
    answer["error"]["code"].as_i64()
}
