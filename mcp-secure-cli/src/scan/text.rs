//! One text.

use std::{
    io::{self, Write},
    path::Path,
};

use mcp_secure_text::Field;

use super::{Ended, Level, Result, field, print, print::Judged, whole, written};

pub(super) fn scan(file: &Path, name: &str, json: bool, fail_on: Level) -> Result<Ended> {
    let field: Field = field::named(name)
        .ok_or_else(|| format!("there is no field `{name}`: {}", field::NAMES))?;
    let text = String::from_utf8(whole(file)?)
        .map_err(|_| format!("`{}` is not UTF-8", file.display()))?;
    // A file has one line more than the text in it.
    let text = if field.is_multiline() {
        &text
    } else {
        text.trim_end_matches(['\r', '\n'])
    };
    let judged = Judged::new(text, field);
    let mut output = io::stdout().lock();
    if json {
        written(writeln!(output, "{}", print::json(&judged)?))?;
    } else {
        for row in &judged.findings {
            written(writeln!(output, "{row}"))?;
        }
        written(writeln!(output, "{}", print::word(judged.worst)))?;
    }
    Ok(if fail_on.is_reached(judged.worst) {
        Ended::Found
    } else {
        Ended::Well
    })
}
