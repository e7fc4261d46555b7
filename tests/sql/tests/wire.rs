//! A server in a child process, and JSON lines to it.

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A server; it is gone with the value.
pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    home: tempfile::TempDir,
}

impl Server {
    /// Starts it and greets it.
    pub(crate) fn start(target: &str, grant: &str) -> Self {
        Self::greeted(spawn(Command::new(TARGET), target, grant))
    }

    /// The same with a home that is there already.
    pub(crate) fn start_in(home: tempfile::TempDir, target: &str, grant: &str) -> Self {
        Self::greeted(spawn_in(home, Command::new(TARGET), target, grant))
    }

    /// The same in a network of its own, in which a connection begins at one of two ports.
    pub(crate) fn start_alone(target: &str, grant: &str) -> Self {
        let is_able = |options: &&str| {
            let probe = Command::new("unshare").args([options, "true"]).output();
            probe.is_ok_and(|output| output.status.success())
        };
        // Who is root needs no user namespace, and where those are closed has no other way.
        let options = ["-n", "-Urn"].into_iter().find(is_able);
        let mut command = Command::new("unshare");
        command
            .arg(options.expect("a network namespace: as root, or where users may make one"))
            .args(["sh", "-c", ALONE, TARGET]);
        Self::greeted(spawn(command, target, grant))
    }

    fn greeted((mut child, home): (Child, tempfile::TempDir)) -> Self {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { child, lines, home };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        let hello = server.ask("initialize", params);
        assert!(hello["result"].is_object(), "{hello}");
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    /// Starts it, and gives what it says instead of serving.
    pub(crate) fn refusal(target: &str, grant: &str) -> String {
        Self::refusal_in(tempfile::tempdir().unwrap(), target, grant)
    }

    /// The same with a home that is there already.
    pub(crate) fn refusal_in(home: tempfile::TempDir, target: &str, grant: &str) -> String {
        let (mut child, _home) = spawn_in(home, Command::new(TARGET), target, grant);
        // One that serves all the same ends with its client.
        drop(child.stdin.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success(), "it served: {said}");
        said
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        let line = self.lines.next().unwrap_or_else(|| {
            let mut said = String::new();
            let _ = self.child.stderr.take().unwrap().read_to_string(&mut said);
            panic!("the server is gone: {said}")
        });
        serde_json::from_str(&line.unwrap()).unwrap()
    }

    /// Calls a tool; the text that the client reads, refused or not.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> String {
        let answer = self.ask(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        );
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// Calls a tool several times at once; the texts, in whatever order they come.
    pub(crate) fn call_at_once(
        &mut self,
        times: usize,
        tool: &str,
        arguments: &Value,
    ) -> Vec<String> {
        for id in 0..times {
            self.send(
                &json!({ "jsonrpc": "2.0", "id": 100 + id, "method": "tools/call",
                "params": { "name": tool, "arguments": arguments } }),
            );
        }
        let answers = (0..times).map(|_| self.lines.next().unwrap().unwrap());
        answers
            .map(|line| {
                let answer: Value = serde_json::from_str(&line).unwrap();
                answer["result"]["content"][0]["text"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }

    /// The last record of the audit log that has steps of handles or an outcome.
    pub(crate) fn record(&self) -> Value {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = std::fs::read_to_string(self.audit()).unwrap();
        let mut records = log
            .lines()
            .rev()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .find(|record| record["phase"] != "intent" && record["target"].is_string())
            .unwrap()
    }

    /// What the sandbox leaves open, by path.
    pub(crate) fn reached(&self) -> Value {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = std::fs::read_to_string(self.audit()).unwrap();
        let mut records = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let sandbox = records.find(|record| record["event"] == "sandbox").unwrap();
        let files = sandbox["files"].as_array().unwrap().iter();
        files
            .map(|file| {
                let path = file["path"].as_str().unwrap().to_owned();
                (path, file["access"].clone())
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The most memory that it ever had, in kilobytes.
    pub(crate) fn peak(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// That the last call was refused by this control, and that the record says so: in itself
    /// and in the step of the handle.
    pub(crate) fn refused_by(&self, control: &str) -> Value {
        let record = self.record();
        assert_eq!(record["control"], control, "{record}");
        assert_ne!(record["outcome"], "ok", "{record}");
        record
    }

    fn audit(&self) -> PathBuf {
        self.home.path().join("audit.jsonl")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: Command, target: &str, grant: &str) -> (Child, tempfile::TempDir) {
    spawn_in(tempfile::tempdir().unwrap(), command, target, grant)
}

fn spawn_in(
    home: tempfile::TempDir,
    mut command: Command,
    target: &str,
    grant: &str,
) -> (Child, tempfile::TempDir) {
    let child = command
        .args(["serve", "--stdio", "--grant", grant, "--audit"])
        .arg(home.path().join("audit.jsonl"))
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("SQL_TARGET", target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, home)
}

const TARGET: &str = env!("CARGO_BIN_EXE_sql-target");

/// `ip` is of the Debian package iproute2.
const ALONE: &str = "ip link set lo up && \
                     echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range && \
                     exec \"$0\" \"$@\"";
