//! A server that calls another one in the name of each caller, who connects an account there. Some
//! of its tools do what none should.

use std::path::PathBuf;

use mcp_secure::{
    auth::{ClientAuth, UpstreamOAuth},
    capability::net::{Get, Net, NetLimits},
    prelude::*,
    sandbox::Sandbox,
    state::{RedisStore, SealingKey, SecretString},
    vault::{Placement, Vault, VaultKey},
};
use serde::Deserialize;

/// What a test asks for, as JSON in `OAUTH_TARGET`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    listen: String,
    issuer: String,
    resource: String,
    tls: (PathBuf, PathBuf),
    /// The server that is called.
    upstream: String,
    /// The issuer of the accounts there.
    accounts: String,
    /// A folder with a vault, its key, and what callers have.
    vault: PathBuf,
    #[serde(default)]
    sign_in: bool,
    #[serde(default)]
    local_token: Option<PathBuf>,
    #[serde(default)]
    stdio: bool,
    #[serde(default)]
    device: bool,
    /// The server has a secret at the issuer, which is in the vault.
    #[serde(default)]
    secret: bool,
    /// Another client at the issuer of the accounts.
    #[serde(default)]
    client: Option<String>,
    /// How many calls may wait for a person.
    #[serde(default)]
    waiting: Option<usize>,
    /// The key with which replicas seal.
    #[serde(default)]
    sealing_key: Option<PathBuf>,
    /// Address and password.
    #[serde(default)]
    redis: Option<(String, String)>,
}

/// The caller's own calendar.
#[capability(net, allow_private)]
struct Calendar;

/// The caller's own tickets.
#[capability(net, allow_private)]
struct Tracker;

struct Target;

#[secure_server(name = "oauth-connect")]
impl Target {
    /// Look into the calendar.
    #[tool(public)]
    async fn look(&self, calendar: Net<Calendar, Get>) -> ToolResult<String> {
        Ok(calendar.path("/echo").send().await?.text().await?)
    }

    /// Tell all that is known of the caller and of the handle.
    #[tool(public)]
    async fn tell(&self, who: Principal, calendar: Net<Calendar, Get>) -> ToolResult<String> {
        let echo = calendar.path("/mirror").send().await?;
        Ok(format!(
            "{who:?} {calendar:?} {:?} {}",
            echo.status(),
            echo.text().await?
        ))
    }

    /// Look into the calendar, which takes only tokens that it has not seen first.
    #[tool(public)]
    async fn strict(&self, calendar: Net<Calendar, Get>) -> ToolResult<String> {
        Ok(calendar.path("/strict").send().await?.text().await?)
    }

    /// Look into the calendar, which takes no token at all.
    #[tool(public)]
    async fn never(&self, calendar: Net<Calendar, Get>) -> ToolResult<String> {
        let answer = calendar.path("/never").send().await?;
        Ok(answer.status().as_str().to_owned())
    }

    /// Look into the tickets.
    #[tool(public)]
    async fn track(&self, tracker: Net<Tracker, Get>) -> ToolResult<String> {
        Ok(tracker.path("/key").send().await?.text().await?)
    }

    /// Look where no key is good.
    #[tool(public)]
    async fn barred(&self, tracker: Net<Tracker, Get>) -> ToolResult<String> {
        let answer = tracker.path("/never").send().await?;
        Ok(answer.status().as_str().to_owned())
    }

    /// Tell all that is known of the handle, and what the other server says of it.
    #[tool(public)]
    async fn leak(&self, tracker: Net<Tracker, Get>) -> ToolResult<String> {
        let echo = tracker.path("/mirror").send().await?;
        Ok(format!("{tracker:?} {}", echo.text().await?))
    }

    /// Look into the tickets, and write about them.
    #[prompt(public)]
    async fn review(&self, tracker: Net<Tracker, Get>) -> ToolResult<String> {
        Ok(tracker.path("/key").send().await?.text().await?)
    }

    /// The calendar, a thousand times at once.
    #[resource(uri = "calendar://all", public)]
    async fn all(&self, calendar: Net<Calendar, Get>) -> ToolResult<String> {
        let all = (0..1000).map(|_| async {
            let answer = calendar.path("/echo").send().await?;
            answer.text().await
        });
        let mut good = 0;
        for answer in futures::future::join_all(all).await {
            answer?;
            good += 1;
        }
        Ok(good.to_string())
    }
}

fn main() -> mcp_secure::Result<()> {
    let text = std::env::var("OAUTH_TARGET").unwrap_or_default();
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("`OAUTH_TARGET` is not what it has to be: {error}")))?;
    let client = match (asked.device, asked.stdio) {
        (true, _) => "television",
        (false, true) => "native",
        (false, false) => "connects",
    };
    let client = asked.client.as_deref().unwrap_or(client);
    let accounts = match asked.secret {
        true => {
            let client = ClientAuth::with_vault_secret(client, "at-issuer");
            UpstreamOAuth::with_client(&asked.accounts, client)
        }
        false => UpstreamOAuth::new(&asked.accounts, client),
    };
    let mut accounts = accounts
        .scopes(["notes:read"])
        .resource(&asked.upstream)
        .allow_private_issuer();
    if asked.device {
        accounts = accounts.device();
    }
    let at = |name: &str| asked.vault.join(name);
    let vault = Vault::file(at("vault/v"), VaultKey::file(at("keys/0"))).people(at("people"));
    let calendar = Calendar::from_operator()
        .connect(accounts)
        .limits(NetLimits {
            max_concurrent: 64,
            max_per_second: 100_000,
            timeout: std::time::Duration::from_secs(60),
            ..NetLimits::default()
        });
    let tracker = Tracker::from_operator()
        .credential_per_user("tracker")
        .entered_by_callers(Placement::Bearer);
    let mut server = SecureServer::new(Target)
        .vault(vault)
        .grant(calendar)
        .grant(tracker)
        // These tests ask often: how often one may is tested elsewhere.
        .limits(Limits {
            principal_per_minute: 1_000_000,
            principal_burst: 100_000,
            repeats_per_minute: 1_000_000,
            timeout: std::time::Duration::from_secs(60),
            pending_approvals: asked.waiting.unwrap_or(Limits::default().pending_approvals),
            ..Limits::default()
        })
        .sandbox(Sandbox::new().keep_env("OAUTH_TARGET"));
    if let Some((address, password)) = asked.redis {
        server = server.store(
            RedisStore::at(address)
                .password(SecretString::from(password))
                .allow_private(),
        );
    }
    if let Some(path) = asked.sealing_key {
        server = server.sealing_key(SealingKey::file(path));
    }
    let grants = ["calendar", "tracker"].map(|name| format!("{name}={}", asked.upstream));
    let arguments = grants.map(|grant| ["--grant".into(), grant.into()]);
    let arguments = arguments.into_iter().flatten();
    let arguments = std::env::args_os().chain(arguments);
    if asked.stdio {
        return server.stdio(Principal::local_user()).run_from(arguments);
    }
    let (chain, key) = asked.tls;
    let http = Http::on(asked.listen).tls(Tls::files(chain, key));
    let http = match asked.local_token {
        Some(path) => http.local_token_at(path, ["notes:read"]),
        None => {
            let mut issued =
                ResourceServer::new(asked.issuer, asked.resource).allow_private_issuer();
            if asked.sign_in {
                issued = issued.sign_in("signs-in").sign_in_scopes(["notes:read"]);
            }
            http.resource_server(issued)
        }
    };
    server.http(http).run_from(arguments)
}
