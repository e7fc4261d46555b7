//! The same program through a server: in the sandbox of its helper, and without as the control.

use std::{
    fs,
    net::TcpListener,
    ops::{Deref, DerefMut},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    scene::{Scene, runs},
    wire::Wire,
};

struct Server(Wire);

impl Deref for Server {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.0
    }
}

impl Server {
    fn start(scene: &Scene, sandboxed: bool) -> Self {
        let state = scene.path("state");
        fs::create_dir_all(&state).unwrap();
        let audit = state.join("audit.jsonl");
        let mut command = Command::new(env!("CARGO_BIN_EXE_exec-server"));
        let grant = |name: &str, path: PathBuf| format!("{name}={}", path.display());
        command
            .args(["serve", "--stdio"])
            .args(["--grant", &grant("work", scene.path("work"))])
            .args(["--grant", &grant("probe", scene.path("bin/probe"))])
            .args(["--grant", &grant("writer", scene.path("bin/probe"))])
            .args(["--audit".as_ref(), audit.as_os_str()])
            .env("HOME", &state)
            .env("A_SECRET", "canary");
        if !sandboxed {
            command.env("WITHOUT_SANDBOX", "1");
        }
        Self(Wire::start(command, audit))
    }

    fn look(&mut self, request: &str, value: &str) -> String {
        self.call("look", &json!({ "request": request, "value": value }))
    }

    fn change(&mut self, request: &str) -> String {
        self.call("change", &json!({ "request": request }))
    }

    fn refused_by(&self, control: &str) -> Value {
        let records = self.records();
        let refusal = |record: &&Value| record["control"] == control && record["outcome"] != "ok";
        let found = records.iter().find(refusal).cloned();
        found.unwrap_or_else(|| panic!("no refusal by {control}: {records:?}"))
    }
}

#[test]
fn in_the_sandbox_the_program_reaches_its_folder_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for sandboxed in [true, false] {
        let scene = Scene::new();
        fs::write(scene.path("work/inside"), "inside").unwrap();
        fs::write(scene.path("outside"), "the secret").unwrap();
        let mut server = Server::start(&scene, sandboxed);
        let outside = scene.path("outside").display().to_string();
        assert_eq!(server.look("Read", "inside"), "inside");
        let attempts = [
            (server.look("Read", &outside), "the secret"),
            (server.look("Read", "/etc/passwd"), "root:"),
            (server.look("Connect", &address), "connected"),
            (server.look("Shell", "x"), "a shell"),
        ];
        for (said, harm) in attempts {
            assert_eq!(said.contains(harm), !sandboxed, "{sandboxed}: {said}");
        }
        // For reading is for reading, and for writing for writing.
        server.look("Write", "x");
        assert_eq!(scene.path("work/written").exists(), !sandboxed);
        server.change("Write");
        assert!(scene.path("work/written").exists());
    }
}

#[test]
fn in_the_sandbox_the_program_finds_as_little_as_without() {
    for sandboxed in [true, false] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, sandboxed);
        let told = server.look("Tell", "x");
        assert!(!told.contains("canary"), "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["env"], json!([]));
        assert_eq!(told["group"], told["pid"]);
        assert_eq!(told["cwd"], json!(scene.path("work")));
        if !sandboxed {
            assert_eq!(told["fds"], json!([0, 1, 2]));
        }
    }
}

#[test]
fn what_a_program_left_is_gone_before_the_answer() {
    for sandboxed in [true, false] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, sandboxed);
        assert_eq!(server.change("TreeAndGo"), "gone\n");
        let left = scene.left();
        assert_eq!(left.len(), 3);
        assert!(!left.iter().any(|pid| runs(*pid)), "{sandboxed}");
    }
}

/// Both from one helper, whose orphans they are.
#[tokio::test]
async fn the_end_of_one_run_is_not_the_end_of_another() {
    for round in 0..5 {
        let scene = Scene::new();
        let mut server = Server::start(&scene, true);
        server.begin("change", &json!({ "request": "Tree" }));
        scene.there_are(4).await;
        let first = scene.left();
        let short = json!({ "name": "change", "arguments": { "request": "TreeAndGo" } });
        server.send(3, "tools/call", &short);
        let answer = server.answer();
        let all_run = first.iter().all(|pid| runs(*pid));
        if answer["id"] == 3 && all_run {
            assert_eq!(answer["result"]["content"][0]["text"], "gone\n");
            return;
        }
        // The first one has four seconds, which may be over on a machine that is busy.
        assert!(answer["id"] == 2 && round < 4, "{answer}");
    }
}

#[tokio::test]
async fn the_tree_ends_with_the_call() {
    for sandboxed in [true, false] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, sandboxed);
        server.begin("change", &json!({ "request": "Tree" }));
        scene.there_are(4).await;
        // The tool has four seconds.
        let answer = server.answer();
        assert!(
            answer["error"].is_object() || answer["result"]["isError"] == true,
            "{answer}"
        );
        scene.all_are_gone(4).await;
    }
}

#[tokio::test]
async fn the_tree_ends_with_the_server() {
    // Without a helper, nobody is left who could kill when the server itself is killed.
    for (sandboxed, killed) in [(true, true), (true, false), (false, false)] {
        let scene = Scene::new();
        let mut server = Server::start(&scene, sandboxed);
        server.begin("change", &json!({ "request": "Tree" }));
        scene.there_are(4).await;
        if killed {
            server.child.kill().unwrap();
        } else {
            drop(server.child.stdin.take());
        }
        server.child.wait().unwrap();
        scene.all_are_gone(4).await;
    }
}

#[test]
fn refusals_are_in_the_audit_log() {
    let scene = Scene::new();
    let mut server = Server::start(&scene, true);
    let said = server.look("Tell", "@/etc/passwd");
    assert!(said.contains("would open it as a file"), "{said}");
    let record = server.refused_by("exec/argument");
    assert_eq!(record["steps"][0]["action"], "probe tell");
    assert_eq!(record["steps"][0]["outcome"], "denied");
    assert!(!record.to_string().contains("/etc/passwd"), "{record}");
    server.look("Tell", "-x");
    let said = server.look("Flood", "x");
    assert!(said.contains("100000 bytes"), "{said}");
    assert_eq!(server.refused_by("exec/output")["target"], "look");
    // Written in place: the helper looks, too.
    let mut bytes = fs::read(&scene.program).unwrap();
    bytes.push(0);
    fs::write(&scene.program, bytes).unwrap();
    let said = server.look("Tell", "x");
    assert!(said.contains("changed on disk"), "{said}");
    assert_eq!(server.refused_by("exec/program")["target"], "look");
}
