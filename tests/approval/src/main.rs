//! A server whose tools need a person. Who is asked and where is chosen by the environment, since
//! the command line belongs to the SDK.

use std::{path::PathBuf, pin::Pin, time::Duration};

use mcp_secure::{
    approval::{Approver, Question, Terminal, Unreached, Webhook},
    prelude::*,
    sandbox::Sandbox,
    state::{RedisStore, SealingKey, SecretString},
};
use serde::Deserialize;

/// What a test asks for, as JSON in `APPROVAL_TARGET`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    listen: String,
    /// Issuer and resource; without them callers show a local token.
    #[serde(default)]
    issuer: Option<(String, String)>,
    /// By what persons sign in.
    #[serde(default)]
    sign_in: Option<String>,
    #[serde(default)]
    token: Option<PathBuf>,
    /// `strongest`, `lax`, `in-client`, `broken`, or the path of a socket.
    #[serde(default)]
    by: String,
    /// Where questions are posted, and the file with the secret.
    #[serde(default)]
    webhook: Option<(String, PathBuf)>,
    /// For how many seconds a yes may hold, and what has to stay the same.
    #[serde(default)]
    remember: Option<(u64, Vec<String>)>,
    /// The files of a certificate and its key.
    #[serde(default)]
    tls: Option<(PathBuf, PathBuf)>,
    /// The file of API keys, where callers show those.
    #[serde(default)]
    keys: Option<PathBuf>,
    /// A proxy in front, and the name that it has.
    #[serde(default)]
    proxy: Option<(String, String)>,
    /// The scope of others who agree.
    #[serde(default)]
    others: Option<String>,
    #[serde(default)]
    people: Option<u8>,
    #[serde(default)]
    time_ms: Option<u64>,
    #[serde(default)]
    pending: Option<(usize, usize)>,
    /// How many calls may wait at once; the others are told at once how it stands.
    #[serde(default)]
    waiting: Option<usize>,
    /// Address and password.
    #[serde(default)]
    redis: Option<(String, String)>,
    #[serde(default)]
    sealing_key: Option<PathBuf>,
}

/// The folder of the person.
#[capability(fs)]
struct Files;

struct Target;

#[secure_server(name = "approval-target")]
impl Target {
    /// Add a line to the log.
    #[tool(scope = "files:write")]
    async fn append(
        &self,
        line: String,
        files: Approved<Fs<Files, ReadWrite>>,
    ) -> ToolResult<String> {
        let log: RelPath = "log.txt".parse()?;
        let before = files.read_to_string(&log).await.unwrap_or_default();
        files.write(&log, format!("{before}{line}\n")).await?;
        Ok("appended".to_owned())
    }

    /// Publish a text to people who do not know you.
    #[tool(scope = "files:write")]
    async fn publish(
        &self,
        title: String,
        text: String,
        tags: Vec<String>,
        _files: Approved<Fs<Files, ReadWrite>>,
    ) -> ToolResult<String> {
        Ok(format!("published {title} {} {}", text.len(), tags.len()))
    }

    /// Look at the log.
    #[tool(public)]
    async fn log(&self, files: Fs<Files, ReadOnly>) -> ToolResult<String> {
        let log: RelPath = "log.txt".parse()?;
        Ok(files.read_to_string(&log).await.unwrap_or_default())
    }
}

/// An approver that reaches nobody.
struct Broken;

impl Approver for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn ask(&self, _: Question) -> Pin<Box<dyn Future<Output = Result<(), Unreached>> + Send + '_>> {
        Box::pin(std::future::ready(Err(Unreached::new("nobody is on duty"))))
    }
}

fn main() -> mcp_secure::Result<()> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("`{VARIABLE}` is not what it has to be: {error}")))?;
    let mut by = match asked.by.as_str() {
        "in-client" => By::in_client(),
        "lax" => By::strongest().or_in_client(),
        "broken" => By::outside(Broken),
        path if path.starts_with('/') => By::outside(Terminal::at(path)),
        _ => By::strongest(),
    };
    if let Some((url, secret)) = asked.webhook {
        by = By::outside(Webhook::to(url, secret));
    }
    if let Some((seconds, same)) = asked.remember {
        by = by.remember(Duration::from_secs(seconds)).same(same);
    }
    if let Some(scope) = asked.others {
        by = by.others(scope);
    }
    if let Some(people) = asked.people {
        by = by.people(people);
    }
    let mut approvals = Approvals::by(by);
    if let Some((of_one, of_all)) = asked.pending {
        approvals = approvals.pending(of_one, of_all);
    }
    let mut limits = Limits {
        principal_per_minute: 1_000_000,
        principal_burst: 100_000,
        repeats_per_minute: 1_000_000,
        concurrency: 256,
        tool_concurrency: 256,
        principal_concurrency: 256,
        ..Limits::default()
    };
    if let Some(ms) = asked.time_ms {
        limits.approval_timeout = Duration::from_millis(ms);
    }
    if let Some(waiting) = asked.waiting {
        limits.pending_approvals = waiting;
    }
    let mut server = SecureServer::new(Target)
        .grant(Files::from_operator())
        .approvals(approvals)
        .limits(limits)
        .sandbox(Sandbox::new().keep_env(VARIABLE));
    if let Some((address, password)) = asked.redis {
        let store = RedisStore::at(address)
            .password(SecretString::from(password))
            .allow_private();
        server = server.store(store);
    }
    if let Some(path) = asked.sealing_key {
        server = server.sealing_key(SealingKey::file(path));
    }
    let is_issued = asked.issuer.is_some();
    let scopes = ["files:write"];
    let mut front = Http::on(asked.listen);
    if let Some((chain, key)) = asked.tls {
        front = front.tls(Tls::files(chain, key));
    }
    if let Some((proxy, name)) = asked.proxy {
        front = front.behind_proxy([proxy]).allow_host(name);
    }
    if let Some(keys) = asked.keys {
        return server.http(front.api_keys(keys)).run();
    }
    let http = match (asked.issuer, asked.token) {
        (Some((issuer, resource)), _) => {
            let mut issued = ResourceServer::new(issuer, resource).allow_private_issuer();
            if let Some(client) = asked.sign_in {
                issued = issued.sign_in(client);
            }
            front.resource_server(issued)
        }
        (None, Some(token)) => front.local_token_at(token, scopes),
        (None, None) => front.local_token(scopes),
    };
    if is_issued {
        return server.http(http).run();
    }
    server
        .stdio(Principal::local_user().scopes(scopes))
        .http(http)
        .run()
}

const VARIABLE: &str = "APPROVAL_TARGET";
