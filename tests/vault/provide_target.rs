//! A server whose credential comes from where the test says.

use std::time::Duration;

use mcp_secure::{
    dangerous,
    prelude::*,
    sandbox::Sandbox,
    vault::{CredentialCommand, KeyringEntry, NewCredential, OpenBao, Placement, Vault, VaultKey},
};

/// What costs a credential.
#[capability(net, allow_private)]
struct Api;

/// Another server, for nothing.
#[capability(net, allow_private)]
struct Other;

/// A folder.
#[capability(fs)]
struct Files;

struct Target;

#[secure_server]
impl Target {
    /// Read a page.
    #[tool(public)]
    async fn read(&self, page: String, api: Net<Api, Get>) -> ToolResult<String> {
        let response = api.path("/{page}").segment("page", page).send().await?;
        Ok(response.text().await?)
    }

    /// Read a page with a parameter.
    #[tool(public)]
    async fn with(&self, key: String, api: Net<Api, Get>) -> ToolResult<String> {
        let path = api.path("/plain");
        let path = match key.as_str() {
            "key" => path.query("key", "mine"),
            _ => path.query("k%65y", "mine"),
        };
        Ok(path.send().await?.text().await?)
    }

    /// Ask the other server.
    #[tool(public)]
    async fn ask_other(&self, page: String, other: Net<Other, Get>) -> ToolResult<String> {
        let response = other.path("/{page}").segment("page", page).send().await?;
        Ok(response.text().await?)
    }

    /// Read a file as one is meant to.
    #[tool(public)]
    async fn granted(&self, path: RelPath, files: Fs<Files, ReadOnly>) -> ToolResult<String> {
        Ok(files.read_to_string(&path).await?)
    }
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn vault() -> mcp_secure::Result<Vault> {
    let placement = setting("PROVIDE_PLACEMENT").parse::<Placement>()?;
    let credential = NewCredential::new("token", placement, [setting("PROVIDE_HOST")])?;
    let vault = match std::env::var("VAULT") {
        Ok(path) => Vault::file(path, VaultKey::file(setting("VAULT_KEY"))),
        Err(_) => Vault::without_file(),
    };
    let seconds = setting("PROVIDE_SECONDS").parse().unwrap_or(60);
    let sign_in = |bao: OpenBao| {
        let bao = bao.good_for(Duration::from_secs(seconds));
        match setting("PROVIDE_ROLE") {
            role if role.is_empty() => bao.token_file(setting("PROVIDE_FILE")),
            role => bao.app_role(role, setting("PROVIDE_FILE")),
        }
    };
    let address = setting("PROVIDE_AT");
    Ok(match setting("PROVIDE").as_str() {
        "command" => {
            let words = setting("PROVIDE_COMMAND");
            let mut words = words.split(' ');
            let command = CredentialCommand::new(words.next().unwrap_or_default(), words);
            let folder = setting("PROVIDE_FOLDER");
            vault.provide(credential, command.reads(&folder).writes(&folder))
        }
        "kernel" => vault.provide(credential, KeyringEntry::kernel("stars")),
        "service" => vault.provide(credential, KeyringEntry::secret_service("stars")),
        "public" => {
            let bao = OpenBao::kv(address, "secret", "stars/github", "token");
            vault.provide(credential, sign_in(bao))
        }
        "kv" => {
            let bao = OpenBao::kv(address, "secret", "stars/github", "token");
            vault.provide(credential, sign_in(bao.allow_private()))
        }
        "ca" => {
            let bao = OpenBao::kv(address, "secret", "stars/github", "token");
            let bao = bao.ca_file(setting("PROVIDE_CA")).allow_private();
            vault.provide(credential, sign_in(bao))
        }
        "transit" => {
            let bao = OpenBao::transit(address, "transit", "stars", setting("PROVIDE_SEALED"));
            vault.provide(credential, sign_in(bao.allow_private()))
        }
        _ => vault,
    })
}

fn main() -> mcp_secure::Result<()> {
    let mut sandbox = Sandbox::new().keep_env("DBUS_SESSION_BUS_ADDRESS");
    for name in [
        "VAULT",
        "VAULT_KEY",
        "PROVIDE",
        "PROVIDE_AT",
        "PROVIDE_CA",
        "PROVIDE_COMMAND",
        "PROVIDE_FILE",
        "PROVIDE_FOLDER",
        "PROVIDE_HOST",
        "PROVIDE_PLACEMENT",
        "PROVIDE_QUERY",
        "PROVIDE_ROLE",
        "PROVIDE_SEALED",
        "PROVIDE_SECONDS",
    ] {
        sandbox = sandbox.keep_env(name);
    }
    SecureServer::new(Target)
        .sandbox(sandbox)
        .vault(vault()?)
        .grant(match setting("PROVIDE_QUERY").as_str() {
            "" => Api::from_operator().credential("token"),
            _ => dangerous::credential_in_query(Api::from_operator().credential("token")),
        })
        .grant(Other::from_operator())
        .grant(Files::from_operator())
        .stdio(Principal::local_user())
        .run()
}
