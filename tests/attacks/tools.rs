//! Our server for the attacks on command lines: the tools of the advisories, with typed arguments
//! and a program that is started without a shell.

use mcp_secure::{
    capability::exec::{Command, Separator},
    prelude::*,
    sandbox::Sandbox,
};

use crate::{
    ours::{Root, SCOPES},
    wire::ROLE,
};

/// What stands for `kubectl`, `aws`, `dbt` and so on.
#[capability(exec)]
pub struct Tool;

/// The repository's own program.
#[capability(exec = "/usr/bin/git")]
pub struct Git;

struct Tools;

/// What an image says about itself.
#[mcp_secure::args]
struct Label {
    /// Its name.
    image: Identifier,
    /// What it is for.
    description: Text,
}

#[secure_server]
impl Tools {
    /// Read one file.
    #[tool(scope = "files:read")]
    async fn read_file(&self, path: RelPath, root: Fs<Root, ReadOnly>) -> ToolResult<String> {
        Ok(root.read_to_string(&path).await?)
    }

    /// Fetch a resource by its key or address.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn fetch(
        &self,
        key: Text,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["fetch"]).arg(key), &root).await
    }

    /// Open an address in the browser.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn open_url(
        &self,
        url: Text,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["open"]).arg(url), &root).await
    }

    /// Show a resource of the cluster.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn describe(
        &self,
        kind: Identifier,
        name: Identifier,
        namespace: Identifier,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        let command = tool.command(["describe"]).option("-n", namespace);
        run(command.arg(kind).arg(name), &root).await
    }

    /// Run a program in a pod, by its words.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn exec_in_pod(
        &self,
        command: Vec<Text>,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["exec"]).args(command), &root).await
    }

    /// Ask a database.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn query(
        &self,
        query: Text,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["query"]).option("--query", query), &root).await
    }

    /// Look up something by its name: a package, a repository, a model, a task.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn look_up(
        &self,
        name: Identifier,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["look-up"]).arg(name), &root).await
    }

    /// Tap the screen.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn tap(
        &self,
        duration: u32,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["tap"]).option("--duration", duration), &root).await
    }

    /// Say which program listens on a port.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn who_listens(
        &self,
        port: u16,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["list"]).option("--port", port), &root).await
    }

    /// Convert a file.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn convert(
        &self,
        path: RelPath,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["convert"]).arg(path), &root).await
    }

    /// List what there is, by a filter.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn list(
        &self,
        filter: Text,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["list"]).option("--filter", filter), &root).await
    }

    /// Build models.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn build(
        &self,
        models: Vec<Identifier>,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        run(tool.command(["build"]).args(models), &root).await
    }

    /// Run an image, as its label says.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn run_image(
        &self,
        Args(label): Args<Label>,
        tool: Exec<Tool>,
        root: Fs<Root, ReadWrite>,
    ) -> ToolResult<String> {
        let command = tool.command(["run"]).option("--label", label.description);
        run(command.arg(label.image), &root).await
    }

    /// Show what has changed.
    #[tool(public, unapproved = "the attacks are on the program")]
    async fn diff(
        &self,
        target: Identifier,
        git: Exec<Git>,
        root: Fs<Root, ReadOnly>,
    ) -> ToolResult<String> {
        let command = git.command(["diff"]).flag("--no-ext-diff").arg(target);
        let output = command.current_dir(&root).run().await?.success()?;
        Ok(output.stdout_lossy().into_owned())
    }
}

async fn run(command: Command<Tool>, root: &Fs<Root, ReadWrite>) -> ToolResult<String> {
    let output = command.current_dir(root).run().await?.success()?;
    Ok(output.stdout_lossy().into_owned())
}

/// The program that is started; the operator names it.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

pub fn serve() -> mcp_secure::Result<()> {
    serve_with(PROGRAM)
}

/// The same, by an operator who allows a shell.
pub fn serve_with_a_shell() -> mcp_secure::Result<()> {
    serve_with("/bin/bash")
}

fn serve_with(program: &str) -> mcp_secure::Result<()> {
    let grant = ["--grant".into(), format!("tool={program}").into()];
    SecureServer::new(Tools)
        .grant(Root::from_operator())
        .grant(Tool::from_operator().folder::<Root, ReadWrite>())
        .grant(
            Git::declared()
                .folder::<Root, ReadOnly>()
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .separator(Separator::EndOfOptions),
        )
        // It is what makes this program the server, and its helper the helper.
        .sandbox(Sandbox::new().keep_env(ROLE))
        .stdio(Principal::local_user().scopes(SCOPES))
        .run_from(std::env::args_os().chain(grant))
}
