//! The two error types: [`Error`] stops a start and speaks to the operator,
//! [`ToolError`] ends a call and says one thing to the caller and another to the log.

use std::{any::Any, borrow::Cow, fmt};

/// Why a server did not start, in words for the operator: what is wrong and what to change.
pub struct Error {
    message: String,
    help: Option<String>,
}

/// A result whose error stops the start.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A problem; the message starts in lower case and names the offending input in backticks.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// Adds the line that says what to change.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says where: puts words before the message.
    pub(crate) fn before(mut self, place: &str) -> Self {
        self.message.insert_str(0, place);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// The same words: `main` prints an error that it returns by `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// What a tool returns.
///
/// ```
/// use mcp_secure::prelude::*;
///
/// fn halve(n: u32) -> ToolResult<u32> {
///     if n % 2 == 1 {
///         return Err(ToolError::new("only even numbers can be halved"));
///     }
///     Ok(n / 2)
/// }
/// # assert!(halve(3).is_err());
/// ```
pub type ToolResult<T> = std::result::Result<T, ToolError>;

/// Why a call failed, said twice.
///
/// The *public* half goes to the model as a tool result with `isError`, so that it can
/// correct itself. The *internal* half goes to the audit log only. An error that arrives
/// through `?` from anywhere else is internal: the caller sees a constant sentence and a
/// correlation id, never a path, a query or an upstream's words (spec BASE-07).
///
/// This type has no `Display`: there is no way to print both halves by accident.
pub struct ToolError {
    pub(crate) kind: ToolErrorKind,
}

pub(crate) enum ToolErrorKind {
    /// Said to the caller, and to the log.
    Public {
        message: Cow<'static, str>,
        control: Option<&'static str>,
        detail: Option<String>,
    },
    /// Said to the log only.
    Internal(String),
    /// The tool waits for the client's answer (multi-round-trip requests, SEP-2322).
    InputRequired(Box<rmcp::model::InputRequiredResult>),
    /// A protocol error of its own code, and the control that says it.
    Protocol(Box<rmcp::model::ErrorData>, &'static str),
    /// There is no such thing, or the caller may not know that there is. A resource says so
    /// with the protocol's own code; the words are for all else.
    NotFound {
        message: Cow<'static, str>,
        detail: String,
    },
}

impl ToolError {
    /// An error whose message the caller may read.
    ///
    /// The message is capped and cleaned of control characters like every other output.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: ToolErrorKind::Public {
                message: message.into(),
                control: None,
                detail: None,
            },
        }
    }

    /// An error of which the caller learns nothing but that it happened.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self {
            kind: ToolErrorKind::Internal(detail.to_string()),
        }
    }

    /// The thing asked for does not exist (a resource, say). The detail is for the log.
    pub fn not_found(detail: impl fmt::Display) -> Self {
        Self::not_there("not found", detail)
    }

    /// As [`not_found`](Self::not_found), with words for the caller.
    pub(crate) fn not_there(
        message: impl Into<Cow<'static, str>>,
        detail: impl fmt::Display,
    ) -> Self {
        let (message, detail) = (message.into(), detail.to_string());
        Self {
            kind: ToolErrorKind::NotFound { message, detail },
        }
    }

    /// A refusal by one of the SDK's controls: a message for the caller, the control's id
    /// and the whole reason for the log.
    pub(crate) fn refused(
        control: &'static str,
        message: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: ToolErrorKind::Public {
                message: message.into(),
                control: Some(control),
                detail: Some(detail.into()),
            },
        }
    }

    /// What the caller would read, if anything.
    pub fn public_message(&self) -> Option<&str> {
        match &self.kind {
            ToolErrorKind::Public { message, .. } | ToolErrorKind::NotFound { message, .. } => {
                Some(message)
            }
            _ => None,
        }
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ToolErrorKind::Public { message, .. } => write!(f, "ToolError({message:?})"),
            ToolErrorKind::Internal(_) => f.write_str("ToolError(internal)"),
            ToolErrorKind::InputRequired(_) => f.write_str("ToolError(input required)"),
            ToolErrorKind::Protocol(error, _) => write!(f, "ToolError({})", error.message),
            ToolErrorKind::NotFound { .. } => f.write_str("ToolError(not found)"),
        }
    }
}

/// Everything that is an error becomes an internal one, except the SDK's own refusals,
/// which carry a public half.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for ToolError {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        if let Some(fs) = any.downcast_ref::<crate::capability::fs::FsError>() {
            return fs.to_tool_error();
        }
        #[cfg(feature = "net")]
        if let Some(net) = any.downcast_ref::<crate::capability::net::NetError>() {
            return net.to_tool_error();
        }
        #[cfg(feature = "exec")]
        if let Some(exec) = any.downcast_ref::<crate::capability::exec::ExecError>() {
            return exec.to_tool_error();
        }
        #[cfg(feature = "tcp")]
        if let Some(tcp) = tcp_error(any) {
            return tcp.to_tool_error();
        }
        #[cfg(any(feature = "postgres", feature = "sqlite"))]
        if let Some(sql) = any.downcast_ref::<crate::capability::sql::SqlError>() {
            return sql.to_tool_error();
        }
        Self::internal(Chain(&error))
    }
}

/// As it is, or inside of the error of a stream.
#[cfg(feature = "tcp")]
fn tcp_error(error: &dyn Any) -> Option<&crate::capability::tcp::TcpError> {
    let inside = || {
        error
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref())
            .and_then(|inner| inner.downcast_ref())
    };
    error.downcast_ref().or_else(inside)
}

/// An error with its sources, for the log.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
