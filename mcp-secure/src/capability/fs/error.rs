//! Why a file operation was refused, said once for the caller and once for the log.

use std::{fmt, io};

use super::{RelPath, sys::Trouble};
use crate::error::ToolError;

/// Why a file operation did not happen.
///
/// Paths in it are relative to the handle, as the caller gave them; the place of the folder
/// on the host is in no message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsError {
    /// There is no such file or folder.
    NotFound {
        /// What was asked for.
        path: RelPath,
    },
    /// The policy of the grant forbids a name in the path.
    Denied {
        /// What was asked for.
        path: RelPath,
        /// The pattern of the rule.
        rule: String,
        /// Why the rule exists.
        reason: &'static str,
    },
    /// The path leads out of the folder: through a symbolic link or into another mount.
    Escape {
        /// What was asked for.
        path: RelPath,
    },
    /// The path passes a symbolic link where none is followed: writes follow none.
    Symlink {
        /// What was asked for.
        path: RelPath,
    },
    /// It is not a regular file: a folder, a pipe, a socket, a device.
    NotAFile {
        /// What was asked for.
        path: RelPath,
    },
    /// The file has a second name, which may lie outside the folder.
    HardLink {
        /// What was asked for.
        path: RelPath,
    },
    /// A limit of the grant is exceeded.
    TooLarge {
        /// What was asked for.
        path: RelPath,
        /// The limit: bytes of a file, or entries of a folder.
        limit: u64,
    },
    /// There is such a file or folder already.
    AlreadyExists {
        /// What was asked for.
        path: RelPath,
    },
    /// It is not a folder, or a part of the path is not.
    NotADirectory {
        /// What was asked for.
        path: RelPath,
    },
    /// The folder is not empty.
    NotEmpty {
        /// What was asked for.
        path: RelPath,
    },
    /// The file is not UTF-8 text.
    NotText {
        /// What was asked for.
        path: RelPath,
    },
    /// The call that the handle was lent to has ended.
    Revoked,
    /// The text is not an acceptable relative path.
    Invalid {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// No space is left, or the call has written as much as it may.
    Full {
        /// What was asked for.
        path: RelPath,
    },
    /// Another error of the operating system.
    Io {
        /// What was asked for.
        path: RelPath,
        /// Its kind.
        kind: io::ErrorKind,
    },
}

impl FsError {
    /// Both halves of the error: the sentence for the caller and, where a control refused,
    /// its id and the reason for the log.
    pub(crate) fn to_tool_error(&self) -> ToolError {
        match self.control() {
            Some(control) => {
                ToolError::refused(control, self.to_string(), format!("{control}: {self:?}"))
            }
            None if matches!(self, Self::Io { .. }) => ToolError::internal(self),
            None if matches!(self, Self::NotFound { .. }) => {
                ToolError::not_there(self.to_string(), self)
            }
            None => ToolError::new(self.to_string()),
        }
    }

    /// The control that refused; `None` where nothing was refused, only absent or broken.
    pub(super) fn control(&self) -> Option<&'static str> {
        Some(match self {
            Self::Denied { .. } => "fs/policy",
            Self::Escape { .. } => "fs/escape",
            Self::Symlink { .. } => "fs/symlink",
            Self::NotAFile { .. } => "fs/special-file",
            Self::HardLink { .. } => "fs/hard-link",
            Self::TooLarge { .. } => "fs/size",
            Self::Full { .. } => "fs/quota",
            Self::Revoked => "fs/revoked",
            Self::Invalid { .. } => "fs/path",
            Self::Io {
                kind: io::ErrorKind::PermissionDenied,
                ..
            } => "fs/permission",
            _ => return None,
        })
    }

    pub(super) fn at(path: &RelPath, trouble: Trouble) -> Self {
        let path = path.clone();
        let error = match trouble {
            Trouble::Link => return Self::Symlink { path },
            Trouble::Boundary => return Self::Escape { path },
            Trouble::Special => return Self::NotAFile { path },
            Trouble::Io(error) => error,
        };
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::AlreadyExists => Self::AlreadyExists { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::IsADirectory => Self::NotAFile { path },
            io::ErrorKind::DirectoryNotEmpty => Self::NotEmpty { path },
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path },
            io::ErrorKind::InvalidFilename => Self::Invalid {
                reason: "a name in the path is not acceptable to the system",
            },
            kind => Self::Io { path, kind },
        }
    }
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path } => write!(f, "`{path}` does not exist"),
            Self::Denied { path, rule, reason } => {
                write!(f, "`{path}` is closed by the rule `{rule}`: {reason}")
            }
            Self::Escape { path } => write!(f, "`{path}` leads out of the granted folder"),
            Self::Symlink { path } => {
                write!(
                    f,
                    "`{path}` is or passes a symbolic link, which is not followed here"
                )
            }
            Self::NotAFile { path } => write!(f, "`{path}` is not a regular file"),
            Self::HardLink { path } => {
                write!(
                    f,
                    "`{path}` has a second name (a hard link), so it is not opened"
                )
            }
            Self::TooLarge { path, limit } => {
                write!(f, "`{path}` is larger than the limit of {limit}")
            }
            Self::AlreadyExists { path } => write!(f, "`{path}` exists already"),
            Self::NotADirectory { path } => {
                write!(f, "`{path}`, or a part of it, is not a folder")
            }
            Self::NotEmpty { path } => write!(f, "`{path}` is not empty"),
            Self::NotText { path } => write!(f, "`{path}` is not UTF-8 text"),
            Self::Revoked => f.write_str("the call that this handle was lent to has ended"),
            Self::Invalid { reason } => f.write_str(reason),
            Self::Full { path } => write!(f, "there is no room to write `{path}`"),
            Self::Io {
                path,
                kind: io::ErrorKind::PermissionDenied,
            } => {
                write!(f, "the server has no permission for `{path}`")
            }
            Self::Io { path, kind } => write!(f, "`{path}`: {kind}"),
        }
    }
}

impl std::error::Error for FsError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use crate::error::ToolErrorKind;

    #[test]
    fn a_refusal_is_said_to_the_caller_and_booked_under_its_control() {
        let path = RelPath::root;
        let denied = FsError::Denied {
            path: path(),
            rule: ".env*".into(),
            reason: "why",
        };
        let refusals = [
            (denied, "fs/policy"),
            (FsError::Escape { path: path() }, "fs/escape"),
            (FsError::Symlink { path: path() }, "fs/symlink"),
            (FsError::NotAFile { path: path() }, "fs/special-file"),
            (FsError::HardLink { path: path() }, "fs/hard-link"),
            (
                FsError::TooLarge {
                    path: path(),
                    limit: 1,
                },
                "fs/size",
            ),
            (FsError::Full { path: path() }, "fs/quota"),
            (FsError::Revoked, "fs/revoked"),
            (FsError::Invalid { reason: "why" }, "fs/path"),
        ];
        for (error, id) in refusals {
            let said = error.to_string();
            let ToolErrorKind::Public {
                message,
                control,
                detail,
            } = error.to_tool_error().kind
            else {
                panic!("{error:?} is not said to the caller")
            };
            assert_eq!((message.as_ref(), control), (said.as_str(), Some(id)));
            assert!(detail.is_some_and(|detail| detail.starts_with(id)));
        }
    }

    #[test]
    fn what_is_only_absent_is_no_refusal_and_what_is_broken_stays_inside() {
        let path = RelPath::root;
        let absent = FsError::NotFound { path: path() }.to_tool_error().kind;
        assert!(matches!(absent, ToolErrorKind::NotFound { .. }));
        for error in [
            FsError::AlreadyExists { path: path() },
            FsError::NotText { path: path() },
        ] {
            let kind = error.to_tool_error().kind;
            assert!(
                matches!(kind, ToolErrorKind::Public { control: None, .. }),
                "{error:?}"
            );
        }
        let broken = FsError::Io {
            path: path(),
            kind: io::ErrorKind::TimedOut,
        };
        assert!(matches!(
            broken.to_tool_error().kind,
            ToolErrorKind::Internal(_)
        ));
    }
}
