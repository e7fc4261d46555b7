//! The hello server as a client starts it: a child process, JSON lines.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

struct Server {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hello"))
            .args(["--audit", "stderr"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self {
            child,
            input,
            lines,
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        assert!(server.ask("initialize", params)["result"].is_object());
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    fn greet(&mut self, arguments: Value) -> Value {
        self.ask(
            "tools/call",
            json!({ "name": "greet", "arguments": arguments }),
        )["result"]
            .take()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_greets() {
    let mut server = Server::start();
    let tools = server.ask("tools/list", json!({}));
    assert_eq!(tools["result"]["tools"][0]["name"], "greet");
    assert_eq!(
        tools["result"]["tools"][0]["annotations"]["readOnlyHint"],
        true
    );
    let greeting = server.greet(json!({ "name": "Ada" }));
    assert_eq!(greeting["content"][0]["text"], "Hello, Ada!");
}

#[test]
fn what_the_signature_does_not_say_is_refused() {
    let mut server = Server::start();
    for odd in [
        json!({}),
        json!({ "name": 1 }),
        json!({ "name": "Ada", "path": "/etc/passwd" }),
        json!({ "name": "x".repeat(100_000) }),
    ] {
        let refusal = server.greet(odd.clone());
        assert_eq!(refusal["isError"], true, "{odd}");
    }
    let unknown = server.ask(
        "tools/call",
        json!({ "name": "no_such_tool", "arguments": {} }),
    );
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

#[test]
fn it_ends_when_its_client_leaves() {
    let mut server = Server::start();
    drop(server.input.take());
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn it_can_do_no_more_than_the_reviewed_manifest_says() {
    let printed = Command::new(env!("CARGO_BIN_EXE_hello"))
        .args(["manifest", "--json"])
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let reviewed = include_str!("../manifest.json");
    assert_eq!(
        printed.trim_end(),
        reviewed.trim_end(),
        "see what changed, then run `cargo run -p hello -- manifest --json > examples/hello/manifest.json`"
    );
}

#[test]
fn the_server_is_at_most_twelve_lines() {
    let mut code = include_str!("../src/main.rs").lines().collect::<Vec<_>>();
    code.retain(|line| !line.is_empty() && !line.starts_with("use ") && !line.starts_with("//!"));
    assert!(code.len() <= 12, "{code:#?}");
}
