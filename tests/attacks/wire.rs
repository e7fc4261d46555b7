//! Child processes, and the bytes that go to them: JSON lines and HTTP, written by hand,
//! because an attacker's client is not a polite one.

use std::{
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::scene::Scene;

/// The variable that makes a child of this program a server.
pub const ROLE: &str = "MCP_SECURE_ATTACKS_ROLE";

/// Longer than any honest answer takes, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server in a child process. Dropping it ends it.
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
    /// Ends with what the server has to say.
    hears: std::thread::JoinHandle<()>,
    next_id: u64,
}

impl Server {
    /// Starts this program as a server. Its home is in the scene.
    pub fn start<A: AsRef<OsStr>>(
        role: &str,
        arguments: impl IntoIterator<Item = A>,
        scene: &Scene,
    ) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .env_clear()
            .env(ROLE, role)
            .env("HOME", scene.path("outside/home/u"))
            .env("XDG_RUNTIME_DIR", scene.path("state"))
            // What a server's environment holds in the field, and what is after it.
            .env("API_TOKEN", &scene.canary)
            .current_dir(&scene.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&errors);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let hears = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut written = written.lock().unwrap();
                written.push_str(&line);
                written.push('\n');
            }
        });
        let input = child.stdin.take();
        Self {
            child,
            input,
            lines,
            errors,
            hears,
            next_id: 1,
        }
    }

    /// What the server has written to standard error.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// What the server has written to standard error, when this is in it.
    pub fn errors_with(&mut self, words: &str) -> String {
        self.until(words, |server| {
            let errors = server.errors();
            let (_, rest) = errors.split_once(words)?;
            rest.contains('\n').then_some(errors)
        })
    }

    /// The loopback address that the server says it listens on.
    pub fn address(&mut self) -> SocketAddr {
        self.until("an address", |server| {
            let errors = server.errors();
            let (_, rest) = errors.split_once("listening on")?;
            let (_, rest) = rest.split_once("127.0.0.1:")?;
            let (port, _) = rest.split_once(|c: char| !c.is_ascii_digit())?;
            Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
        })
    }

    /// Whether the process runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the process to end by itself; whether it succeeded.
    pub fn ended(&mut self) -> bool {
        let status = self.until("an end", |server| server.child.try_wait().unwrap());
        // Its last words may still be on their way.
        self.until("the end of its words", |server| {
            server.hears.is_finished().then_some(())
        });
        status.success()
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what}; stderr: {}",
                self.errors()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Writes bytes to standard input. A server that is gone does not take them.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes)?;
        input.flush()
    }

    pub fn send_line(&mut self, message: &str) -> io::Result<()> {
        self.send(format!("{message}\n").as_bytes())
    }

    /// The next line of standard output; `None` if none comes in this time.
    pub fn line(&mut self, patience: Duration) -> Option<Value> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Some(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Initializes a session of the 2025-11-25 revision.
    pub fn initialize(&mut self) {
        self.initialize_with(&json!({}));
    }

    /// The same, for a client with these capabilities.
    pub fn initialize_with(&mut self, capabilities: &Value) {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities,
            "clientInfo": { "name": "attacker", "version": "1" } });
        let answer = self.ask("initialize", params);
        assert!(answer["result"].is_object(), "{answer}");
        let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.send_line(&done.to_string()).unwrap();
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.ask_all(method, params).pop().unwrap()
    }

    /// The same, with whatever is said before the answer. A question is part of it, and
    /// nobody answers.
    pub fn ask_all(&mut self, method: &str, params: Value) -> Vec<Value> {
        let id = self.next_id;
        self.next_id += 1;
        self.send_line(&request(id, method, params).to_string())
            .unwrap();
        let begun = Instant::now();
        let mut said = Vec::new();
        while begun.elapsed() < PATIENCE {
            let Some(line) = self.line(PATIENCE) else {
                break;
            };
            let is_last = line.get("method").is_none() && line["id"] == id;
            said.push(line);
            if is_last {
                return said;
            }
        }
        panic!("no answer to {method}; stderr: {}", self.errors());
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// The text that a caller reads in an answer: an error's message, or the text of a result.
pub fn text(answer: &Value) -> String {
    let error = answer["error"]["message"].as_str();
    let result = answer["result"]["content"][0]["text"].as_str();
    error
        .or(result)
        .map_or_else(|| answer.to_string(), str::to_owned)
}

/// One HTTP request, as raw as its headers.
pub struct Http {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// One HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Http {
    pub fn new(method: &'static str, body: impl ToString) -> Self {
        Self {
            method,
            path: "/mcp",
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    /// A POST with a JSON-RPC message.
    pub fn post(message: impl ToString) -> Self {
        Self::new("POST", message)
            .with("Content-Type", "application/json")
            .with("Accept", "application/json, text/event-stream")
    }

    /// A `tools/call` of the 2026-07-28 revision, which needs no session.
    pub fn stateless_call(tool: &str, arguments: Value) -> Self {
        Self::stateless(
            "tools/call",
            tool,
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    /// A request of the 2026-07-28 revision; `name` is the tool, prompt or URI, if there is one.
    pub fn stateless(method: &str, name: &str, mut params: Value) -> Self {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
        });
        for (key, value) in meta.as_object().unwrap() {
            let member = &mut params["_meta"][key];
            if member.is_null() {
                *member = value.clone();
            }
        }
        let http = Self::post(request(1, method, params))
            .with("Mcp-Protocol-Version", "2026-07-28")
            .with("Mcp-Method", method);
        if name.is_empty() {
            return http;
        }
        http.with("Mcp-Name", name)
    }

    /// The same to another place than `/mcp`.
    #[must_use]
    pub fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.with("Authorization", format!("Bearer {token}"))
    }

    /// Sends it and reads the answer. A `Host` is added where none was given.
    pub fn send(&self, to: SocketAddr) -> io::Result<Answer> {
        Answer::read(&mut self.open(to)?)
    }

    /// Sends it and leaves the answer unread.
    pub fn open(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let length = self.body.len().to_string();
        let mut stream = self.head(to, ("Content-Length", &length))?;
        stream.write_all(self.body.as_bytes())?;
        Ok(stream)
    }

    /// Sends the head alone, with a header that says how the body will come.
    pub fn head(&self, to: SocketAddr, framing: (&str, &str)) -> io::Result<TcpStream> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| *name == "Host") {
            head += &format!("Host: {to}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("{}: {}\r\nConnection: close\r\n\r\n", framing.0, framing.1);
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    }
}

impl Answer {
    /// Reads to the end of the connection. A reset after an answer is an answer, too.
    pub fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        if let Err(error) = stream.read_to_end(&mut bytes)
            && bytes.is_empty()
        {
            return Err(error);
        }
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or_else(|| io::Error::other("no answer"))?;
        let status = head
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        Ok(Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The JSON object in the body, wherever chunks or events put it.
    pub fn json(&self) -> Value {
        self.objects().next().unwrap_or(Value::Null)
    }

    /// All JSON objects in the body, of a stream of events.
    pub fn all_json(&self) -> Vec<Value> {
        self.objects().collect()
    }

    fn objects(&self) -> impl Iterator<Item = Value> {
        self.body
            .lines()
            .filter_map(|line| line.find('{').and_then(|at| line.get(at..)))
            .filter_map(|text| serde_json::from_str(text).ok())
    }

    /// What the caller saw, in one line.
    pub fn seen(&self) -> String {
        let json = self.json();
        if json.is_null() {
            self.status.to_string()
        } else {
            format!("{} {}", self.status, text(&json))
        }
    }
}
