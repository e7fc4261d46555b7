//! A server whose tools need a person, an issuer where persons sign in, and a client.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use mcp_secure::auth::{DevIssuer, RunningIssuer};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cookies::{Browser, Page, send};

/// A client that can show a link.
pub(crate) fn url_mode() -> Value {
    json!({ "elicitation": { "url": {} } })
}

/// The name of the question.
pub(crate) const QUESTION: &str = "mcp-secure/approval";

/// An issuer where everybody may sign in as anybody, without being asked.
pub(crate) struct Issuer {
    runtime: Runtime,
    issuer: RunningIssuer,
}

impl Issuer {
    pub(crate) fn start(resource: &str) -> Self {
        Self::of(DevIssuer::new().resource(resource).agrees())
    }

    pub(crate) fn of(issuer: DevIssuer) -> Self {
        let runtime = Runtime::new().unwrap();
        let issuer = runtime.block_on(issuer.start()).unwrap();
        Self { runtime, issuer }
    }

    pub(crate) fn url(&self) -> &str {
        self.issuer.url()
    }

    pub(crate) fn token(&self, person: &str, resource: &str) -> String {
        let token = self.issuer.token(person, "files:write", resource).unwrap();
        token.expose_secret().to_owned()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // Its task lives in the runtime.
        let _entered = self.runtime.enter();
    }
}

/// A server that runs.
pub(crate) struct Server {
    process: Child,
    _input: ChildStdin,
    pub(crate) address: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// `asked` is what the target is asked; an address and a token's file are added.
    pub(crate) fn start(asked: Value) -> Self {
        Self::begin(asked).until_it_listens()
    }

    fn until_it_listens(mut self) -> Self {
        let begun = Instant::now();
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

    /// What it says that does not start.
    pub(crate) fn that_fails(asked: Value) -> String {
        let mut server = Self::begin(asked);
        let begun = Instant::now();
        while server.process.try_wait().unwrap().is_none() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it hangs: {}",
                server.said()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
        server.said()
    }

    fn begin(asked: Value) -> Self {
        Self::begin_as(env!("CARGO_BIN_EXE_approval-target"), asked, &[])
    }

    /// One whose callers connect what they have at `upstream`.
    pub(crate) fn connecting(asked: Value, upstream: &str) -> Self {
        let grants = ["calendar", "tracker"].map(|name| format!("{name}={upstream}"));
        let program = env!("CARGO_BIN_EXE_connect-target");
        Self::begin_as(program, asked, &grants).until_it_listens()
    }

    fn begin_as(program: &str, mut asked: Value, grants: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = match asked.get("listen") {
            Some(address) => address.as_str().unwrap().to_owned(),
            None => free(),
        };
        asked["listen"] = json!(address);
        if asked.get("issuer").is_none() {
            asked["token"] = json!(folder.path().join("token/token"));
        }
        std::fs::create_dir(folder.path().join("files")).unwrap();
        // The operator's file, which is no business of the code's.
        let config = asked.as_object_mut().unwrap().remove("config");
        let config = config.map(|text| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join("operator.toml");
            std::fs::write(&path, text.as_str().unwrap()).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        });
        let files = format!("files={}", folder.path().join("files").display());
        let grants = match grants {
            [] => &[files],
            grants => grants,
        };
        let mut process = Command::new(program);
        let serving = process
            .env("APPROVAL_TARGET", asked.to_string())
            .env("CONNECT_TARGET", asked.to_string())
            .env("XDG_STATE_HOME", folder.path())
            .args(["serve", "--http"])
            .args(grants.iter().flat_map(|grant| ["--grant", grant]))
            .arg("--audit")
            .arg(folder.path().join("audit.jsonl"));
        if let Some(path) = config {
            serving.arg("--config").arg(path);
        }
        let mut process = serving
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
            folder,
        }
    }

    /// What it said to its operator.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The local token, where callers show it.
    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("token/token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Its operator ends it, and it has done so.
    pub(crate) fn stopped(&mut self) {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        let begun = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "it goes on: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the tool has done.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("files/log.txt"));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The audit log, once `is_there` finds what it looks for.
    #[track_caller]
    pub(crate) fn audited(&self, is_there: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let log = std::fs::read_to_string(self.file("audit.jsonl")).unwrap_or_default();
            let records = log.lines().filter_map(|l| serde_json::from_str(l).ok());
            if let Some(found) = records.into_iter().rfind(|record| is_there(record)) {
                return found;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "not in the audit log: {log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Something that a control refused, before or behind the identity.
    #[track_caller]
    pub(crate) fn refused_by(&self, control: &str) -> Value {
        self.audited(|record| {
            ["control", "reason"]
                .iter()
                .any(|key| record.get(key).is_some_and(|it| it == control))
        })
    }

    /// One message of the generation without sessions.
    pub(crate) fn ask(&self, token: &str, capabilities: &Value, params: Value) -> Value {
        ask_at(&self.address, token, capabilities, params)
    }

    /// Whether a call runs at once.
    pub(crate) fn runs_at_once(&self, token: &str, tool: &str, arguments: &Value) -> bool {
        let call = json!({ "name": tool, "arguments": arguments });
        let reply = self.ask(token, &url_mode(), call);
        match reply["result"]["resultType"] == "input_required" {
            true => false,
            false => {
                assert!(!is_refused(&reply), "{reply}");
                true
            }
        }
    }

    /// Calls a tool and is given a link.
    pub(crate) fn call(&self, token: &str, tool: &str, arguments: Value) -> Asked {
        let reply = self.ask(
            token,
            &url_mode(),
            json!({ "name": tool, "arguments": arguments }),
        );
        Asked::of(tool, arguments, &reply)
    }
}

/// One message to an address.
pub(crate) fn ask_at(address: &str, token: &str, capabilities: &Value, mut params: Value) -> Value {
    let tool = params["name"].as_str().unwrap().to_owned();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nAuthorization: Bearer {token}",
        address
    );
    send(address, &head, &body.to_string()).json()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A call that waits for a person.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) tool: String,
    pub(crate) arguments: Value,
    pub(crate) link: String,
    pub(crate) state: String,
}

impl Asked {
    #[track_caller]
    fn of(tool: &str, arguments: Value, reply: &Value) -> Self {
        let result = &reply["result"];
        assert_eq!(result["resultType"], "input_required", "{reply}");
        let question = &result["inputRequests"][QUESTION];
        assert_eq!(question["method"], "elicitation/create", "{reply}");
        assert_eq!(question["params"]["mode"], "url", "{reply}");
        Self {
            tool: tool.to_owned(),
            arguments,
            link: question["params"]["url"].as_str().unwrap().to_owned(),
            state: result["requestState"].as_str().unwrap().to_owned(),
        }
    }

    /// The client comes again, and says that its user has seen the link.
    pub(crate) fn again(&self, server: &Server, token: &str) -> Value {
        self.again_with(server, token, self.arguments.clone())
    }

    pub(crate) fn again_with(&self, server: &Server, token: &str, arguments: Value) -> Value {
        let mut retry = self.retry();
        retry["arguments"] = arguments;
        server.ask(token, &url_mode(), retry)
    }

    /// What the client says the second time.
    pub(crate) fn retry(&self) -> Value {
        json!({
            "name": self.tool,
            "arguments": self.arguments,
            "requestState": self.state,
            "inputResponses": { QUESTION: { "action": "accept" } },
        })
    }

    /// The last part of the link.
    pub(crate) fn id(&self) -> &str {
        self.link.rsplit('/').next().unwrap()
    }
}

/// A server whose callers come with tokens of an issuer, where persons sign in, too.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) issuer: Issuer,
    resource: String,
}

impl World {
    pub(crate) fn new(more: Value) -> Self {
        Self::with(more, Issuer::start)
    }

    pub(crate) fn with(more: Value, issuer: impl FnOnce(&str) -> Issuer) -> Self {
        let address = free();
        let resource = format!("http://{address}/mcp");
        let issuer = issuer(&resource);
        let mut asked = json!({
            "listen": address,
            "issuer": [issuer.url(), resource],
            "sign_in": "dev",
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        Self {
            server: Server::start(asked),
            issuer,
            resource,
        }
    }

    pub(crate) fn token(&self, person: &str) -> String {
        self.issuer.token(person, &self.resource)
    }

    /// Alice's client calls the tool that leaves a trace.
    pub(crate) fn asked(&self, line: &str) -> Asked {
        let token = self.token("alice");
        self.server.call(&token, "append", json!({ "line": line }))
    }

    /// Alice opens the link in a browser of hers.
    pub(crate) fn opened(&self, asked: &Asked) -> (Browser, Page) {
        let mut browser = Browser::default();
        let page = browser.open(&asked.link, "alice");
        assert_eq!(page.answer.status, 200, "{page:?}");
        (browser, page)
    }
}

pub(crate) fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// What a tool said.
#[track_caller]
pub(crate) fn text(reply: &Value) -> &str {
    assert_ne!(reply["result"]["isError"], true, "{reply}");
    reply["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{reply}"))
}

/// Whether nothing ran.
pub(crate) fn is_refused(reply: &Value) -> bool {
    reply.get("error").is_some() || reply["result"]["isError"] == true
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
