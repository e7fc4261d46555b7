//! Where telemetry goes, as the author or the operator says it.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    Error, Result,
    capability::{
        Opening,
        net::fetch::{Client, FetchSettings},
    },
    secret_file::secret_file,
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
    pub(crate) endpoint: String,
    pub(crate) headers_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) allow_private: bool,
    pub(crate) every: Option<Duration>,
}

impl Otlp {
    /// The base of its addresses, without `/v1/…`. Plain `http://` is for an address of loopback,
    /// and with [`allow_private`](Self::allow_private) for a private network.
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            headers_file: None,
            ca_file: None,
            allow_private: false,
            every: None,
        }
    }

    /// A file with headers to send, one `name: value` a line: the key that a collector asks for.
    /// A file that every user can read stops the start, and no tool may reach it.
    #[must_use]
    pub fn headers_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.headers_file = Some(path.into());
        self
    }

    /// Certificates (PEM) to trust beside the usual authorities.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// The collector is in a private network. Addresses of loopback that are written as such
    /// need no word.
    #[must_use]
    pub fn allow_private(mut self) -> Self {
        self.allow_private = true;
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
        format!("telemetry (OTLP) goes to {}", self.endpoint)
    }

    pub(super) fn open(&self, opening: &mut Opening) -> Result<(Client, HeaderMap)> {
        let wrong = |error: Error| error.before("the collector of telemetry: ");
        let headers = match &self.headers_file {
            Some(path) => {
                opening
                    .secrets
                    .push(("the headers for the collector", path.clone()));
                headers(path).map_err(wrong)?
            }
            None => HeaderMap::new(),
        };
        let settings = FetchSettings {
            allow_private: self.allow_private || is_loopback(&self.endpoint),
            ca_files: self.ca_file.iter().cloned().collect(),
            max_request: Some(MOST),
            max_response: Some(64 * 1024),
            ..FetchSettings::default()
        };
        let client = Client::open("sdk/otel", &self.endpoint, settings, opening).map_err(wrong)?;
        Ok((client, headers))
    }
}

/// Whether the host is written as an address of loopback. A name could be any address.
pub(crate) fn is_loopback(endpoint: &str) -> bool {
    let Ok(url) = url::Url::parse(endpoint) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok_and(|ip| ip.is_loopback())
}

/// `name: value`, one a line.
pub(crate) fn headers(path: &Path) -> Result<HeaderMap> {
    let text = secret_file(path)?;
    let mut headers = HeaderMap::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        // Never the line itself: it is the secret.
        let wrong = || {
            Error::new(format!(
                "line {} of `{}` is no header",
                at + 1,
                path.display()
            ))
            .help("write `name: value`, one a line")
        };
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        if RESERVED.contains(&name.as_str()) || headers.len() >= MOST_HEADERS {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// What says where a request goes, and where it ends.
const RESERVED: [&str; 6] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
];

const MOST_HEADERS: usize = 16;

/// Bytes of one request.
const MOST: u64 = 16 << 20;

const INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_an_address_that_is_written_as_loopback_is_loopback() {
        for here in [
            "http://127.0.0.1:4318",
            "http://[::1]:4318/x",
            "http://127.8.0.1",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "http://localhost:4318",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "http://127.0.0.1@evil.example",
            "not a url",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_line_that_is_no_header_is_not_in_the_error() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            headers(&path)
        };
        let good = read("x-api-key: s3cret\n\nauthorization: Bearer abc\n").unwrap();
        assert_eq!(good["x-api-key"], "s3cret");
        assert!(good["authorization"].is_sensitive());
        for bad in [
            "s3cret",
            "Host: evil.example",
            "x: a\nContent-Length: 3",
            "x: \u{1}s3cret",
        ] {
            let said = read(bad).unwrap_err().to_string();
            assert!(!said.contains("s3cret") && said.contains("line "), "{said}");
        }
    }
}
