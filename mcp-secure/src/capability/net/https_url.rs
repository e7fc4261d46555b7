//! A web address as an argument.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

use crate::{
    capability::dial::canonical,
    error::{Error, Result},
};

/// A web address that a model may send, for a tool that hands it on: to a browser, a device, a
/// message. It begins with `https://` and names a public-looking host: no other scheme
/// (`tel:`, `content://`, `file:`, `javascript:`, intents; CVE-2026-35394), no name or password,
/// no address in place of a name, no name of one label.
///
/// It is not a way to fetch something: a server connects to what its [grants](super::Net) say,
/// and no string of a model's is an address there.
///
/// ```
/// use mcp_secure::capability::net::HttpsUrl;
///
/// let url = HttpsUrl::parse("https://example.com/a?b=c")?;
/// assert_eq!(url.host(), "example.com");
/// assert!(HttpsUrl::parse("tel:*#06#").is_err());
/// assert!(HttpsUrl::parse("https://example.com@evil.net/").is_err());
/// # Ok::<(), mcp_secure::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpsUrl {
    url: Url,
    host: String,
}

impl HttpsUrl {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// When it is something else; the message says what.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_LEN {
            return Err(Error::new("a web address may have 2048 bytes"));
        }
        // The parser takes these out, and what a person saw is then not what is opened.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::new(
                "a web address has no spaces or control characters",
            ));
        }
        let url = Url::parse(text).map_err(|_| Error::new("this is no web address"))?;
        if url.scheme() != "https"
            || !text
                .get(..8)
                .is_some_and(|s| s.eq_ignore_ascii_case("https://"))
        {
            return Err(Error::new("a web address begins with `https://`"));
        }
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(Error::new("a web address holds no name and no password"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if name.trim_end_matches('.').contains('.') => {
                canonical(&Host::Domain(name))
            }
            _ => None,
        };
        let Some(host) = host else {
            return Err(Error::new(
                "the host of a web address is a name such as `example.com`",
            ));
        };
        Ok(Self { url, host })
    }

    /// The whole address, in its one spelling.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host: lower case, ASCII, without a dot at the end.
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn authority(text: &str) -> &str {
    let rest = text.get(8..).unwrap_or("");
    rest.split(['/', '\\', '?', '#']).next().unwrap_or("")
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<'de> Deserialize<'de> for HttpsUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for HttpsUrl {
    fn schema_name() -> Cow<'static, str> {
        "HttpsUrl".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A web address that begins with `https://`, with the name of a host.",
            "minLength": 12,
            "maxLength": MAX_LEN,
            "pattern": "^[hH][tT][tT][pP][sS]://[^@/\\\\?#\\s]+\\.[^@/\\\\?#\\s]+([/?#].*)?$",
        })
    }
}

const MAX_LEN: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_something_else_is_no_web_address() {
        for bad in [
            "tel:*#06#",
            "content://com.android.contacts/data",
            "intent://x#Intent;scheme=tel;end",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://example.com/",
            "https:example.com",
            "https:/example.com",
            "https:\\\\example.com",
            "https://example.com@evil.net/",
            "https://:x@evil.net/",
            "https://@evil.net/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://example/",
            "https://allowed.com;evil.com/",
            "https://exam\tple.com/",
            "https://example.com/a b",
            " https://example.com/",
            "",
        ] {
            assert!(HttpsUrl::parse(bad).is_err(), "{bad:?}");
        }
        for good in [
            "https://example.com/",
            "https://example.com:8443/a?b=c#d",
            "https://docs.apify.com.evil.com/",
            "https://b\u{fc}cher.example/x@y",
        ] {
            assert!(HttpsUrl::parse(good).is_ok(), "{good:?}");
        }
        assert_eq!(
            HttpsUrl::parse("https://Example.COM./").unwrap().host(),
            "example.com"
        );
    }
}
