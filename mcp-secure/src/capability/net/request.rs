//! A request in the making.

use std::{fmt, io, marker::PhantomData};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use super::{
    Endpoint, HasBody, Method, Multipart, Net, NetError, Response,
    client::{Hop, Payload, Said},
    path,
};
use crate::capability::dial::{HostRule, is_label};

/// A request in the making, from [`Net::path`].
///
/// What is wrong with it is said by [`send`](Self::send); then nothing has left.
#[must_use = "a request is made by `send`"]
pub struct Request<E, M> {
    net: Net<E, M>,
    template: &'static str,
    values: Vec<(&'static str, String)>,
    query: String,
    host: Option<String>,
    headers: HeaderMap,
    body: Payload,
    said: Said,
    trouble: Option<NetError>,
    of: PhantomData<fn() -> (E, M)>,
}

impl<E: Endpoint, M: Method> Request<E, M> {
    pub(super) fn new(net: Net<E, M>, template: &'static str) -> Self {
        Self {
            net,
            template,
            values: Vec::new(),
            query: String::new(),
            host: None,
            headers: HeaderMap::new(),
            body: Payload::None,
            said: Said::Nothing,
            trouble: None,
            of: PhantomData,
        }
    }

    /// The value of a `{name}` in the path. It stays one segment: a slash, a backslash, a `%`,
    /// control characters, dots alone, and nothing at all are refused, and the rest is escaped.
    pub fn segment(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// Adds a pair to the query, escaped.
    pub fn query(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        path::pair(&mut self.query, key, &value.to_string());
        self
    }

    /// The label before the granted name, where the grant is a wildcard: `a` for
    /// `a.example.com`. Whoever chooses it chooses where the request goes, and its name is
    /// asked for in the DNS.
    pub fn host(mut self, label: &str) -> Self {
        let label = label.to_ascii_lowercase();
        match &self.net.open.target.host {
            HostRule::Under(suffix) if is_label(&label) => {
                self.host = Some(format!("{label}.{suffix}"));
            }
            _ => self.wrong(NetError::Host),
        }
        self
    }

    /// Adds a header.
    ///
    /// Not for a caller are those that say where a request goes, how long it is, who asks, or
    /// that make another request of it on the way: `Host`, `Content-Length`, `Authorization`,
    /// `Cookie`, `X-Forwarded-For`, `X-HTTP-Method-Override` and their like.
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        let wrong = |reason| NetError::Header {
            name: name.to_owned(),
            reason,
        };
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            self.wrong(wrong("is not a name of a header"));
            return self;
        };
        if is_forbidden(parsed.as_str()) {
            self.wrong(wrong("is not for a caller to set"));
            return self;
        }
        match HeaderValue::from_str(&value.to_string()) {
            Ok(value) => {
                self.headers.append(parsed, value);
            }
            // A line break would begin another header, or another request (CWE-113).
            Err(_) => self.wrong(wrong("has a value with a character that none may have")),
        }
        self
    }

    /// Sends it, and gives the response once its headers are there.
    ///
    /// A status that says "no" is no error. Redirects are not followed unless the grant says
    /// so: the response is then the redirect.
    ///
    /// # Errors
    ///
    /// Every [`NetError`]; see there.
    pub async fn send(self) -> Result<Response, NetError> {
        let net = self.net.clone();
        let template = self.template;
        match self.finish() {
            Ok(hop) => net.open.send(hop, &net.call).await,
            Err(error) => {
                net.refused(template, &error);
                Err(error)
            }
        }
    }

    fn finish(self) -> Result<Hop, NetError> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        let target = &self.net.open.target;
        let mut path = path::build(self.template, &self.values)?;
        path.insert_str(0, &target.prefix);
        if !self.query.is_empty() {
            path.push('?');
            path.push_str(&self.query);
        }
        Ok(Hop {
            method: M::method(),
            host: self
                .host
                .or_else(|| target.host.single())
                .ok_or(NetError::Host)?,
            path,
            template: self.template,
            headers: self.headers,
            body: self.body,
            said: self.said,
            is_elsewhere: false,
        })
    }

    /// The first thing that is wrong is what is said.
    fn wrong(&mut self, trouble: NetError) {
        self.trouble.get_or_insert(trouble);
    }
}

impl<E: Endpoint, M: HasBody> Request<E, M> {
    /// A body of JSON.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        const TYPE: &str = "application/json";
        if self.net.open.rules.is_empty() {
            return match serde_json::to_vec(value) {
                Ok(bytes) => self.typed(TYPE, Payload::Bytes(bytes.into()), Said::Opaque),
                Err(error) => self.broken(&error),
            };
        }
        // By way of a value, which has each key once: what the rules see is what is sent.
        let value = serde_json::to_value(value);
        match value.and_then(|value| Ok((serde_json::to_vec(&value)?, value))) {
            Ok((bytes, value)) => self.typed(TYPE, Payload::Bytes(bytes.into()), Said::Json(value)),
            Err(error) => self.broken(&error),
        }
    }

    /// A body as an HTML form sends it: `a=b&c=d`, escaped.
    pub fn form<K: AsRef<str>, V: AsRef<str>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut body = String::new();
        let mut fields = Vec::new();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            path::pair(&mut body, key, value);
            fields.push((key.to_owned(), value.to_owned()));
        }
        self.typed(
            "application/x-www-form-urlencoded",
            Payload::Bytes(body.into()),
            Said::Fields {
                fields,
                files: false,
            },
        )
    }

    /// A body of several parts, with files.
    pub fn multipart(self, parts: Multipart) -> Self {
        let said = parts.said();
        match parts.finish() {
            Ok((content_type, body)) => self.typed(&content_type, Payload::Bytes(body), said),
            Err(error) => self.broken(&error),
        }
    }

    /// A body of text.
    pub fn text(self, content_type: &'static str, body: impl Into<String>) -> Self {
        let body = body.into();
        let said = Said::Text(body.clone());
        self.typed(content_type, Payload::Bytes(body.into()), said)
    }

    /// A body of bytes. A grant with rules about bodies refuses it: only
    /// [`json`](Self::json), [`form`](Self::form), [`text`](Self::text) and
    /// [`multipart`](Self::multipart) without files say what is in them.
    pub fn bytes(self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.typed(content_type, Payload::Bytes(body.into()), Said::Opaque)
    }

    /// A body that is sent as it comes. The request breaks off at more bytes than
    /// [`NetLimits::max_request`](super::NetLimits::max_request), and when the call ends.
    /// A grant with rules about bodies refuses it, as it cannot see the whole.
    pub fn stream<S>(self, content_type: &'static str, body: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        self.typed(
            content_type,
            Payload::Stream(Some(body.boxed())),
            Said::Opaque,
        )
    }

    fn typed(mut self, content_type: &str, body: Payload, said: Said) -> Self {
        match HeaderValue::from_str(content_type) {
            Ok(value) => {
                self.headers.insert(header::CONTENT_TYPE, value);
                self.body = body;
                self.said = said;
            }
            Err(error) => return self.broken(&error),
        }
        self
    }

    fn broken(mut self, error: &dyn fmt::Display) -> Self {
        self.wrong(NetError::Body {
            detail: error.to_string(),
        });
        self
    }
}

/// Whether a header decides something that is not a caller's.
pub(crate) fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name)
        || ["proxy-", "x-forwarded-", "sec-", "access-control-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

const FORBIDDEN: &[&str] = &[
    // Where it goes, as servers and proxies read it.
    "host",
    "forwarded",
    "via",
    "x-host",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    // That it is another method: each has a handle of its own.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    // Where it ends (RFC 9112, section 6), and what becomes of the connection.
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    // Who asks: the grant says that.
    "authorization",
    "cookie",
    "cookie2",
    "referer",
    "origin",
    // What the body is, and what is unpacked.
    "content-type",
    "content-encoding",
    "accept-encoding",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_make_another_request_of_it_are_not_for_callers() {
        for name in [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "authorization",
            "cookie",
            "proxy-authorization",
            "proxy-connection",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-http-method-override",
            "x-original-url",
            "sec-fetch-site",
            "expect",
            "upgrade",
        ] {
            assert!(is_forbidden(name), "{name}");
        }
        for name in [
            "accept",
            "x-api-key",
            "if-none-match",
            "idempotency-key",
            "user-agent",
        ] {
            assert!(!is_forbidden(name), "{name}");
        }
    }
}
