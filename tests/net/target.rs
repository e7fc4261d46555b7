//! The server of the wiring tests. What it trusts is chosen by the environment, since the
//! command line belongs to the SDK.

use std::net::SocketAddr;

use mcp_secure::{
    capability::net::{Endpoint, NetGrant},
    prelude::*,
    sandbox::Sandbox,
};

/// The internet.
#[capability(net)]
struct Public;

/// A server of one's own.
#[capability(net, allow_private)]
struct Inside;

struct Target;

#[secure_server]
impl Target {
    /// Read a document from the internet.
    #[tool(public)]
    async fn read_public(&self, id: String, api: Net<Public, Get>) -> ToolResult<String> {
        Ok(api
            .path("/doc/{id}")
            .segment("id", id)
            .send()
            .await?
            .text()
            .await?)
    }

    /// Read a document from inside.
    #[tool(public)]
    async fn read_inside(&self, id: String, api: Net<Inside, Get>) -> ToolResult<String> {
        Ok(api
            .path("/doc/{id}")
            .segment("id", id)
            .send()
            .await?
            .text()
            .await?)
    }
}

fn main() -> mcp_secure::Result<()> {
    // The sandbox is as it always is. A clean start would take the proxies out of the
    // environment; the handle must not ask them where an operator keeps them.
    let kept = [
        "NET_DNS",
        "NET_CA",
        "SSLKEYLOGFILE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ];
    let sandbox = kept.into_iter().fold(Sandbox::new(), Sandbox::keep_env);
    SecureServer::new(Target)
        .sandbox(sandbox)
        .grant(here(Public::from_operator()))
        .grant(here(Inside::from_operator()))
        .stdio(Principal::local_user())
        .run()
}

fn here<E: Endpoint>(mut grant: NetGrant<E>) -> NetGrant<E> {
    if let Some(dns) = setting::<SocketAddr>("NET_DNS") {
        grant = grant.nameservers([dns]);
    }
    match setting::<String>("NET_CA") {
        Some(path) => grant.ca_file(path),
        None => grant,
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
