//! The server that the tests attack. What it trusts is chosen by the environment, since the
//! command line belongs to the SDK.

use std::path::PathBuf;

use mcp_secure::{
    auth::{Dpop, Introspection},
    prelude::*,
    sandbox::Sandbox,
    server::http::{HttpLimits, PeerRate},
};
use serde::Deserialize;

/// What a test asks for, as JSON in `OAUTH_TARGET`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    listen: String,
    issuer: String,
    resource: String,
    #[serde(default)]
    tls: Option<(PathBuf, PathBuf)>,
    #[serde(default)]
    client_certificates: Option<PathBuf>,
    #[serde(default)]
    dpop: Option<String>,
    #[serde(default)]
    certificate_bound: bool,
    /// Client id and the file with its secret.
    #[serde(default)]
    introspect: Option<(String, PathBuf)>,
    #[serde(default)]
    implies: Vec<(String, Vec<String>)>,
    #[serde(default)]
    any_token_type: bool,
    /// How often one network may ask in a second, and at once.
    #[serde(default)]
    rate: Option<(u32, u32)>,
    /// What a client is told to ask for first.
    #[serde(default)]
    baseline: Vec<String>,
    #[serde(default)]
    policies: Option<String>,
}

struct Target;

#[secure_server(name = "oauth-target")]
impl Target {
    /// Say who calls.
    #[tool(public)]
    async fn who(&self, who: Principal) -> ToolResult<String> {
        let scopes: Vec<&str> = who.all_scopes().collect();
        Ok(format!(
            "{} {} {} [{}]",
            who.issuer(),
            who.subject(),
            who.client().unwrap_or("-"),
            scopes.join(" ")
        ))
    }

    /// Read a note.
    #[tool(scope = "notes:read")]
    async fn read(&self) -> ToolResult<String> {
        Ok("a note".to_owned())
    }

    /// Write a note.
    #[tool(scope = ["notes:read", "notes:write"])]
    async fn write(&self) -> ToolResult<String> {
        Ok("written".to_owned())
    }

    /// Erase everything.
    #[tool(scope = "notes:admin", hidden)]
    async fn erase(&self) -> ToolResult<String> {
        Ok("erased".to_owned())
    }

    /// Agree to the terms, which a program cannot.
    #[tool(scope = "notes:admin", hidden)]
    async fn agree(&self, who: Principal) -> ToolResult<String> {
        if who.is_client() {
            return Err(ToolError::new("a person has to agree"));
        }
        Ok("agreed".to_owned())
    }

    /// The note of the day.
    #[resource(uri = "note://today", scope = "notes:write")]
    async fn today(&self) -> ToolResult<String> {
        Ok("today".to_owned())
    }

    /// Ask for a summary.
    #[prompt(scope = "notes:write")]
    async fn summary(&self) -> ToolResult<String> {
        Ok("Summarize.".to_owned())
    }
}

fn main() -> mcp_secure::Result<()> {
    let text = std::env::var("OAUTH_TARGET").unwrap_or_default();
    let asked: Asked = serde_json::from_str(&text)
        .map_err(|error| Error::new(format!("`OAUTH_TARGET` is not what it has to be: {error}")))?;
    let mut issued = ResourceServer::new(asked.issuer, asked.resource).allow_private_issuer();
    for (scope, implied) in asked.implies {
        issued = issued.implies(scope, implied);
    }
    if asked.any_token_type {
        issued = issued.token_type("JWT");
    }
    if asked.certificate_bound {
        issued = issued.certificate_bound();
    }
    issued = issued.ask_first(asked.baseline);
    issued = match asked.dpop.as_deref() {
        None => issued,
        Some("required") => issued.dpop(Dpop::Required),
        Some("nonce") => issued.dpop(Dpop::Required).dpop_nonce(),
        Some(_) => issued.dpop(Dpop::Accepted),
    };
    if let Some((client, secret)) = asked.introspect {
        issued = issued.introspection(Introspection::with_secret(client, secret));
    }
    let mut http = Http::on(asked.listen);
    if let Some((per_second, burst)) = asked.rate {
        http = http.limits(HttpLimits {
            rate: Some(PeerRate {
                per_second,
                burst,
                failure: 1,
                ..PeerRate::default()
            }),
            ..HttpLimits::default()
        });
    }
    if let Some((chain, key)) = asked.tls {
        let mut tls = Tls::files(chain, key);
        if let Some(authority) = asked.client_certificates {
            tls = tls.client_certificates(authority);
        }
        http = http.tls(tls);
    }
    let mut server = SecureServer::new(Target);
    if let Some(policies) = asked.policies {
        server = server.policies(CedarPolicies::from_str(policies));
    }
    server
        .sandbox(Sandbox::new().keep_env("OAUTH_TARGET"))
        // These tests poll and flood: how often one may ask is tested elsewhere.
        .limits(Limits {
            principal_per_minute: 1_000_000,
            principal_burst: 100_000,
            repeats_per_minute: 1_000_000,
            ..Limits::default()
        })
        .http(http.resource_server(issued))
        .run()
}
