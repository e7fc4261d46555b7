//! A server that lends a program an endpoint, in the sandbox or, as the control of a test, without.

use std::{path::PathBuf, process::Command, time::Duration};

use mcp_secure::{
    capability::{
        exec::{ExecLimits, Output, Separator},
        net::NetLimits,
    },
    dangerous,
    prelude::*,
    sandbox::{Level, Sandbox},
};

/// The site; it is on this machine.
#[capability(net, allow_private)]
struct Site;

/// The site, if it were on the internet.
#[capability(net)]
struct Far;

/// Another site, which no program is lent.
#[capability(net, allow_private)]
struct Stray;

/// The program that is lent the site.
#[capability(exec)]
struct Lent;

/// The folder it works in.
#[capability(fs)]
struct Work;

struct Server;

/// What the program is asked to do.
#[mcp_secure::args]
enum Request {
    Tell,
    Door,
    Tunnel,
    TunnelAs,
    Tunnels,
    Plain,
    Connect,
    Sockets,
    Hold,
    Leave,
    Pour,
    Curl,
    Git,
}

impl Request {
    fn words(&self) -> &'static [&'static str] {
        match self {
            Self::Tell => &["tell"],
            Self::Door => &["door"],
            Self::Tunnel => &["tunnel"],
            Self::TunnelAs => &["tunnel-as"],
            Self::Tunnels => &["tunnels"],
            Self::Plain => &["plain"],
            Self::Connect => &["connect"],
            Self::Sockets => &["sockets"],
            Self::Hold => &["hold"],
            Self::Leave => &["leave"],
            Self::Pour => &["pour"],
            Self::Curl => &["--silent", "--show-error", "--cacert", "ca.pem"],
            Self::Git => &["-c", "http.sslCAInfo=ca.pem", "ls-remote"],
        }
    }
}

fn said(output: &Output) -> String {
    let (out, err) = (
        output.stdout_lossy(),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err}")
}

#[secure_server(name = "lending-server")]
impl Server {
    /// Run the program with the site.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn reach(
        &self,
        request: Request,
        value: Text,
        lent: Exec<Lent>,
        work: Fs<Work, ReadOnly>,
        site: Net<Site, Connect>,
    ) -> ToolResult<String> {
        let command = lent.command(request.words().iter().copied()).arg(value);
        Ok(said(&command.current_dir(&work).lend(&site).run().await?))
    }

    /// Run the program with the site, not for long.
    #[tool(public, timeout = "3s", unapproved = "nobody is asked in these tests")]
    async fn reach_shortly(
        &self,
        request: Request,
        value: Text,
        lent: Exec<Lent>,
        site: Net<Site, Connect>,
    ) -> ToolResult<String> {
        let command = lent.command(request.words().iter().copied()).arg(value);
        Ok(said(&command.lend(&site).run().await?))
    }

    /// Run the program with the site twice, each time until it is abandoned.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn reach_twice(
        &self,
        value: Text,
        lent: Exec<Lent>,
        site: Net<Site, Connect>,
    ) -> ToolResult<String> {
        for seconds in [3, 25] {
            let command = lent.command(["hold"]).arg(&value).lend(&site);
            let _ = tokio::time::timeout(Duration::from_secs(seconds), command.run()).await;
        }
        Ok("done".to_owned())
    }

    /// Run the program without the site.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn stay(&self, request: Request, value: Text, lent: Exec<Lent>) -> ToolResult<String> {
        let command = lent.command(request.words().iter().copied()).arg(value);
        Ok(said(&command.run().await?))
    }

    /// Run the program with the site as one on the internet.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn reach_far(
        &self,
        request: Request,
        value: Text,
        lent: Exec<Lent>,
        far: Net<Far, Connect>,
    ) -> ToolResult<String> {
        let command = lent.command(request.words().iter().copied()).arg(value);
        Ok(said(&command.lend(&far).run().await?))
    }

    /// Run the program with what its grant does not name.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn stray(&self, lent: Exec<Lent>, stray: Net<Stray, Connect>) -> ToolResult<String> {
        Ok(said(&lent.command(["tell"]).lend(&stray).run().await?))
    }
}

/// Where git has what it starts, wherever git is.
fn git_core() -> Option<PathBuf> {
    let output = Command::new("git").arg("--exec-path").output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_dir().then_some(path)
}

fn main() -> mcp_secure::Result<()> {
    let mut sandbox = Sandbox::new().keep_env("REQUIRE_FULL");
    if std::env::var_os("WITHOUT_SANDBOX").is_some() {
        sandbox = dangerous::without_sandbox(sandbox, "the control of a test");
    }
    if std::env::var_os("REQUIRE_FULL").is_some() {
        sandbox = sandbox.require(Level::Full);
    }
    let mut lent = Lent::from_operator()
        .network::<Site>()
        .network::<Far>()
        .folder::<Work, ReadOnly>()
        .separator(Separator::None)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .limits(ExecLimits {
            wall: Duration::from_secs(60),
            ..ExecLimits::default()
        });
    if let Some(path) = git_core() {
        lent = lent.runs(path);
    }
    SecureServer::new(Server)
        .grant(Work::from_operator())
        .grant(Site::from_operator().limits(NetLimits {
            max_request: 100_000,
            max_per_second: 1000,
            // So that nothing but the end of a run ends its tunnels.
            timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            ..NetLimits::default()
        }))
        .grant(Far::from_operator())
        .grant(Stray::from_operator())
        .grant(lent)
        .sandbox(sandbox)
        .stdio(Principal::local_user())
        .run()
}
