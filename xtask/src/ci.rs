//! `cargo xtask ci`: everything that gates a change, cheapest first.

use std::time::Instant;

use crate::workspace::{self, Result, Workspace};
use crate::{book, demo, deps, msrv, test};

type Step = (&'static str, fn(&Workspace) -> Result<()>);

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("msrv", msrv::run),
    ("deps", deps::run),
    ("book", book::run),
    ("clippy", clippy),
    ("clippy, no features", clippy_bare),
    ("ambient authority", ambient),
    ("fuzz targets", fuzz),
    ("rustdoc", rustdoc),
    ("test", |workspace| test::run(workspace, &[])),
    // What a reader of the README runs first.
    ("demo", demo::run),
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let start = Instant::now();
    for (name, step) in STEPS {
        eprintln!("\n==== {name}");
        let begun = Instant::now();
        let outcome = step(workspace);
        let seconds = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => eprintln!("==== {name}: passed in {seconds:.1} s"),
            Err(error) => {
                eprintln!("==== {name}: FAILED after {seconds:.1} s");
                return Err(error);
            }
        }
    }
    eprintln!(
        "\n==== all of it passed in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn fmt(workspace: &Workspace) -> Result<()> {
    workspace::run(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    workspace::run(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "--deny=warnings",
    ]))
}

/// A feature only ever adds: the library must also stand without any.
fn clippy_bare(workspace: &Workspace) -> Result<()> {
    workspace::run(workspace.cargo().args([
        "clippy",
        "--package=mcp-secure",
        "--no-default-features",
        "--",
        "--deny=warnings",
    ]))
}

/// The example has no authority but its handles', and its dependencies none that nobody has seen.
fn ambient(workspace: &Workspace) -> Result<()> {
    workspace::run(workspace.cargo().args([
        "run",
        "--quiet",
        "--package=mcp-secure-cli",
        "--",
        "verify",
        "--manifest-path=examples/notes/Cargo.toml",
        "--locked",
    ]))
}

/// They are run by hand, with a nightly compiler; here they are only held to what they call.
fn fuzz(workspace: &Workspace) -> Result<()> {
    workspace::run(
        workspace
            .cargo()
            .args(["check", "--manifest-path=fuzz/Cargo.toml"]),
    )
}

/// Libraries only: the `mcp-secure` program and the library would write to the same pages.
fn rustdoc(workspace: &Workspace) -> Result<()> {
    workspace::run(workspace.cargo().env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--workspace",
        "--lib",
        "--no-deps",
        "--all-features",
    ]))
}
