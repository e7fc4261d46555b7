//! A server that starts the program, in the sandbox or, as the control of a test, without.

use std::time::Duration;

use mcp_secure::{
    capability::exec::{ExecLimits, Separator},
    dangerous,
    prelude::*,
    sandbox::Sandbox,
};

/// The program that misbehaves; it may not write.
#[capability(exec)]
struct Probe;

/// The program that misbehaves, where it may write.
#[capability(exec)]
struct Writer;

/// The folder it works in.
#[capability(fs)]
struct Work;

struct Server;

/// What the program is asked to do.
#[mcp_secure::args]
enum Request {
    Tell,
    Read,
    Write,
    Connect,
    Shell,
    Flood,
    Sleep,
    Tree,
    TreeAndGo,
}

impl Request {
    fn words(&self) -> Vec<&'static str> {
        match self {
            Self::Tell => vec!["tell"],
            Self::Read => vec!["read"],
            Self::Write => vec!["write"],
            Self::Connect => vec!["connect"],
            Self::Shell => vec!["shell"],
            Self::Flood => vec!["flood"],
            Self::Sleep => vec!["sleep"],
            Self::Tree => vec!["tree", "child", "group", "daemon"],
            Self::TreeAndGo => vec!["tree-and-go", "child", "group", "daemon"],
        }
    }
}

#[secure_server(name = "exec-server")]
impl Server {
    /// Run the program where it may read.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn look(
        &self,
        request: Request,
        value: Text,
        probe: Exec<Probe>,
        work: Fs<Work, ReadOnly>,
    ) -> ToolResult<String> {
        let command = probe.command(request.words()).arg(value);
        let output = command.current_dir(&work).run().await?;
        Ok(output.stdout_lossy().into_owned())
    }

    /// Run the program where it may write.
    #[tool(public, timeout = "4s", unapproved = "nobody is asked in these tests")]
    async fn change(
        &self,
        request: Request,
        writer: Exec<Writer>,
        work: Fs<Work, ReadWrite>,
    ) -> ToolResult<String> {
        let command = writer.command(request.words()).current_dir(&work);
        let output = command.run().await?;
        Ok(output.stdout_lossy().into_owned())
    }
}

fn main() -> mcp_secure::Result<()> {
    let mut sandbox = Sandbox::new();
    if std::env::var_os("WITHOUT_SANDBOX").is_some() {
        sandbox = dangerous::without_sandbox(sandbox, "the control of a test");
    }
    let limits = ExecLimits {
        wall: Duration::from_secs(60),
        stdout: 100_000,
        ..ExecLimits::default()
    };
    SecureServer::new(Server)
        .grant(Work::from_operator())
        .grant(
            Probe::from_operator()
                .folder::<Work, ReadOnly>()
                .separator(Separator::None)
                .limits(limits),
        )
        .grant(
            Writer::from_operator()
                .folder::<Work, ReadWrite>()
                .limits(limits),
        )
        .sandbox(sandbox)
        .stdio(Principal::local_user())
        .run()
}
