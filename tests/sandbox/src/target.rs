//! A server with one harmless tool, whose dependency is not. Which sandbox it has is chosen by
//! `SANDBOX_SERVER`, since the command line belongs to the SDK.

use mcp_secure::{
    dangerous,
    prelude::*,
    sandbox::{Level, Sandbox},
};
use mcp_secure_tests_hostile::Around;

/// A folder with the user's files.
#[capability(fs)]
struct Files;

struct Target;

#[secure_server(name = "sandbox-target")]
impl Target {
    /// Does something with a file, and calls a library for it.
    #[tool(public, unapproved = "the attack is on the kernel, not on the person")]
    async fn work(
        &self,
        #[arg(max_len = 4000)] around: String,
        files: Fs<Files, ReadWrite>,
    ) -> ToolResult<String> {
        // What is granted works.
        let name = RelPath::parse("granted.txt")?;
        files.write(&name, "written by the tool").await?;
        files.read_to_string(&name).await?;
        let around: Around = serde_json::from_str(&around)?;
        let went = tokio::task::spawn_blocking(move || mcp_secure_tests_hostile::go(&around));
        Ok(serde_json::to_string(&went.await?)?)
    }
}

/// A service of the operator's.
#[capability(net, allow_private)]
struct Service;

struct Reaching;

#[secure_server(name = "sandbox-reaching")]
impl Reaching {
    /// Asks the service.
    #[tool(public)]
    async fn ask(&self, service: Net<Service, Get>) -> ToolResult<String> {
        Ok(service.path("/word").send().await?.text().await?)
    }

    /// Calls a library that does not ask the service.
    #[tool(public)]
    async fn work(
        &self,
        #[arg(max_len = 4000)] around: String,
        service: Net<Service, Get>,
    ) -> ToolResult<String> {
        let _ = service;
        let around: Around = serde_json::from_str(&around)?;
        let went = tokio::task::spawn_blocking(move || mcp_secure_tests_hostile::go(&around));
        Ok(serde_json::to_string(&went.await?)?)
    }
}

/// Names are asked of the test.
fn reaching() -> mcp_secure::Result<()> {
    let nameserver = std::env::var("SANDBOX_NAMESERVER").unwrap_or_default();
    let nameserver: std::net::SocketAddr = nameserver
        .parse()
        .map_err(|e| Error::new(format!("no name server: {e}")))?;
    let sandbox = Sandbox::new()
        .require(Level::Full)
        .keep_env("SANDBOX_SERVER")
        .keep_env("SANDBOX_NAMESERVER");
    let service = Service::from_operator().nameservers([nameserver]);
    SecureServer::new(Reaching)
        .grant(dangerous::plain_http(service))
        .sandbox(sandbox)
        .stdio(Principal::local_user())
        .run()
}

/// A program that does not call `run`: what it says goes to standard error.
fn own_runtime(sandbox: Sandbox) -> mcp_secure::Result<()> {
    let report = sandbox.require(Level::Full).read("/etc/passwd").enter()?;
    let granted = std::fs::read("/etc/passwd").is_ok();
    let secret = std::env::var_os("SANDBOX_SECRET").is_some_and(|path| std::fs::read(path).is_ok());
    let client = std::env::var_os("API_TOKEN").is_some();
    Err(Error::new(format!(
        "{}: granted {granted}, secret {secret}, client {client}",
        report.level
    )))
}

fn main() -> mcp_secure::Result<()> {
    let chosen = std::env::var("SANDBOX_SERVER").unwrap_or_default();
    let sandbox = Sandbox::new()
        .keep_env("SANDBOX_SERVER")
        .keep_env("SANDBOX_SECRET");
    let sandbox = match chosen.as_str() {
        "" => sandbox,
        "reaching" => return reaching(),
        "enter" => return own_runtime(sandbox),
        "strict" => sandbox.require(Level::Full),
        "without" => dangerous::without_sandbox(sandbox, "the control of a test"),
        "network" => dangerous::ambient_network(sandbox, "a test"),
        "probe" => sandbox.with_probe(),
        "thread" => {
            std::thread::spawn(std::thread::park);
            sandbox
        }
        "reads" => sandbox.read("/etc/passwd"),
        "vault" => sandbox.read(std::env::var_os("SANDBOX_SECRET").unwrap_or_default()),
        other => return Err(Error::new(format!("`{other}` is no server of these tests"))),
    };
    SecureServer::new(Target)
        .grant(Files::from_operator())
        .sandbox(sandbox)
        .stdio(Principal::local_user())
        .http(Http::on("127.0.0.1:0").local_token::<_, String>([]))
        .unix(Unix::at("/nonexistent/mcp.sock"))
        .run()
}
