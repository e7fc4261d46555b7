//! Rows of JSON: one verdict for each.

use std::{
    borrow::Cow,
    io::{self, BufRead, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ended, MOST, Result, field, open, print, print::Judged, tell, unreadable, written};

#[derive(Deserialize)]
struct Row<'a> {
    id: Value,
    subset: Option<String>,
    field: Option<String>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a Value,
    #[serde(flatten)]
    judged: Judged,
}

/// Judges row after row; holds one at a time. A row that cannot be read is told by its number,
/// and the others are judged all the same.
pub(super) fn scan(file: &Path) -> Result<Ended> {
    let mut input = open(file)?;
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    let mut number = 0_u64;
    let mut ended = Ended::Well;
    loop {
        number += 1;
        let complete = match next(&mut *input, &mut line) {
            Ok(Some(complete)) => complete,
            Ok(None) => break,
            Err(error) => return Err(unreadable(file, &error)),
        };
        if complete && line.trim_ascii().is_empty() {
            continue;
        }
        let judged = if complete {
            judge(&line)
        } else {
            Err(format!("more than {} MiB", MOST >> 20))
        };
        match judged {
            Ok(answer) => match writeln!(output, "{answer}") {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ended),
                result => written(result)?,
            },
            Err(error) => {
                tell(&format!("line {number}: {error}"));
                ended = Ended::WithErrors;
            }
        }
        // One long line does not keep its memory for the short ones after it.
        if line.capacity() > 1 << 20 {
            line = Vec::new();
        }
    }
    written(output.flush())?;
    Ok(ended)
}

/// Reads the next line; false if it is longer than [`MOST`], and has been passed over.
fn next(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    if (&mut *input).take(MOST + 1).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") || line.len() as u64 <= MOST {
        return Ok(Some(true));
    }
    line.clear();
    loop {
        let chunk = input.fill_buf()?;
        let (length, last) = match chunk.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (chunk.len(), chunk.is_empty()),
        };
        input.consume(length);
        if last {
            return Ok(Some(false));
        }
    }
}

fn judge(line: &[u8]) -> Result<String> {
    let row: Row<'_> = serde_json::from_slice(line).map_err(|error| broken(&error))?;
    if !(row.id.is_string() || row.id.is_number()) {
        return Err("`id` is neither a string nor a number".to_owned());
    }
    let field = field::of_row(
        row.subset.as_deref().unwrap_or_default(),
        row.field.as_deref().unwrap_or_default(),
    );
    print::json(&Answer {
        id: &row.id,
        judged: Judged::new(&row.text, field),
    })
}

/// What is wrong, and never what is written there.
pub(super) fn broken(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "this is not JSON",
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Data => "a member is missing or of another type",
        serde_json::error::Category::Io => "it cannot be read",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}
