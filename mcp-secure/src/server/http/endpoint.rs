//! One path, three methods. Everything else does not exist here.

use http::{Method, Request};

use super::{
    gate::Gate,
    refusal::{METHOD, PATH, Refusal},
};
use crate::{Error, Result};

/// The one path of the server. A query is ignored: nothing is ever read from it.
pub(crate) struct Endpoint(String);

impl Endpoint {
    pub(crate) fn new(path: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
        if path.starts_with('/') && path.bytes().all(plain) && !path.contains("//") {
            Ok(Self(path.to_owned()))
        } else {
            Err(
                Error::new(format!("`{path}` is not a path for an endpoint")).help(
                    "begin with `/` and use letters, digits, `-`, `.`, `_`, `~` and `/` only",
                ),
            )
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.0
    }
}

impl Gate for Endpoint {
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal> {
        if request.uri().path() != self.0 {
            return Err(&PATH);
        }
        match *request.method() {
            Method::POST | Method::GET | Method::DELETE => Ok(()),
            _ => Err(&METHOD),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_endpoint_and_its_methods_exist() {
        let endpoint = Endpoint::new("/mcp").unwrap();
        for (method, uri, expected) in [
            ("POST", "/mcp", 200),
            ("GET", "/mcp", 200),
            ("DELETE", "/mcp", 200),
            ("POST", "/mcp?access_token=x", 200),
            ("PUT", "/mcp", 405),
            ("HEAD", "/mcp", 405),
            ("OPTIONS", "/mcp", 405),
            ("TRACE", "/mcp", 405),
            ("post", "/mcp", 405),
            ("POST", "/", 404),
            ("POST", "/mcp/", 404),
            ("POST", "//mcp", 404),
            ("POST", "/MCP", 404),
            ("POST", "/%6dcp", 404),
            ("POST", "/x/../mcp", 404),
            ("GET", "/sse", 404),
            ("POST", "/messages", 404),
            ("OPTIONS", "*", 404),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            let seen = endpoint
                .check(&request)
                .map_or_else(|r| r.status.as_u16(), |()| 200);
            assert_eq!(seen, expected, "{method} {uri}");
        }
        for bad in ["", "mcp", "/a b", "/a%20b", "/a?b", "/a//b"] {
            assert!(Endpoint::new(bad).is_err(), "{bad:?}");
        }
    }
}
