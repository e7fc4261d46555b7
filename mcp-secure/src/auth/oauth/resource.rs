//! What this server is called: the canonical URL that tokens are issued for (RFC 8707).

use url::{Host, Url};

use crate::error::{Error, Result};

/// The canonical URL of this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// As it was written, which is its canonical form.
    url: String,
    origin: String,
    path: String,
}

impl Resource {
    /// Reads the URL.
    ///
    /// # Errors
    ///
    /// When it is not in its canonical form, or tokens for it would travel in the clear.
    pub(super) fn parse(written: &str) -> Result<Self> {
        let wrong = |what: &str, help: &str| {
            Err(Error::new(format!("the resource `{written}` {what}")).help(help.to_owned()))
        };
        let Ok(url) = Url::parse(written) else {
            return wrong(
                "is not a URL",
                "write the URL by which clients reach this server, such as `https://mcp.example/mcp`",
            );
        };
        if url.fragment().is_some() || url.query().is_some() {
            return wrong(
                "has a query or a fragment",
                "write the URL up to its path (RFC 8707 section 2)",
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("has a user name in it", "write the URL without it");
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return wrong("has no host", "write `https://`, the host and the path"),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => {
                return wrong(
                    "is not `https://`",
                    "tokens are sent to it: serve it with TLS, or on this machine alone",
                );
            }
        }
        let origin = url.origin().ascii_serialization();
        let path = url.path().trim_end_matches('/').to_owned();
        let canonical = format!("{origin}{path}");
        if canonical != written && format!("{origin}/") != written {
            return wrong(
                "is not in its canonical form",
                &format!("write `{canonical}`"),
            );
        }
        Ok(Self {
            url: canonical,
            origin,
            path,
        })
    }

    /// The canonical URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port.
    #[cfg(any(test, feature = "upstream"))]
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The path; empty for the root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// How it may be written in `aud`. For the root, RFC 3986 section 6.2.3 has two spellings
    /// of one URL, and clients that build on WHATWG URLs send the one with the `/`.
    pub(super) fn spellings(&self) -> Vec<String> {
        let mut all = vec![self.url.clone()];
        if self.path.is_empty() {
            all.push(format!("{}/", self.url));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_written_in_one_way() {
        for good in [
            "https://mcp.example/mcp",
            "https://mcp.example",
            "https://mcp.example/",
            "https://mcp.example:8443/a/b",
            "http://127.0.0.1:3000/mcp",
            "http://localhost/mcp",
            "http://[::1]:3000/mcp",
        ] {
            assert!(Resource::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "mcp.example/mcp",
            "http://mcp.example/mcp",
            "http://192.168.0.1/mcp",
            "http://localhost.evil.example/mcp",
            "ftp://mcp.example/mcp",
            "urn:mcp:notes",
            "https://mcp.example/mcp/",
            "https://mcp.example/mcp#x",
            "https://mcp.example/mcp?x",
            "https://MCP.example/mcp",
            "https://mcp.example:443/mcp",
            "https://user@mcp.example/mcp",
            "https://mcp.example/a/../mcp",
            " https://mcp.example/mcp",
        ] {
            let error = Resource::parse(bad).unwrap_err().to_string();
            assert!(error.contains("help"), "{bad}: {error}");
        }
        let root = Resource::parse("https://mcp.example/").unwrap();
        assert_eq!(root.url(), "https://mcp.example");
        assert_eq!(
            root.spellings(),
            ["https://mcp.example", "https://mcp.example/"]
        );
        let path = Resource::parse("https://mcp.example/mcp").unwrap();
        assert_eq!(path.spellings(), ["https://mcp.example/mcp"]);
        assert_eq!(
            (path.origin(), path.path()),
            ("https://mcp.example", "/mcp")
        );
    }
}
