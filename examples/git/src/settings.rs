//! What a repository may say about git.
//!
//! Dozens of settings name a program, and every version of git adds some: a pager, a monitor, a
//! filter that an attribute puts on any file. So nothing is forbidden by name. What is known to be
//! harmless is allowed, and a repository with anything else in its own settings is not touched.

use mcp_secure::{
    capability::{
        exec::Program,
        fs::{FsRoot, Mode},
    },
    prelude::*,
};

/// Refuses a repository that is not a plain one.
pub(crate) async fn check<P: Program, R: FsRoot, M: Mode>(
    git: &Exec<P>,
    repo: &Fs<R, M>,
) -> ToolResult<()> {
    // A `.git` that is a file, or a `commondir` in it, leads to a repository elsewhere.
    let places = git
        .command(["rev-parse"])
        .flag("--git-dir")
        .flag("--git-common-dir")
        .current_dir(repo)
        .run()
        .await?;
    if places.code != Some(0) || places.stdout != b".git\n.git\n" {
        return Err(ToolError::new("the folder is no plain git repository"));
    }
    let names = git
        .command(["config"])
        .flag("--local")
        .flag("--no-includes")
        .flag("--null")
        .flag("--name-only")
        .flag("--list")
        .current_dir(repo)
        .run()
        .await?
        .success()?;
    let mut names = names.stdout_text()?.split_terminator('\0');
    match names.find(|name| !is_harmless(name)) {
        Some(_) => Err(ToolError::new(
            "the repository has settings of its own that could start a program; \
             `git config --local --list` shows them",
        )),
        None => Ok(()),
    }
}

/// By the whole name, or the section and the last part, as in `remote.NAME.url`.
fn is_harmless(name: &str) -> bool {
    let (section, last) = match (name.split_once('.'), name.rsplit_once('.')) {
        (Some((section, _)), Some((_, last))) => (section, last),
        _ => return false,
    };
    HARMLESS.contains(&name)
        || matches!(
            (section, last),
            ("remote", "url" | "fetch" | "pushurl")
                | ("branch", "remote" | "merge" | "rebase")
                | ("submodule", "url" | "active")
        )
}

const HARMLESS: &[&str] = &[
    "core.autocrlf",
    "core.bare",
    "core.eol",
    "core.filemode",
    "core.ignorecase",
    "core.logallrefupdates",
    "core.precomposeunicode",
    "core.repositoryformatversion",
    "core.symlinks",
    "extensions.objectformat",
    "user.email",
    "user.name",
];
