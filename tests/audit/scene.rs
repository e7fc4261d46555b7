//! A folder with a log, a server as a child process, a client that writes JSON by hand.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use mcp_secure::audit::{Kind, Verification, Verify};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Scene {
    folder: TempDir,
    config: Option<PathBuf>,
    /// Bytes that a file may have.
    pub(crate) file_size: Option<u64>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("audit-").tempdir().unwrap();
        for name in ["files", "state"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            config: None,
            file_size: None,
        }
    }

    /// With these lines in the section `[audit]` of the operator's file.
    pub(crate) fn configured(lines: &str) -> Self {
        let mut scene = Self::new();
        let path = scene.path("config.toml");
        fs::write(&path, format!("[audit]\n{lines}\n")).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        scene.config = Some(path);
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("state/audit.jsonl")
    }

    pub(crate) fn beside(&self, what: &str) -> PathBuf {
        self.path(&format!("state/audit.jsonl.{what}"))
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// All whole lines, those of older segments first.
    pub(crate) fn records(&self) -> Vec<Value> {
        let files = mcp_secure::audit::segments(&self.log()).unwrap();
        let all: String = files
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        all.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    pub(crate) fn left(&self, name: &str) -> bool {
        self.path("files").join(name).exists()
    }

    pub(crate) fn verify(&self) -> Verification {
        Verify::of(self.log()).run().unwrap()
    }

    pub(crate) fn kinds(&self) -> Vec<Kind> {
        kinds(&self.verify())
    }

    pub(crate) fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_audit-target");
        let mut command = match self.file_size {
            // The signal is ignored, so that a write fails as it would on a full disk.
            Some(bytes) => {
                let mut shell = Command::new("sh");
                let limit = format!(
                    "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
                    bytes / 512
                );
                shell.args(["-c", &limit, program]);
                shell
            }
            None => Command::new(program),
        };
        command
            .args(["serve", "--stdio", "--audit"])
            .arg(self.log())
            .arg("--grant")
            .arg(format!("files={}", self.path("files").display()));
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command
            .env("HOME", self.path("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Server {
        Server::start(&mut self.command())
    }

    /// What a server says that does not start.
    pub(crate) fn refusal(&self) -> String {
        let output = self.command().stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

pub(crate) fn kinds(seen: &Verification) -> Vec<Kind> {
    seen.findings.iter().map(|one| one.kind).collect()
}

/// Changes one text of a file into another; both are there.
pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: BufReader<ChildStdout>,
    id: u64,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            stdin,
            stdout,
            id: 0,
        };
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } });
        let id = server.send("initialize", hello);
        let answer = server.answer(id);
        assert!(answer["result"].is_object(), "{answer}");
        let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        writeln!(server.stdin.as_mut().unwrap(), "{done}").unwrap();
        server
    }

    pub(crate) fn send(&mut self, method: &str, params: Value) -> u64 {
        self.id += 1;
        let id = self.id;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let _ = writeln!(self.stdin.as_mut().unwrap(), "{message}");
        id
    }

    pub(crate) fn begin(&mut self, tool: &str, arguments: Value) -> u64 {
        self.send(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    pub(crate) fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let mut errors = String::new();
                let _ = self
                    .child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut errors);
                panic!("no answer: {errors}");
            }
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return message;
            }
        }
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.begin(tool, arguments);
        self.answer(id)
    }

    /// Whether the file was written.
    pub(crate) fn leave(&mut self, name: &str) -> bool {
        let answer = self.call("leave", json!({ "name": name }));
        answer["result"]["content"][0]["text"] == "left"
    }

    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        self.child.wait().unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
