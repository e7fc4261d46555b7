//! The lines of a log, one at a time. A line that is no record, or of an event that is not known
//! here, is passed over: a chained log has lines of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use mcp_secure::{Error, Result};
use mcp_secure_text::{Policy, sanitize};
use serde_json::Value;

/// One record. What is asked of it and not there is empty.
pub(super) struct Line(Value);

impl Line {
    pub(super) fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or("")
    }

    pub(super) fn number(&self, field: &str) -> Option<u64> {
        self.0.get(field).and_then(Value::as_u64)
    }

    pub(super) fn principal(&self, field: &str) -> &str {
        let principal = self.0.get("principal");
        let value = principal.and_then(|principal| principal.get(field));
        value.and_then(Value::as_str).unwrap_or("")
    }

    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Milliseconds since 1970.
    pub(super) fn time(&self) -> Option<i64> {
        let time = chrono::DateTime::parse_from_rfc3339(self.text("ts")).ok()?;
        Some(time.timestamp_millis())
    }

    /// Nanoseconds since 1970.
    pub(super) fn nanos(&self) -> Option<u64> {
        let time = chrono::DateTime::parse_from_rfc3339(self.text("ts")).ok()?;
        u64::try_from(time.timestamp_nanos_opt()?).ok()
    }

    pub(super) fn event(&self) -> &str {
        self.text("event")
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let line = Self(serde_json::from_slice(text).ok()?);
        let known = matches!(line.event(), "outcome" | "intent" | "refused" | "account");
        (known && line.time().is_some()).then_some(line)
    }
}

/// Calls `each` with the records of a log, and returns how many lines were passed over.
///
/// # Errors
///
/// When the file cannot be read.
pub(super) fn read(
    file: &Path,
    from: u64,
    mut each: impl FnMut(Line) -> Result<()>,
) -> Result<u64> {
    let wrong = |e: std::io::Error| Error::new(format!("`{}` cannot be read: {e}", file.display()));
    let mut open = File::open(file).map_err(wrong)?;
    open.seek(SeekFrom::Start(from)).map_err(wrong)?;
    let mut lines = BufReader::new(open);
    let (mut text, mut passed) = (Vec::new(), 0);
    loop {
        text.clear();
        // A line without an end is not kept whole.
        let read = lines
            .by_ref()
            .take(LONGEST)
            .read_until(b'\n', &mut text)
            .map_err(wrong)?;
        if read == 0 {
            return Ok(passed);
        }
        match Line::parse(&text) {
            Some(line) => each(line)?,
            None => passed += 1,
        }
    }
}

/// Text of a record for a terminal, a page or a collector: what is hidden is shown.
pub(super) fn shown(text: &str) -> String {
    sanitize(text, Policy::Escape).into_string()
}

const LONGEST: u64 = 1 << 20;
