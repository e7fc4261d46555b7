//! Servers as child processes, a client that writes JSON by hand, and who could be reached.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mcp_secure_tests_hostile::{Around, Went};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with the granted one, a vault beside it, and everybody who could be reached.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) around: Around,
    victim: Child,
    /// Open as long as the scene.
    _open: (
        TcpListener,
        UdpSocket,
        UnixListener,
        UnixDatagram,
        UnixListener,
    ),
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sandbox-")
            .tempdir()
            .unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["files", "vault", "state"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("vault/secret"), "the secret of the vault").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(path("stream")).unwrap();
        let datagrams = UnixDatagram::bind(path("datagrams")).unwrap();
        let abstract_name = folder.path().display().to_string();
        let hidden = UnixAddress::from_abstract_name(&abstract_name).unwrap();
        let hidden = UnixListener::bind_addr(&hidden).unwrap();
        let victim = Command::new("sleep").arg("600").spawn().unwrap();
        let around = Around {
            secret: path("vault/secret"),
            granted: path("files"),
            tcp: tcp.local_addr().unwrap(),
            udp: udp.local_addr().unwrap(),
            unix: path("stream"),
            datagrams: path("datagrams"),
            abstract_name,
            victim: victim.id().cast_signed(),
        };
        Self {
            folder,
            around,
            victim,
            _open: (tcp, udp, unix, datagrams, hidden),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The server of the tests, with this sandbox. The client's own secrets are in its
    /// environment, as they are in the field.
    pub(crate) fn command(&self, server: &str, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox-target"));
        command.args(options);
        self.furnish(&mut command, server);
        command
    }

    /// The same, in a container that forbids Landlock.
    pub(crate) fn in_a_container(&self, server: &str, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox-container"));
        command.arg(env!("CARGO_BIN_EXE_sandbox-target"));
        command.args(options);
        self.furnish(&mut command, server);
        command
    }

    fn furnish(&self, command: &mut Command, server: &str) {
        if server != "reaching" {
            let files = self.path("files");
            command
                .arg("--grant")
                .arg(format!("files={}", files.display()));
        }
        command
            .env("SANDBOX_SERVER", server)
            .env("HOME", self.path("state"))
            .env("XDG_RUNTIME_DIR", self.path("state"))
            .env("API_TOKEN", "the client's own secret")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    pub(crate) fn start(&self, command: &mut Command) -> Server {
        Server::start(command.arg("--audit").arg(self.path("audit.jsonl")))
    }

    /// A server over stdio.
    pub(crate) fn stdio(&self, server: &str) -> Server {
        self.start(&mut self.command(server, &["serve", "--stdio"]))
    }

    /// The records of the audit log with this `event`.
    pub(crate) fn records(&self, event: &str) -> Vec<Value> {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|record| record["event"] == event)
            .collect()
    }

    /// What the hostile dependency did in a call of the tool.
    pub(crate) fn attack(&self, server: &mut Server) -> Vec<Went> {
        let around = serde_json::to_string(&self.around).unwrap();
        let answer = server.call("work", &json!({ "around": around }));
        let text = answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}; stderr: {}", server.stderr()));
        serde_json::from_str(text).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// A server that runs; killed with this value.
pub(crate) struct Server {
    pub(crate) child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: Arc<Mutex<String>>,
    /// For HTTP: where, and the token.
    http: Option<(SocketAddr, String)>,
    next_id: u64,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let is_http = command.get_args().any(|argument| argument == "--http");
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let stderr = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&stderr);
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                *said.lock().unwrap() += &(line + "\n");
            }
        });
        let mut server = Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            stderr,
            http: None,
            next_id: 1,
        };
        if is_http {
            server.http = Some(server.until("an address", |server| {
                let said = server.stderr();
                let (_, rest) = said.split_once("listening on http://")?;
                let (address, rest) = rest.split_once("/mcp\n")?;
                let (file, _) = rest.split_once("token file ")?.1.split_once('\n')?;
                let token = fs::read_to_string(file).unwrap().trim().to_owned();
                Some((address.parse().unwrap(), token))
            }));
        } else {
            let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": { "name": "test", "version": "1" } });
            let answer = server.ask("initialize", &hello);
            assert!(
                answer["result"].is_object(),
                "{answer}; stderr: {}",
                server.stderr()
            );
            server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        }
        server
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask(
            "tools/call",
            &json!({ "name": tool, "arguments": arguments }),
        )
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.child.stdin.as_mut().unwrap();
        let _ = writeln!(stdin, "{message}");
    }

    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        if let Some((address, token)) = self.http.clone() {
            return post(address, &token, id, method, params);
        }
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&request);
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "no answer; stderr: {}", self.stderr());
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Closes its input, and waits for it to end by itself.
    pub(crate) fn end(mut self) -> std::process::ExitStatus {
        drop(self.child.stdin.take());
        self.until("an end", |server| server.child.try_wait().unwrap())
    }

    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what}; stderr: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request of the 2026-07-28 revision.
fn post(to: SocketAddr, token: &str, id: u64, method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let body = body.to_string();
    let mut stream = TcpStream::connect(to).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
        .lines()
        .filter_map(|line| line.find('{').map(|at| &line[at..]))
        .find_map(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| panic!("{answer}"))
}

/// Runs a command to its end: success, standard output, standard error.
pub(crate) fn output(command: &mut Command) -> (bool, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn exists(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

const PATIENCE: Duration = Duration::from_secs(20);
