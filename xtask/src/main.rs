//! The project's chores. `cargo xtask help` lists them.
//!
//! One verb, one file. Nothing here is part of the library; the only dependency is the JSON
//! reader for what `cargo metadata` prints.

mod book;
mod ci;
mod demo;
mod deps;
mod install;
mod lints;
mod msrv;
mod shorthand;
mod sources;
mod spec;
mod test;
mod workspace;

use std::process::ExitCode;

use workspace::{Result, Workspace};

const HELP: &str = "\
usage: cargo xtask <verb>

  test [-- ARGS]   install what the tests need, then run them all; ARGS go to nextest
  demo             use the notes example with an official client, then attack it
  ci               everything that gates a change: fmt, msrv, deps, book, clippy, rustdoc, test, demo
  book             check the book's links and the tests that it names, and build it
  msrv             compare the stated rust-version with what the dependencies ask for
  deps             check that every workspace dependency has its row in DEPENDENCIES.md
  lints            write the list of `mcp-secure init` from the documentation of std and tokio
  install          only install what the tests need
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let (verb, rest) = match args.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("help", args),
    };
    if matches!(verb, "help" | "-h" | "--help") {
        eprint!("{HELP}");
        return Ok(());
    }
    let rest = match rest.split_first() {
        Some((dashes, rest)) if dashes == "--" => rest,
        _ => rest,
    };
    // Only the test runner takes arguments; a stray one elsewhere is a typing mistake.
    if verb != "test" && !rest.is_empty() {
        return Err(format!("`{verb}` takes no arguments, got `{}`", rest.join(" ")).into());
    }

    let workspace = Workspace::find()?;
    match verb {
        "test" => test::run(&workspace, rest),
        "demo" => demo::run(&workspace),
        "ci" => ci::run(&workspace),
        "book" => book::run(&workspace),
        "msrv" => msrv::run(&workspace),
        "deps" => deps::run(&workspace),
        "lints" => lints::run(&workspace),
        "install" => install::tools(&workspace).map(drop),
        other => Err(format!("no verb `{other}`\n\n{HELP}").into()),
    }
}
