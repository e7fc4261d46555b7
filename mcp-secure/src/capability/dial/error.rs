//! Why there is no connection.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

/// Why there is no connection. Passes from the helper to the server as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DialError {
    /// The rule does not cover the host, or the helper has no such rule.
    NotGranted,
    /// The name has no usable answer.
    Resolve { detail: String },
    /// An answer, or the address that was granted, is special. One is enough: a name that has
    /// good and bad answers is an attack, or about to become one.
    Address { address: IpAddr, what: String },
    /// The socket is not connected to what was judged, or to itself.
    Peer,
    /// Nothing that was judged good could be connected to.
    Connect { detail: String },
    /// It took longer than the grant allows.
    Timeout,
    /// Too many connections are being made.
    Busy,
    /// The helper is gone, or does not speak as it should.
    Helper { detail: String },
}

impl DialError {
    /// The control that refused; `None` where nothing was refused, only absent or broken.
    pub(crate) fn control(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotGranted => "net/host",
            Self::Resolve { .. } => "net/resolve",
            Self::Address { .. } | Self::Peer => "net/address",
            Self::Timeout => "net/timeout",
            Self::Busy => "net/rate",
            Self::Connect { .. } | Self::Helper { .. } => return None,
        })
    }
}

/// For the log and the audit: it names addresses.
impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => f.write_str("the host is not granted"),
            Self::Resolve { detail } => write!(f, "the name does not resolve: {detail}"),
            Self::Address { address, what } => write!(f, "`{address}` is refused: {what}"),
            Self::Peer => f.write_str("the socket is connected to something else"),
            Self::Connect { detail } => write!(f, "no connection: {detail}"),
            Self::Timeout => f.write_str("connecting took too long"),
            Self::Busy => f.write_str("too many connections are being made"),
            Self::Helper { detail } => write!(f, "the helper that connects: {detail}"),
        }
    }
}

impl std::error::Error for DialError {}
