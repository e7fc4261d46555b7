//! A server that runs the program and says how long it took. The clock is read in the server: what a
//! call costs on its way there is measured elsewhere.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use mcp_secure::{
    capability::exec::Text,
    prelude::*,
    sandbox::{Level, Sandbox},
};
use serde_json::{Value, json};

use crate::{Echo, PROGRAM};

struct Runner;

#[secure_server(name = "bench-exec")]
impl Runner {
    /// Runs the program some times and says how many nanoseconds that took.
    #[tool(scope = "run", unapproved = "echo changes nothing")]
    async fn run(&self, times: u32, text: Text, echo: Exec<Echo>) -> ToolResult<u64> {
        let start = Instant::now();
        for _ in 0..times {
            let output = echo.command([]).arg(&text).run().await?.success()?;
            if !output.stdout.ends_with(b"hello\n") {
                return Err(ToolError::new("the program did not answer"));
            }
        }
        Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The server's side.
pub(crate) fn serve() -> mcp_secure::Result<()> {
    SecureServer::new(Runner)
        .grant(mcp_secure::capability::exec::ExecGrant::<Echo>::from_operator())
        .sandbox(Sandbox::new().require(Level::Full))
        .stdio(Principal::local_user().scopes(["run"]))
        .run()
}

/// The benchmark's side.
pub(crate) struct Child {
    _process: std::process::Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--stdio", "--grant"])
            .arg(format!("echo={PROGRAM}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut child = Self {
            input: process.stdin.take().unwrap(),
            lines: BufReader::new(process.stdout.take().unwrap()).lines(),
            _process: process,
        };
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "bench", "version": "1" } });
        assert!(child.ask("initialize", &params)["result"].is_object());
        child.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        child
    }

    /// How long the server took for as many runs.
    pub(crate) fn run(&mut self, times: u32) -> Duration {
        let params = json!({ "name": "run", "arguments": { "times": times, "text": "hello" } });
        let answer = self.ask("tools/call", &params);
        let text = answer["result"]["content"][0]["text"].as_str();
        let nanoseconds = text.and_then(|text| text.parse().ok());
        assert!(nanoseconds.is_some(), "{answer}");
        Duration::from_nanos(nanoseconds.unwrap())
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }
}
