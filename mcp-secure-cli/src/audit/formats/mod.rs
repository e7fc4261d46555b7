//! Records in the forms that security teams' systems read. A mapping loses the order of a chained
//! log and its proofs: what is proved is proved with the log itself.

mod cef;
mod ocsf;
mod otlp;

pub(super) use cef::cef;
pub(super) use ocsf::ocsf;
pub(super) use otlp::otlp;

use std::{
    io::{BufWriter, Write as _},
    path::Path,
    process::ExitCode,
};

use mcp_secure::{Error, Result};
use serde_json::Value;

use super::lines::{self, Line};

/// Prints each record of a log in one form.
pub(super) fn export(file: &Path, form: fn(&Line) -> Option<String>) -> Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let passed = lines::read(file, 0, |line| match form(&line) {
        Some(text) => writeln!(out, "{text}").map_err(|e| Error::new(format!("cannot write: {e}"))),
        None => Ok(()),
    })?;
    out.flush()
        .map_err(|e| Error::new(format!("cannot write: {e}")))?;
    if passed > 0 {
        eprintln!("note: {passed} lines are no records of a request, and were passed over");
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds a member to what is an object.
fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value.into());
    }
}
