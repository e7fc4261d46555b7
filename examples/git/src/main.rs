//! One repository: status, log, show and diff, and a commit when a person agrees. The real git
//! does the work, on a repository that may have been made to attack it.

mod settings;

use mcp_secure::{
    capability::exec::{Command, ExecGrant, Program, Separator},
    prelude::*,
};

/// The folder of the repository.
#[capability(fs)]
pub struct Repo;

/// Looks at the repository.
#[capability(exec = "/usr/bin/git")]
pub struct Git;

/// Changes the repository.
#[capability(exec = "/usr/bin/git")]
pub struct GitCommit;

struct GitServer;

#[secure_server(name = "git")]
impl GitServer {
    /// Show which files have changed since the last commit.
    #[tool(scope = "git:read", unapproved = "git status changes nothing")]
    async fn status(&self, git: Exec<Git>, repo: Fs<Repo, ReadOnly>) -> ToolResult<String> {
        settings::check(&git, &repo).await?;
        let command = git
            .command(["status"])
            .flag("--porcelain=v1")
            .flag("--branch")
            // A submodule has settings of its own.
            .flag("--ignore-submodules=all");
        text(command.current_dir(&repo)).await
    }

    /// List the latest commits of a branch, newest first.
    #[tool(scope = "git:read", unapproved = "git log changes nothing")]
    async fn log(
        &self,
        /// A branch, tag or commit.
        revision: Identifier,
        /// Only commits that changed this file or folder; `.` for all.
        path: RelPath,
        /// How many.
        #[arg(range = 1..=200)]
        most: u32,
        git: Exec<Git>,
        repo: Fs<Repo, ReadOnly>,
    ) -> ToolResult<String> {
        settings::check(&git, &repo).await?;
        let command = git
            .command(["log"])
            .flag("--format=%h %as %an: %s")
            .flag("--no-show-signature")
            .option("--max-count", most)
            .arg(revision)
            .double_dash()
            .arg(path);
        text(command.current_dir(&repo)).await
    }

    /// Show one commit with its changes.
    #[tool(scope = "git:read", unapproved = "git show changes nothing")]
    async fn show(
        &self,
        /// A branch, tag or commit.
        revision: Identifier,
        git: Exec<Git>,
        repo: Fs<Repo, ReadOnly>,
    ) -> ToolResult<String> {
        settings::check(&git, &repo).await?;
        let command = git
            .command(["show"])
            .flag("--no-show-signature")
            .flag("--no-ext-diff")
            .flag("--no-textconv")
            .flag("--submodule=short")
            .arg(revision)
            .double_dash();
        text(command.current_dir(&repo)).await
    }

    /// Show what has changed since a commit.
    #[tool(scope = "git:read", unapproved = "git diff changes nothing")]
    async fn diff(
        &self,
        /// A branch, tag or commit.
        since: Identifier,
        /// Only this file or folder; `.` for all.
        path: RelPath,
        git: Exec<Git>,
        repo: Fs<Repo, ReadOnly>,
    ) -> ToolResult<String> {
        settings::check(&git, &repo).await?;
        let command = git
            .command(["diff"])
            .flag("--no-ext-diff")
            .flag("--no-textconv")
            .flag("--ignore-submodules=all")
            .arg(since)
            .double_dash()
            .arg(path);
        text(command.current_dir(&repo)).await
    }

    /// Commit one file that git knows, as it is now. A person must agree each time.
    #[tool(scope = "git:write")]
    async fn commit(
        &self,
        /// The file.
        path: RelPath,
        /// What the commit says.
        message: Text,
        git: Approved<Exec<GitCommit>>,
        repo: Approved<Fs<Repo, ReadWrite>>,
    ) -> ToolResult<String> {
        settings::check(&git, &repo).await?;
        let command = git
            .command(["commit"])
            .flag("--only")
            .flag("--no-verify")
            .flag("--no-gpg-sign")
            .flag("--cleanup=verbatim")
            .option("--message", message)
            .arg(path);
        text(command.current_dir(&repo)).await
    }
}

/// Git as it must be on a repository of somebody else: no settings but the repository's own,
/// which are [checked](settings::check); no pager, hook, monitor, transport or question.
fn hardened<P: Program>(grant: ExecGrant<P>) -> ExecGrant<P> {
    grant
        .leading(["--no-pager", "--literal-pathspecs", "--no-optional-locks"])
        .leading(["-c", "core.fsmonitor=false"])
        .leading(["-c", "core.hooksPath=/dev/null"])
        .leading(["-c", "core.attributesFile=/dev/null"])
        .leading(["-c", "protocol.allow=never"])
        .leading(["-c", "maintenance.auto=false", "-c", "gc.auto=0"])
        // The repository is the folder itself: not one above it.
        .env("GIT_DIR", ".git")
        .env("GIT_WORK_TREE", ".")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_EDITOR", "false")
        .env("GIT_AUTHOR_NAME", "git-server")
        .env("GIT_AUTHOR_EMAIL", "git-server@localhost")
        .env("GIT_COMMITTER_NAME", "git-server")
        .env("GIT_COMMITTER_EMAIL", "git-server@localhost")
        .env("LANG", "C.UTF-8")
        .separator(Separator::EndOfOptions)
        .reads("/usr/share/git-core")
}

async fn text<P: Program>(command: Command<P>) -> ToolResult<String> {
    let output = command.run().await?.success()?;
    Ok(output.stdout_lossy().into_owned())
}

fn main() -> mcp_secure::Result<()> {
    let scopes = ["git:read", "git:write"];
    SecureServer::new(GitServer)
        .grant(Repo::from_operator())
        .grant(hardened(Git::declared()).folder::<Repo, ReadOnly>())
        .grant(hardened(GitCommit::declared()).folder::<Repo, ReadWrite>())
        // A client that cannot show the page is believed.
        .approvals(Approvals::by(By::strongest().or_in_client()))
        .stdio(Principal::local_user().scopes(scopes))
        .run()
}
