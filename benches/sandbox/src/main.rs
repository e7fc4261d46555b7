//! What the OS ring costs: from spawn to the first list of tools, with it, without it, and with
//! a helper; and each file that is opened, each call of the kernel, inside and outside of it.
//!
//! The machine is noisy, so each round times all contestants one after the other, in turning
//! order, and the printed ratio is the median of the rounds' own ratios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use mcp_secure::{dangerous, prelude::*, sandbox::Sandbox};
use serde_json::{Value, json};

/// A folder.
#[capability(fs)]
struct Root;

struct Bench;

#[secure_server(name = "bench-sandbox")]
impl Bench {
    /// Does one thing many times, and says how long one takes, in nanoseconds.
    #[tool(public)]
    async fn time(
        &self,
        #[arg(max_len = 8)] what: String,
        #[arg(max_len = 400)] path: String,
        root: Fs<Root, ReadOnly>,
    ) -> ToolResult<String> {
        let path = PathBuf::from(path);
        let _ = root;
        let timed = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            for _ in 0..TIMES {
                match what.as_str() {
                    "open" => drop(black_box(std::fs::File::open(&path)?)),
                    "stat" => drop(black_box(std::fs::metadata(&path)?)),
                    _ => drop(black_box(rustix::process::getppid())),
                }
            }
            Ok::<_, std::io::Error>(begun.elapsed().as_nanos() / u128::from(TIMES))
        });
        Ok(timed.await??.to_string())
    }
}

/// A service, which nobody asks.
#[capability(net = "https://api.example.com")]
struct Service;

struct Reaching;

#[secure_server(name = "bench-sandbox")]
impl Reaching {
    /// Would ask the service.
    #[tool(public)]
    async fn ask(
        &self,
        root: Fs<Root, ReadOnly>,
        service: Net<Service, Get>,
    ) -> ToolResult<String> {
        let _ = root;
        Ok(service.path("/").send().await?.text().await?)
    }
}

const TIMES: u32 = 20_000;
const ROUNDS: usize = 41;

/// Without first: the others are held against it.
const CONTESTANTS: [&str; 4] = ["without", "with", "clean", "helper"];

fn main() -> mcp_secure::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, contestant, root] = arguments.as_slice() {
        return serve(contestant, root);
    }
    // What a shell left open here would be left to the contestants.
    close_fds::set_fds_cloexec(3, &[]);
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("note.md");
    std::fs::write(&file, "x").unwrap();
    start(temp.path());
    calls(temp.path(), &file);
    Ok(())
}

fn serve(contestant: &str, root: &str) -> mcp_secure::Result<()> {
    let sandbox = match contestant {
        "without" => dangerous::without_sandbox(Sandbox::new(), "a benchmark"),
        _ => Sandbox::new(),
    };
    let grant = format!("root={root}");
    if contestant == "helper" {
        return SecureServer::new(Reaching)
            .grant(Root::from_operator())
            .grant(Service::declared())
            .sandbox(sandbox)
            .stdio(Principal::local_user())
            .run_from(["bench", "serve", "--grant", &grant, "--audit", "stderr"]);
    }
    SecureServer::new(Bench)
        .grant(Root::from_operator())
        .sandbox(sandbox)
        .stdio(Principal::local_user())
        .run_from(["bench", "serve", "--grant", &grant, "--audit", "stderr"])
}

/// From spawn to the first list.
fn start(root: &Path) {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut times = [Duration::ZERO; CONTESTANTS.len()];
        for turn in 0..CONTESTANTS.len() {
            let which = (round + turn) % CONTESTANTS.len();
            let begun = Instant::now();
            let mut server = Server::start(CONTESTANTS[which], root);
            server.ask("tools/list", json!({}));
            times[which] = begun.elapsed();
        }
        rounds.push(times);
    }
    println!("from spawn to the first list of tools, {ROUNDS} rounds");
    for (which, name) in CONTESTANTS.iter().enumerate() {
        let time = median(rounds.iter().map(|round| round[which].as_secs_f64() * 1e3));
        let ratio = median(
            rounds
                .iter()
                .map(|round| round[which].as_secs_f64() / round[0].as_secs_f64()),
        );
        println!("  {name:<8} {time:7.2} ms  {ratio:5.2}x");
    }
}

/// In a server that runs.
fn calls(root: &Path, file: &Path) {
    let mut servers = ["without", "with"].map(|contestant| Server::start(contestant, root));
    for what in ["open", "stat", "getppid"] {
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let mut times = [0.0; 2];
            for turn in 0..2 {
                let which = (round + turn) % 2;
                let arguments = json!({ "what": what, "path": file });
                let call = json!({ "name": "time", "arguments": arguments });
                let answer = servers[which].ask("tools/call", call);
                let text = answer["result"]["content"][0]["text"].as_str().unwrap();
                times[which] = text.parse::<f64>().unwrap();
            }
            rounds.push(times);
        }
        let [without, with] = [0, 1].map(|which| median(rounds.iter().map(|round| round[which])));
        let ratio = median(rounds.iter().map(|round| round[1] / round[0]));
        println!("{what:<8} without {without:6.0} ns  with {with:6.0} ns  {ratio:5.2}x");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    id: u64,
}

impl Server {
    fn start(contestant: &str, root: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg(contestant)
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // One that has nothing to leave behind does not start again.
        if contestant == "clean" {
            command.env_clear();
        } else {
            command.env("LEFT_BEHIND", "1");
        }
        let mut child = command.spawn().unwrap();
        let mut server = Self {
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            id: 0,
        };
        let client = json!({ "name": "bench", "version": "1" });
        server.ask(
            "initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client }),
        );
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        writeln!(server.child.stdin.as_mut().unwrap(), "{ready}").unwrap();
        server
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = self.id;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(self.child.stdin.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
