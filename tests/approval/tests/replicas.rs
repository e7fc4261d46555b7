//! Several servers that are one: a person answers at whichever the link leads to, and the client
//! comes again to whichever it reaches. And many redemptions at one moment.

use std::{
    net::TcpStream,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    cookies::Browser,
    world::{Asked, Issuer, Server, World, free, is_refused, text},
};

/// A Redis of the test's own, with nothing on disk; it is gone with the value.
struct Redis {
    process: Child,
    address: String,
}

const PASSWORD: &str = "correct horse";

impl Redis {
    fn start() -> Option<Self> {
        if Command::new("redis-server")
            .arg("--version")
            .output()
            .is_err()
        {
            let missing = "Redis is missing: install the package `redis-server`, or run \
                           `cargo xtask test`, which does";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("SKIPPED: {missing}");
            return None;
        }
        let address = free();
        let (host, port) = address.split_once(':').unwrap();
        let process = Command::new("redis-server")
            .args(["--bind", host, "--port", port, "--requirepass", PASSWORD])
            .args(["--save", "", "--appendonly", "no", "--dir", "/"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no Redis");
            std::thread::sleep(Duration::from_millis(30));
        }
        Some(Self { process, address })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two servers, one resource: each has an address of its own, and both say the first one's name.
struct Replicas {
    servers: [Server; 2],
    issuer: Issuer,
    resource: String,
    asked: [Value; 2],
    _redis: Redis,
    _folder: tempfile::TempDir,
}

impl Replicas {
    fn start() -> Option<Self> {
        Self::with(&json!({}))
    }

    fn with(more: &Value) -> Option<Self> {
        let redis = Redis::start()?;
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        private(&key, "Zm9ydHktdHdvIGlzIG5vdCBhIHJhbmRvbSBudW1iZXI=");
        let addresses = [free(), free()];
        let resource = format!("http://{}/mcp", addresses[0]);
        let issuer = Issuer::start(&resource);
        let asked = addresses.map(|address| {
            let mut asked = json!({
                "listen": address,
                "issuer": [issuer.url(), resource],
                "sign_in": "dev",
                "redis": [format!("redis://{}", redis.address), PASSWORD],
                "sealing_key": key,
            });
            for (name, value) in more.as_object().unwrap() {
                asked[name] = value.clone();
            }
            asked
        });
        Some(Self {
            servers: asked.clone().map(Server::start),
            issuer,
            resource,
            asked,
            _redis: redis,
            _folder: folder,
        })
    }

    fn token(&self, person: &str) -> String {
        self.issuer.token(person, &self.resource)
    }

    fn asked_at(&self, server: usize, line: &str) -> Asked {
        let token = self.token("alice");
        self.servers[server].call(&token, "append", json!({ "line": line }))
    }
}

fn private(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn approve(asked: &Asked) {
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "alice");
    assert_eq!(browser.press(&page, "approve").status, 303);
}

/// A question of shared replicas outlives who asked it, and may still be answered.
#[test]
fn a_question_whose_server_ends_is_left_to_the_others() {
    let Some(mut world) = Replicas::start() else {
        return;
    };
    let asked = world.asked_at(1, "left behind");
    world.servers[1].stopped();
    let left = world.servers[1].audited(|r| r["answer"] == "left");
    assert_eq!(left["event"], "approval", "{left}");
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "alice");
    browser.press(&page, "approve");
    world.servers[0].audited(|r| r["answer"] == "yes");
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.servers[0], &token)), "appended");
}

#[test]
fn a_call_of_one_replica_is_answered_at_another_and_runs_once_for_all() {
    let Some(replicas) = Replicas::start() else {
        return;
    };
    let token = replicas.token("alice");
    // The link leads to the first, whichever was asked.
    let asked = replicas.asked_at(1, "asked at the second");
    assert!(
        asked.link.contains(&replicas.servers[0].address),
        "{}",
        asked.link
    );
    approve(&asked);
    assert_eq!(text(&asked.again(&replicas.servers[1], &token)), "appended");
    for server in &replicas.servers {
        assert!(is_refused(&asked.again(server, &token)), "a second time");
    }
    assert_eq!(replicas.servers[1].log(), ["asked at the second"]);
    assert!(replicas.servers[0].log().is_empty());
}

#[test]
fn a_no_at_one_replica_is_a_no_at_all() {
    let Some(replicas) = Replicas::start() else {
        return;
    };
    let asked = replicas.asked_at(1, "no");
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "alice");
    browser.press(&page, "refuse");
    let token = replicas.token("alice");
    for server in &replicas.servers {
        assert!(is_refused(&asked.again(server, &token)));
        assert!(server.log().is_empty());
    }
}

#[test]
fn an_agreement_outlives_the_server_that_asked_for_it() {
    let Some(mut replicas) = Replicas::start() else {
        return;
    };
    let asked = replicas.asked_at(1, "after a restart");
    approve(&asked);
    let again = replicas.asked[0].clone();
    let gone = std::mem::replace(&mut replicas.servers[1], Server::start(json!({})));
    drop(gone);
    let first = std::mem::replace(&mut replicas.servers[0], Server::start(json!({})));
    drop(first);
    let restarted = Server::start(again);
    let token = replicas.token("alice");
    assert_eq!(text(&asked.again(&restarted, &token)), "appended");
    assert!(is_refused(&asked.again(&restarted, &token)));
}

/// What holds for a while holds at all of them, over restarts, and is over at all of them.
#[test]
fn what_a_person_let_run_holds_at_all_replicas_and_for_this_version_alone() {
    let Some(mut replicas) = Replicas::with(&json!({ "remember": [3600, []] })) else {
        return;
    };
    let token = replicas.token("alice");
    let runs = |server: &Server| server.runs_at_once(&token, "append", &json!({ "line": "again" }));
    let asked = replicas.asked_at(1, "first");
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "alice");
    assert_eq!(browser.press_for_a_while(&page).status, 303);
    for server in &replicas.servers {
        assert!(runs(server));
    }
    // A restart forgets nothing.
    drop(std::mem::replace(
        &mut replicas.servers[0],
        Server::start(json!({})),
    ));
    replicas.servers[0] = Server::start(replicas.asked[0].clone());
    assert!(runs(&replicas.servers[0]));
    // Another version of the server has another manifest: nobody said yes to that one.
    let mut other = replicas.asked[1].clone();
    other["listen"] = json!(free());
    other["time_ms"] = json!(60_000);
    assert!(!runs(&Server::start(other)));
    // The cookie of the page is of the first, which has the name.
    let list = format!("http://{}/approve/remembered", replicas.servers[0].address);
    let shown = browser.open(&list, "alice");
    let id = crate::remember::listed(&shown).remove(0);
    assert_eq!(
        browser.send_form(&shown, &format!("revoke={id}")).status,
        303
    );
    for server in &replicas.servers {
        assert!(!runs(server));
    }
    drop(std::mem::replace(
        &mut replicas.servers[0],
        Server::start(json!({})),
    ));
    replicas.servers[0] = Server::start(replicas.asked[0].clone());
    assert!(!runs(&replicas.servers[0]), "a restart brings it back");
}

/// One agreement, and a thousand calls that bring it at one moment.
#[test]
fn of_a_thousand_redemptions_at_once_one_runs() {
    let world = Arc::new(World::new(json!({})));
    let asked = Arc::new(world.asked("raced"));
    approve(&asked);
    let token = Arc::new(world.token("alice"));
    // Fifty that start together, again and again: as many connections as a machine bears.
    let together = Arc::new(Barrier::new(50));
    let threads: Vec<_> = (0..50)
        .map(|_| {
            let (world, asked, token) = (world.clone(), asked.clone(), token.clone());
            let together = together.clone();
            std::thread::spawn(move || {
                let mut ran = 0;
                for _ in 0..20 {
                    together.wait();
                    ran += usize::from(!is_refused(&asked.again(&world.server, &token)));
                }
                ran
            })
        })
        .collect();
    let ran: usize = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(ran, 1, "of a thousand");
    assert_eq!(world.server.log(), ["raced"]);
}

/// Persons who answer at one moment in different ways: whatever was first is what all hear.
#[test]
fn of_a_yes_and_a_no_at_one_moment_one_counts_and_stays() {
    let world = World::new(json!({}));
    let token = world.token("alice");
    for round in 0..10 {
        let asked = world.asked(&format!("round {round}"));
        let (mut one, page) = world.opened(&asked);
        let (mut other, second) = world.opened(&asked);
        let together = Arc::new(Barrier::new(2));
        let theirs = together.clone();
        let no = std::thread::spawn(move || {
            theirs.wait();
            other.press(&second, "refuse").status
        });
        together.wait();
        assert_eq!(one.press(&page, "approve").status, 303);
        assert_eq!(no.join().unwrap(), 303);
        let shown = one.open(&asked.link, "alice").answer.body;
        let ran = !is_refused(&asked.again(&world.server, &token));
        assert_eq!(ran, shown.contains("<h1>Approved</h1>"), "round {round}");
    }
}
