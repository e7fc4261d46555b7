//! Where telemetry goes, as the author or the operator says it.

use std::{path::PathBuf, time::Duration};

use http::HeaderMap;

use crate::{
    Result,
    capability::{
        Opening,
        net::{destination::Destination, fetch::Client},
    },
};

/// A collector of telemetry that speaks OTLP over HTTP (binary protobuf), such as
/// `https://collector.example:4318`: spans go to `/v1/traces` below it, numbers to `/v1/metrics`,
/// audit records to `/v1/logs`.
///
/// The server can connect to it and to nothing else for this. The operator's file can name one, too
/// (`[otel]`), which then takes the place of this one.
///
/// ```
/// use std::time::Duration;
/// use mcp_secure::{otel::Otlp, prelude::*};
/// # struct Hello;
/// # #[secure_server]
/// # impl Hello {
/// #     /// Greet.
/// #     #[tool(public)]
/// #     async fn greet(&self) -> String { String::new() }
/// # }
///
/// let collector = Otlp::to("https://collector.example:4318")
///     .headers_file("/run/secrets/collector-headers")
///     .every(Duration::from_secs(10));
/// let server = SecureServer::new(Hello).otel(collector);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    pub(crate) to: Destination,
    pub(crate) every: Option<Duration>,
}

impl Otlp {
    /// The base of its addresses, without `/v1/…`. Plain `http://` is for an address of loopback,
    /// and with [`allow_private`](Self::allow_private) for a private network.
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self {
            to: Destination {
                url: endpoint.into(),
                ..Destination::default()
            },
            every: None,
        }
    }

    /// A file with headers to send, one `name: value` a line: the key that a collector asks for.
    /// A file that every user can read stops the start, and no tool may reach it.
    #[must_use]
    pub fn headers_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.to.headers_file = Some(path.into());
        self
    }

    /// Certificates (PEM) to trust beside the usual authorities.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.to.ca_file = Some(path.into());
        self
    }

    /// The collector is in a private network. Addresses of loopback that are written as such
    /// need no word.
    #[must_use]
    pub fn allow_private(mut self) -> Self {
        self.to.allow_private = true;
        self
    }

    /// How long what happened waits at most before it is sent; five seconds if nothing is said.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = Some(every);
        self
    }

    pub(super) fn interval(&self) -> Duration {
        self.every.unwrap_or(INTERVAL).max(SHORTEST)
    }

    /// What the manifest says of it.
    pub(crate) fn term(&self) -> String {
        format!("telemetry (OTLP) goes to {}", self.to.url)
    }

    pub(super) fn open(&self, opening: &mut Opening) -> Result<(Client, HeaderMap)> {
        self.to
            .open(
                "sdk/otel",
                "the headers for the collector",
                Some(MOST),
                opening,
            )
            .map_err(|error| error.before("the collector of telemetry: "))
    }
}

/// Bytes of one request.
const MOST: u64 = 16 << 20;

const INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(50);
