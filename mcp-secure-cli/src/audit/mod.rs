//! `mcp-secure audit`: what an operator does with a log of records, away from the server.

mod dashboard;
mod formats;
mod lines;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};
use mcp_secure::Result;

/// The arguments of `audit`.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print a log in the form that a security team's system reads
    Export {
        /// The log
        file: PathBuf,
        /// Which form
        #[arg(long, value_enum)]
        format: Format,
    },
    /// Show a log in a browser of this machine, for reading only
    Serve {
        /// The log
        file: PathBuf,
        /// The port, on 127.0.0.1; any free one by default
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// OCSF 1.8.0, class API Activity (6003), one JSON object a line
    Ocsf,
    /// OTLP as JSON: spans by the semantic conventions for MCP, one export request a line
    Otlp,
    /// ArcSight's Common Event Format, version 0
    Cef,
}

impl Audit {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.verb {
            Verb::Export { file, format } => formats::export(
                file,
                match format {
                    Format::Ocsf => formats::ocsf,
                    Format::Cef => formats::cef,
                    Format::Otlp => formats::otlp,
                },
            ),
            Verb::Serve { file, port } => dashboard::serve(file, *port),
        }
    }
}
