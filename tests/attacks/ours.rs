//! Our side: a server with the tools that the advisories are about, written as the
//! documentation says, and the one place where it is started.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use mcp_secure::{prelude::*, sandbox::Sandbox};
use serde_json::{Value, json};

use crate::{
    scene::Scene,
    wire::{Answer, Http as Request, PATIENCE, ROLE, Server},
};

/// The folder that callers work in.
#[capability(fs)]
pub struct Root;

struct Ours;

#[secure_server]
impl Ours {
    /// Read one file.
    #[tool(scope = "files:read")]
    async fn read_file(&self, path: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        Ok(root.read_to_string(&path).await?)
    }

    /// List one folder.
    #[tool(scope = "files:read")]
    async fn list_folder(&self, path: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        let entries = root.read_dir(&path).await?;
        let names: Vec<_> = entries
            .iter()
            .map(|entry| entry.file_name().to_owned())
            .collect();
        Ok(names.join("\n"))
    }

    /// Save a file in a folder.
    #[tool(
        scope = "files:write",
        unapproved = "the attacks are on the folder, not on the person"
    )]
    async fn save_file(
        &self,
        folder: RelPath,
        name: RelPath,
        text: String,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        root.write(&folder.join(&name)?, &text).await?;
        Ok("saved".to_owned())
    }

    /// Make a folder for a repository.
    #[tool(
        scope = "files:write",
        unapproved = "the attacks are on the folder, not on the person"
    )]
    async fn init_repo(&self, path: RelPath, root: Fs<Root, ReadWrite>) -> ToolResult<String> {
        root.create_dir_all(&path).await?;
        Ok("initialized".to_owned())
    }

    /// Read the data of a competition. The author forgot to say what an id looks like.
    #[tool(scope = "files:read")]
    async fn competition(&self, id: String, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        let path = RelPath::parse(&format!("competitions/{id}/data.csv"))?;
        Ok(root.read_to_string(&path).await?)
    }

    /// Unpack a bundle into a folder of its name. The author forgot to say what a name is.
    #[tool(
        scope = "files:write",
        unapproved = "the attacks are on the folder, not on the person"
    )]
    async fn install(&self, name: String, root: Fs<Root, ReadWrite>) -> ToolResult<String> {
        root.create_dir_all(&RelPath::parse(&format!("servers/{name}"))?)
            .await?;
        Ok("installed".to_owned())
    }

    /// Who is asking, after a while.
    #[tool(public)]
    async fn whoami(&self, #[arg(range = 0..=2000)] wait_ms: u32, who: Principal) -> String {
        tokio::time::sleep(Duration::from_millis(wait_ms.into())).await;
        format!("the secret of {}", who.subject())
    }

    /// One file.
    #[resource(uri = "files://by-id/{id}", mime = "text/plain", scope = "files:read")]
    async fn file(&self, id: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        Ok(root.read_to_string(&id).await?)
    }
}

/// What the user of these servers may do.
pub const SCOPES: [&str; 2] = ["files:read", "files:write"];

/// The tokens of the server with several users.
pub const ALICE: &str = "alice-token";
pub const MALLORY: &str = "mallory-token";

/// The server as a desktop runs it: one user, by standard input or with a token file.
pub fn serve_one_user() -> mcp_secure::Result<()> {
    SecureServer::new(Ours)
        .sandbox(Sandbox::new().keep_env(ROLE))
        .grant(Root::from_operator())
        .stdio(Principal::local_user().scopes(SCOPES))
        .http(Http::on("127.0.0.1:0").local_token(SCOPES))
        .run()
}

/// The server as a team runs it.
pub fn serve_several_users() -> mcp_secure::Result<()> {
    let users = [
        (ALICE, "alice", &SCOPES[..]),
        (MALLORY, "mallory", &SCOPES[..]),
    ];
    SecureServer::new(Ours)
        .sandbox(Sandbox::new().keep_env(ROLE))
        .grant(Root::from_operator())
        .http(Http::on("127.0.0.1:0").test_users(users))
        .run()
}

/// How a server is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Standard input and output, revision 2025-11-25.
    Stdio,
    /// HTTP, revision 2026-07-28: no sessions, the identity with each request.
    Http,
}

impl Over {
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
        }
    }
}

/// Our server, running.
pub struct Running {
    pub server: Server,
    over: Over,
    address: Option<SocketAddr>,
    pub token: String,
    audit: PathBuf,
    /// What the client can do.
    client: Value,
}

/// The one place that knows the options of our servers.
pub fn options(over: Over, grant: &std::path::Path, scene: &Scene) -> Vec<OsString> {
    let mut options: Vec<OsString> = vec!["serve".into()];
    match over {
        Over::Stdio => options.push("--stdio".into()),
        Over::Http => options.extend(["--http".into(), "127.0.0.1:0".into()]),
    }
    let mut root = OsString::from("root=");
    root.push(grant);
    options.extend([
        "--grant".into(),
        root,
        "--audit".into(),
        audit(scene).into(),
    ]);
    options
}

fn audit(scene: &Scene) -> PathBuf {
    scene.path("state/audit.jsonl")
}

impl Running {
    /// A server for one user.
    pub fn start(over: Over, scene: &Scene) -> Self {
        Self::start_as("ours", over, scene, &json!({}))
    }

    /// A server for one user, of this role, for a client that can do this.
    pub fn start_as(role: &str, over: Over, scene: &Scene, client: &Value) -> Self {
        let mut running = Self::launch(role, over, scene, client);
        if over == Over::Http {
            let errors = running.server.errors_with("token file ");
            let (_, file) = errors.split_once("token file ").unwrap();
            let file = file.lines().next().unwrap();
            running.token = std::fs::read_to_string(file).unwrap().trim().to_owned();
        }
        running
    }

    /// A server for [`ALICE`] and [`MALLORY`].
    pub fn start_for_several(scene: &Scene) -> Self {
        Self::start_for_others("ours, several users", scene)
    }

    /// A server of this role over HTTP, whose tokens are not in a file of the user's.
    pub fn start_for_others(role: &str, scene: &Scene) -> Self {
        Self::launch(role, Over::Http, scene, &json!({}))
    }

    fn launch(role: &str, over: Over, scene: &Scene, client: &Value) -> Self {
        let mut server = Server::start(role, options(over, &scene.root, scene), scene);
        let address = match over {
            Over::Stdio => {
                server.initialize_with(client);
                None
            }
            Over::Http => Some(server.address()),
        };
        Self {
            server,
            over,
            address,
            token: String::new(),
            audit: audit(scene),
            client: client.clone(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address.expect("a server over HTTP")
    }

    /// Calls a tool as its rightful user; what came back, and what the caller saw of it.
    pub fn call(&mut self, tool: &str, arguments: Value) -> (Value, String) {
        match self.over {
            Over::Stdio => {
                let answer = self.server.call(tool, arguments);
                let seen = crate::wire::text(&answer);
                (answer, seen)
            }
            Over::Http => {
                let request = Request::stateless_call(tool, arguments).bearer(&self.token);
                let answer = request.send(self.address()).unwrap();
                (answer.json(), answer.seen())
            }
        }
    }

    /// Asks as its rightful user; whatever was said until the answer, and the answer last.
    pub fn ask_all(&mut self, method: &str, name: &str, mut params: Value) -> Vec<Value> {
        match self.over {
            Over::Stdio => self.server.ask_all(method, params),
            Over::Http => {
                params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.client.clone();
                let request = Request::stateless(method, name, params).bearer(&self.token);
                self.send(&request).all_json()
            }
        }
    }

    /// What the audit log says, all of it.
    pub fn audit(&self) -> String {
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::read_to_string(&self.audit).unwrap_or_default()
    }

    /// Sends a request over HTTP.
    pub fn send(&self, request: &Request) -> Answer {
        request.send(self.address()).unwrap()
    }

    /// The audit record for which this holds; the last one, where there are several.
    pub fn record(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.audit).unwrap_or_default();
            let mut records = log
                .lines()
                .rev()
                .filter_map(|line| serde_json::from_str(line).ok());
            if let Some(record) = records.find(|record| is_it(record)) {
                return record;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no audit record {what} in\n{log}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The audit record of a refusal by this control.
    pub fn refused_by(&self, control: &str) -> Value {
        self.record(control, |record| {
            let is_refusal = record["event"] == "refused" || record["outcome"] != "ok";
            record["control"] == control && is_refusal
        })
    }

    /// That the server still does its work.
    pub fn still_works(&mut self) {
        let arguments = json!({ "path": "hello.txt" });
        let (answer, _) = self.call("read_file", arguments);
        assert_eq!(crate::wire::text(&answer), "nothing secret");
    }
}
