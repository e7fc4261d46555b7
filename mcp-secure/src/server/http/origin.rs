//! The `Origin` check: no page in a browser may call this server unless it was invited.
//!
//! The specification asks for it on every connection (streamable HTTP, "Security &
//! Endpoint"); rmcp has it off by default. It runs for every method, a CORS preflight
//! included: there is no permissive answer to find, because no CORS header is ever sent.

use http::{Request, header};

use super::{
    gate::Gate,
    refusal::{ORIGIN, Refusal},
};
use crate::{Error, Result};

/// The origins that may call, in the one spelling a browser sends.
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// Our own loopback origins, and what the author adds.
    pub(crate) fn new(scheme: &str, port: u16, more: &[String]) -> Result<Self> {
        let mut origins = Vec::new();
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            // Browsers leave out the default port (RFC 6454 section 6.2).
            origins.push(match (scheme, port) {
                ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
                _ => format!("{scheme}://{host}:{port}"),
            });
        }
        let more = Self::declared(more)?;
        origins.extend(more.0);
        Ok(Self(origins))
    }

    /// What the author adds, alone: an endpoint that others reach has no pages of its own.
    pub(crate) fn declared(more: &[String]) -> Result<Self> {
        let mut origins = Vec::new();
        for origin in more {
            let parsed = url::Url::parse(origin).ok().map(|url| url.origin());
            match parsed {
                Some(parsed)
                    if parsed.is_tuple()
                        && parsed.ascii_serialization() == *origin
                        && !origin.contains('*') =>
                {
                    origins.push(origin.clone());
                }
                _ => {
                    return Err(Error::new(format!("`{origin}` is not an origin")).help(
                        "write it as a browser sends it: scheme, host and port in lower case, \
                         without path, and without the port where it is the scheme's own",
                    ));
                }
            }
        }
        Ok(Self(origins))
    }

    /// No origin at all: what comes over a Unix-domain socket is not a browser.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }
}

impl Gate for Origins {
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal> {
        let mut values = request.headers().get_all(header::ORIGIN).iter();
        let Some(origin) = values.next() else {
            return Ok(());
        };
        let known = self
            .0
            .iter()
            .any(|known| known.as_bytes() == origin.as_bytes());
        if known && values.next().is_none() {
            Ok(())
        } else {
            Err(&ORIGIN)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn passes(origins: &Origins, values: &[&[u8]]) -> bool {
        let mut request = Request::new(());
        for value in values {
            let value = http::HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(header::ORIGIN, value);
        }
        origins.check(&request).is_ok()
    }

    #[test]
    fn an_origin_matches_whole_or_not_at_all() {
        let origins = Origins::new("http", 8443, &["https://app.example".to_owned()]).unwrap();
        for (origin, expected) in [
            ("http://localhost:8443", true),
            ("http://127.0.0.1:8443", true),
            ("http://[::1]:8443", true),
            ("https://app.example", true),
            ("https://app.example:443", false),
            ("http://app.example", false),
            ("https://app.example.evil", false),
            ("https://evil.app.example", false),
            ("https://app.example/", false),
            ("http://localhost", false),
            ("http://localhost:1", false),
            ("https://localhost:8443", false),
            ("http://evil.example@localhost:8443", false),
            ("HTTP://LOCALHOST:8443", false),
            ("null", false),
            ("", false),
            ("*", false),
            ("file://", false),
        ] {
            assert_eq!(
                passes(&origins, &[origin.as_bytes()]),
                expected,
                "{origin:?}"
            );
        }
        assert!(passes(&origins, &[]), "no browser, no origin");
        assert!(!passes(
            &origins,
            &[b"https://app.example", b"https://app.example"]
        ));
        assert!(!passes(
            &origins,
            &[b"https://app.example", b"https://evil.example"]
        ));
        assert!(!passes(&origins, &[b"\xff"]));
        assert!(!passes(&Origins::none(), &[b"http://localhost"]));
    }

    #[test]
    fn at_port_80_a_browser_leaves_the_port_out() {
        let origins = Origins::new("http", 80, &[]).unwrap();
        assert!(passes(&origins, &[b"http://localhost"]));
        assert!(!passes(&origins, &[b"http://localhost:80"]));
    }

    #[test]
    fn over_tls_the_own_origin_is_https() {
        let origins = Origins::new("https", 443, &[]).unwrap();
        assert!(passes(&origins, &[b"https://localhost"]));
        assert!(!passes(&origins, &[b"http://localhost"]));
        let declared = Origins::declared(&["https://app.example".to_owned()]).unwrap();
        assert!(passes(&declared, &[b"https://app.example"]));
        assert!(!passes(&declared, &[b"https://localhost"]));
    }

    #[test]
    fn what_no_browser_would_send_stops_the_start() {
        for bad in [
            "null",
            "*",
            "app.example",
            "https://app.example/",
            "https://A.example",
            "https://app.example:443",
            "file:///etc",
            "https://*.example",
        ] {
            assert!(
                Origins::new("http", 1, &[bad.to_owned()]).is_err(),
                "{bad:?}"
            );
        }
    }
}
