//! What one HTTP transport will hold at most.

use std::time::Duration;

use super::rate::PeerRate;
use crate::{Error, Result};

/// What one HTTP transport will hold at most. Every number bounds memory or time.
///
/// ```
/// use mcp_secure::server::http::HttpLimits;
/// let limits = HttpLimits { body_bytes: 64 * 1024, ..HttpLimits::default() };
/// assert_eq!(limits.sessions, 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections open at once; the next waits unread. 512.
    pub connections: usize,
    /// Bytes of a request head; more is answered 431. 32 KiB, at least 8 KiB.
    pub header_bytes: usize,
    /// Fields of a request head; more is answered 431. 100.
    pub header_count: usize,
    /// Time for a request head to arrive, and how long a connection may be idle. 10 s. The
    /// first head is held to it exactly; later ones to between half and one and a half of it,
    /// because one clock for the connection costs less than one for each request.
    pub header_time: Duration,
    /// Bytes of a request body; more is answered 413. 1 MiB.
    pub body_bytes: usize,
    /// Time for the whole body to arrive; longer is answered 408. 30 s.
    pub body_time: Duration,
    /// Requests at once on one HTTP/2 connection. 64.
    pub streams: u32,
    /// Sessions at once (protocol revision 2025-11-25); the next is answered 503. 1,024.
    pub sessions: usize,
    /// Sessions at once of one principal. 64.
    pub sessions_per_principal: usize,
    /// A session ends after this long without a message. 5 min.
    pub session_idle: Duration,
    /// A session ends after this long in any case. 24 h.
    pub session_lifetime: Duration,
    /// Time for running requests to end at a shutdown. 10 s.
    pub drain: Duration,
    /// How often one network may ask before anybody is asked who they are; more is answered
    /// 429. `None` is [`PeerRate::default`] where others reach the server, and no limit on
    /// loopback, where one user of the machine could otherwise lock out another.
    pub rate: Option<PeerRate>,
    /// TLS handshakes at once; of one network a quarter. The next is closed. 64.
    pub handshakes: usize,
    /// Time for a TLS handshake. 5 s.
    pub handshake_time: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_bytes: 32 * 1024,
            header_count: 100,
            header_time: Duration::from_secs(10),
            body_bytes: 1024 * 1024,
            body_time: Duration::from_secs(30),
            streams: 64,
            sessions: 1024,
            sessions_per_principal: 64,
            session_idle: Duration::from_secs(5 * 60),
            session_lifetime: Duration::from_secs(24 * 60 * 60),
            drain: Duration::from_secs(10),
            rate: None,
            handshakes: 64,
            handshake_time: Duration::from_secs(5),
        }
    }
}

impl HttpLimits {
    /// The smaller of each: an operator can narrow what the author allowed, never widen it.
    #[must_use]
    pub fn narrowed_by(&self, other: &Self) -> Self {
        Self {
            connections: self.connections.min(other.connections),
            header_bytes: self.header_bytes.min(other.header_bytes),
            header_count: self.header_count.min(other.header_count),
            header_time: self.header_time.min(other.header_time),
            body_bytes: self.body_bytes.min(other.body_bytes),
            body_time: self.body_time.min(other.body_time),
            streams: self.streams.min(other.streams),
            sessions: self.sessions.min(other.sessions),
            sessions_per_principal: self
                .sessions_per_principal
                .min(other.sessions_per_principal),
            session_idle: self.session_idle.min(other.session_idle),
            session_lifetime: self.session_lifetime.min(other.session_lifetime),
            drain: self.drain.min(other.drain),
            rate: match (self.rate, other.rate) {
                (Some(a), Some(b)) => Some(a.narrowed_by(b)),
                (a, b) => a.or(b),
            },
            handshakes: self.handshakes.min(other.handshakes),
            handshake_time: self.handshake_time.min(other.handshake_time),
        }
    }

    /// hyper panics below its minimum, and a zero would refuse everything.
    pub(crate) fn check(&self) -> Result<()> {
        let zero = Duration::ZERO;
        for (name, bad) in [
            ("connections", self.connections == 0),
            ("header_bytes", self.header_bytes < 8 * 1024),
            ("header_bytes", u32::try_from(self.header_bytes).is_err()),
            ("header_count", self.header_count == 0),
            ("header_time", self.header_time < Duration::from_millis(10)),
            ("body_bytes", self.body_bytes == 0),
            ("body_time", self.body_time == zero),
            ("streams", self.streams == 0),
            ("session_idle", self.session_idle == zero),
            ("rate", self.rate.is_some_and(|rate| !rate.is_usable())),
            ("handshakes", self.handshakes == 0),
            ("handshake_time", self.handshake_time == zero),
            (
                "session_lifetime",
                self.session_lifetime < Duration::from_secs(1),
            ),
        ] {
            if bad {
                return Err(Error::new(format!(
                    "the HTTP limit `{name}` cannot be that small or large"
                ))
                .help("begin with `HttpLimits::default()` and change what you need"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_only_narrow() {
        let author = HttpLimits {
            sessions: 10,
            ..HttpLimits::default()
        };
        let operator = HttpLimits {
            sessions: 99,
            body_bytes: 10,
            ..HttpLimits::default()
        };
        let both = author.narrowed_by(&operator);
        assert_eq!((both.sessions, both.body_bytes), (10, 10));
        assert_eq!(both, operator.narrowed_by(&author));
    }

    #[test]
    fn a_limit_that_would_panic_or_refuse_everything_is_an_error() {
        assert!(HttpLimits::default().check().is_ok());
        assert!(
            HttpLimits {
                header_bytes: 8191,
                ..HttpLimits::default()
            }
            .check()
            .is_err()
        );
        assert!(
            HttpLimits {
                connections: 0,
                ..HttpLimits::default()
            }
            .check()
            .is_err()
        );
    }
}
