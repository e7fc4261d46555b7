//! The lines of a log, and those that somebody asks for. `query` and `export`.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use clap::Args;
use mcp_secure::{Error, Result, audit};
use serde_json::Value;

use crate::keys::time::Span;

#[derive(Args)]
pub(crate) struct Query {
    /// The log
    path: PathBuf,
    #[command(flatten)]
    filter: Filter,
}

/// Which records. All that is given must fit.
#[derive(Args)]
pub(crate) struct Filter {
    /// Decided by this control, or one below it: `authorize` takes `authorize/unknown`
    #[arg(long)]
    control: Option<String>,
    /// `allow` or `deny`
    #[arg(long)]
    decision: Option<String>,
    /// How it ended: `ok`, `denied`, `panic` …
    #[arg(long)]
    outcome: Option<String>,
    /// The subject, as the record names it
    #[arg(long)]
    principal: Option<String>,
    /// The tool, prompt or resource
    #[arg(long)]
    tool: Option<String>,
    /// The id of a request
    #[arg(long)]
    id: Option<String>,
    /// The kind of record: `outcome`, `intent`, `refused`, `repair` …
    #[arg(long)]
    event: Option<String>,
    /// Not before
    #[arg(long, value_name = "TIME")]
    since: Option<Span>,
    /// Before
    #[arg(long, value_name = "TIME")]
    until: Option<Span>,
}

impl Query {
    /// Prints what fits, as `form` has it; what that has no form for, not.
    pub(super) fn run(&self, form: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<()> {
        let filter = self.filter.at(Utc::now())?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        for file in audit::segments(&self.path)? {
            let done = lines(&file, &mut |line| {
                let Ok(value) = serde_json::from_slice::<Value>(line) else {
                    return Ok(());
                };
                if filter.takes(&value)
                    && let Some(text) = form(line)
                {
                    out.write_all(&text)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            });
            written(done)?;
        }
        written(out.flush())
    }
}

impl Filter {
    pub(super) fn at(&self, now: DateTime<Utc>) -> Result<Fits<'_>> {
        let moment = |span: &Option<Span>| span.map(|span| span.before(now)).transpose();
        Ok(Fits {
            asked: self,
            since: moment(&self.since)?,
            until: moment(&self.until)?,
        })
    }
}

/// A filter, and what its times are now.
pub(super) struct Fits<'a> {
    asked: &'a Filter,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl Fits<'_> {
    pub(super) fn takes(&self, record: &Value) -> bool {
        let is = |asked: &Option<String>, found: &Value| {
            asked
                .as_ref()
                .is_none_or(|asked| found.as_str() == Some(asked))
        };
        let below = |asked: &Option<String>, found: &Value| {
            asked.as_ref().is_none_or(|asked| {
                let rest = found
                    .as_str()
                    .and_then(|found| found.strip_prefix(asked.as_str()));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let asked = self.asked;
        let when = record["ts"]
            .as_str()
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(DateTime::<Utc>::from);
        below(&asked.control, &record["control"])
            && is(&asked.decision, &record["decision"])
            && is(&asked.outcome, &record["outcome"])
            && is(&asked.principal, &record["principal"]["subject"])
            && is(&asked.tool, &record["target"])
            && is(&asked.id, &record["id"])
            && is(&asked.event, &record["event"])
            && self
                .since
                .is_none_or(|since| when.is_some_and(|when| when >= since))
            && self
                .until
                .is_none_or(|until| when.is_some_and(|when| when < until))
    }
}

/// The whole lines of a file.
fn lines(file: &Path, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(file)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Some(whole) = line.strip_suffix(b"\n") {
            each(whole)?;
        }
        line.clear();
    }
    Ok(())
}

/// To standard output.
pub(super) fn print(text: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(text).and_then(|()| out.flush()))
}

/// Whoever reads may have seen enough.
pub(super) fn written(done: io::Result<()>) -> Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(format!(
            "the log cannot be read or printed: {error}"
        ))),
        _ => Ok(()),
    }
}
