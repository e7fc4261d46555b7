//! An authorization server, a resource server, and the keys of the first.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    http::{Answer, exchange, send},
    token::Key,
    wire::{Authority, Identity},
};

/// `oidc-provider` in a Node process; ends with its standard input.
pub(crate) struct Issuer {
    process: Child,
    _input: ChildStdin,
    _output: BufReader<ChildStdout>,
    pub(crate) url: String,
    asked: Value,
}

impl Issuer {
    pub(crate) fn start(keys: &[&Key], resource: &str, format: &str, more: Value) -> Self {
        let keys: Vec<Value> = keys.iter().map(|key| key.for_issuer()).collect();
        let mut asked = json!({
            "port": 0,
            "keys": keys,
            "resources": { (resource): format, "https://other.example/mcp": format },
            "scopes": "notes:read notes:write notes:admin",
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        Self::run(asked)
    }

    fn run(asked: Value) -> Self {
        let mut process = Command::new(tool("MCP_SECURE_NODE"))
            .arg(clients().join("issuer.mjs"))
            .arg(asked.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut url = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "the issuer did not start");
        Self {
            process,
            _input: input,
            _output: output,
            url: url.trim().to_owned(),
            asked,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url["http://".len()..].parse().unwrap()
    }

    /// The same issuer at the same place, with other keys.
    pub(crate) fn restart_with(&mut self, keys: &[&Key]) {
        let mut asked = self.asked.clone();
        asked["port"] = json!(self.address().port());
        asked["keys"] = keys.iter().map(|key| key.for_issuer()).collect();
        self.stop();
        *self = Self::run(asked);
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// How often its keys were asked for.
    pub(crate) fn asked(&self) -> u32 {
        let head = format!("GET /asked HTTP/1.1\r\nHost: {}", self.address());
        send(self.address(), &head, "").body.trim().parse().unwrap()
    }

    /// How often a token was asked for by who calls others.
    pub(crate) fn exchanged(&self) -> u32 {
        let head = format!("GET /exchanged HTTP/1.1\r\nHost: {}", self.address());
        send(self.address(), &head, "").body.trim().parse().unwrap()
    }

    /// A number that it counts: how often refresh tokens were shown, say.
    pub(crate) fn count(&self, what: &str) -> u32 {
        let head = format!("GET /{what} HTTP/1.1\r\nHost: {}", self.address());
        send(self.address(), &head, "").body.trim().parse().unwrap()
    }

    /// A form to one of its endpoints.
    pub(crate) fn post(&self, path: &str, headers: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{headers}",
            self.address()
        );
        send(self.address(), &head, &body.join("&"))
    }

    /// A token by client credentials.
    pub(crate) fn token_for(&self, client: &str, scope: &str, resource: &str) -> String {
        let answer = self.post(
            "/token",
            "",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("client_secret", "machine-secret"),
                ("scope", scope),
                ("resource", resource),
            ],
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The server under attack, over HTTPS.
pub(crate) struct Target {
    process: Child,
    _input: ChildStdin,
    pub(crate) address: SocketAddr,
    pub(crate) resource: String,
    folder: tempfile::TempDir,
}

impl Target {
    /// `more` is merged into what `oauth-target` is asked.
    pub(crate) fn start(issuer: &str, resource: &str, more: Value) -> Self {
        let target = Self::begin(env!("CARGO_BIN_EXE_oauth-target"), issuer, resource, more);
        target.until_it_listens()
    }

    /// One of several `oauth-replica`s, which all are the same resource.
    pub(crate) fn replica(issuer: &str, resource: &str, more: Value) -> Self {
        let replica = Self::begin(env!("CARGO_BIN_EXE_oauth-replica"), issuer, resource, more);
        replica.until_it_listens()
    }

    /// One that calls another server.
    pub(crate) fn with_upstream(issuer: &str, resource: &str, more: Value) -> Self {
        let target = Self::begin(env!("CARGO_BIN_EXE_oauth-upstream"), issuer, resource, more);
        target.until_it_listens()
    }

    /// One whose callers connect accounts.
    pub(crate) fn connecting(issuer: &str, resource: &str, more: Value) -> Self {
        let target = Self::begin(env!("CARGO_BIN_EXE_oauth-connect"), issuer, resource, more);
        target.until_it_listens()
    }

    /// What one of those says that does not start.
    pub(crate) fn connecting_fails(issuer: &str, resource: &str, more: Value) -> String {
        Self::fails(env!("CARGO_BIN_EXE_oauth-connect"), issuer, resource, more)
    }

    /// What one of those says that does not start.
    pub(crate) fn with_upstream_fails(issuer: &str, resource: &str, more: Value) -> String {
        Self::fails(env!("CARGO_BIN_EXE_oauth-upstream"), issuer, resource, more)
    }

    /// What a replica says that does not start.
    pub(crate) fn replica_that_fails(issuer: &str, resource: &str, more: Value) -> String {
        Self::fails(env!("CARGO_BIN_EXE_oauth-replica"), issuer, resource, more)
    }

    /// What the server says if it does not start.
    pub(crate) fn fails_to_start(issuer: &str, resource: &str, more: Value) -> String {
        Self::fails(env!("CARGO_BIN_EXE_oauth-target"), issuer, resource, more)
    }

    fn fails(program: &str, issuer: &str, resource: &str, more: Value) -> String {
        let mut replica = Self::begin(program, issuer, resource, more);
        let begun = Instant::now();
        while replica.process.try_wait().unwrap().is_none() {
            let said = replica.said();
            assert!(!said.contains("listening on"), "it started: {said}");
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it hangs: {said}"
            );
            std::thread::sleep(Duration::from_millis(30));
        }
        replica.said()
    }

    fn begin(program: &str, issuer: &str, resource: &str, more: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut asked = json!({
            "listen": address_of(resource).to_string(),
            "issuer": issuer,
            "resource": resource,
            "tls": Authority::get().server_files(folder.path()),
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let address = asked["listen"].as_str().unwrap().parse().unwrap();
        let mut process = Command::new(program)
            .env("OAUTH_TARGET", asked.to_string())
            .env("XDG_STATE_HOME", folder.path())
            .args(["serve", "--http", "--audit"])
            .arg(folder.path().join("audit.jsonl"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::from(
                std::fs::File::create(folder.path().join("stderr")).unwrap(),
            ))
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        Self {
            process,
            _input: input,
            address,
            resource: resource.to_owned(),
            folder,
        }
    }

    fn until_it_listens(mut self) -> Self {
        let begun = Instant::now();
        // It has its socket before it has found its issuer.
        while !self.said().contains("listening on") {
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(30),
                "the server did not start: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
        self
    }

    /// What it said to its operator.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The audit log, once `is_there` finds what it looks for.
    #[track_caller]
    pub(crate) fn audited(&self, is_there: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let log = std::fs::read_to_string(self.audit_log()).unwrap_or_default();
            let records = log.lines().filter_map(|l| serde_json::from_str(l).ok());
            if let Some(found) = records.into_iter().find(|record| is_there(record)) {
                return found;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "not in the audit log: {log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    /// The head of a request of the generation without sessions.
    pub(crate) fn head(&self, method: &str, name: Option<&str>, more: &str) -> String {
        let name = name.map_or_else(String::new, |name| format!("Mcp-Name: {name}\r\n"));
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: {method}\r\n{name}{more}",
            self.address
        )
    }

    /// Calls a tool with these headers, in the generation without sessions.
    pub(crate) fn call_with(&self, tool: &str, headers: &str) -> Answer {
        let body = message("tools/call", json!({ "name": tool, "arguments": {} }));
        let head = self.head("tools/call", Some(tool), headers);
        self.send(&head, &body)
    }

    /// One request over one connection.
    pub(crate) fn send(&self, head: &str, body: &str) -> Answer {
        self.send_as(None, head, body)
    }

    /// As [`send`](Self::send), with a certificate of the client's.
    pub(crate) fn send_as(&self, shown: Option<&Identity>, head: &str, body: &str) -> Answer {
        exchange(Authority::get().connect(self.address, shown), head, body)
    }

    /// Calls a tool with a bearer token.
    pub(crate) fn call(&self, tool: &str, token: &str) -> Answer {
        self.call_with(tool, &format!("Authorization: Bearer {token}"))
    }

    /// Asks anything with a bearer token.
    pub(crate) fn ask(&self, method: &str, params: Value, token: &str) -> Answer {
        let name = params.get("name").or_else(|| params.get("uri"));
        let name = name.and_then(Value::as_str).map(str::to_owned);
        let headers = format!("Authorization: Bearer {token}");
        let head = self.head(method, name.as_deref(), &headers);
        self.send(&head, &message(method, params))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A message of the generation without sessions.
pub(crate) fn message(method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// A resource on a port that nobody uses now.
pub(crate) fn resource() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("https://{}/mcp", listener.local_addr().unwrap())
}

fn address_of(resource: &str) -> SocketAddr {
    let (_, rest) = resource.split_once("://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// The issuer with one key, and a server that trusts it.
pub(crate) struct World {
    pub(crate) key: Key,
    pub(crate) issuer: Issuer,
    pub(crate) target: Target,
}

impl World {
    pub(crate) fn new(more: Value) -> Self {
        let key = Key::new("k1");
        let resource = resource();
        let issuer = Issuer::start(&[&key], &resource, "jwt", json!({}));
        let target = Target::start(&issuer.url, &resource, more);
        Self {
            key,
            issuer,
            target,
        }
    }
}

/// Where `cargo xtask` put a program.
pub(crate) fn tool(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(name) {
        return path.into();
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let listed = std::fs::read_to_string(root.join("target/xtask/env")).unwrap_or_default();
    let found = listed
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}=")));
    found
        .unwrap_or_else(|| panic!("`{name}` is not set: run `cargo xtask test`"))
        .into()
}

pub(crate) fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../clients")
}

pub(crate) fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Writes a file that only its owner can read.
pub(crate) fn private_file(folder: &std::path::Path, name: &str, content: &str) -> PathBuf {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join(name);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(content.as_bytes()).unwrap();
    path
}
