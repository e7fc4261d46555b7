//! A server whose callers connect an account and enter a key, on plain loopback, for a real browser.

use std::path::PathBuf;

use mcp_secure::{
    auth::UpstreamOAuth,
    capability::net::{Get, Net},
    prelude::*,
    sandbox::Sandbox,
    vault::{Placement, Vault, VaultKey},
};
use serde::Deserialize;

/// What a test asks for, as JSON in `CONNECT_TARGET`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    listen: String,
    /// Of the callers, and the resource.
    issuer: (String, String),
    /// The issuer of the accounts.
    accounts: String,
    /// The server that is called.
    upstream: String,
    /// What the token for it is to be good for.
    scopes: Vec<String>,
    /// A folder with a vault and its key.
    vault: PathBuf,
}

/// The caller's own calendar.
#[capability(net, allow_private)]
struct Calendar;

/// The caller's own tickets.
#[capability(net, allow_private)]
struct Tracker;

struct Target;

#[secure_server(name = "connect-target")]
impl Target {
    /// Look into the calendar.
    #[tool(public)]
    async fn look(&self, calendar: Net<Calendar, Get>) -> ToolResult<String> {
        Ok(calendar.path("/").send().await?.text().await?)
    }

    /// Look into the tickets.
    #[tool(public)]
    async fn track(&self, tracker: Net<Tracker, Get>) -> ToolResult<String> {
        Ok(tracker.path("/").send().await?.text().await?)
    }
}

fn main() -> mcp_secure::Result<()> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("`{VARIABLE}` is not what it has to be: {error}")))?;
    let at = |name: &str| asked.vault.join(name);
    let accounts = UpstreamOAuth::new(&asked.accounts, "dev")
        .scopes(asked.scopes)
        .resource(&asked.upstream)
        .allow_private_issuer();
    let (issuer, resource) = asked.issuer;
    let issued = ResourceServer::new(issuer, resource)
        .allow_private_issuer()
        .sign_in("dev");
    SecureServer::new(Target)
        .vault(Vault::file(at("vault/v"), VaultKey::file(at("keys/0"))).people(at("people")))
        .grant(Calendar::from_operator().connect(accounts))
        .grant(
            Tracker::from_operator()
                .credential_per_user("tracker")
                .entered_by_callers(Placement::Bearer),
        )
        .limits(Limits {
            principal_per_minute: 1_000_000,
            principal_burst: 100_000,
            repeats_per_minute: 1_000_000,
            ..Limits::default()
        })
        .sandbox(Sandbox::new().keep_env(VARIABLE))
        .http(Http::on(asked.listen).resource_server(issued))
        .run()
}

const VARIABLE: &str = "CONNECT_TARGET";
