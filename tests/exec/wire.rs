//! A server at the end of two pipes, and what it wrote about itself.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A server that has been introduced to. Dropping it ends it.
pub struct Wire {
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub audit: PathBuf,
}

impl Wire {
    pub fn start(mut command: Command, audit: PathBuf) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wire = Self {
            child,
            lines,
            audit,
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        wire.send(1, "initialize", &params);
        assert!(wire.answer()["result"].is_object());
        let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        writeln!(wire.child.stdin.as_mut().unwrap(), "{done}").unwrap();
        wire
    }

    pub fn send(&mut self, id: u32, method: &str, params: &Value) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    pub fn answer(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    pub fn begin(&mut self, tool: &str, arguments: &Value) {
        let params = json!({ "name": tool, "arguments": arguments });
        self.send(2, "tools/call", &params);
    }

    pub fn call(&mut self, tool: &str, arguments: &Value) -> String {
        self.begin(tool, arguments);
        let answer = self.answer();
        let text = answer["result"]["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The audit log.
    pub fn records(&self) -> Vec<Value> {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = fs::read_to_string(&self.audit).unwrap();
        let record = |line| serde_json::from_str(line).unwrap();
        log.lines().map(record).collect()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
