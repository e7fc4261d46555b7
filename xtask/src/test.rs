//! `cargo xtask test`: install what the tests need, then run all of them.

use std::process::Command;

use crate::install;
use crate::workspace::{self, Result, Workspace, succeeds};

/// What no package needs by itself.
const FEATURES: &str = "--features=mcp-secure-cli/dev-issuer";

/// Benchmarks have no tests, but for those of texts; clippy holds them to what they call.
const BUT: &str = "--exclude=mcp-secure-bench-[!t]*";

/// Runs every test. Arguments go to nextest and mean a selection, so the documentation tests,
/// which nextest cannot run, are then left out.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let tools = install::tools(workspace)?;
    let with_tools = |command: &mut Command| {
        for (name, path) in tools.variables() {
            command.env(name, path);
        }
        workspace::run(command)
    };

    let mut tests = workspace.cargo();
    if succeeds(workspace.cargo().args(["nextest", "--version"])) {
        tests.args(["nextest", "run", "--workspace", BUT, FEATURES]);
        if std::env::var_os("CI").is_some() {
            tests.env("NEXTEST_PROFILE", "ci");
        }
    } else {
        eprintln!("cargo-nextest is not installed: using cargo test");
        tests.args([
            "test",
            "--workspace",
            BUT,
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            FEATURES,
        ]);
    }
    with_tools(tests.args(arguments))?;

    if arguments.is_empty() {
        with_tools(
            workspace
                .cargo()
                .args(["test", "--doc", "--workspace", BUT]),
        )
    } else {
        eprintln!("a selection of tests: the documentation tests were not run");
        Ok(())
    }
}
