//! Why there are no bytes, said once for the caller and once for the log.

use std::fmt;

use crate::{capability::dial::DialError, error::ToolError};

/// Why a connection was not made, or ended.
///
/// What a caller reads names no address. Of a stream that ended, it is inside of the
/// [`std::io::Error`], and `?` finds it there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpError {
    /// No connection.
    Connect(Reason),
    /// More bytes came, or were sent, than the grant allows.
    Bytes {
        /// [`TcpLimits::max_read`](super::TcpLimits::max_read), or
        /// [`max_written`](super::TcpLimits::max_written).
        limit: u64,
    },
    /// Nothing came for too long, or all of it took too long.
    Timeout,
    /// All connections of the grant are in use.
    Busy,
    /// The call that the handle was lent to has ended.
    Revoked,
}

/// What only the log is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    control: Option<&'static str>,
    words: String,
}

impl TcpError {
    /// Both halves of the error.
    pub(crate) fn to_tool_error(&self) -> ToolError {
        let detail = self.detail().unwrap_or_default();
        match self.control() {
            Some(control) => ToolError::refused(
                control,
                self.to_string(),
                format!("{control}: {self} {detail}").trim_end().to_owned(),
            ),
            None => ToolError::internal(format_args!("{self}: {detail}")),
        }
    }

    /// The control that refused; `None` where nothing was refused.
    pub(super) fn control(&self) -> Option<&'static str> {
        match self {
            Self::Connect(reason) => reason.control,
            Self::Bytes { .. } => Some("tcp/bytes"),
            Self::Timeout => Some("tcp/timeout"),
            Self::Busy => Some("tcp/connections"),
            Self::Revoked => Some("tcp/revoked"),
        }
    }

    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::Connect(reason) => Some(&reason.words),
            _ => None,
        }
    }

    /// As the error of a stream.
    pub(super) fn into_io(self) -> std::io::Error {
        std::io::Error::other(self)
    }
}

impl From<DialError> for TcpError {
    fn from(error: DialError) -> Self {
        Self::Connect(Reason {
            control: error.control(),
            words: error.to_string(),
        })
    }
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(_) => f.write_str("the service cannot be reached"),
            Self::Bytes { limit } => write!(f, "there are more than {limit} bytes"),
            Self::Timeout => f.write_str("the service took too long"),
            Self::Busy => f.write_str("the service is in use; try again later"),
            Self::Revoked => f.write_str("the call that this handle was lent to has ended"),
        }
    }
}

impl std::error::Error for TcpError {}
