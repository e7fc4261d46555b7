//! `cargo xtask demo`: the notes server, used by the official Python client and then attacked.

use std::process::Command;

use crate::install;
use crate::workspace::{self, Result, Workspace};

/// The script and the list of its packages.
const DEMO: &str = "examples/notes/demo";

/// The public advisories that are replayed.
const ADVISORIES: &str = "tests/attacks/data/cve-dev.json";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    workspace::run(workspace.cargo().args(["build", "--package", "notes"]))?;
    install::debian(&["python3", "python3-venv"])?;
    let demo = workspace.root.join(DEMO);
    let python = install::python(workspace, "demo-venv", &demo.join("requirements.txt"))?;
    let program = format!("notes{}", std::env::consts::EXE_SUFFIX);
    workspace::run(
        Command::new(python)
            // Nothing is left behind, no compiled script either.
            .arg("-B")
            .arg(demo.join("demo.py"))
            .arg(workspace.target.join("debug").join(program))
            .arg(workspace.root.join(ADVISORIES)),
    )
}
