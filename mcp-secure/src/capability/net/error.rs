//! Why a request was not made or has no answer, said once for the caller and once for the log.

use std::fmt;

use crate::{capability::dial::DialError, error::ToolError};

/// Why a request was not made, or has no answer.
///
/// Messages name no address, no host that was not granted and no upstream's words; what they
/// leave out is in `detail`, which only the log gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetError {
    /// The host is not one of the grant.
    Host,
    /// A path or query cannot be built from this, or would leave the grant.
    Path {
        /// The parameter, or the path in code.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A header is not one that a caller may set, or a response has too many.
    Header {
        /// Its name.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The name of the host leads to an address that is not allowed.
    Address {
        /// For the log.
        detail: String,
    },
    /// The name of the host does not resolve.
    Resolve {
        /// For the log.
        detail: String,
    },
    /// The server has no certificate for the granted name that is signed by who is trusted.
    Tls {
        /// For the log.
        detail: String,
    },
    /// A redirect leads out of the grant, or is one too many.
    Redirect {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A request or a response is larger than the limit.
    Size {
        /// What it is that is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// A compressed response grows beyond what honest content does.
    Ratio {
        /// The limit.
        limit: u32,
    },
    /// A response is encoded in a way that was not asked for.
    Encoding,
    /// It took longer than the grant allows.
    Timeout {
        /// What took too long.
        what: &'static str,
    },
    /// More requests than the grant allows at a time.
    Rate,
    /// A rule of the grant forbids what the request says.
    Content {
        /// For the log: the rule, and the field.
        detail: String,
    },
    /// The issuer gives no token for the endpoint, for this caller or for this server.
    Exchange {
        /// For the log.
        detail: String,
    },
    /// The request sets what the credential of the endpoint is sent in.
    Credential,
    /// The endpoint spends a credential of the caller's own, and they have none that is for it.
    NoCredential {
        /// For the log.
        detail: String,
    },
    /// The endpoint is called in the caller's name, and they have not connected their account.
    #[cfg(feature = "upstream")]
    NotConnected {
        /// For the log.
        detail: String,
    },
    /// The issuer refused what it had given for the caller: it was used by somebody else, or
    /// taken back. What was left of it is gone.
    #[cfg(feature = "upstream")]
    Disconnected {
        /// For the log.
        detail: String,
    },
    /// Where the credential of the endpoint comes from gives none now.
    Provider {
        /// For the log.
        detail: String,
    },
    /// The call that the handle was lent to has ended.
    Revoked,
    /// The body of a request could not be made.
    Body {
        /// For the log.
        detail: String,
    },
    /// The response is not text, or not the JSON that was expected.
    Decode {
        /// For the log.
        detail: String,
    },
    /// There is no connection, or it broke.
    Connection {
        /// For the log.
        detail: String,
    },
}

impl NetError {
    /// Both halves of the error: the sentence for the caller and, where a control refused, its
    /// id and the reason for the log.
    pub(crate) fn to_tool_error(&self) -> ToolError {
        match self.control() {
            Some(control) => {
                ToolError::refused(control, self.to_string(), format!("{control}: {self:?}"))
            }
            None => ToolError::internal(format_args!("{self:?}")),
        }
    }

    /// The control that refused; `None` where nothing was refused, only absent or broken.
    pub(crate) fn control(&self) -> Option<&'static str> {
        Some(match self {
            Self::Host => "net/host",
            Self::Path { .. } => "net/path",
            Self::Header { .. } => "net/header",
            Self::Address { .. } => "net/address",
            Self::Resolve { .. } => "net/resolve",
            Self::Tls { .. } => "net/tls",
            Self::Redirect { .. } => "net/redirect",
            Self::Size { .. } => "net/size",
            Self::Ratio { .. } => "net/ratio",
            Self::Encoding => "net/encoding",
            Self::Timeout { .. } => "net/timeout",
            Self::Rate => "net/rate",
            Self::Content { .. } => "net/content",
            Self::Exchange { .. } => "net/exchange",
            Self::Credential | Self::NoCredential { .. } | Self::Provider { .. } => {
                "net/credential"
            }
            #[cfg(feature = "upstream")]
            Self::NotConnected { .. } => "upstream/connect",
            #[cfg(feature = "upstream")]
            Self::Disconnected { .. } => "upstream/reuse",
            Self::Revoked => "net/revoked",
            Self::Body { .. } | Self::Decode { .. } | Self::Connection { .. } => return None,
        })
    }

    /// What the log should know besides the control.
    pub(crate) fn detail(&self) -> Option<String> {
        match self {
            Self::Address { detail }
            | Self::Resolve { detail }
            | Self::Tls { detail }
            | Self::Content { detail }
            | Self::Exchange { detail }
            | Self::NoCredential { detail }
            | Self::Provider { detail }
            | Self::Body { detail }
            | Self::Decode { detail }
            | Self::Connection { detail } => Some(detail.clone()),
            #[cfg(feature = "upstream")]
            Self::NotConnected { detail } | Self::Disconnected { detail } => Some(detail.clone()),
            Self::Host | Self::Credential | Self::Revoked | Self::Rate => None,
            _ => Some(self.to_string()),
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host is not granted"),
            Self::Path { name, reason } => write!(f, "`{name}` {reason}"),
            Self::Header { name, reason } => write!(f, "the header `{name}` {reason}"),
            Self::Address { .. } => {
                f.write_str("the name of the host leads to an address that is not allowed")
            }
            Self::Resolve { .. } => f.write_str("the name of the host does not resolve"),
            Self::Tls { .. } => f.write_str("the server did not prove that it is the granted one"),
            Self::Redirect { reason } => write!(f, "a redirect {reason}"),
            Self::Size { what, limit } => write!(f, "the {what} is larger than {limit} bytes"),
            Self::Ratio { limit } => {
                write!(
                    f,
                    "the response grows more than {limit} times when unpacked"
                )
            }
            Self::Encoding => {
                f.write_str("the response is encoded in a way that was not asked for")
            }
            Self::Timeout { what } => write!(f, "{what} took too long"),
            Self::Rate => f.write_str("too many requests at a time; try again later"),
            Self::Content { .. } => {
                f.write_str("a rule of the grant forbids what the request says")
            }
            Self::Exchange { .. } => {
                f.write_str("there is no permission for the server that would be called")
            }
            Self::Credential => {
                f.write_str("the request sets the header of the endpoint's credential")
            }
            Self::NoCredential { .. } => f.write_str(
                "there is no credential of this caller for the server that would be called",
            ),
            #[cfg(feature = "upstream")]
            Self::NotConnected { .. } => f.write_str(
                "this caller has not connected an account at the server that would be called",
            ),
            #[cfg(feature = "upstream")]
            Self::Disconnected { .. } => f.write_str(
                "the account at the server that would be called has to be connected again",
            ),
            Self::Provider { .. } => f.write_str(
                "the credential for the server that would be called cannot be had now; try again \
                 later",
            ),
            Self::Revoked => f.write_str("the call that this handle was lent to has ended"),
            Self::Body { .. } => f.write_str("the body of the request could not be made"),
            Self::Decode { .. } => f.write_str("the response is not what was expected"),
            Self::Connection { .. } => f.write_str("the server cannot be reached"),
        }
    }
}

impl std::error::Error for NetError {}

impl From<DialError> for NetError {
    fn from(error: DialError) -> Self {
        let detail = error.to_string();
        match error {
            DialError::NotGranted => Self::Host,
            DialError::Resolve { .. } => Self::Resolve { detail },
            DialError::Address { .. } | DialError::Peer => Self::Address { detail },
            DialError::Timeout => Self::Timeout { what: "connecting" },
            DialError::Busy => Self::Rate,
            DialError::Connect { .. } | DialError::Helper { .. } => Self::Connection { detail },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use crate::error::ToolErrorKind;

    #[test]
    fn a_refusal_is_booked_under_its_control_and_tells_the_caller_no_address() {
        let detail = || "10.0.0.1 is private".to_owned();
        for (error, id) in [
            (NetError::Host, "net/host"),
            (NetError::Address { detail: detail() }, "net/address"),
            (NetError::Resolve { detail: detail() }, "net/resolve"),
            (NetError::Tls { detail: detail() }, "net/tls"),
            (
                NetError::Redirect {
                    reason: "leads out",
                },
                "net/redirect",
            ),
            (NetError::Encoding, "net/encoding"),
            (NetError::Ratio { limit: 1 }, "net/ratio"),
            (NetError::Rate, "net/rate"),
            (NetError::Revoked, "net/revoked"),
        ] {
            let ToolErrorKind::Public {
                message,
                control,
                detail,
            } = error.to_tool_error().kind
            else {
                panic!("{error:?} is not said to the caller")
            };
            assert_eq!(control, Some(id));
            assert!(!message.contains("10.0.0.1"), "{message}");
            assert!(detail.is_some_and(|detail| detail.starts_with(id)));
        }
        let broken = NetError::Connection { detail: detail() }
            .to_tool_error()
            .kind;
        assert!(matches!(broken, ToolErrorKind::Internal(_)));
    }
}
