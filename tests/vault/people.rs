//! Two callers of one server over HTTP, each with a token of their own for the same site.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use mcp_secure::{
    auth::api_keys::{KeyFile, Lifetime, NewKey},
    vault::{NewCredential, Owner, People, Placement},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{scene::Scene, site::Site};

const ALICE: &str = "alice-token-4711+/=";
const BOB: &str = "bob-token-0815+/=";

struct World {
    scene: Scene,
    site: Site,
    server: Child,
    port: u16,
    alice: String,
    bob: String,
    carol: String,
}

impl World {
    fn new() -> Self {
        let (scene, site) = (Scene::new(), Site::new(None));
        scene.file().init(&scene.key()).unwrap();
        let callers = KeyFile::at(scene.at("callers/keys.json"));
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|subject| {
            let until = SystemTime::now() + Duration::from_secs(3600);
            let made = callers.add(&NewKey::new(subject, Lifetime::Until(until)));
            made.unwrap().secret.reveal().to_owned()
        });
        let mut server = Command::new(env!("CARGO_BIN_EXE_vault-people"))
            .args(["--http", "127.0.0.1:0"])
            .args(["--grant", &format!("api={}", site.url())])
            .arg("--audit")
            .arg(scene.at("log/audit.jsonl"))
            .env("VAULT", scene.at("vault/v"))
            .env("VAULT_KEY", scene.at("keys/0"))
            .env("VAULT_PEOPLE", scene.at("people"))
            .env("VAULT_CALLERS", scene.at("callers/keys.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(server.stderr.take().unwrap());
        let mut all = String::new();
        let port = loop {
            let from = all.len();
            assert_ne!(said.read_line(&mut all).unwrap(), 0, "it ended: {all}");
            let at = all[from..].split_once("listening on http://127.0.0.1:");
            if let Some((_, rest)) = at {
                break rest.split('/').next().unwrap().parse().unwrap();
            }
        };
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self {
            scene,
            site,
            server,
            port,
            alice,
            bob,
            carol,
        }
    }

    fn people(&self) -> People {
        let people = self.scene.file();
        people
            .people(&self.scene.key(), self.scene.at("people"))
            .unwrap()
    }

    fn store(&self, subject: &str, secret: &str) {
        self.people()
            .set(&owner(subject), &github(&self.site.url()), &secret.into())
            .unwrap();
    }

    /// Calls a tool as who has this key; the whole answer.
    fn call(&self, key: &str, tool: &str, arguments: Value) -> String {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}}})
        .to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
             Connection: close\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n\
             MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn read(&self, key: &str) -> String {
        self.call(key, "read", json!({"page": "plain"}))
    }

    /// The `Authorization` of each request that the site got, in their order.
    fn spent(&self) -> Vec<String> {
        let seen = self.site.seen();
        let line = |head: &String| {
            let mut lines = head.lines();
            let found = lines.find_map(|l| l.strip_prefix("authorization: "));
            found.unwrap_or("nothing").to_owned()
        };
        seen.iter().map(line).collect()
    }

    /// What is in a folder of the people's.
    fn names(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.scene.at("people").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The log once this is in it, or as it is after some seconds: a record is written
    /// milliseconds after the answer.
    fn audit_with(&self, words: &str) -> String {
        let read = || fs::read_to_string(self.scene.at("log/audit.jsonl")).unwrap();
        for _ in 0..200 {
            if read().contains(words) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        read()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn owner(subject: &str) -> Owner {
    Owner::new("api-key", subject).unwrap()
}

fn github(host: &str) -> NewCredential {
    NewCredential::new("github", Placement::Bearer, [host]).unwrap()
}

#[test]
fn each_caller_spends_their_own_and_who_has_none_spends_nobodys() {
    let world = World::new();
    world.store("alice", ALICE);
    world.store("bob", BOB);
    assert!(world.read(&world.alice).contains("fine"));
    assert!(world.read(&world.bob).contains("fine"));
    let refused = world.read(&world.carol);
    assert!(
        refused.contains("no credential of this caller"),
        "{refused}"
    );
    assert!(world.read(&world.alice).contains("fine"));
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(world.spent(), [bearer(ALICE), bearer(BOB), bearer(ALICE)]);
    let audit = world.audit_with("this caller has no credential `github`");
    assert!(
        audit.contains("200, spent the caller's `github` version 1"),
        "{audit}"
    );
    assert!(
        audit.contains("this caller has no credential `github`")
            && audit.contains("net/credential"),
        "{audit}"
    );
    for token in [ALICE, BOB] {
        assert!(!audit.contains(token));
    }
    // What comes back is cleaned of the one that was spent.
    let echo = world.call(&world.alice, "read", json!({"page": "echo"}));
    assert!(
        echo.contains("[credential removed]") && !echo.contains(ALICE),
        "{echo}"
    );
}

#[test]
fn the_entries_of_one_caller_under_the_name_of_another_do_not_open() {
    let world = World::new();
    world.store("alice", ALICE);
    let files = |world: &World| [world.names("keys"), world.names("entries")].concat();
    let of_alice = files(&world);
    world.store("bob", BOB);
    let newest = |folder: &str| {
        let all = world.names(folder);
        let new = all.into_iter().filter(|path| !of_alice.contains(path));
        new.filter(|path| path.extension().is_none())
            .collect::<Vec<_>>()
    };
    // Whoever can write the folder gives the caller Bob what Alice has, with the key of it.
    for folder in ["keys", "entries"] {
        let [of_bob] = &newest(folder)[..] else {
            panic!("one file of Bob in {folder}")
        };
        let of_alice = of_alice
            .iter()
            .find(|path| path.parent() == of_bob.parent() && path.extension().is_none());
        fs::copy(of_alice.unwrap(), of_bob).unwrap();
    }
    let refused = world.read(&world.bob);
    assert!(
        refused.contains("no credential of this caller"),
        "{refused}"
    );
    assert!(world.spent().is_empty(), "nothing left");
    let audit = world.audit_with("does not open");
    assert!(audit.contains("does not open"), "{audit}");
    assert!(world.people().list(&owner("bob")).is_err());
    assert!(world.read(&world.alice).contains("fine"));
}

#[test]
fn who_is_forgotten_is_forgotten_in_backups_of_the_entries_too() {
    let world = World::new();
    world.store("alice", ALICE);
    world.store("bob", BOB);
    // A second version, so that there is a generation before.
    world.store("alice", ALICE);
    let backup: Vec<(PathBuf, Vec<u8>)> = world
        .names("entries")
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(world.read(&world.alice).contains("fine"));
    assert!(world.people().forget(&owner("alice")).unwrap());
    assert!(world.people().list(&owner("alice")).unwrap().is_empty());
    for (path, bytes) in backup {
        fs::write(path, bytes).unwrap();
    }
    let refused = world.read(&world.alice);
    assert!(
        refused.contains("no credential of this caller"),
        "{refused}"
    );
    assert!(world.people().list(&owner("alice")).unwrap().is_empty());
    assert!(!world.people().forget(&owner("alice")).unwrap());
    // Bob is as he was, and Alice may come again: with another key than before.
    assert!(world.read(&world.bob).contains("fine"));
    world.store("alice", "another-token");
    assert!(world.read(&world.alice).contains("fine"));
    assert_eq!(world.spent().last().unwrap(), "Bearer another-token");
}

#[test]
fn a_caller_has_so_many_and_no_more() {
    let world = World::new();
    let (people, alice) = (world.people(), owner("alice"));
    let secret = SecretString::from(ALICE);
    let store = |name: String| {
        let host = [world.site.url()];
        let credential = NewCredential::new(name, Placement::Bearer, host).unwrap();
        people.set(&alice, &credential, &secret)
    };
    for n in 0..16 {
        store(format!("token-{n}")).unwrap();
    }
    let error = store("token-16".to_owned()).unwrap_err().to_string();
    assert!(error.contains("no more may be"), "{error}");
    // One that is there may be renewed, and another caller has room.
    assert_eq!(store("token-3".to_owned()).unwrap(), 2);
    world.store("bob", BOB);
}

#[test]
fn the_files_of_callers_tell_a_tool_nothing() {
    let world = World::new();
    world.store("alice", ALICE);
    for folder in ["keys", "entries"] {
        for path in world.names(folder) {
            let name = path.to_str().unwrap().to_owned();
            assert!(!name.contains("alice"), "{name}");
            // The server reads them, so its tools do: without the secret of the vault it is noise.
            let said = world.call(&world.bob, "file", json!({ "path": name }));
            assert!(!said.contains(ALICE) && !said.contains("alice"), "{said}");
        }
    }
    for path in ["vault/v", "keys/0"] {
        let path = world.scene.at(path);
        let said = world.call(&world.bob, "file", json!({ "path": path }));
        assert!(said.contains("no: PermissionDenied"), "{said}");
    }
}
