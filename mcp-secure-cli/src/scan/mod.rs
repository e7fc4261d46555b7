//! `mcp-secure scan`.

mod exceptions;
mod field;
mod print;
mod rows;
mod rules;
mod text;
mod tools;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use mcp_secure_text::Verdict;

/// The long help.
pub(crate) const ABOUT: &str = "\
Look for what no model should read: hidden text, orders, requests for secrets.

Nothing is run and nothing is sent. The report is ASCII and never repeats what it found.

Exit codes: 0 if nothing reaches --fail-on, 1 if something does, 2 for an error. With --jsonl, 0
whatever the verdicts are.";

/// The arguments of `scan`.
#[derive(Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    what: What,
    /// What the text of --text is: description, tool_name, param_name, tool_output, ...
    #[arg(long, default_value = "description", requires = "text")]
    field: String,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["jsonl", "rules"])]
    json: bool,
    /// The least verdict that fails
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = Level::Reject,
        conflicts_with_all = ["jsonl", "rules"])]
    fail_on: Level,
    /// Findings that a person has reviewed, in TOML: [[exception]] with rule, entry, reason, until
    #[arg(long, value_name = "FILE", requires = "tools")]
    exceptions: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A saved answer to tools/list, or an object with tools, prompts, resources, instructions
    /// (`-` for standard input)
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// One text (`-` for standard input)
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Rows of JSON with id, subset, field and text: prints one verdict a row (`-` for standard
    /// input)
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// List the rules
    #[arg(long)]
    rules: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    Warn,
    Reject,
}

impl Level {
    fn is_reached(self, verdict: Verdict) -> bool {
        verdict
            >= match self {
                Self::Warn => Verdict::Warn,
                Self::Reject => Verdict::Reject,
            }
    }
}

/// How a scan ended that could be done.
enum Ended {
    /// Nothing to object to.
    Well,
    /// Something at or above `--fail-on`.
    Found,
    /// Done, with errors that have been told.
    WithErrors,
}

/// Why a scan could not be done, in printable ASCII.
type Result<T> = std::result::Result<T, String>;

impl Scan {
    /// Scans, and tells errors itself: they end with 2, not with 1 like other verbs.
    pub(crate) fn run(&self) -> ExitCode {
        match self.scan() {
            Ok(Ended::Well) => ExitCode::SUCCESS,
            Ok(Ended::Found) => ExitCode::from(1),
            Ok(Ended::WithErrors) => ExitCode::from(2),
            Err(error) => {
                tell(&error);
                ExitCode::from(2)
            }
        }
    }

    fn scan(&self) -> Result<Ended> {
        let What {
            tools,
            text,
            jsonl,
            rules,
        } = &self.what;
        if let Some(file) = tools {
            tools::scan(file, self.exceptions.as_deref(), self.json, self.fail_on)
        } else if let Some(file) = text {
            text::scan(file, &self.field, self.json, self.fail_on)
        } else if let Some(file) = jsonl {
            rows::scan(file)
        } else {
            debug_assert!(rules);
            rules::list()
        }
    }
}

fn tell(error: &str) {
    eprintln!("error: {}", print::safe(error));
}

/// The largest file that is read at once, and the longest line. What a parser makes of it has up to
/// some sixteen times its size.
const MOST: u64 = 16 * 1024 * 1024;

fn open(file: &Path) -> Result<Box<dyn io::BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(file) {
        Ok(open) => Ok(Box::new(BufReader::with_capacity(1 << 16, open))),
        Err(error) => Err(unreadable(file, &error)),
    }
}

fn unreadable(file: &Path, error: &io::Error) -> String {
    format!("`{}` cannot be read: {error}", file.display())
}

/// The whole file, if it is no longer than [`MOST`].
fn whole(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(file)?
        .take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(file, &error))?;
    if bytes.len() as u64 > MOST {
        return Err(format!(
            "`{}` has more than {} MiB",
            file.display(),
            MOST >> 20
        ));
    }
    Ok(bytes)
}

/// A broken pipe is no error: whoever reads has seen enough.
fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the output cannot be written: {error}"))
        }
        _ => Ok(()),
    }
}
