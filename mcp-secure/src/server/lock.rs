//! The reviewed manifest under version control, held against the one in this binary.

use std::{io::Read as _, path::Path};

use crate::{
    Error, Result,
    manifest::{Change, Direction, Manifest, size},
};

/// What changed since `path` was written; nothing of it is wider.
///
/// # Errors
///
/// When the file cannot be read, is an effective form, or is narrower than the server.
pub(crate) fn compare(path: &Path, compiled: &Manifest) -> Result<Vec<Change>> {
    let changes = compiled.diff(&read(path)?);
    let wider: Vec<String> = changes
        .iter()
        .filter(|change| change.direction == Direction::Wider)
        .map(|change| format!("\n  {change}"))
        .collect();
    if wider.is_empty() {
        return Ok(changes);
    }
    Err(Error::new(format!(
        "the server can do more than `{}` says{}",
        path.display(),
        wider.concat()
    ))
    .help(format!(
        "review it, then write the file again: `manifest --json > {}`",
        path.display()
    )))
}

fn read(path: &Path) -> Result<Manifest> {
    let shown = path.display();
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 <= MAX_BYTES => {}
        Ok(_) => {
            return Err(Error::new(format!(
                "the lock file `{shown}` is larger than {}",
                size(MAX_BYTES)
            )));
        }
        Err(error) => {
            return Err(
                Error::new(format!("the lock file `{shown}` cannot be read: {error}"))
                    .help(format!("write it with `manifest --json > {shown}`")),
            );
        }
    }
    let locked =
        Manifest::from_json(&text).map_err(|error| error.before(&format!("`{shown}`: ")))?;
    if locked.effective.is_some() {
        return Err(
            Error::new(format!("`{shown}` is an effective manifest, of one host")).help(format!(
                "write the compiled one: `manifest --json > {shown}`"
            )),
        );
    }
    Ok(locked)
}

const MAX_BYTES: u64 = 16 * 1024 * 1024;
