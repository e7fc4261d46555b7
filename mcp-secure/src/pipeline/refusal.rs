//! Why a request was not answered as asked: once for the caller, once for the log.

use std::{borrow::Cow, fmt, time::Duration};

use rmcp::model::{ErrorCode, ErrorData, MetaObject};

/// A refusal or a failure on its way outward.
///
/// The caller reads [`public`](Self::public); the audit log has the control and the whole
/// reason. Your own layers may return one to refuse a request with a message of yours.
pub struct Refusal {
    pub(crate) verdict: Verdict,
    pub(crate) control: &'static str,
    pub(crate) error: ErrorData,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) shape: Shape,
    /// What was found in its words, for a tool result.
    pub(crate) note: Option<Box<MetaObject>>,
    /// When it is worth asking again, where it is.
    pub(crate) again: Option<Box<Again>>,
}

/// When it is worth asking again, and what it was that was used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) after: Duration,
    /// `10/min`
    pub(crate) limit: Option<String>,
}

impl Again {
    /// For a caller, who may come back a little too late but not too early.
    pub(crate) fn millis(&self) -> u64 {
        let millis = self.after.as_nanos().div_ceil(1_000_000);
        u64::try_from(millis).unwrap_or(u64::MAX).max(1)
    }

    /// For `Retry-After` (RFC 9110 section 10.2.3).
    #[cfg(feature = "http")]
    pub(crate) fn seconds(&self) -> u64 {
        self.millis().div_ceil(1000)
    }
}

/// How it ended, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A control said no.
    Denied,
    /// The tool said no, in words for the caller.
    ToolError,
    /// Something broke.
    Failed,
    Panicked,
    TimedOut,
    Cancelled,
    Overloaded,
}

impl Verdict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::ToolError => "tool_error",
            Self::Failed => "failed",
            Self::Panicked => "panic",
            Self::TimedOut => "timeout",
            Self::Cancelled => "cancelled",
            Self::Overloaded => "overloaded",
        }
    }
}

/// How the caller is told: as a protocol error, or as a tool result that its model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Protocol,
    ToolResult,
}

/// Error codes of our own. The specification reserves -32768..=-32000; these lie outside
/// (spec BASE-05, BASE-06).
pub(crate) mod code {
    use rmcp::model::ErrorCode;

    /// Try again later.
    pub(crate) const OVERLOADED: ErrorCode = ErrorCode(-31_001);
    /// The deadline passed.
    pub(crate) const TIMED_OUT: ErrorCode = ErrorCode(-31_002);
    /// The caller withdrew the request.
    pub(crate) const CANCELLED: ErrorCode = ErrorCode(-31_003);
    /// A person did not agree.
    pub(crate) const NOT_APPROVED: ErrorCode = ErrorCode(-31_004);
    /// The access token lacks a scope that its authorization server may give.
    pub(crate) const INSUFFICIENT_SCOPE: ErrorCode = ErrorCode(-31_005);
    /// The caller has asked too often; when it may again is in the data.
    pub(crate) const RATE_LIMITED: ErrorCode = ErrorCode(-31_006);
}

impl Refusal {
    /// A refusal by a layer of your own: `control` is its id in the audit log, `message`
    /// is what the caller reads.
    pub fn new(control: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self::denied(
            control,
            ErrorCode::INVALID_REQUEST,
            message.clone(),
            message,
        )
    }

    /// What the caller reads.
    pub fn public(&self) -> &str {
        &self.error.message
    }

    /// Which control refused.
    pub fn control(&self) -> &str {
        self.control
    }

    pub(crate) fn denied(
        control: &'static str,
        code: ErrorCode,
        message: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            verdict: Verdict::Denied,
            control,
            error: ErrorData::new(code, message, None),
            reason: reason.into(),
            shape: Shape::Protocol,
            note: None,
            again: None,
        }
    }

    pub(crate) fn failed(control: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            verdict: Verdict::Failed,
            control,
            error: ErrorData::new(ErrorCode::INTERNAL_ERROR, "internal error", None),
            reason: reason.into(),
            shape: Shape::Protocol,
            note: None,
            again: None,
        }
    }

    /// Another reason, for the log.
    pub(crate) fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = reason.into();
        self
    }

    pub(crate) fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    /// Worth asking again after this time.
    pub(crate) fn again_after(mut self, after: Duration, limit: Option<String>) -> Self {
        self.again = Some(Box::new(Again { after, limit }));
        self
    }

    pub(crate) fn into_tool_result(mut self) -> Self {
        self.shape = Shape::ToolResult;
        self
    }

    pub(crate) fn boxed(self) -> super::BoxError {
        Box::new(self)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({}: {})", self.control, self.error.message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)
    }
}

impl std::error::Error for Refusal {}
