//! The list, and how it gets into a `clippy.toml` that may be somebody's.

use std::{fmt, path::Path};

/// Written by `cargo xtask lints`.
const LIST: &str = include_str!("ambient.toml");

const BEGIN: &str =
    "# >>> mcp-secure init: ambient authority. What is between these lines is written anew.";
const END: &str = "# <<< mcp-secure init";

/// What came of it.
pub(super) enum Outcome {
    Written,
    AsItShouldBe,
    /// `--check` found no file, or an old list in it.
    Missing,
    Old,
    /// The file is somebody's: these are the lines to add.
    Theirs(String),
}

/// Writes the list if that changes nobody's lines.
pub(super) fn settle(path: &Path, check: bool) -> Result<Outcome, String> {
    let block = format!("{BEGIN}\n{LIST}{END}\n");
    let there = match std::fs::read_to_string(path) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
    };
    let text = match there.as_deref() {
        None if check => return Ok(Outcome::Missing),
        None => block,
        Some(there) if there.contains(block.as_str()) => return Ok(Outcome::AsItShouldBe),
        Some(there) => match around(there) {
            Some(_) if check => return Ok(Outcome::Old),
            Some((before, after)) => format!("{before}{block}{after}"),
            None => return Ok(Outcome::Theirs(block)),
        },
    };
    std::fs::write(path, text)
        .map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
    Ok(Outcome::Written)
}

/// What stands before and behind our lines, if the file has them.
fn around(text: &str) -> Option<(&str, &str)> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some((before, after.strip_prefix('\n').unwrap_or(after)))
}

impl Outcome {
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Written | Self::AsItShouldBe)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written => f.write_str("clippy.toml is written"),
            Self::AsItShouldBe => f.write_str("clippy.toml is as it should be"),
            Self::Missing => f.write_str("clippy.toml is missing: run `mcp-secure init`"),
            Self::Old => f.write_str("clippy.toml has an old list: run `mcp-secure init`"),
            Self::Theirs(lines) => write!(
                f,
                "clippy.toml is yours and is not changed. Add these lines, and `init` keeps them:\n\n{lines}"
            ),
        }
    }
}
