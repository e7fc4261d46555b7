//! `mcp-secure audit`: the audit log of a server.

mod dashboard;
mod formats;
mod lines;
#[allow(
    clippy::indexing_slicing,
    reason = "of JSON values, where what is not there is null"
)]
mod read;
#[allow(
    clippy::indexing_slicing,
    reason = "of JSON values, where what is not there is null"
)]
mod show;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};
use mcp_secure::{Error, Result};

/// The long help.
pub(crate) const ABOUT: &str = "\
Read the audit log of a server, and find out whether it is as it was written.

PATH is the active segment, as the server's `--audit PATH` names it; older segments lie beside it in
PATH.segments, and are read as well.

Times are spans back from now (90d, 12h, 30m), days (2027-01-31, in UTC) or moments
(2027-01-31T12:00:00Z).

Exit codes of `verify`: 0 nothing was found; 1 it could not be looked at (a file is not there, a key
is none); 2 the command line is not understood; 3 something was found.";

/// The arguments of `audit`.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the keys of a log before its server first starts
    Init {
        /// The log
        path: PathBuf,
        /// Where the key that verifies it goes: a file to move away from this machine
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Make a second key for the checkpoints that are kept elsewhere
    Witness {
        /// The name that stands in each cosignature, such as `witness.example/1`
        name: String,
        /// Where the key goes; its public key goes to FILE.pub
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Look for records that were changed, removed, added or moved
    Verify(verify::Verify),
    /// Show the last records, one a line, and those that come
    Tail(show::Tail),
    /// Show the records that fit, as they are in the log
    Query(read::Query),
    /// Print records in the form that a security team's system reads
    Export {
        #[command(flatten)]
        query: read::Query,
        /// Which form
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
    },
    /// Show a log in a browser of this machine, for reading only
    Serve {
        /// The log
        path: PathBuf,
        /// The port, on 127.0.0.1; any free one by default
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Prove to somebody who does not see the log that a record is in it, or that it has only grown
    Prove {
        /// The log
        path: PathBuf,
        /// The number of the record: its `seq`
        #[arg(required_unless_present = "consistency")]
        seq: Option<u64>,
        /// Two checkpoints that were kept (a note each, or anchor files: the newest counts): that
        /// nothing the first covers was changed before the second
        #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "seq")]
        consistency: Option<Vec<PathBuf>>,
        /// The public key; by default PATH.pub
        #[arg(long = "pub", value_name = "FILE")]
        public: Option<PathBuf>,
    },
    /// Check what `prove` printed; print the record, or the two sizes
    VerifyProof {
        /// The proof
        file: PathBuf,
        /// The public key of the log
        #[arg(long = "pub", value_name = "FILE")]
        public: PathBuf,
        /// The proof is of `--consistency`: the checkpoint that you have kept
        #[arg(long, value_name = "OLD")]
        consistency: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// The records as they are in the log, one a line
    Json,
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
            Verb::Init { path, key } => {
                mcp_secure::audit::init(path, key)?;
                eprintln!(
                    "the log `{}` can begin; `{}` verifies it: move that file to where nobody \
                     who can write the log can read it",
                    path.display(),
                    key.display()
                );
            }
            Verb::Witness { name, key } => {
                mcp_secure::audit::Cosigner::make(name, key)?;
                eprintln!(
                    "name `{}` as `anchor_cosigner_file`, and keep `{}.pub` for `verify --witness`",
                    key.display(),
                    key.display()
                );
            }
            Verb::Verify(verify) => return verify.run(),
            Verb::Tail(tail) => tail.run()?,
            Verb::Query(query) => query.run(&mut |line| Some(line.to_vec()))?,
            Verb::Export { query, format } => match format {
                Format::Json => query.run(&mut |line| Some(line.to_vec()))?,
                Format::Ocsf => formats::export(query, formats::ocsf)?,
                Format::Cef => formats::export(query, formats::cef)?,
                Format::Otlp => formats::export(query, formats::otlp)?,
            },
            Verb::Serve { path, port } => return dashboard::serve(path, *port),
            Verb::Prove {
                path,
                seq,
                consistency,
                public,
            } => {
                let public = public.clone().unwrap_or_else(|| {
                    let mut beside = path.clone().into_os_string();
                    beside.push(".pub");
                    beside.into()
                });
                let proof = match (seq, consistency.as_deref()) {
                    (_, Some([old, new])) => {
                        mcp_secure::audit::prove_consistency(path, &public, old, new)?
                    }
                    (Some(seq), _) => mcp_secure::audit::prove(path, &public, *seq)?,
                    _ => return Err(Error::new("it is not said what to prove")),
                };
                read::print(proof.as_bytes())?;
            }
            Verb::VerifyProof {
                file,
                public,
                consistency,
            } => {
                let text = std::fs::read_to_string(file)
                    .map_err(|e| Error::new(format!("`{}` cannot be read: {e}", file.display())))?;
                let said = match consistency {
                    Some(old) => {
                        let (old, new) = mcp_secure::audit::verify_consistency(&text, public, old)?;
                        format!("the log of {new} records begins with those {old} that it had\n")
                    }
                    None => mcp_secure::audit::verify_proof(&text, public)? + "}\n",
                };
                read::print(said.as_bytes())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
