//! A capability bound to something real, before it is opened.

use std::{ffi::OsString, fmt};

/// A capability and what the operator, or the code, bound it to: the path of a folder, an
/// address, a program, in the one form that its kind reads again.
///
/// A path is absolute and not yet resolved: opening it, and holding a narrowed one inside
/// its ceiling once symbolic links are followed, is the work of the capability itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BoundGrant {
    /// The capability.
    pub name: String,
    /// What it is bound to.
    pub value: OsString,
    /// What is fixed in code, if the operator narrowed it.
    pub ceiling: Option<OsString>,
    /// Where the binding was written.
    pub bound_by: BoundBy,
}

impl BoundGrant {
    /// What an operator reads.
    pub fn value_display(&self) -> String {
        self.value.display().to_string()
    }
}

/// Where a binding was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundBy {
    /// `--grant NAME=VALUE`.
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
