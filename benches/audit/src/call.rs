//! A whole call that only reads, over stdio, by a server that is a child process: with the audit log,
//! with plain lines (`--audit stderr`, into a file), and with no record at all.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use mcp_secure::{prelude::*, serde_json};

/// The verb of a child.
pub(crate) const SERVER: &str = "serve";

/// The folder with the file that is read.
#[capability(fs)]
pub(crate) struct Root;

struct Bench;

#[secure_server(name = "audit-bench")]
impl Bench {
    /// Returns its input text
    #[tool(public)]
    async fn echo(&self, #[arg(max_len = 1000)] text: String) -> String {
        text
    }

    /// Reads a file
    #[tool(public)]
    async fn read(&self, path: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        Ok(root.read_to_string(&path).await?)
    }
}

/// What is called.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// 100 bytes, back and forth.
    Echo,
    /// A file of 4 KiB.
    File,
}

pub(crate) fn serve() {
    let limits = Limits {
        principal_per_minute: 1 << 30,
        principal_burst: 1 << 30,
        principal_concurrency: 1 << 16,
        client_per_minute: 1 << 30,
        client_burst: 1 << 30,
        repeats_per_minute: 1 << 30,
        ..Limits::default()
    };
    let server = SecureServer::new(Bench)
        .limits(limits)
        .grant(Root::from_operator());
    server.stdio(Principal::local_user()).run().unwrap();
}

/// Microseconds of processor time for a call: audited, with a plain line, without a record.
pub(crate) fn cpu(folder: &Path, round: usize, what: What) -> [f64; 3] {
    let name = match what {
        What::Echo => "echo",
        What::File => "file",
    };
    let log = folder.join(format!("calls-{name}{round}"));
    let lines = folder.join(format!("lines-{name}{round}"));
    let root = folder.join("root");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("4k.txt"), "Four kibibytes. ".repeat(256)).unwrap();
    let one = |audit: &str, stderr| one(&root, what, audit, stderr);
    // Each in turn, in another order in each round.
    let mut cost = [0.0; 3];
    for at in 0..3 {
        let which = (at + round) % 3;
        cost[which] = match which {
            0 => one(log.to_str().unwrap(), Stdio::null()),
            1 => one("stderr", File::create(&lines).unwrap().into()),
            _ => one("nowhere", Stdio::null()),
        };
    }
    cost
}

fn one(root: &Path, what: What, audit: &str, stderr: Stdio) -> f64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([SERVER, "--stdio", "--audit", audit, "--log", "off"])
        .arg("--grant")
        .arg(format!("root={}", root.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    calls(&mut stdin, &mut stdout, what, 2_000);
    let before = spent(&child);
    calls(&mut stdin, &mut stdout, what, CALLS);
    let spent = spent(&child) - before;
    drop(stdin);
    assert!(child.wait().unwrap().success());
    spent / f64::from(CALLS)
}

/// 16 under way.
fn calls(stdin: &mut ChildStdin, stdout: &mut BufReader<ChildStdout>, what: What, count: u32) {
    let (name, arguments) = match what {
        What::Echo => ("echo", serde_json::json!({ "text": "x".repeat(100) })),
        What::File => ("read", serde_json::json!({ "path": "4k.txt" })),
    };
    let send = |stdin: &mut ChildStdin, id: u32| {
        let call = serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
            "name": name, "arguments": arguments,
            "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {} } } });
        writeln!(stdin, "{call}").unwrap();
    };
    let mut sent = 0;
    while sent < 16 {
        sent += 1;
        send(stdin, sent);
    }
    let mut line = String::new();
    for _ in 0..count {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0);
        assert!(line.contains("\"result\""), "{line}");
        if sent < count {
            sent += 1;
            send(stdin, sent);
        }
    }
}

/// Microseconds that all threads have had.
fn spent(child: &Child) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    tasks
        .map(|task| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
        })
        .sum()
}

const CALLS: u32 = 30_000;
