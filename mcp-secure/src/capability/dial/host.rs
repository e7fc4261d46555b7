//! The hosts of a grant: what may be written, and what a host is held against.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use url::Host;

use crate::error::{Error, Result};

/// The host, or hosts, of one grant. Names are A-labels in lower case, without a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HostRule {
    /// This name.
    Exact(String),
    /// One label before this name: `*.example.com` is every `x.example.com` and no
    /// `x.y.example.com`, as in certificates (RFC 9525, section 6.3).
    Under(String),
    /// This address, which was granted as such. A name is never one.
    Literal(IpAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl HostRule {
    /// Whether it is an address of loopback, or the name for one: what is said in the clear stays
    /// here.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn is_this_machine(&self) -> bool {
        match self {
            Self::Literal(address) => address.is_loopback(),
            Self::Exact(name) => name == "localhost",
            Self::Under(_) | Self::Unix(_) => false,
        }
    }

    /// A host as an operator or the code writes it: a name, `*.name` where that is possible, or
    /// an address in its usual spelling (IPv6 with or without brackets).
    pub(crate) fn parse(written: &str, allow_wildcard: bool) -> Result<Self> {
        if let Some(rest) = written.strip_prefix("*.") {
            if !allow_wildcard {
                return Err(Error::new(format!("`{written}` is a wildcard"))
                    .help("write one host, or declare the capability `open`"));
            }
            return match name(rest)? {
                Host::Domain(suffix) if suffix.contains('.') => Ok(Self::Under(suffix)),
                Host::Domain(_) => Err(Error::new(format!(
                    "`{written}` is every host of a top-level domain"
                ))
                .help("write at least two labels after `*.`")),
                _ => Err(
                    Error::new(format!("`{written}` is a wildcard over an address"))
                        .help("write one address, or the name of a host"),
                ),
            };
        }
        if written.contains('*') {
            return Err(Error::new(format!("`{written}` has a `*` inside"))
                .help("a wildcard is `*.` and a name"));
        }
        Ok(match name(written)? {
            Host::Domain(name) => Self::Exact(name),
            Host::Ipv4(address) => Self::Literal(spelled(address.into(), written)?),
            Host::Ipv6(address) => Self::Literal(spelled(address.into(), written)?),
        })
    }

    /// Whether a host, in the form that [`canonical`] gives, is one of these.
    pub(crate) fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Under(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(is_label),
            Self::Literal(address) => host.parse() == Ok(*address),
            Self::Unix(path) => Path::new(host) == path,
        }
    }

    /// The one host that it is, unless it is a wildcard.
    pub(crate) fn single(&self) -> Option<String> {
        match self {
            Self::Exact(name) => Some(name.clone()),
            Self::Literal(address) => Some(address.to_string()),
            Self::Unix(path) => path.to_str().map(str::to_owned),
            Self::Under(_) => None,
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Under(suffix) => write!(f, "*.{suffix}"),
            Self::Literal(IpAddr::V4(address)) => address.fmt(f),
            Self::Literal(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A host that a URL parser found, in the one form that rules are compared with; `None` if it
/// has characters that no host name has (`allowed.com;evil.com` is one label to WHATWG).
pub(crate) fn canonical(host: &Host<&str>) -> Option<String> {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            (name.len() <= 253 && !name.is_empty() && name.split('.').all(is_label))
                .then(|| name.to_ascii_lowercase())
        }
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

/// One label of a host name: letters, digits, hyphens inside. Underscores are in names of
/// hosts that exist, though RFC 1123 has none.
pub(crate) fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// By the URL standard's own parser, so that nothing that it takes for an address is a name.
fn name(written: &str) -> Result<Host<String>> {
    let unacceptable = || {
        Error::new(format!("`{written}` is not the name or address of a host"))
            .help("write a name such as `api.example.com`, or an address")
    };
    let bare_v6 = written.parse().ok().filter(IpAddr::is_ipv6);
    if let Some(IpAddr::V6(address)) = bare_v6 {
        return Ok(Host::Ipv6(address));
    }
    // What `Host::parse` decodes or maps away would make the grant say something else than
    // what the operator reads. Names in other scripts are mapped, and shown as A-labels.
    if written.is_empty()
        || written
            .chars()
            .any(|c| c == '%' || c.is_whitespace() || c.is_control())
    {
        return Err(unacceptable());
    }
    let host = Host::parse(written).map_err(|_| unacceptable())?;
    Ok(match &host {
        Host::Domain(name) => {
            let name = canonical(&Host::Domain(name.as_str())).ok_or_else(unacceptable)?;
            Host::Domain(name)
        }
        _ => host,
    })
}

/// An address is granted only as it is usually written: whoever writes `0x7f.1` wants to hide
/// it, and whoever reviews a grant should not have to compute.
fn spelled(address: IpAddr, written: &str) -> Result<IpAddr> {
    let bare = written
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(written);
    if bare == address.to_string() {
        return Ok(address);
    }
    Err(
        Error::new(format!("`{written}` is another spelling of `{address}`"))
            .help(format!("write `{address}`")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_kept_in_the_form_that_it_is_compared_in() {
        let parse = |text| HostRule::parse(text, true).unwrap();
        assert_eq!(
            parse("API.Example.com."),
            HostRule::Exact("api.example.com".into())
        );
        assert_eq!(
            parse("b\u{fc}cher.example"),
            HostRule::Exact("xn--bcher-kva.example".into())
        );
        assert_eq!(
            parse("*.example.com"),
            HostRule::Under("example.com".into())
        );
        assert_eq!(parse("127.0.0.1").to_string(), "127.0.0.1");
        assert_eq!(parse("[::1]"), parse("::1"));
    }

    #[test]
    fn a_wildcard_is_one_label_and_never_a_top_level_domain() {
        for swallowing in [
            "*",
            "*.",
            "*.com",
            "*.*.com",
            "a.*.com",
            "*.10.0.0.1",
            "*.[::1]",
        ] {
            assert!(HostRule::parse(swallowing, true).is_err(), "{swallowing}");
        }
        assert!(HostRule::parse("*.example.com", false).is_err());
        let rule = HostRule::parse("*.example.com", true).unwrap();
        assert!(rule.covers("a.example.com"));
        for outside in [
            "example.com",
            "a.b.example.com",
            ".example.com",
            "aexample.com",
            "a.example.com.evil.com",
            "A.example.com",
            "a;b.example.com",
        ] {
            assert!(!rule.covers(outside), "{outside}");
        }
    }

    #[test]
    fn an_address_is_granted_in_its_usual_spelling_only() {
        for hidden in [
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "0",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1%25eth0]",
        ] {
            assert!(HostRule::parse(hidden, true).is_err(), "{hidden}");
        }
        let literal = HostRule::parse("127.0.0.1", false).unwrap();
        assert!(literal.covers("127.0.0.1") && !literal.covers("localhost"));
    }

    #[test]
    fn what_no_host_name_has_is_no_host() {
        for bad in [
            "",
            ".",
            "a b.com",
            "allowed.com;evil.com",
            "a%2eb.com",
            "-a.com",
            "a..com",
            "user@host.com",
            "host.com:80",
            "host.com/",
            "host.com#",
            "a\0.com",
        ] {
            assert!(HostRule::parse(bad, true).is_err(), "{bad:?}");
        }
    }
}
