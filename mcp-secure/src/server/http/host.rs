//! The `Host` check: the defence against DNS rebinding that does not need a browser's help.
//!
//! A page on `evil.example` whose name was re-pointed to 127.0.0.1 still sends
//! `Host: evil.example` (CVE-2026-42559). The header is compared as text with the few
//! spellings we answer to, so nothing has to be parsed: a userinfo part
//! (`evil.example@localhost`), another port, a trailing dot or a second value is simply not
//! on the list.

use std::net::SocketAddr;

use http::{Request, Version, header, uri::Scheme};

use super::{
    gate::Gate,
    refusal::{HOST_MALFORMED, HOST_UNKNOWN, Refusal},
};
use crate::{Error, Result};

/// The authorities a server answers to, in lower case.
pub(crate) struct Hosts {
    names: Vec<String>,
    /// What a target that names its scheme may name.
    schemes: &'static [Scheme],
}

impl Hosts {
    /// The loopback names at this address, and what the author adds.
    ///
    /// A name is accepted bare and with the bound port; a name that was added with a port is
    /// accepted with exactly that.
    pub(crate) fn new(local: SocketAddr, more: &[String]) -> Result<Self> {
        let own = match local {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        let names = vec![
            "localhost".to_owned(),
            "127.0.0.1".into(),
            "[::1]".into(),
            own,
        ];
        Self::named(names, local.port(), more)
    }

    /// The declared names alone, where others reach the server: from there, none of the
    /// loopback names can be meant.
    pub(crate) fn declared(port: u16, names: &[String]) -> Result<Self> {
        Self::named(Vec::new(), port, names)
    }

    /// With requests that come through TLS, or through a proxy that ends it.
    pub(crate) fn with_schemes(mut self, schemes: &'static [Scheme]) -> Self {
        self.schemes = schemes;
        self
    }

    fn named(mut names: Vec<String>, port: u16, more: &[String]) -> Result<Self> {
        let mut hosts = Vec::new();
        for host in more {
            let host = host.to_ascii_lowercase();
            let authority = http::uri::Authority::try_from(host.as_str())
                .ok()
                .filter(|a| a.as_str() == host && !host.contains('@') && !a.host().is_empty())
                .ok_or_else(|| {
                    Error::new(format!("`{host}` is not a host name"))
                        .help("give `allow_host` a name or `name:port`, without scheme or path")
                })?;
            match authority.port() {
                Some(_) => hosts.push(host),
                None => names.push(host),
            }
        }
        for name in names {
            hosts.push(format!("{name}:{port}"));
            hosts.push(name);
        }
        hosts.dedup();
        Ok(Self {
            names: hosts,
            schemes: PLAIN,
        })
    }

    /// What a Unix-domain socket answers to: there is no name to rebind.
    pub(crate) fn localhost() -> Self {
        Self {
            names: vec!["localhost".into()],
            schemes: PLAIN,
        }
    }

    fn knows(&self, authority: &[u8]) -> bool {
        self.names
            .iter()
            .any(|host| host.as_bytes().eq_ignore_ascii_case(authority))
    }
}

impl Gate for Hosts {
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let header = headers.next().map(http::HeaderValue::as_bytes);
        if headers.next().is_some() {
            return Err(&HOST_MALFORMED);
        }
        // HTTP/2's `:authority`, or the target of an absolute-form HTTP/1.1 request, which
        // would otherwise win over `Host` in whatever reads it next (RFC 9112 section 3.2.2).
        let uri = request.uri();
        let target = uri.authority().map(|a| a.as_str().as_bytes());
        if uri.scheme().is_some_and(|s| !self.schemes.contains(s)) {
            return Err(&HOST_MALFORMED);
        }
        let authority = match (header, target) {
            (Some(header), None) => header,
            (Some(header), Some(target)) if header.eq_ignore_ascii_case(target) => header,
            (None, Some(target)) if request.version() >= Version::HTTP_2 => target,
            _ => return Err(&HOST_MALFORMED),
        };
        if self.knows(authority) {
            Ok(())
        } else {
            Err(&HOST_UNKNOWN)
        }
    }
}

pub(crate) static PLAIN: &[Scheme] = &[Scheme::HTTP];
pub(crate) static TLS: &[Scheme] = &[Scheme::HTTPS];
/// A proxy may pass on the scheme that its client used.
pub(crate) static PROXIED: &[Scheme] = &[Scheme::HTTP, Scheme::HTTPS];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hosts(more: &[&str]) -> Hosts {
        let more: Vec<String> = more.iter().map(|s| (*s).to_owned()).collect();
        Hosts::new("127.0.0.1:8443".parse().unwrap(), &more).unwrap()
    }

    fn status(hosts: &Hosts, uri: &str, version: Version, values: &[&[u8]]) -> u16 {
        let mut request = Request::builder()
            .uri(uri)
            .version(version)
            .body(())
            .unwrap();
        for value in values {
            let value = http::HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(header::HOST, value);
        }
        hosts
            .check(&request)
            .map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_names_with_our_own_port_pass() {
        let hosts = hosts(&["MCP.local", "proxy.local:80"]);
        for (host, expected) in [
            ("localhost:8443", 200),
            ("LOCALHOST:8443", 200),
            ("localhost", 200),
            ("127.0.0.1:8443", 200),
            ("[::1]:8443", 200),
            ("mcp.local", 200),
            ("mcp.local:8443", 200),
            ("proxy.local:80", 200),
            ("proxy.local", 403),
            ("localhost:1", 403),
            ("localhost:08443", 403),
            ("localhost:", 403),
            ("localhost.", 403),
            ("evil.example", 403),
            ("evil.example:8443", 403),
            ("localhost.evil.example:8443", 403),
            ("evil.example@localhost:8443", 403),
            ("localhost:8443@evil.example", 403),
            ("localhost:8443, evil.example", 403),
            ("http://localhost:8443", 403),
            ("127.1:8443", 403),
            ("2130706433:8443", 403),
            ("0.0.0.0:8443", 403),
            ("[::ffff:127.0.0.1]:8443", 403),
            ("::1", 403),
            ("", 403),
            (" ", 403),
            ("\u{fc}localhost", 403),
        ] {
            let seen = status(&hosts, "/mcp", Version::HTTP_11, &[host.as_bytes()]);
            assert_eq!(seen, expected, "{host:?}");
        }
    }

    #[test]
    fn none_or_two_hosts_or_two_opinions_are_malformed() {
        let hosts = hosts(&[]);
        let v1 = Version::HTTP_11;
        assert_eq!(status(&hosts, "/mcp", v1, &[]), 400);
        assert_eq!(
            status(&hosts, "/mcp", v1, &[b"localhost", b"localhost"]),
            400
        );
        assert_eq!(
            status(&hosts, "/mcp", v1, &[b"localhost", b"evil.example"]),
            400
        );
        assert_eq!(
            status(&hosts, "http://evil.example/mcp", v1, &[b"localhost:8443"]),
            400
        );
        assert_eq!(
            status(&hosts, "http://localhost:8443/mcp", v1, &[b"evil.example"]),
            400
        );
        assert_eq!(
            status(
                &hosts,
                "http://localhost:8443/mcp",
                v1,
                &[b"localhost:8443"]
            ),
            200
        );
        assert_eq!(status(&hosts, "http://localhost:8443/mcp", v1, &[]), 400);
        assert_eq!(
            status(
                &hosts,
                "https://localhost:8443/mcp",
                v1,
                &[b"localhost:8443"]
            ),
            400
        );
        assert_eq!(
            status(
                &hosts,
                "http://a@localhost:8443/mcp",
                v1,
                &[b"a@localhost:8443"]
            ),
            403
        );
    }

    #[test]
    fn in_http_2_the_authority_is_the_host_and_may_not_disagree_with_it() {
        let hosts = hosts(&[]);
        let v2 = Version::HTTP_2;
        assert_eq!(status(&hosts, "http://localhost:8443/mcp", v2, &[]), 200);
        assert_eq!(status(&hosts, "http://evil.example/mcp", v2, &[]), 403);
        assert_eq!(
            status(&hosts, "http://localhost:8443/mcp", v2, &[b"evil.example"]),
            400
        );
        assert_eq!(
            status(
                &hosts,
                "http://localhost:8443/mcp",
                v2,
                &[b"localhost:8443"]
            ),
            200
        );
        assert_eq!(status(&hosts, "/mcp", v2, &[]), 400);
    }

    #[test]
    fn a_host_that_is_no_name_stops_the_start() {
        for bad in ["", "http://a", "a/b", "a@b", "a b", "a:b:c"] {
            let local = "127.0.0.1:1".parse().unwrap();
            assert!(Hosts::new(local, &[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}
