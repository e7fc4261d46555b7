//! Several replicas of one server: what is used up at one is used up at all, or nobody gets in.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    http::Answer,
    proof::Bound,
    redis::{PASSWORD, Redis},
    token::{Key, claims},
    world::{Issuer, Target, private_file, resource},
};

const QUESTION: &str = "mcp-secure/approval";

/// An issuer, and the name that all replicas go by.
pub(crate) struct Place {
    key: Key,
    issuer: Issuer,
    resource: String,
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let key = Key::new("k1");
        let resource = resource();
        let folder = tempfile::tempdir().unwrap();
        private_file(
            folder.path(),
            "sealing-key",
            "wq7Zk2y5mPpXf0tq8rB1nVd3cJ6uHs4LgAeTiYoK9Fw=\n",
        );
        Self {
            issuer: Issuer::start(&[&key], &resource, "jwt", json!({})),
            key,
            resource,
            folder,
        }
    }

    /// Behind a balancer, as it were: each has its own port, and the same name.
    fn asked(&self, store: Value) -> Value {
        let listen = resource().replace("https://", "").replace("/mcp", "");
        let mut asked = json!({
            "listen": listen,
            "sealing_key": self.folder.path().join("sealing-key"),
        });
        for (name, value) in store.as_object().unwrap() {
            asked[name] = value.clone();
        }
        asked
    }

    pub(crate) fn replica(&self, store: Value) -> Target {
        Target::replica(&self.issuer.url, &self.resource, self.asked(store))
    }

    fn fails(&self, store: Value) -> String {
        Target::replica_that_fails(&self.issuer.url, &self.resource, self.asked(store))
    }

    fn bound(&self) -> Bound {
        Bound::of(&self.key, &self.issuer.url, &self.resource)
    }

    pub(crate) fn bearer(&self) -> String {
        self.bearer_of("alice", "native")
    }

    /// For this subject, and given to this client.
    pub(crate) fn bearer_of(&self, subject: &str, client: &str) -> String {
        let mut claims = claims(&self.issuer.url, &self.resource, "notes:read notes:write");
        claims["sub"] = subject.into();
        claims["client_id"] = client.into();
        self.key.sign(&self.key.header(), &claims)
    }
}

fn show(at: &Target, bound: &Bound, proof: &str) -> Answer {
    let headers = format!("Authorization: DPoP {}\r\nDPoP: {proof}", bound.token);
    at.call_with("read", &headers)
}

/// Calls the tool that a person must agree to.
fn publish(at: &Target, token: &str, more: Value) -> Value {
    let mut params = json!({
        "name": "publish",
        "arguments": { "text": "hello" },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "client", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        },
    });
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let headers = format!("Authorization: Bearer {token}");
    let head = at.head("tools/call", Some("publish"), &headers);
    at.send(&head, &body.to_string()).json()
}

/// What a client sends back when the person has agreed.
fn agreed(asked: &Value) -> Value {
    let state = asked["result"]["requestState"].as_str();
    json!({
        "requestState": state.unwrap_or_else(|| panic!("no question: {asked}")),
        "inputResponses": { QUESTION: { "action": "accept", "content": { "approve": true } } },
    })
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or("")
}

#[track_caller]
fn is_audited(at: &Target, control: &str) -> Value {
    at.audited(|record| record["control"] == control)
}

#[test]
fn a_proof_that_was_used_at_one_replica_is_no_good_at_the_next() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let (a, b) = (
        place.replica(redis.asked(json!({}))),
        place.replica(redis.asked(json!({}))),
    );
    let bound = place.bound();
    let stolen = bound.good();
    assert_eq!(show(&a, &bound, &stolen).status, 200);
    let replayed = show(&b, &bound, &stolen);
    assert_eq!(replayed.status, 401, "{replayed:?}");
    is_audited(&b, "oauth/dpop-replay");
    assert_eq!(show(&a, &bound, &stolen).status, 401);
    assert_eq!(show(&b, &bound, &bound.good()).status, 200);

    // Nobody who reads the keys learns what was used, and none stays.
    let keys = redis.keys();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        let digest = key.strip_prefix("mcp-secure:").unwrap();
        assert_eq!(digest.len(), 43, "{key}");
        let left: i64 = redis.run(&format!("PTTL {key}")).trim()[1..]
            .parse()
            .unwrap();
        assert!((1..=75_000).contains(&left), "{left}");
    }
}

#[test]
fn what_a_person_agreed_to_runs_once_at_whichever_replica() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let (a, b) = (
        place.replica(redis.asked(json!({}))),
        place.replica(redis.asked(json!({}))),
    );
    let token = place.bearer();
    let yes = agreed(&publish(&a, &token, json!({})));
    let done = publish(&b, &token, yes.clone());
    assert_eq!(
        text(&done),
        "published hello",
        "asked at one, run at another"
    );
    for at in [&a, &b] {
        let again = publish(at, &token, yes.clone());
        assert!(again["error"].is_object(), "{again}");
        is_audited(at, "commit/replay");
    }
}

/// The attack that the shared store is against: it works where each remembers for itself.
#[test]
fn with_a_memory_each_proofs_and_approvals_are_good_once_at_each() {
    let place = Place::new();
    let memory = json!({ "pretended": true });
    let (a, b) = (place.replica(memory.clone()), place.replica(memory));
    let bound = place.bound();
    let stolen = bound.good();
    let token = place.bearer();
    let yes = agreed(&publish(&a, &token, json!({})));
    for at in [&a, &b] {
        assert_eq!(show(at, &bound, &stolen).status, 200);
        assert_eq!(text(&publish(at, &token, yes.clone())), "published hello");
    }
}

#[test]
fn without_its_store_a_replica_lets_nobody_in_and_with_it_again_it_does() {
    let Some(mut redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let replica = place.replica(redis.asked(json!({})));
    let (bound, token) = (place.bound(), place.bearer());
    assert_eq!(show(&replica, &bound, &bound.good()).status, 200);
    let yes = agreed(&publish(&replica, &token, json!({})));

    redis.kill();
    for _ in 0..6 {
        let denied = show(&replica, &bound, &bound.good());
        assert_eq!(denied.status, 503, "{denied:?}");
        assert!(denied.header("retry-after").is_some(), "{denied:?}");
    }
    is_audited(&replica, "oauth/dpop-store");
    let denied = publish(&replica, &token, yes.clone());
    assert!(denied["error"].is_object(), "{denied}");
    assert!(!denied.to_string().contains("6379") && !denied.to_string().contains("redis"));
    is_audited(&replica, "commit/store");
    assert!(
        replica.said().contains("is not asked for now"),
        "{}",
        replica.said()
    );

    redis.restart();
    until(|| show(&replica, &bound, &bound.good()).status == 200);
    assert_eq!(text(&publish(&replica, &token, yes)), "published hello");
    assert!(
        replica.said().contains("answers again"),
        "{}",
        replica.said()
    );
}

#[test]
fn a_redis_that_hangs_makes_nobody_wait_once_that_is_known() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let replica = place.replica(redis.asked(json!({ "timeout_ms": 300 })));
    let bound = place.bound();
    assert_eq!(show(&replica, &bound, &bound.good()).status, 200);

    redis.hang();
    until(|| {
        assert_eq!(show(&replica, &bound, &bound.good()).status, 503);
        replica.said().contains("is not asked for now")
    });
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..40 {
                    assert_eq!(show(&replica, &bound, &bound.good()).status, 503);
                }
            });
        }
    });
    redis.go_on();
    until(|| show(&replica, &bound, &bound.good()).status == 200);
    // The one of the start, one for each of the trials, whose distances double, and those of this
    // test: without a breaker there is one for each time-out, forty at least.
    let connections = redis.connections();
    assert!(connections < 16, "{connections} connections");
    assert!(redis.sets() < 16, "{} commands had piled up", redis.sets());
}

#[test]
fn no_more_wait_for_a_redis_that_hangs_than_may() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let replica = place.replica(redis.asked(json!({ "timeout_ms": 60_000, "waiting": 2 })));
    let bound = place.bound();
    assert_eq!(show(&replica, &bound, &bound.good()).status, 200);

    redis.hang();
    let (answers, answered) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..6 {
            let (replica, bound, answers) = (&replica, &bound, answers.clone());
            scope.spawn(move || {
                let status = show(replica, bound, &bound.good()).status;
                answers.send(status).unwrap();
            });
        }
        // Four are refused while Redis hangs; were they not, they would wait for a minute.
        let patience = Duration::from_secs(15);
        for _ in 0..4 {
            assert_eq!(answered.recv_timeout(patience), Ok(503));
        }
        redis.go_on();
        for _ in 0..2 {
            assert_eq!(answered.recv_timeout(patience), Ok(200), "they had waited");
        }
    });
}

#[test]
fn a_redis_that_never_stops_talking_is_cut_off() {
    let (address, flooded) = flooding_redis();
    let place = Place::new();
    let store = json!({ "redis": {
        "address": format!("redis://{address}"), "password": PASSWORD, "timeout_ms": 60_000,
    }});
    let replica = place.replica(store);
    let bound = place.bound();
    assert_eq!(show(&replica, &bound, &bound.good()).status, 503);
    let bytes = flooded.recv_timeout(Duration::from_secs(15)).unwrap();
    assert!(bytes < 16 << 20, "{bytes} bytes were taken");
}

/// Greets as a good Redis does, and answers the second `SET` with a text of a gigabyte. Says how
/// much of it was taken.
fn flooding_redis() -> (SocketAddr, mpsc::Receiver<u64>) {
    const ABOUT: &str = "redis_version:7.0.0\r\nredis_mode:standalone\r\nrole:master\r\n\
                         maxmemory_policy:noeviction\r\nloading:0\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (taken, flooded) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut sets = 0;
        let mut command = [0; 4096];
        loop {
            let read = stream.read(&mut command).unwrap_or(0);
            let text = String::from_utf8_lossy(&command[..read]).into_owned();
            sets += u32::from(text.contains("SET"));
            let answer = if text.contains("INFO") {
                format!("${}\r\n{ABOUT}\r\n", ABOUT.len())
            } else {
                "+OK\r\n".to_owned()
            };
            if read == 0 {
                return;
            }
            if sets < 2 {
                stream.write_all(answer.as_bytes()).unwrap();
                continue;
            }
            let mut sent = 0;
            stream.write_all(b"$1000000000\r\n").unwrap();
            while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {
                sent += 64 * 1024;
            }
            taken.send(sent).unwrap();
            return;
        }
    });
    (address, flooded)
}

#[test]
fn a_full_redis_is_no_reason_to_forget() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let replica = place.replica(redis.asked(json!({})));
    let bound = place.bound();
    let used = bound.good();
    assert_eq!(show(&replica, &bound, &used).status, 200);
    redis.run("CONFIG SET maxmemory 1");
    for _ in 0..6 {
        assert_eq!(show(&replica, &bound, &bound.good()).status, 503);
    }
    redis.run("CONFIG SET maxmemory 0");
    // It answered all the time, so it is asked at once.
    assert_eq!(show(&replica, &bound, &bound.good()).status, 200);
    assert_eq!(show(&replica, &bound, &used).status, 401);
}

#[test]
fn a_redis_that_becomes_a_replica_is_not_relied_on() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let replica = place.replica(redis.asked(json!({})));
    let bound = place.bound();
    assert_eq!(show(&replica, &bound, &bound.good()).status, 200);
    redis.run("REPLICAOF 127.0.0.1 1");
    // Even one that takes writes: they are gone at the next synchronization.
    redis.run("CONFIG SET replica-read-only no");
    redis.run("CLIENT KILL TYPE normal SKIPME yes");
    until(|| show(&replica, &bound, &bound.good()).status == 503);
    for _ in 0..6 {
        assert_eq!(show(&replica, &bound, &bound.good()).status, 503);
    }
    redis.run("REPLICAOF NO ONE");
    until(|| show(&replica, &bound, &bound.good()).status == 200);
}

#[test]
fn a_store_that_cannot_be_relied_on_stops_the_start() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let fails = |more: Value, words: &str| {
        let said = place.fails(redis.asked(more));
        assert!(said.contains(words), "`{words}` is missing: {said}");
        assert!(said.contains("help:"), "{said}");
        assert!(
            !said.contains(PASSWORD) && !said.contains("wrong horse"),
            "{said}"
        );
    };
    fails(
        json!({ "password": "wrong horse" }),
        "refuses the user or the password",
    );
    fails(
        json!({ "user": "nobody" }),
        "refuses the user or the password",
    );
    fails(json!({ "password": null }), "has no password");
    fails(json!({ "address": "redis://127.0.0.1:1" }), "no connection");
    fails(json!({ "not_private": true }), "in the clear");
    fails(
        json!({ "address": redis.over_tls(), "not_private": true }),
        "is refused",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = private_file(folder.path(), "password", PASSWORD);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    fails(
        json!({ "password": null, "password_file": file }),
        "read by every user",
    );

    redis.run("ACL SETUSER weak on >horse ~other:* +set +info");
    fails(
        json!({ "user": "weak", "password": "horse" }),
        "does not allow",
    );
    redis.run("ACL SETUSER blind on >horse ~mcp-secure:* +set");
    fails(
        json!({ "user": "blind", "password": "horse" }),
        "does not allow",
    );
    for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
        redis.run(&format!("CONFIG SET maxmemory-policy {policy}"));
        fails(json!({}), policy);
    }
    redis.run("CONFIG SET maxmemory-policy noeviction");
    redis.run("REPLICAOF 127.0.0.1 1");
    fails(json!({}), "role `slave`");
}

#[test]
fn replicas_that_share_a_key_and_no_memory_do_not_start() {
    let place = Place::new();
    for alone in [json!({}), json!({ "memory": true })] {
        let said = place.fails(alone);
        assert!(
            said.contains("sealing key") && said.contains("help:"),
            "{said}"
        );
    }
    for bad in ["hunter2", &"a".repeat(64)] {
        let folder = tempfile::tempdir().unwrap();
        let key = private_file(folder.path(), "key", bad);
        let said = place.fails(json!({ "pretended": true, "sealing_key": key }));
        assert!(
            said.contains("openssl rand") && !said.contains(bad),
            "{said}"
        );
    }
}

#[test]
fn what_one_sealed_does_not_open_for_who_has_another_key() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let ours = place.replica(redis.asked(json!({})));
    let mut asked = redis.asked(json!({}));
    asked["sealing_key"] = Value::Null;
    let other = place.replica(asked);
    let token = place.bearer();
    let yes = agreed(&publish(&ours, &token, json!({})));
    let refused = publish(&other, &token, yes.clone());
    assert!(refused["error"].is_object(), "{refused}");
    is_audited(&other, "approve/state");
    assert_eq!(text(&publish(&ours, &token, yes)), "published hello");
}

#[test]
fn a_redis_is_reached_by_tls_with_its_name_or_by_a_socket_with_few_rights() {
    let Some(redis) = Redis::start("") else {
        return;
    };
    let place = Place::new();
    let works = |more: Value| {
        let replica = place.replica(redis.asked(more));
        let bound = place.bound();
        let proof = bound.good();
        assert_eq!(show(&replica, &bound, &proof).status, 200);
        assert_eq!(show(&replica, &bound, &proof).status, 401);
    };
    let over = |address: String, ca: &str| json!({ "address": address, "ca_file": redis.path(ca) });
    works(over(redis.over_tls(), "ca.pem"));
    for said in [
        place.fails(redis.asked(over(redis.over_tls(), "other-ca.pem"))),
        place.fails(redis.asked(json!({ "address": redis.over_tls() }))),
    ] {
        assert!(
            said.contains("TLS: ") && said.contains(".ca_file("),
            "{said}"
        );
    }
    redis.run("ACL SETUSER few on >horse ~notes:* +set +info");
    works(json!({
        "address": redis.over_the_socket(), "user": "few", "password": "horse",
        "namespace": "notes",
    }));
    let keys = redis.keys();
    assert!(keys.iter().any(|key| key.starts_with("notes:")), "{keys:?}");
}

/// Not at once, but without waiting longer than it takes.
#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never was");
        thread::sleep(Duration::from_millis(50));
    }
}
