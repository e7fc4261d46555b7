//! The attacks of [`rows`], each as one request over HTTPS to a server whose good token works, before
//! and after.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::{
    http::{Answer, exchange},
    rows::{Row, rows},
    token::{Key, claims},
    wire::Authority,
    world::{World, message},
};

#[test]
fn none_of_the_attacks_gets_in_and_each_is_refused_by_its_check_and_told_nothing_more() {
    let world = World::new(json!({}));
    let (target, key) = (&world.target, &world.key);
    let good_claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = key.sign(&key.header(), &good_claims);
    assert_eq!(target.call("read", &good).status, 200);

    let rows = rows(key, &good_claims, &good);
    assert!(rows.len() >= 120, "{}", rows.len());
    let body = message("tools/call", json!({ "name": "who", "arguments": {} }));
    let mut wrong = Vec::new();
    for (row, number) in rows.iter().zip(0..) {
        // Each from a network of its own, by which its record is found.
        let from = Ipv4Addr::new(127, 1, number, 1);
        let network = format!("127.1.{number}.0/24");
        let stream = Authority::get().connect_from(from, target.address);
        let head = target.head("tools/call", Some("who"), &row.headers);
        let answer = exchange(stream, &head, &body);
        let record = target.audited(|record| record["peer"] == network);
        wrong.extend(judge(row, &answer, &record, &good));
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        rows.len()
    );
    // The server is none the worse for it.
    assert_eq!(target.call("read", &good).status, 200);
}

fn judge(row: &Row, answer: &Answer, record: &Value, good: &str) -> Option<String> {
    let challenge = answer.all("www-authenticate").join(" | ");
    let named = crate::http::parameter(&challenge, "error");
    let fails = |what: &str| Some(format!("{}: {what}: {answer:?}", row.name));
    if answer.status != row.status {
        return fails("status");
    }
    if named != row.error || !challenge.contains("resource_metadata=\"") {
        return fails("challenge");
    }
    // One body for all, and no word of what was shown.
    let body = if row.status == 400 {
        MALFORMED
    } else {
        REFUSED
    };
    if answer.body != body || good.split('.').any(|part| challenge.contains(part)) {
        return fails("body");
    }
    if record["control"] != row.control {
        return fails(&format!("record: {}", record["control"]));
    }
    None
}

const REFUSED: &str = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Unauthorized"}}"#;

const MALFORMED: &str = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Bad Request"}}"#;

#[test]
fn a_token_in_the_query_is_never_read_and_is_refused_even_beside_a_good_one() {
    let world = World::new(json!({}));
    let target = &world.target;
    let claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = world.key.sign(&world.key.header(), &claims);
    let body = message("tools/call", json!({ "name": "read", "arguments": {} }));
    let ask = |query: &str, headers: &str| {
        let head = target.head("tools/call", Some("read"), headers);
        let head = head.replacen("/mcp", &format!("/mcp?{query}"), 1);
        target.send(&head, &body).status
    };
    let header = format!("Authorization: Bearer {good}");
    assert_eq!(ask("x=y", &header), 200);
    assert_eq!(ask(&format!("access_token={good}"), "X: y"), 400);
    assert_eq!(ask(&format!("access_token={good}"), &header), 400);
    assert_eq!(ask(&format!("a=b&access%5Ftoken={good}"), &header), 400);
    target.audited(|record| record["control"] == "http/query-token");
}

#[test]
fn a_flood_of_bad_signatures_is_turned_away_before_they_are_computed() {
    let world = World::new(json!({ "rate": [1, 40] }));
    let target = &world.target;
    let claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = world.key.sign(&world.key.header(), &claims);
    let flood = 150;
    let mut statuses = Vec::new();
    for number in 0..flood {
        // Each is another token with a signature that has to be computed, and is wrong.
        let mut claims = claims.clone();
        claims["jti"] = json!(number);
        let other = world.key.sign(&world.key.header(), &claims);
        let (signed, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = good.rsplit_once('.').unwrap();
        let shown = format!("{signed}.{signature}");
        // A connection has its price, too: later ones are closed before their handshake.
        let answer = std::panic::catch_unwind(|| target.call("read", &shown).status);
        statuses.push(answer.unwrap_or(0));
    }
    // Each request costs two of forty: one for asking, one for failing.
    let computed = statuses.iter().filter(|status| **status == 401).count();
    assert!((15..=40).contains(&computed), "{statuses:?}");
    let refused = |status: &&u16| matches!(**status, 0 | 429);
    assert_eq!(statuses.iter().filter(refused).count(), flood - computed);
    // What the checks themselves say: so many signatures, and no more, were computed.
    assert_eq!(counted(target, "oauth/signature", computed), computed);
    assert_eq!(
        counted(target, "http/rate", flood - computed),
        flood - computed
    );
}

/// How often a check has refused, by the audit log; waits until it is as often as that.
fn counted(target: &crate::world::Target, control: &str, enough: usize) -> usize {
    let begun = std::time::Instant::now();
    loop {
        let log = std::fs::read_to_string(target.audit_log()).unwrap();
        let records = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let counts = records
            .filter(|record| record["control"] == control)
            .filter_map(|record| record["count"].as_u64());
        let count = usize::try_from(counts.sum::<u64>()).unwrap();
        if count >= enough || begun.elapsed().as_secs() > 25 {
            return count;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn what_was_shown_is_in_no_log() {
    let world = World::new(json!({}));
    let target = &world.target;
    let claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = world.key.sign(&world.key.header(), &claims);
    assert_eq!(target.call("read", &good).status, 200);
    let foreign = Key::new("k1");
    let bad = foreign.sign(&foreign.header(), &claims);
    assert_eq!(target.call("read", &bad).status, 401);
    target.audited(|record| record["event"] == "outcome" && record["target"] == "read");
    let logs = std::fs::read_to_string(target.audit_log()).unwrap() + &target.said();
    for token in [&good, &bad] {
        for part in token.split('.') {
            assert!(!logs.contains(part), "{logs}");
        }
    }
}

#[test]
fn the_challenge_is_heard_by_who_is_still_sending() {
    use std::io::{Read as _, Write as _};

    let world = World::new(json!({}));
    let target = &world.target;
    let length = 900_000;
    let head = target.head("tools/call", Some("who"), "");
    let head = format!("{}\r\nContent-Length: {length}\r\n\r\n", head.trim_end());
    for _ in 0..5 {
        let mut stream = Authority::get().connect(target.address, None);
        // Half of the body is on its way, unread, when the server answers and leaves.
        let sent = format!("{head}{}", " ".repeat(length / 2));
        stream.write_all(sent.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("no reset");
        // Linux still gives what came before a reset; other systems throw it away.
        let reset = stream.sock.take_error().unwrap();
        assert!(reset.is_none(), "{reset:?}");
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(answer.contains("resource_metadata="), "{answer}");
    }
}
