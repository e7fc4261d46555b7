//! Starting a server. How a server says where it listens is known here and nowhere else.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{CANARY, Client, Generation, SECRET, Transport, Way};

/// How long anything may take. Nothing should come near it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a server is started with.
pub(crate) struct Setup {
    transport: Transport,
    folder: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    files: Option<String>,
    audit: Option<String>,
    file_size: Option<u64>,
    unix: bool,
    address: Option<String>,
}

impl Setup {
    /// A server whose caller may read and write files, and is no administrator.
    pub(crate) fn on(transport: Transport) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        std::fs::write(folder.path().join("files/a.txt"), "the content of a").unwrap();
        let mut setup = Self {
            transport,
            environment: Vec::new(),
            arguments: Vec::new(),
            files: None,
            audit: None,
            file_size: None,
            unix: false,
            address: None,
            folder,
        };
        setup.set("SCOPES", "files:read files:write");
        setup
    }

    /// One of the `WIRING_` variables of the target.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// `concurrency=2 timeout=300`: numbers and milliseconds.
    pub(crate) fn limits(self, limits: &str) -> Self {
        self.with("LIMITS", limits)
    }

    /// A variable that the target does not know.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// More on the command line.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Binds the grant to another folder, or, if empty, to none.
    pub(crate) fn files(mut self, path: &str) -> Self {
        self.files = Some(path.to_owned());
        self
    }

    /// Another place for the audit log.
    pub(crate) fn audit(mut self, path: &str) -> Self {
        self.audit = Some(path.to_owned());
        self
    }

    /// The operator's address for HTTP.
    pub(crate) fn http_at(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// HTTP on a Unix-domain socket instead of a port.
    pub(crate) fn over_unix(mut self) -> Self {
        self.unix = true;
        self
    }

    /// No file of the server grows beyond this: a full disk, as far as it can see.
    pub(crate) fn largest_file(mut self, bytes: u64) -> Self {
        self.file_size = Some(bytes);
        self
    }

    /// Puts a file into the folder of the grant.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join("files").join(name), text).unwrap();
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Starts the server and waits until it can be spoken to.
    pub(crate) fn start(self) -> Server {
        let mut child = self.command().spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (said, listening) = channel();
        let errors = child.stderr.take().unwrap();
        let reader = std::thread::spawn({
            let stderr = Arc::clone(&stderr);
            move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    // The only place that knows how a server says where it listens.
                    if let Some(port) = port_in(&line) {
                        let _ = said.send(port);
                    }
                    let mut all = stderr.lock().unwrap();
                    all.push_str(&line);
                    all.push('\n');
                }
            }
        });
        let (sender, lines) = channel();
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut server = Server {
            transport: self.transport,
            child: RefCell::new(child),
            stdin: RefCell::new(stdin),
            lines,
            early: RefCell::default(),
            next_id: Cell::new(1),
            port: 0,
            token: RefCell::default(),
            socket: None,
            stderr,
            reader: RefCell::new(Some(reader)),
            folder: self.folder,
        };
        if self.unix {
            let socket = server.folder.path().join("socket/mcp.sock");
            server.wait_for("the socket", || UnixStream::connect(&socket).ok());
            server.socket = Some(socket);
        } else if self.transport == Transport::Http {
            server.port = match listening.recv_timeout(PATIENCE) {
                Ok(port) => port,
                Err(_) => panic!("the server does not listen: {}", server.stderr()),
            };
            // A server with several users has no file for one.
            let file = server.folder.path().join("token/secret");
            let token = std::fs::read_to_string(file).unwrap_or_default();
            server.sign_in(token.trim());
        }
        server
    }

    /// Starts a server that must not start, and returns what it says to the operator.
    pub(crate) fn start_fails(self) -> String {
        let mut child = self.command().spawn().unwrap();
        drop(child.stdin.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let mut out = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success(), "it started: {said}");
        assert_eq!(out, "", "what an operator reads is not for standard output");
        said
    }

    fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_wiring-target");
        let mut command = match self.file_size {
            // The signal is ignored, so that a write fails as it would on a full disk.
            Some(bytes) => {
                let mut shell = Command::new("sh");
                let blocks = bytes / 512;
                shell.args([
                    "-c",
                    &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""),
                    binary,
                ]);
                shell
            }
            None => Command::new(binary),
        };
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let files = self.files.clone().unwrap_or_else(|| path("files"));
        command.arg("serve").arg(match self.transport {
            Transport::Stdio => "--stdio",
            Transport::Http if self.unix => "--unix",
            Transport::Http => "--http",
        });
        command.args(&self.address);
        if !files.is_empty() {
            command.args(["--grant", &format!("files={files}")]);
        }
        let audit = self.audit.clone().unwrap_or_else(|| path("audit.jsonl"));
        command.args(["--audit", &audit]);
        command.args(&self.arguments);
        command
            .env("WIRING_TRACES", path("traces"))
            .env("WIRING_TOKEN", path("token/secret"))
            .env("WIRING_SOCKET", path("socket/mcp.sock"))
            .env_remove("RUST_LOG")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment
            .push((format!("WIRING_{name}"), value.to_owned()));
    }
}

/// The port in a line such as `listening on http://127.0.0.1:8730/mcp`.
fn port_in(line: &str) -> Option<u16> {
    let (_, address) = line.strip_prefix("listening on ")?.split_once("://")?;
    let (authority, _) = address.split_once('/')?;
    authority.rsplit_once(':')?.1.parse().ok()
}

/// A running server; killed when the test ends.
pub(crate) struct Server {
    transport: Transport,
    child: RefCell<Child>,
    stdin: RefCell<Option<ChildStdin>>,
    lines: Receiver<String>,
    /// Answers that came while another one was waited for.
    early: RefCell<HashMap<String, Value>>,
    next_id: Cell<i64>,
    port: u16,
    token: RefCell<String>,
    socket: Option<PathBuf>,
    stderr: Arc<Mutex<String>>,
    reader: RefCell<Option<JoinHandle<()>>>,
    folder: TempDir,
}

impl Server {
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The path of the socket, if it has one and no port.
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Where all its files are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn token(&self) -> String {
        self.token.borrow().clone()
    }

    /// What is sent from now on is sent with this token.
    pub(crate) fn sign_in(&self, token: &str) {
        self.token.replace(token.to_owned());
    }

    /// A client that can show forms to a person.
    pub(crate) fn client(&self, way: Way) -> Client<'_> {
        Client::connect(
            self,
            way.generation,
            &serde_json::json!({ "elicitation": {} }),
        )
    }

    /// A client that has only these capabilities.
    pub(crate) fn client_with(&self, generation: Generation, capabilities: &Value) -> Client<'_> {
        Client::connect(self, generation, capabilities)
    }

    pub(crate) fn next_id(&self) -> i64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }

    /// Writes a line to the server's standard input, whatever it is.
    pub(crate) fn write_line(&self, line: &[u8]) {
        self.write(line);
        self.write(b"\n");
    }

    /// Writes a part of a line.
    pub(crate) fn write(&self, part: &[u8]) {
        let stdin = self.stdin.borrow();
        let mut stdin = stdin.as_ref().expect("standard input is open");
        stdin.write_all(part).unwrap();
        stdin.flush().unwrap();
    }

    /// The client of a stdio server goes away.
    pub(crate) fn close_input(&self) {
        drop(self.stdin.take());
    }

    /// The next line of standard output. Every one must be a message.
    #[track_caller]
    pub(crate) fn read_line(&self) -> Value {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line)
                .unwrap_or_else(|_| panic!("not a message on standard output: {line:?}")),
            Err(why) => panic!("no answer ({why}): {}", self.stderr()),
        }
    }

    /// A line if there is one within a moment.
    pub(crate) fn maybe_line(&self, wait: Duration) -> Option<Value> {
        match self.lines.recv_timeout(wait) {
            Ok(line) => Some(serde_json::from_str(&line).unwrap()),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The answer with this id, or a request of the server's, over standard output.
    #[track_caller]
    pub(crate) fn read_for(&self, id: &Value) -> Value {
        if let Some(early) = self.early.borrow_mut().remove(&id.to_string()) {
            return early;
        }
        loop {
            let message = self.read_line();
            let is_answer = message.get("method").is_none();
            if is_answer && message["id"] != *id {
                self.early
                    .borrow_mut()
                    .insert(message["id"].to_string(), message);
            } else if is_answer || message.get("id").is_some() {
                return message;
            }
        }
    }

    /// The lines that user code left.
    pub(crate) fn traces(&self) -> Vec<String> {
        let all = std::fs::read_to_string(self.folder.path().join("traces")).unwrap_or_default();
        all.lines().map(str::to_owned).collect()
    }

    /// Whether user code of this name ran.
    pub(crate) fn reached(&self, line: &str) -> bool {
        self.traces().iter().any(|trace| trace == line)
    }

    /// Waits until user code has left a line.
    #[track_caller]
    pub(crate) fn wait_for_trace(&self, line: &str) {
        self.wait_for(&format!("the trace {line:?}"), || {
            self.reached(line).then_some(())
        });
    }

    pub(crate) fn wait_for_traces(&self, line: &str, count: usize) {
        self.wait_for(&format!("{count} traces {line:?}"), || {
            (self.traces().iter().filter(|trace| *trace == line).count() >= count).then_some(())
        });
    }

    pub(crate) fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join("files").join(name)).ok()
    }

    /// All records, oldest first, without the log's own.
    pub(crate) fn audit(&self) -> Vec<Value> {
        self.settled()
            .lines()
            // The last line may be on its way.
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|record: &Value| {
                let own = ["genesis", "opened", "closed", "checkpoint"];
                !own.iter().any(|event| record["event"] == *event)
            })
            .collect()
    }

    /// The log once it grows no more, or does not stop growing for two seconds: what was recorded
    /// before an answer was sent is in the file some milliseconds after it.
    fn settled(&self) -> String {
        let begun = Instant::now();
        let mut before = self.audit_text();
        let mut same = 0;
        while same < 3 && begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(10));
            let now = self.audit_text();
            same = match now == before && (now.is_empty() || now.ends_with('\n')) {
                true => same + 1,
                false => 0,
            };
            before = now;
        }
        before
    }

    pub(crate) fn audit_text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap_or_default()
    }

    /// All outcomes of one operation on one target.
    pub(crate) fn outcomes(&self, op: &str, target: &str) -> Vec<Value> {
        let mut all = self.audit();
        all.retain(|r| {
            r["event"] == "outcome" && r["op"] == op && r["target"].as_str().unwrap_or("") == target
        });
        all
    }

    /// The newest outcome of a call of this tool; waits for it.
    #[track_caller]
    pub(crate) fn outcome(&self, tool: &str) -> Value {
        self.outcome_of("tools/call", tool)
    }

    #[track_caller]
    pub(crate) fn outcome_of(&self, op: &str, target: &str) -> Value {
        self.wait_for(&format!("an outcome of {op} {target}"), || {
            self.outcomes(op, target).pop()
        })
    }

    /// An outcome that ended in this way; waits for it.
    #[track_caller]
    pub(crate) fn outcome_that_is(&self, tool: &str, outcome: &str) -> Value {
        self.wait_for(&format!("an outcome {outcome} of {tool}"), || {
            self.outcomes("tools/call", tool)
                .into_iter()
                .find(|r| r["outcome"] == outcome)
        })
    }

    /// An outcome that this control denied; waits for it.
    #[track_caller]
    pub(crate) fn denied_by(&self, control: &str) -> Value {
        self.wait_for(&format!("a refusal by {control}"), || {
            self.audit()
                .into_iter()
                .find(|r| r["event"] == "outcome" && r["control"] == control)
        })
    }

    /// Counted refusals of this control, before anybody was known.
    #[track_caller]
    pub(crate) fn refused(&self, control: &str) -> Value {
        self.wait_for(&format!("a refusal by {control}"), || {
            self.audit()
                .into_iter()
                .find(|r| r["event"] == "refused" && r["control"] == control)
        })
    }

    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{what} is missing;\naudit:\n{}\ntraces: {:?}\nstderr: {}",
                self.audit_text(),
                self.traces(),
                self.stderr(),
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until these words are on standard error.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&self, words: &str) {
        self.wait_for(&format!("{words:?} on standard error"), || {
            self.stderr().contains(words).then_some(())
        });
    }

    /// Reads standard error to its end; the process has ended.
    fn finish_stderr(&self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    /// Asks the server to end, as a supervisor does.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.borrow().id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the process and says how long it took.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) -> Duration {
        let started = Instant::now();
        while self.child.borrow_mut().try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = started.elapsed();
        self.finish_stderr();
        took
    }
}

impl Drop for Server {
    /// What holds for every test: no value of an argument is in a log, and no internal words
    /// are on standard error.
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
        self.finish_stderr();
        if !std::thread::panicking() {
            let (audit, stderr) = (self.audit_text(), self.stderr());
            assert!(
                !audit.contains(SECRET),
                "an argument is in the audit log: {audit}"
            );
            assert!(
                !stderr.contains(SECRET),
                "an argument is on standard error: {stderr}"
            );
            assert!(
                !stderr.contains(CANARY),
                "internal words are on standard error: {stderr}"
            );
            let token = self.token();
            if !token.is_empty() {
                assert!(!audit.contains(&token) && !stderr.contains(&token));
            }
        }
    }
}
