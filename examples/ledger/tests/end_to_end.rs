//! The ledger as a client reaches it: a child process with JSON lines.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A server with books of its own; both are gone with the value.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    lines: Lines<BufReader<ChildStdout>>,
    /// What the person answers when they are asked.
    person: &'static str,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("ledger-")
            .tempdir()
            .unwrap();
        let books = folder.path().join("books");
        std::fs::create_dir(&books).unwrap();
        let path = books.join("ledger.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(include_str!("../schema.sql"))
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ledger"))
            .args(["serve", "--stdio", "--grant"])
            .arg(format!("ledger={}", path.display()))
            .arg("--audit")
            .arg(folder.path().join("audit.jsonl"))
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self {
            child,
            folder,
            lines,
            person: "decline",
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" } });
        assert!(server.ask("initialize", params)["result"].is_object());
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        loop {
            let line = self.lines.next().unwrap().unwrap();
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["method"] != "elicitation/create" {
                return message;
            }
            let result = json!({ "action": self.person, "content": { "approve": true } });
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            self.send(&answer);
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        );
        answer["result"].clone()
    }

    fn balance(&self, name: &str) -> i64 {
        rusqlite::Connection::open(self.folder.path().join("books/ledger.db"))
            .unwrap()
            .query_row(
                "SELECT cents FROM accounts WHERE name = ?1",
                [name],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// The control that the last record of a call names.
    fn control(&self) -> Value {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        let record = log.lines().last().unwrap();
        serde_json::from_str::<Value>(record).unwrap()["control"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn accounts_are_listed_and_payments_found() {
    let mut server = Server::start();
    let names = |answer: &Value| -> Vec<String> {
        let accounts = answer["structuredContent"]["accounts"].as_array().unwrap();
        let name = |account: &Value| account["name"].as_str().unwrap().to_owned();
        accounts.iter().map(name).collect()
    };
    let answer = server.call("list_accounts", json!({ "order": "Name" }));
    assert_eq!(names(&answer), ["alice", "bob", "club"]);
    let answer = server.call("list_accounts", json!({ "order": "Balance" }));
    assert_eq!(names(&answer), ["club", "alice", "bob"]);
    let answer = server.call("find_payments", json!({ "words": "BOAT", "limit": 5 }));
    let payments = &answer["structuredContent"]["payments"];
    assert_eq!(payments[0]["cents"], 1890);
}

#[test]
fn what_is_sql_is_a_value_or_no_argument_at_all() {
    let mut server = Server::start();
    for words in [
        "' OR 1=1 --",
        "x') UNION SELECT name, name, 1, name FROM accounts --",
    ] {
        let answer = server.call("find_payments", json!({ "words": words, "limit": 5 }));
        assert_eq!(
            answer["structuredContent"]["payments"],
            json!([]),
            "{answer}"
        );
    }
    let order = json!({ "order": "cents; DROP TABLE accounts" });
    assert_eq!(server.call("list_accounts", order)["isError"], true);
    assert_eq!(server.control(), "validate/schema");
    assert_eq!(server.balance("alice"), 12000);
}

#[test]
fn a_payment_needs_a_person_and_is_made_whole_or_not_at_all() {
    let mut server = Server::start();
    let pay = |payer: &str, payee: &str, cents: u32| json!({ "payer": payer, "payee": payee, "cents": cents, "purpose": "Rope" });
    assert_eq!(
        server.call("pay", pay("alice", "bob", 100))["isError"],
        true
    );
    assert_eq!(
        (server.balance("alice"), server.balance("bob")),
        (12000, 3000)
    );
    server.person = "accept";
    let answer = server.call("pay", pay("alice", "bob", 100));
    assert_eq!(answer["isError"], false, "{answer}");
    assert_eq!(
        (server.balance("alice"), server.balance("bob")),
        (11900, 3100)
    );
    // To nobody, and more than there is: nothing is moved.
    for payment in [pay("alice", "nobody", 100), pay("bob", "alice", 900_000)] {
        assert_eq!(server.call("pay", payment)["isError"], true);
    }
    assert_eq!(
        (server.balance("alice"), server.balance("bob")),
        (11900, 3100)
    );
}

#[test]
fn it_can_do_no_more_than_the_reviewed_manifest_says() {
    let printed = Command::new(env!("CARGO_BIN_EXE_ledger"))
        .args(["manifest", "--json"])
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(
        printed.trim_end(),
        include_str!("../manifest.json").trim_end(),
        "see what changed, then run `cargo run -p ledger -- manifest --json > examples/ledger/manifest.json`"
    );
}
