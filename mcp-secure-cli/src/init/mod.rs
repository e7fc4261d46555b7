//! `mcp-secure init`: the lints that keep ambient authority out of a server's own code.

mod clippy_toml;
mod manifest;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

/// The long help.
pub(crate) const ABOUT: &str = "\
Write clippy.toml, so that clippy refuses the functions, types and macros by which code reaches
files, sockets, programs, the environment and standard input and output without a handle; and say
which lines Cargo.toml needs for it.

What others wrote into clippy.toml is never changed: then the lines are printed, to be added by hand.

Exit codes: 0 if nothing is left to do, 1 if something is, 2 for an error.";

/// The arguments of `init`.
#[derive(Args)]
pub(crate) struct Init {
    /// The folder of the package, or of its workspace
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// Write nothing; fail if something is missing or old
    #[arg(long)]
    check: bool,
}

impl Init {
    /// Sets up, and tells errors itself: they end with 2, not with 1 like other verbs.
    pub(crate) fn run(&self) -> ExitCode {
        match self.init() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        }
    }

    /// Whether nothing is left to do.
    #[allow(
        clippy::print_stdout,
        reason = "this is a command, and its output is the answer"
    )]
    fn init(&self) -> Result<bool, String> {
        let manifest = manifest::missing(&self.path)?;
        let clippy = clippy_toml::settle(&self.path.join("clippy.toml"), self.check)?;
        println!("{clippy}");
        if let Some(lines) = &manifest {
            println!("Cargo.toml needs these lines:\n\n{lines}");
        }
        Ok(clippy.is_done() && manifest.is_none())
    }
}
