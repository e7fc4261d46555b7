//! What is kept between calls, and what a client carries, is its owner's alone.

use serde_json::{Value, json};

use crate::harness::*;

pub(super) fn kept(way: Way) -> Setup {
    way.setup()
        .with("SERVER", "kept")
        .argument("--grant")
        .argument("elsewhere=https://*.example.org")
}

fn two_people() -> Setup {
    kept(HTTP_2025).with("USERS", "1")
}

fn put(client: &Client<'_>, item: &str) -> String {
    let answer = client.call("put", json!({ "item": item }));
    text(&answer).to_owned()
}

fn sealed(client: &Client<'_>, tool: &str, order: &str) -> String {
    let answer = client.call(tool, json!({ "order": order }));
    text(&answer).to_owned()
}

fn draft(text: &str) -> Value {
    json!({ "draft": text })
}

on_every_way! {
    fn what_a_session_keeps_it_finds_again(way: Way) {
        let server = kept(way).start();
        let client = server.client(way);
        assert_eq!(put(&client, "a"), "1: a");
        assert_eq!(put(&client, "b"), "2: a b");
    }

    fn a_panic_in_the_middle_leaves_nothing_half_done(way: Way) {
        let server = kept(way).start();
        let client = server.client(way);
        put(&client, "a");
        let torn = client.call("tear", json!({}));
        assert!(is_refusal(&torn) || is_tool_error(&torn), "{torn}");
        let lost = client.call("put", json!({ "item": "b" }));
        assert!(text(&lost).contains("begin again"), "{lost}");
        assert_record(&server.outcome_that_is("put", "denied"), "denied", "deny", Some("session/lost"));
        assert_eq!(put(&client, "b"), "1: b");
    }

    fn what_was_sealed_opens_and_says_nothing(way: Way) {
        let server = kept(way).start();
        let client = server.client(way);
        let text_of_it = sealed(&client, "draft", "two-of-each");
        assert!(text_of_it.len() > 60 && !text_of_it.contains("two-of"), "{text_of_it}");
        assert_ne!(text_of_it, sealed(&client, "draft", "two-of-each"));
        for _ in 0..2 {
            assert_eq!(text(&client.call("show", draft(&text_of_it))), "two-of-each");
        }
        assert_eq!(text(&client.call("send", draft(&text_of_it))), "sent two-of-each");
        let again = client.call("send", draft(&text_of_it));
        assert!(text(&again).contains("used before"), "{again}");
        assert_record(&server.outcome_that_is("send", "denied"), "denied", "deny", Some("handle/used"));
    }

    fn what_is_no_draft_of_this_server_does_not_open(way: Way) {
        let server = kept(way).start();
        let client = server.client(way);
        let good = sealed(&client, "draft", "x");
        let mut changed = good.clone().into_bytes();
        changed[45] = if changed[45] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let other = kept(way).start();
        let foreign = sealed(&other.client(way), "draft", "x");
        // The same key, principal and content: what differs is what it was sealed for.
        let voucher = sealed(&client, "voucher", "x");
        let brief = sealed(&client, "brief", "x");
        for bad in [&changed, &good[..good.len() - 4], &foreign, &voucher, &brief, "x"] {
            let answer = client.call("show", draft(bad));
            assert!(text(&answer).contains("not valid"), "{bad}: {answer}");
            let record = server.outcomes("tools/call", "show").pop().unwrap();
            assert_record(&record, "denied", "deny", Some("handle/sealed"));
        }
        for bad in ["", "a b", "\u{202e}", &"A".repeat(8193)] {
            let answer = client.call("show", draft(bad));
            assert!(is_refusal(&answer) || is_tool_error(&answer), "{bad}: {answer}");
        }
    }
}

#[test]
fn two_sessions_of_one_person_keep_apart() {
    let server = two_people().start();
    server.sign_in("alice-token");
    let (one, other) = (server.client(HTTP_2025), server.client(HTTP_2025));
    assert_eq!(put(&one, "a"), "1: a");
    assert_eq!(put(&other, "b"), "1: b");
    assert_eq!(put(&one, "c"), "2: a c");
}

#[test]
fn what_one_person_keeps_no_other_one_finds() {
    for way in [HTTP_2025, HTTP_2026] {
        let server = two_people().start();
        server.sign_in("alice-token");
        let alice = server.client(way);
        assert_eq!(put(&alice, "a"), "1: a");
        let hers = sealed(&alice, "draft", "hers");
        server.sign_in("bob-token");
        let bob = server.client(way);
        assert_eq!(put(&bob, "b"), "1: b", "{way:?}");
        // Possession of it is no right to it.
        for tool in ["show", "send"] {
            let answer = bob.call(tool, draft(&hers));
            assert!(
                text(&answer).contains("not valid"),
                "{way:?} {tool}: {answer}"
            );
        }
        server.sign_in("alice-token");
        assert_eq!(put(&alice, "c"), "2: a c", "{way:?}");
        assert_eq!(text(&alice.call("send", draft(&hers))), "sent hers");
    }
}

#[test]
fn with_a_session_what_it_kept_is_gone() {
    let server = two_people().start();
    server.sign_in("alice-token");
    let staying = server.client(HTTP_2025);
    put(&staying, "x");
    let going: Vec<_> = (0..5).map(|_| server.client(HTTP_2025)).collect();
    for client in &going {
        put(client, "secret");
    }
    let count = |client: &Client<'_>| text(&client.call("baskets", json!({}))).to_owned();
    assert_eq!(count(&staying), "6");
    for client in &going {
        let session = client.session().unwrap();
        let head = format!(
            "DELETE /mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer alice-token\r\n\
             Mcp-Session-Id: {session}\r\nConnection: close\r\n\r\n",
            server.port()
        );
        let mut answer = server.exchange(head.as_bytes());
        assert!(answer.status() < 300, "{}", answer.status());
    }
    // `rmcp` lets go of a session in a task of its own.
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        count(&staying) == "1"
    });
    assert!(gone, "{} baskets are left", count(&staying));
    assert_eq!(put(&staying, "y"), "2: x y");
}

/// Of many calls with one text at once, one is answered with what it stands for.
#[test]
fn a_text_that_is_good_once_wins_once() {
    let server = two_people().start();
    server.sign_in("alice-token");
    let client = server.client(HTTP_2026);
    for _ in 0..20 {
        let once = sealed(&client, "draft", "x");
        let begun: Vec<_> = (0..16)
            .map(|_| client.begin_call("send", draft(&once)))
            .collect();
        let answers = begun.into_iter().map(|begun| client.end(begun));
        let won = answers.filter(|answer| text(answer) == "sent x").count();
        assert_eq!(won, 1);
    }
}

/// Calls of two people in turn and at once, on everything that is kept for somebody: sessions, what
/// is kept without them, sealed texts and cursors. `ISOLATION_ROUNDS` says how many rounds of
/// sixteen calls; by hand it was 6,300.
#[test]
fn two_people_under_load_never_meet() {
    let rounds = std::env::var("ISOLATION_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(60);
    let server = two_people().limits("page_size=3").start();
    let mut people = Vec::new();
    for (token, name) in [("alice-token", "alice"), ("bob-token", "bob")] {
        server.sign_in(token);
        people.push((
            token,
            name,
            server.client(HTTP_2025),
            server.client(HTTP_2026),
            0,
        ));
    }
    let mut carried: [Option<String>; 2] = [None, None];
    let mut cursors: [Option<String>; 2] = [None, None];
    for round in 0..rounds {
        for who in 0..2 {
            let theirs = (carried[1 - who].clone(), cursors[1 - who].clone());
            let (token, name, session, alone, last) = &mut people[who];
            server.sign_in(token);
            // At once on both: each answer has only what this one put there.
            let item = format!("{name}{round}");
            let begun = [&*session, &*alone]
                .map(|client| (client, client.begin_call("put", json!({ "item": item }))));
            for (client, begun) in begun {
                let answer = client.end(begun);
                let (count, items) = text(&answer).split_once(": ").unwrap();
                assert_eq!(count, (*last + 1).to_string(), "{answer}");
                assert!(
                    items.split(' ').all(|item| item.starts_with(*name)),
                    "{answer}"
                );
            }
            *last += 1;
            let own = sealed(alone, "draft", &item);
            assert_eq!(text(&session.call("show", draft(&own))), item);
            let page = session.request("tools/list", json!({}));
            let cursor = page["result"]["nextCursor"].as_str().unwrap().to_owned();
            if let (Some(text_of_theirs), Some(cursor_of_theirs)) = theirs {
                let answer = alone.call("send", draft(&text_of_theirs));
                assert!(text(&answer).contains("not valid"), "{answer}");
                for client in [&*session, &*alone] {
                    let params = json!({ "cursor": cursor_of_theirs });
                    assert_eq!(code(&client.request("tools/list", params)), -32602);
                }
            }
            carried[who] = Some(own);
            cursors[who] = Some(cursor);
        }
    }
}
