//! A capability bound to something real, before it is opened.

use std::{fmt, path::PathBuf};

/// A capability and the path that the operator, or the code, bound it to.
///
/// The path is absolute and not yet resolved: opening it, and holding a narrowed one inside
/// its ceiling once symbolic links are followed, is the work of the capability itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BoundGrant {
    /// The capability.
    pub name: String,
    /// The absolute path, free of `..` where there is a ceiling.
    pub path: PathBuf,
    /// The path fixed in code, if the operator narrowed it: `path` is textually inside.
    pub ceiling: Option<PathBuf>,
    /// Where the binding was written.
    pub bound_by: BoundBy,
}

impl BoundGrant {
    /// What an operator reads.
    pub fn path_display(&self) -> String {
        self.path.display().to_string()
    }
}

/// Where a binding was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundBy {
    /// `--grant NAME=PATH`.
    CommandLine,
    /// The config file, and the place in it: `file:line:column`.
    ConfigFile(String),
    /// The builder.
    Code,
}

impl fmt::Display for BoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("--grant"),
            Self::ConfigFile(place) => f.write_str(place),
            Self::Code => f.write_str("code"),
        }
    }
}
