//! Checkpoints that were kept elsewhere.

use std::path::Path;

use crate::{Error, Result};

/// The notes of a file: one signed note as it is, or one JSON object with a `note` a line.
pub(super) fn read(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::new(format!("`{}` cannot be read: {e}", file.display())))?;
    if !text.trim_start().starts_with('{') {
        return Ok(vec![text]);
    }
    let mut notes = Vec::new();
    // A half line at the end: the machine lost its power while it was written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        let value: serde_json::Value = serde_json::from_str(line)
            .map_err(|e| Error::new(format!("`{}` is no list of heads: {e}", file.display())))?;
        notes.extend(value["note"].as_str().map(str::to_owned));
    }
    if notes.is_empty() {
        return Err(
            Error::new(format!("`{}` has no checkpoint in it", file.display()))
                .help("name a signed note, or the file that `audit.anchor` names"),
        );
    }
    Ok(notes)
}
