//! Our server for the attacks on who may ask: one file, the tasks of two workspaces, and a
//! service behind it that knows the operator by a token. It is served in each way that there is
//! to know a caller: the token file, API keys, an authorization server.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use mcp_secure::{
    auth::api_keys::{KeyFile, Lifetime, NewKey},
    prelude::*,
    sandbox::Sandbox,
    server::http::{Authenticated, HttpLimits, PeerRate},
};
use serde_json::Value;

use crate::{ours::Root, scene::Scene, wire::ROLE};

/// The service that costs money. It knows the operator.
#[capability(net, allow_private)]
pub struct Behind;

struct Guarded {
    /// By workspace, which is whoever the caller is, and id.
    tasks: Mutex<BTreeMap<(String, String), String>>,
}

#[secure_server(name = "guarded")]
impl Guarded {
    /// Read one file.
    #[tool(scope = "files:read")]
    async fn read_file(&self, path: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        Ok(root.read_to_string(&path).await?)
    }

    /// What the service behind has. An author who is careless says all that went wrong.
    #[tool(scope = "licenses:read")]
    async fn list_licenses(&self, behind: Net<Behind, Get>) -> ToolResult<String> {
        let answer = behind.path("/licenses").send().await?;
        if answer.status().is_success() {
            return Ok(answer.text().await?);
        }
        Err(ToolError::new(format!("the service failed: {answer:?}")))
    }

    /// One task of the caller's workspace.
    #[tool(scope = "tasks:read")]
    async fn get_task(&self, id: Identifier, who: Principal) -> ToolResult<String> {
        let key = (who.subject().to_owned(), id.to_string());
        let tasks = self.tasks.lock().map_err(|_| ToolError::internal("lock"))?;
        tasks
            .get(&key)
            .cloned()
            .ok_or_else(|| ToolError::not_found("no such task"))
    }

    /// Delete a task of the caller's workspace.
    #[tool(scope = "tasks:write")]
    async fn delete_task(&self, id: Identifier, who: Principal) -> ToolResult<String> {
        let key = (who.subject().to_owned(), id.to_string());
        let mut tasks = self.tasks.lock().map_err(|_| ToolError::internal("lock"))?;
        match tasks.remove(&key) {
            Some(_) => Ok("deleted".to_owned()),
            None => Err(ToolError::not_found("no such task")),
        }
    }

    /// Say where people go back to.
    #[tool(scope = "clients:write")]
    async fn register_client(&self, redirect_uri: HttpsUrl) -> String {
        format!("<a href=\"https://{}\">back</a>", redirect_uri.host())
    }
}

/// All that there is to hold here.
pub const SCOPES: [&str; 5] = [
    "files:read",
    "licenses:read",
    "tasks:read",
    "tasks:write",
    "clients:write",
];

/// A task of [`ALICE`]'s, and what is in it is the secret of the scene.
pub const TASK: &str = "t-1";
pub const ALICE: &str = "alice";
pub const MALLORY: &str = "mallory";

/// On the loopback interface, for the user who can read the token file.
pub fn serve_one_user() -> mcp_secure::Result<()> {
    serve(Http::on(LOCAL).local_token(SCOPES), LOCAL)
}

/// As the servers of the advisories are: on every interface. It does not start.
pub fn serve_everywhere() -> mcp_secure::Result<()> {
    let every = "0.0.0.0:0";
    serve(Http::on(every).local_token(SCOPES), every)
}

/// For a handful of programs, each with a key. Calls cost money, so they have a rate.
pub fn serve_keys() -> mcp_secure::Result<()> {
    let limits = HttpLimits {
        rate: Some(RATE),
        ..HttpLimits::default()
    };
    let http = Http::on(LOCAL).api_keys("../keys/keys.json");
    serve(http.limits(limits), LOCAL)
}

/// For people, who sign in elsewhere.
pub fn serve_issuer() -> mcp_secure::Result<()> {
    let [issuer, resource] = ["../issuer", "../resource"].map(read);
    let address = address_of(&resource).to_string();
    let issued = ResourceServer::new(issuer, resource).allow_private_issuer();
    serve(
        Http::on(address.clone()).resource_server(issued),
        address.as_str(),
    )
}

fn serve(http: Http<Authenticated>, address: &str) -> mcp_secure::Result<()> {
    // The options are those of all servers here; the address is this one's own.
    let options = std::env::args_os().map(|option| {
        if option == LOCAL {
            address.into()
        } else {
            option
        }
    });
    let behind = format!("behind={}", read("../behind"));
    let more: [OsString; 2] = ["--grant".into(), behind.into()];
    let task = (ALICE.to_owned(), TASK.to_owned());
    let tasks = Mutex::new([(task, read("../x/data.csv"))].into());
    let token = std::env::var("API_TOKEN").unwrap();
    SecureServer::new(Guarded { tasks })
        .sandbox(Sandbox::new().keep_env(ROLE).keep_env("API_TOKEN"))
        .grant(Root::from_operator())
        .grant(Behind::from_operator().bearer(token))
        .http(http)
        .run_from(options.chain(more))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

const LOCAL: &str = "127.0.0.1:0";

/// As many requests at once as a test of something else never makes.
pub const RATE: PeerRate = PeerRate {
    per_second: 1,
    burst: 20,
    failure: 2,
    networks: 64,
};

/// The scene of such a server, and what is behind it.
pub fn scene(behind: &Service) -> Scene {
    let scene = Scene::new();
    scene.write("srv/behind", &behind.url());
    scene
}

/// A key of this subject, with these scopes.
pub fn key(scene: &Scene, subject: &str, scopes: &[&str]) -> String {
    let day = SystemTime::now() + Duration::from_secs(86400);
    let new = NewKey::new(subject, Lifetime::Until(day)).scopes(scopes.iter().copied());
    let issued = KeyFile::at(scene.path("srv/keys/keys.json")).add(&new);
    issued.unwrap().secret.reveal().to_owned()
}

/// A resource on a port that nobody uses now.
pub fn resource() -> String {
    let listener = TcpListener::bind(LOCAL).unwrap();
    format!("http://{}/mcp", listener.local_addr().unwrap())
}

pub fn address_of(resource: &str) -> SocketAddr {
    let (_, rest) = resource.split_once("://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// The service behind the servers: it counts what is asked of it, and who asks.
pub struct Service {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                hears.lock().unwrap().push(head.join("\n"));
                let body = "a license of the operator";
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} -\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { address, heard }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often somebody asked in the operator's name.
    pub fn asked_as(&self, token: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|head| head.contains(token)).count()
    }
}

/// A call that its rightful user makes, so that a refusal is not that of a broken server.
pub fn works(ours: &crate::ours::Running, token: &str, tool: &str, arguments: Value) -> String {
    let call = crate::wire::Http::stateless_call(tool, arguments).bearer(token);
    let answer = ours.send(&call);
    assert_eq!(answer.status, 200, "{answer:?}");
    crate::wire::text(&answer.json())
}
