//! What a URL grants: scheme, host, port and path prefix, parsed once.

use std::fmt;

use url::{Host, Url};

use crate::{
    capability::dial::{HostRule, canonical},
    error::{Error, Result},
};

/// One granted endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) host: HostRule,
    pub(crate) port: u16,
    /// Empty, or a path that starts with a `/` and does not end with one.
    pub(crate) prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Https,
    Http,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https",
            Self::Http => "http",
        })
    }
}

impl Target {
    /// A URL as an operator or the code writes it. There is one way to write each: what a
    /// parser would repair is refused, so that a reviewer reads what the program does.
    pub(crate) fn parse(written: &str, allow_wildcard: bool) -> Result<Self> {
        let (scheme, rest) = if let Some(rest) = written.strip_prefix("https://") {
            (Scheme::Https, rest)
        } else if let Some(rest) = written.strip_prefix("http://") {
            (Scheme::Http, rest)
        } else {
            return Err(Error::new(format!("`{written}` is not an `https://` URL"))
                .help("write one such as `https://api.example.com`"));
        };
        let wrong = |what: &str, help: &str| {
            Err(Error::new(format!("`{written}` {what}")).help(help.to_owned()))
        };
        let plain = |c: char| c.is_alphanumeric() || "-._~!$&'()*+,=:@/[]".contains(c);
        if let Some(odd) = rest.chars().find(|c| !plain(*c)) {
            let odd = odd.escape_default();
            return wrong(
                &format!("has a `{odd}` in it"),
                "a grant is scheme, host, port and path, without query or escapes",
            );
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return wrong(
                "has a user name in it",
                "write the URL without what is before the `@`",
            );
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let digits = !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit());
                match port.parse::<u16>() {
                    Ok(port) if digits => (host, port),
                    _ => return wrong("has no usable port", "write one from 1 to 65535"),
                }
            }
            _ => (authority, scheme.default_port()),
        };
        let host = HostRule::parse(host, allow_wildcard)?;
        let prefix = path.strip_suffix('/').unwrap_or(path);
        let segments = prefix.split('/').skip(1);
        if segments
            .clone()
            .any(|s| s.is_empty() || s == "." || s == "..")
            || !prefix.is_ascii()
        {
            return wrong(
                "has a path that is not in its plain form",
                "write the path as it is sent",
            );
        }
        if matches!(host, HostRule::Literal(_))
            && prefix.trim_start_matches('/').parse::<u8>().is_ok()
        {
            return wrong(
                "looks like a range of addresses",
                "name one address, without a path",
            );
        }
        let target = Self {
            scheme,
            host,
            port,
            prefix: prefix.to_owned(),
        };
        // The parser that judges redirects must read the same. If it does not, one of the two
        // is wrong, and nobody should find out which.
        match Url::parse(written) {
            Ok(url) if target.is_read_alike(&url) => Ok(target),
            _ => wrong("is not read alike by all", "write it in its plain form"),
        }
    }

    fn is_read_alike(&self, url: &Url) -> bool {
        let host = url.host();
        let wildcard = matches!(self.host, HostRule::Under(_));
        let same_host = match host {
            Some(Host::Domain(name)) if wildcard => {
                name.trim_end_matches('.') == self.host.to_string()
            }
            Some(host) => canonical(&host).is_some_and(|host| self.host.covers(&host)),
            None => false,
        };
        same_host
            && url.scheme() == self.scheme.to_string()
            && url.port_or_known_default() == Some(self.port)
            && url.path().trim_end_matches('/') == self.prefix
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// Whether all that this grants is granted by the other.
    pub(crate) fn is_inside(&self, outer: &Self) -> bool {
        let host = self.host == outer.host
            || self.host.single().is_some_and(|host| {
                // A literal is never one of the names of a wildcard.
                matches!(self.host, HostRule::Exact(_)) && outer.host.covers(&host)
            });
        host && self.scheme == outer.scheme
            && self.port == outer.port
            && is_below(&self.prefix, &outer.prefix)
    }

    /// Where a redirect leads, if that is granted: the host, and path and query as they are
    /// sent.
    pub(crate) fn admit(&self, url: &Url) -> std::result::Result<(String, String), &'static str> {
        if url.scheme() != self.scheme.to_string() {
            return Err("leads to another scheme");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name in it");
        }
        let host = url.host().and_then(|host| canonical(&host));
        let host = host
            .filter(|host| self.host.covers(host))
            .ok_or("leads to a host that is not granted")?;
        if url.port_or_known_default() != Some(self.port) {
            return Err("leads to another port");
        }
        if !is_below(url.path(), &self.prefix) {
            return Err("leads out of the granted path");
        }
        // Below a prefix, what some servers decode once more would lead out of it.
        let path = url.path().to_ascii_lowercase();
        if !self.prefix.is_empty()
            && ["%2f", "%5c", "%2e", "%25", "%00", ";"]
                .iter()
                .any(|odd| path.contains(odd))
        {
            return Err("leads to a path that is not read alike by all");
        }
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok((host, path))
    }

    /// Scheme, host and port, as in the `Host` field and in messages.
    pub(crate) fn origin(&self, host: &str) -> String {
        format!("{}://{}", self.scheme, self.authority(host))
    }

    /// Host and port, without the port that the scheme implies.
    pub(crate) fn authority(&self, host: &str) -> String {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// In the one form that [`Target::parse`] reads again.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.prefix)
    }
}

/// Whole segments: `/api2` is not below `/api`.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text, true).unwrap()
    }

    #[test]
    fn a_grant_is_scheme_host_port_and_path() {
        for text in [
            "https://api.example.com",
            "https://api.example.com:8443/v1/x",
            "http://127.0.0.1:3000",
            "https://[2001:db8::1]:8443",
            "https://*.example.com/api",
        ] {
            assert_eq!(target(text).to_string(), text);
        }
        assert_eq!(
            target("https://API.example.com./v1/").to_string(),
            "https://api.example.com/v1"
        );
        assert_eq!(target("https://a.example:443"), target("https://a.example"));
    }

    #[test]
    fn a_narrower_url_is_inside_and_a_wider_one_is_not() {
        let outer = target("https://api.example.com/v1");
        for inside in [
            "https://api.example.com/v1",
            "https://api.example.com/v1/users",
        ] {
            assert!(target(inside).is_inside(&outer), "{inside}");
        }
        for outside in [
            "https://api.example.com",
            "https://api.example.com/v10",
            "https://api.example.com/v2/v1",
            "http://api.example.com:443/v1",
            "https://api.example.com:444/v1",
            "https://x.example.com/v1",
            "https://*.example.com/v1",
        ] {
            assert!(!target(outside).is_inside(&outer), "{outside}");
        }
        let wild = target("https://*.example.com");
        assert!(target("https://a.example.com").is_inside(&wild));
        assert!(!target("https://a.b.example.com").is_inside(&wild));
    }
}
