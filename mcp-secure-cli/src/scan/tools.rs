//! Saved lists of tools, prompts and resources.

use std::{
    io::{self, Write},
    path::Path,
};

use chrono::Utc;
use mcp_secure_text::{
    Severity,
    toolset::{Found, Inspection, Listing},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    Ended, Level, Result,
    exceptions::Exceptions,
    print::{self, Row},
    rows::broken,
    tell, whole, written,
};

pub(super) fn scan(
    file: &Path,
    exceptions: Option<&Path>,
    json: bool,
    fail_on: Level,
) -> Result<Ended> {
    let exceptions = match exceptions {
        Some(file) => Exceptions::read(file, Utc::now().date_naive())?,
        None => Exceptions::default(),
    };
    let bytes = whole(file)?;
    let named = |what: &str| format!("`{}`: {what}", file.display());
    // The parser stops at a depth of 128.
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| named(&broken(&error)))?;
    drop(bytes);
    let listing = Listing::read(&value).map_err(|error| named(&error.to_string()))?;
    let mut excused = 0_usize;
    let inspection = listing.inspect().without(|found| {
        let covered = exceptions.excuses(found);
        excused += usize::from(covered);
        covered
    });
    if json {
        let line = print::json(&Answer::new(&inspection, excused))?;
        written(writeln!(io::stdout().lock(), "{line}"))?;
    } else {
        written(report(&inspection, excused))?;
    }
    for line in exceptions.unused() {
        eprintln!("warning: {line}");
    }
    for line in &exceptions.expired {
        tell(line);
    }
    Ok(if !exceptions.expired.is_empty() {
        Ended::WithErrors
    } else if fail_on.is_reached(inspection.verdict()) {
        Ended::Found
    } else {
        Ended::Well
    })
}

fn report(inspection: &Inspection, excused: usize) -> io::Result<()> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for found in &inspection.found {
        let severity = match found.finding.severity {
            Severity::Warn => "warning",
            Severity::Deny => "refused",
        };
        writeln!(output, "{severity}  {found}")?;
    }
    for note in &inspection.notes {
        writeln!(output, "note     {note}")?;
    }
    if inspection.omitted > 0 {
        writeln!(output, "and {} findings more", inspection.omitted)?;
    }
    let (entries, verdict) = (inspection.entries, print::word(inspection.verdict()));
    let findings = inspection.found.len() + inspection.omitted;
    write!(
        output,
        "{verdict}: {findings} findings in {entries} entries"
    )?;
    if excused > 0 {
        write!(output, ", {excused} excused")?;
    }
    writeln!(output)?;
    output.flush()
}

#[derive(Serialize)]
struct Answer<'a> {
    verdict: &'static str,
    entries: usize,
    findings: Vec<Placed<'a>>,
    omitted: usize,
    excused: usize,
    notes: Vec<Note<'a>>,
}

#[derive(Serialize)]
struct Placed<'a> {
    kind: String,
    index: usize,
    entry: &'a str,
    pointer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<usize>,
    #[serde(flatten)]
    row: Row,
}

#[derive(Serialize)]
struct Note<'a> {
    index: usize,
    entry: &'a str,
    names: &'a str,
}

impl<'a> Answer<'a> {
    fn new(inspection: &'a Inspection, excused: usize) -> Self {
        let placed = |found: &'a Found| Placed {
            kind: found.kind.to_string(),
            index: found.index,
            entry: &found.entry,
            pointer: &found.pointer,
            other: found.other,
            row: Row::from(&found.finding),
        };
        Self {
            verdict: print::word(inspection.verdict()),
            entries: inspection.entries,
            findings: inspection.found.iter().map(placed).collect(),
            omitted: inspection.omitted,
            excused,
            notes: inspection
                .notes
                .iter()
                .map(|note| Note {
                    index: note.index,
                    entry: &note.entry,
                    names: &note.other,
                })
                .collect(),
        }
    }
}
