//! Two callers of one server over HTTP, each with a token of their own for the same site.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
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
    anchored: bool,
}

impl World {
    fn new() -> Self {
        Self::with(false)
    }

    /// With a file for each caller that remembers the newest of theirs.
    fn with(anchored: bool) -> Self {
        let (scene, site) = (Scene::new(), Site::new(None));
        scene.file().init(&scene.key()).unwrap();
        let callers = KeyFile::at(scene.at("callers/keys.json"));
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|subject| {
            let until = SystemTime::now() + Duration::from_secs(3600);
            let made = callers.add(&NewKey::new(subject, Lifetime::Until(until)));
            made.unwrap().secret.reveal().to_owned()
        });
        let (server, port) = serve(&scene, &site, anchored);
        Self {
            scene,
            site,
            server,
            port,
            alice,
            bob,
            carol,
            anchored,
        }
    }

    /// Ends the server, and starts another one.
    fn again(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        (self.server, self.port) = serve(&self.scene, &self.site, self.anchored);
    }

    /// All that lies in the folder of the people.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let all = [self.names("keys"), self.names("entries")].concat();
        let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
        all.into_iter().map(read).collect()
    }

    /// Puts it back as it was.
    fn roll_back(&self, files: &[(PathBuf, Vec<u8>)]) {
        for (path, _) in self.files() {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in files {
            fs::write(path, bytes).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn people(&self) -> People {
        let people = self
            .scene
            .file()
            .people(&self.scene.key(), self.scene.at("people"))
            .unwrap();
        match self.anchored {
            true => people.anchors(self.scene.at("keys/anchor/people")),
            false => people,
        }
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

fn serve(scene: &Scene, site: &Site, anchored: bool) -> (Child, u16) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vault-people"));
    if anchored {
        command.env("VAULT_ANCHORS", scene.at("keys/anchor/people"));
    }
    let mut server = command
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
    (server, port)
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

#[test]
fn what_one_caller_spent_leaves_in_no_answer_to_another() {
    let world = World::new();
    world.store("alice", ALICE);
    let says = |text: &str| world.call(&world.bob, "say", json!({ "text": text }));
    assert!(world.read(&world.alice).contains("fine"));
    let said = says(&format!("it is {ALICE}."));
    assert!(said.contains("it is [credential removed]."), "{said}");
    let hex: String = ALICE.bytes().map(|b| format!("{b:02x}")).collect();
    assert!(says(&hex).contains("[credential removed]"));
    assert!(says("alice-token").contains("alice-token"));
    let audit = world.audit_with("vault-credential");
    assert!(audit.contains("vault-credential"), "{audit}");
    assert!(!audit.contains(ALICE));
}

#[test]
fn older_entries_of_a_caller_are_refused_where_there_is_an_anchor_and_only_there() {
    for anchored in [false, true] {
        let world = World::with(anchored);
        world.store("alice", ALICE);
        world.store("bob", BOB);
        let before = world.files();
        // Alice's was stolen, and she has another one.
        world.store("alice", "renewed-token-4711");
        world.roll_back(&before);
        let said = world.read(&world.alice);
        assert_eq!(said.contains("fine"), !anchored, "{said}");
        assert_eq!(world.spent().len(), usize::from(!anchored));
        if anchored {
            let audit = world.audit_with("rolled back");
            assert!(audit.contains("rolled back"), "{audit}");
            assert!(world.people().list(&owner("alice")).is_err());
            // Who is forgotten stays so, with the key of a backup as well.
            assert!(world.people().forget(&owner("bob")).unwrap());
            world.roll_back(&before);
            let said = world.read(&world.bob);
            assert!(said.contains("no credential of this caller"), "{said}");
            let audit = world.audit_with("there is no anchor");
            assert!(audit.contains("there is no anchor"), "{audit}");
        }
    }
}

#[test]
fn a_rotation_moves_all_callers_to_other_keys_and_loses_nothing() {
    for anchored in [false, true] {
        let mut world = World::with(anchored);
        world.store("alice", ALICE);
        world.store("bob", BOB);
        world.store("bob", BOB);
        let before = world.files();
        let anchors = world.scene.at("keys/anchor/people");
        let rotate = |world: &World| {
            let anchors = anchored.then_some(anchors.as_path());
            let (file, key) = (world.scene.file(), world.scene.key());
            file.rotate_people(&key, world.scene.at("people"), anchors)
        };
        assert_eq!(rotate(&world).unwrap(), 2);
        let after = world.files();
        for (path, bytes) in &after {
            assert!(!before.iter().any(|(old, b)| old == path || b == bytes));
        }
        assert!(!after.iter().any(|(path, _)| path.extension().is_some()));
        // The server that runs has the old root, and finds nothing under it.
        let said = world.read(&world.alice);
        assert!(said.contains("no credential of this caller"), "{said}");
        world.again();
        assert!(world.read(&world.alice).contains("fine"));
        assert!(world.read(&world.bob).contains("fine"));
        let bearer = |token: &str| format!("Bearer {token}");
        assert_eq!(world.spent(), [bearer(ALICE), bearer(BOB)]);
        assert_eq!(world.people().list(&owner("bob")).unwrap()[0].version(), 2);
        // What a backup has opens with nothing that is left.
        world.roll_back(&before);
        assert!(world.people().list(&owner("alice")).unwrap().is_empty());
        assert!(rotate(&world).is_err(), "it is nobody's");
    }
}
