//! Why a program was not run, said once for the caller and once for the log.

use std::{fmt, io, time::Duration};

use crate::error::ToolError;

/// Why a program did not run, or did not end by itself.
///
/// No message holds an argument, a path of the host or what the program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecError {
    /// An option of the code is none, or comes too late.
    Option {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A value could be read as something else than a value, or is too long.
    Argument {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The program is not the one that was checked at start.
    Program,
    /// The folder is not one that the grant names, or is lent for less than the program has.
    Folder {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The network cannot be lent to it.
    Network {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Standard input is larger than the limit.
    Input {
        /// In bytes.
        limit: u64,
    },
    /// The program wrote more than it may, and was killed.
    Output {
        /// In bytes.
        limit: u64,
    },
    /// The program ran for longer than it may, and was killed.
    Timeout {
        /// How long it may run.
        limit: Duration,
    },
    /// The kernel ended the program at a limit.
    Limit {
        /// Which: `processor time`, `file size`.
        what: &'static str,
    },
    /// The call that the handle was lent to has ended.
    Revoked,
    /// The program could not be started.
    Spawn {
        /// Of the system's error.
        kind: io::ErrorKind,
    },
    /// The program ended without success; see [`Output::success`](super::Output::success).
    Failed {
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// What the program wrote is not UTF-8 text.
    NotText,
}

impl ExecError {
    /// Both halves of the error: the sentence for the caller and, where a control refused, its id
    /// and the reason for the log.
    pub(crate) fn to_tool_error(&self) -> ToolError {
        match self.control() {
            Some(control) => {
                ToolError::refused(control, self.to_string(), format!("{control}: {self:?}"))
            }
            None => ToolError::new(self.to_string()),
        }
    }

    /// The control that refused; `None` where the program itself said no.
    pub(super) fn control(&self) -> Option<&'static str> {
        Some(match self {
            Self::Option { .. } => "exec/option",
            Self::Argument { .. } => "exec/argument",
            Self::Program => "exec/program",
            Self::Folder { .. } => "exec/folder",
            Self::Network { .. } => "exec/network",
            Self::Input { .. } => "exec/input",
            Self::Output { .. } => "exec/output",
            Self::Timeout { .. } => "exec/timeout",
            Self::Limit { .. } => "exec/limit",
            Self::Revoked => "exec/revoked",
            Self::Spawn { .. } => "exec/spawn",
            Self::Failed { .. } | Self::NotText => return None,
        })
    }
}

impl From<io::Error> for ExecError {
    fn from(error: io::Error) -> Self {
        Self::Spawn { kind: error.kind() }
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { reason } => write!(f, "an option is not acceptable: {reason}"),
            Self::Argument { reason } => write!(f, "an argument is not acceptable: {reason}"),
            Self::Program => {
                f.write_str("the program has changed on disk since this server started")
            }
            Self::Folder { reason } => write!(f, "the program cannot work there: {reason}"),
            Self::Network { reason } => {
                write!(f, "the network cannot be lent to the program: {reason}")
            }
            Self::Input { limit } => {
                write!(f, "more than {limit} bytes cannot be given to the program")
            }
            Self::Output { limit } => {
                write!(
                    f,
                    "the program wrote more than {limit} bytes and was stopped"
                )
            }
            Self::Timeout { limit } => {
                write!(
                    f,
                    "the program took longer than {} ms and was stopped",
                    limit.as_millis()
                )
            }
            Self::Limit { what } => write!(f, "the program exceeded its {what} and was stopped"),
            Self::Revoked => f.write_str("the call that this handle was lent to has ended"),
            Self::Spawn { kind } => write!(f, "the program could not be run: {kind}"),
            Self::Failed {
                code: Some(code), ..
            } => write!(f, "the program failed with exit code {code}"),
            Self::Failed {
                signal: Some(signal),
                ..
            } => write!(f, "the program was ended by signal {signal}"),
            Self::Failed { .. } => f.write_str("the program failed"),
            Self::NotText => f.write_str("what the program wrote is not UTF-8 text"),
        }
    }
}

impl std::error::Error for ExecError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use crate::error::ToolErrorKind;

    #[test]
    fn a_refusal_is_said_to_the_caller_and_booked_under_its_control() {
        let refusals = [
            (ExecError::Option { reason: "why" }, "exec/option"),
            (ExecError::Argument { reason: "why" }, "exec/argument"),
            (ExecError::Program, "exec/program"),
            (ExecError::Folder { reason: "why" }, "exec/folder"),
            (ExecError::Network { reason: "why" }, "exec/network"),
            (ExecError::Input { limit: 1 }, "exec/input"),
            (ExecError::Output { limit: 1 }, "exec/output"),
            (
                ExecError::Timeout {
                    limit: Duration::from_secs(1),
                },
                "exec/timeout",
            ),
            (ExecError::Limit { what: "x" }, "exec/limit"),
            (ExecError::Revoked, "exec/revoked"),
            (
                ExecError::Spawn {
                    kind: io::ErrorKind::NotFound,
                },
                "exec/spawn",
            ),
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
}
