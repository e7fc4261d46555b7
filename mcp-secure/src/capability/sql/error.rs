//! Why a statement did not run, said once for the caller and once for the log.

use std::{fmt, time::Duration};

use crate::error::ToolError;

/// Why a statement did not run, or its answer did not arrive.
///
/// What a caller reads has no SQL, no value and no word of the database's own in it. The whole
/// reason is in the audit log.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SqlError {
    /// It is not one statement that reads or changes rows.
    Statement {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A value cannot be bound.
    Parameter {
        /// The number of the placeholder, from 1; 0 if their count is wrong.
        index: usize,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// There are more rows than the grant allows.
    Rows {
        /// [`SqlLimits::rows`](super::SqlLimits::rows).
        limit: u64,
    },
    /// There are more bytes than the grant allows, in the answer or in what it takes to find it.
    Bytes {
        /// [`SqlLimits::bytes`](super::SqlLimits::bytes).
        limit: u64,
    },
    /// It took too long and was stopped.
    Timeout {
        /// [`SqlLimits::statement_timeout`](super::SqlLimits::statement_timeout).
        limit: Duration,
    },
    /// It would write, and the handle or the database's own rights do not allow that.
    ReadOnly,
    /// Another right is missing: a function, a table, a file.
    Forbidden(Detail),
    /// There is no connection, or it broke.
    Connection(Detail),
    /// All connections of the grant are in use, or another one holds the lock.
    Busy,
    /// The call that the handle was lent to has ended.
    Revoked,
    /// A rule of the schema stands against the change: a value that must be unique, a reference
    /// to nothing, a check.
    Conflict(Detail),
    /// A statement of a batch did not change as many rows as it must; nothing was changed.
    Unmet {
        /// Its number in the batch, from 1.
        statement: usize,
    },
    /// There is no such row.
    NoRow,
    /// There are several rows where one was asked for.
    ManyRows,
    /// A row is not of the type that it was asked for as.
    Shape(Detail),
    /// Another error of the database.
    Database(Detail),
}

/// What only the log is told: the database's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail(pub(super) String);

impl SqlError {
    /// Both halves of the error: the sentence for the caller and, where a control refused,
    /// its id and the reason for the log.
    pub(crate) fn to_tool_error(&self) -> ToolError {
        let reason = match self.detail() {
            Some(detail) => format!("{self}: {detail}"),
            None => self.to_string(),
        };
        match self.control() {
            Some(control) => {
                ToolError::refused(control, self.to_string(), format!("{control}: {reason}"))
            }
            None => match self {
                Self::Shape(_) | Self::Database(_) => ToolError::internal(reason),
                Self::NoRow => ToolError::not_there(self.to_string(), reason),
                _ => ToolError::new(self.to_string()),
            },
        }
    }

    /// The control that refused; `None` where nothing was refused.
    pub(super) fn control(&self) -> Option<&'static str> {
        Some(match self {
            Self::Statement { .. } => "sql/statement",
            Self::Parameter { .. } => "sql/parameter",
            Self::Rows { .. } => "sql/rows",
            Self::Bytes { .. } => "sql/bytes",
            Self::Timeout { .. } => "sql/timeout",
            Self::ReadOnly => "sql/read-only",
            Self::Forbidden(_) => "sql/permission",
            Self::Connection(_) | Self::Busy => "sql/connection",
            Self::Revoked => "sql/revoked",
            Self::Conflict(_)
            | Self::Unmet { .. }
            | Self::NoRow
            | Self::ManyRows
            | Self::Shape(_)
            | Self::Database(_) => return None,
        })
    }

    /// What only the log is told.
    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::Forbidden(Detail(detail))
            | Self::Connection(Detail(detail))
            | Self::Conflict(Detail(detail))
            | Self::Shape(Detail(detail))
            | Self::Database(Detail(detail)) => Some(detail),
            _ => None,
        }
    }

    pub(super) fn shape(detail: impl fmt::Display) -> Self {
        Self::Shape(Detail(detail.to_string()))
    }

    pub(super) fn database(detail: impl fmt::Display) -> Self {
        Self::Database(Detail(detail.to_string()))
    }

    pub(super) fn connection(detail: impl fmt::Display) -> Self {
        Self::Connection(Detail(detail.to_string()))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement { reason } => {
                write!(f, "the statement of this tool is not allowed: {reason}")
            }
            Self::Parameter { index: 0, reason } => {
                write!(f, "the values do not fit the statement: {reason}")
            }
            Self::Parameter { index, reason } => {
                write!(f, "value {index} cannot be used: {reason}")
            }
            Self::Rows { limit } => {
                write!(f, "there are more than {limit} rows; ask for fewer")
            }
            Self::Bytes { limit } => {
                write!(f, "there are more than {limit} bytes; ask for less")
            }
            Self::Timeout { limit } => write!(
                f,
                "the database took longer than {} s; ask for less",
                limit.as_secs_f32()
            ),
            Self::ReadOnly => f.write_str("the database may only be read here"),
            Self::Forbidden(_) => f.write_str("the server has no permission for that"),
            Self::Connection(_) => f.write_str("the database cannot be reached"),
            Self::Busy => f.write_str("the database is busy; try again later"),
            Self::Revoked => f.write_str("the call that this handle was lent to has ended"),
            Self::Conflict(_) => f.write_str("a rule of the database stands against the change"),
            Self::Unmet { .. } => f.write_str("the change is not possible; nothing was changed"),
            Self::NoRow => f.write_str("there is no such row"),
            Self::ManyRows => f.write_str("there are several such rows"),
            Self::Shape(_) => f.write_str("a row is not as expected"),
            Self::Database(_) => f.write_str("the database reports an error"),
        }
    }
}

impl std::error::Error for SqlError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use crate::error::ToolErrorKind;

    #[test]
    fn a_refusal_is_said_to_the_caller_and_booked_under_its_control() {
        let words = || Detail("relation \"secret\" of alice".into());
        let refusals = [
            (SqlError::Statement { reason: "why" }, "sql/statement"),
            (
                SqlError::Parameter {
                    index: 1,
                    reason: "why",
                },
                "sql/parameter",
            ),
            (SqlError::Rows { limit: 1 }, "sql/rows"),
            (SqlError::Bytes { limit: 1 }, "sql/bytes"),
            (
                SqlError::Timeout {
                    limit: Duration::from_secs(1),
                },
                "sql/timeout",
            ),
            (SqlError::ReadOnly, "sql/read-only"),
            (SqlError::Forbidden(words()), "sql/permission"),
            (SqlError::Connection(words()), "sql/connection"),
            (SqlError::Busy, "sql/connection"),
            (SqlError::Revoked, "sql/revoked"),
        ];
        for (error, id) in refusals {
            let ToolErrorKind::Public {
                message,
                control,
                detail,
            } = error.to_tool_error().kind
            else {
                panic!("{error:?} is not said to the caller")
            };
            assert_eq!(control, Some(id));
            assert!(!message.contains("alice"), "{message}");
            let detail = detail.unwrap_or_default();
            assert!(detail.starts_with(id));
            assert_eq!(detail.contains("alice"), error.detail().is_some());
        }
    }

    #[test]
    fn the_words_of_the_database_stay_inside() {
        let words = || Detail("syntax error at or near alice".into());
        for error in [SqlError::Database(words()), SqlError::Shape(words())] {
            assert!(
                matches!(error.to_tool_error().kind, ToolErrorKind::Internal(text) if text.contains("alice"))
            );
        }
        let conflict = SqlError::Conflict(words()).to_tool_error();
        assert_eq!(
            conflict.public_message(),
            Some("a rule of the database stands against the change")
        );
        let none = SqlError::NoRow.to_tool_error().kind;
        assert!(matches!(none, ToolErrorKind::NotFound { .. }));
    }
}
