//! Which files a log is made of, in their order.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use super::super::sink::{beside, segment_number};
use crate::{Error, Result};

/// One file of a log.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// What its name says; the active one has no number in its name.
    pub(super) number: Option<u64>,
}

/// The files of the log whose active segment is at `path`, the oldest first.
///
/// # Errors
///
/// When they cannot be read.
pub fn segments(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(find(path)?.into_iter().map(|file| file.path).collect())
}

pub(super) fn find(path: &Path) -> Result<Vec<Segment>> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Error::new(format!("`{}` cannot be read: {error}", path.display()))
    };
    let active = number_of_active(path).map_err(|e| unreadable(path, e))?;
    let folder = beside(path, "segments");
    let mut found = Vec::new();
    match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(&folder, error)),
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(|e| unreadable(&folder, e))?.path();
                // A copy of the active segment: a rotation that is not at its end.
                if let Some(number) = segment_number(&path)
                    && active.is_none_or(|active| number < active)
                {
                    found.push(Segment {
                        path,
                        number: Some(number),
                    });
                }
            }
        }
    }
    found.sort_by_key(|segment| segment.number);
    found.push(Segment {
        path: path.to_owned(),
        number: None,
    });
    Ok(found)
}

/// What its first line says. `None`: it has none that says so.
fn number_of_active(path: &Path) -> std::io::Result<Option<u64>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).read_until(b'\n', &mut line)?;
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&line) else {
        return Ok(None);
    };
    Ok(match value["event"].as_str() {
        Some("genesis") => Some(1),
        Some("segment") => value["segment"].as_u64(),
        _ => None,
    })
}
