//! A server over HTTP whose callers have a credential each.

use mcp_secure::{
    prelude::*,
    sandbox::Sandbox,
    server::http::Http,
    vault::{Vault, VaultKey},
};

/// What costs each caller's own credential.
#[capability(net, allow_private, credential = "github", per_user)]
struct Api;

struct Target;

#[secure_server]
impl Target {
    /// Read a page as the caller.
    #[tool(public)]
    async fn read(&self, page: String, api: Net<Api, Get>) -> ToolResult<String> {
        let response = api.path("/{page}").segment("page", page).send().await?;
        Ok(response.text().await?)
    }

    /// Say what one is told to.
    #[tool(public)]
    async fn say(&self, text: String) -> String {
        text
    }

    /// Try a header of one's own.
    #[tool(public)]
    async fn override_header(&self, api: Net<Api, Get>) -> ToolResult<String> {
        let response = api.path("/echo").header("x-key", "mine").send().await?;
        Ok(response.text().await?)
    }

    /// Read a file, past all handles.
    #[tool(public)]
    async fn file(&self, path: String) -> String {
        match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("no: {:?}", error.kind()),
        }
    }
}

fn main() -> mcp_secure::Result<()> {
    let kept = [
        "VAULT",
        "VAULT_KEY",
        "VAULT_PEOPLE",
        "VAULT_ANCHORS",
        "VAULT_CALLERS",
    ];
    let sandbox = kept.into_iter().fold(Sandbox::new(), Sandbox::keep_env);
    let setting = |name| std::env::var(name).unwrap_or_default();
    let mut vault = Vault::file(setting("VAULT"), VaultKey::file(setting("VAULT_KEY")));
    if let Ok(anchors) = std::env::var("VAULT_ANCHORS") {
        vault = vault.people_anchors(anchors);
    }
    SecureServer::new(Target)
        .sandbox(sandbox)
        .vault(vault.people(setting("VAULT_PEOPLE")))
        .grant(Api::from_operator())
        .http(Http::on("127.0.0.1:0").api_keys(setting("VAULT_CALLERS")))
        .run()
}
