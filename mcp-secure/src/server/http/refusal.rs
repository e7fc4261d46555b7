//! How a request is turned away: a constant answer, and one line in the tally.
//!
//! No answer repeats anything that the request said, so a refusal can neither reflect
//! content nor tell two secrets apart. None carries an `id`: nothing was parsed yet.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version, header};

use super::body::Body;

/// Hears of every request that was turned away before it had an identity.
///
/// The audit log aggregates these (address, reason, count) so that nobody can fill a disk
/// without an identity. It gets the control's id and the address, never the request.
pub(crate) trait PreAuthSink: Send + Sync + 'static {
    /// `control` is the id of the check that refused, `http/origin` for instance.
    fn refused(&self, control: &'static str, peer: Option<IpAddr>);
}

/// Where one connection's refusals are counted.
#[derive(Clone)]
pub(crate) struct Tally {
    sink: Arc<dyn PreAuthSink>,
    peer: Option<IpAddr>,
}

/// Marks an answer that has been counted, for the layer that counts the others.
#[derive(Clone)]
pub(crate) struct Counted;

/// One constant answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The check that says no.
    pub(crate) control: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) body: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

impl Tally {
    pub(crate) fn new(sink: Arc<dyn PreAuthSink>, peer: Option<IpAddr>) -> Self {
        Self { sink, peer }
    }

    /// Counts a refusal and makes its answer.
    pub(crate) fn refuse(&self, refusal: &Refusal, version: Version) -> Response<Body> {
        self.refuse_as(refusal.control, refusal, version)
    }

    /// As [`refuse`](Self::refuse), for a check with a finer name than its answer.
    pub(crate) fn refuse_as(
        &self,
        control: &'static str,
        refusal: &Refusal,
        version: Version,
    ) -> Response<Body> {
        self.count(control);
        let mut response = refusal.response();
        response.extensions_mut().insert(Counted);
        // Whoever is turned away at the door starts over with a new connection, so an
        // anonymous peer cannot hold one open by asking again. HTTP/2 has no such header.
        if version < Version::HTTP_2 {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Counts a refusal of somebody who has done nothing wrong, and may ask again on the same
    /// connection: a new one, and its handshake, would cost more than was saved.
    pub(crate) fn put_off(&self, refusal: &Refusal) -> Response<Body> {
        self.count(refusal.control);
        let mut response = refusal.response();
        response.extensions_mut().insert(Counted);
        response
    }

    /// The same, for what a proxy asks in the name of this address.
    pub(crate) fn for_peer(&self, peer: IpAddr) -> Self {
        Self::new(self.sink.clone(), Some(peer))
    }

    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    pub(crate) fn count(&self, control: &'static str) {
        self.sink.refused(control, self.peer);
    }
}

impl Refusal {
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::constant(Bytes::from_static(self.body.as_bytes())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        for (name, value) in self.headers {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        response
    }
}

/// The text of a JSON-RPC error without an `id`.
macro_rules! error_body {
    ($code:literal, $message:literal $(, $data:literal)?) => {
        concat!(
            r#"{"jsonrpc":"2.0","error":{"code":"#,
            $code,
            r#","message":""#,
            $message,
            "\"",
            $(r#","data":"#, $data,)?
            "}}"
        )
    };
}

/// As the pipeline says it: the same code, the same time.
pub(crate) static FULL: Refusal = Refusal {
    control: "load_shed/door",
    status: StatusCode::SERVICE_UNAVAILABLE,
    body: error_body!(
        -31001,
        "the server is busy; try again later",
        r#"{"retryAfterMs":1000}"#
    ),
    headers: &[("retry-after", "1")],
};

/// Declares the constant answers: name, control, status, code, message, further headers.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $control:literal, $status:ident, $code:literal, $message:literal
        $(, $header:literal => $value:literal)*;)*) => {
        $($(#[$doc])* pub(crate) static $name: Refusal = Refusal {
            control: $control,
            status: StatusCode::$status,
            body: error_body!($code, $message),
            headers: &[$(($header, $value)),*],
        };)*

        #[cfg(test)]
        static ALL: &[&Refusal] = &[$(&$name),*];
    };
}

refusals! {
    /// With a `Retry-After` that is computed.
    RATE: "http/rate", TOO_MANY_REQUESTS, -32600, "Too Many Requests";
    PROXY_SILENT: "http/proxy", BAD_REQUEST, -32600,
        "Bad Request: the proxy does not say for whom it asks";
    PROXY_PLAIN: "http/proxy", FORBIDDEN, -32600, "Forbidden: use HTTPS";
    HOST_MALFORMED: "http/host", BAD_REQUEST, -32600, "Bad Request: exactly one Host is needed";
    HOST_UNKNOWN: "http/host", FORBIDDEN, -32600, "Forbidden: this host is not served here";
    ORIGIN: "http/origin", FORBIDDEN, -32600, "Forbidden: this origin may not call here";
    PATH: "http/path", NOT_FOUND, -32600, "Not Found";
    /// A credential in the URL; the request is not looked at further.
    QUERY_TOKEN: "http/query-token", BAD_REQUEST, -32600,
        "Bad Request: a token does not belong in the URL";
    METHOD: "http/method", METHOD_NOT_ALLOWED, -32600, "Method Not Allowed",
        "allow" => "GET, POST, DELETE";
    /// No credential, or one that cannot be read.
    UNAUTHENTICATED: "http/auth", UNAUTHORIZED, -32600, "Unauthorized",
        "www-authenticate" => "Bearer";
    /// A credential that is not ours. RFC 6750 section 3.1 names the error code.
    INVALID_TOKEN: "http/auth", UNAUTHORIZED, -32600, "Unauthorized",
        "www-authenticate" => "Bearer error=\"invalid_token\"";
    /// Two credentials, or one in a wrong place.
    #[cfg_attr(not(feature = "oauth"), allow(dead_code))]
    INVALID_REQUEST_HEAD: "http/auth", BAD_REQUEST, -32600, "Bad Request";
    /// Who would have to be asked about a token does not answer.
    #[cfg_attr(not(feature = "oauth"), allow(dead_code))]
    ISSUER_UNAVAILABLE: "oauth/unavailable", SERVICE_UNAVAILABLE, -32603,
        "Service Unavailable: tokens cannot be checked now";
    /// A good token without a scope that this needs. The challenge names all that are needed.
    INSUFFICIENT_SCOPE: "authorize/scope", FORBIDDEN, -31005, "Forbidden: insufficient scope";
    /// No client certificate, or one that the table does not have.
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    CERTIFICATE: "http/auth", FORBIDDEN, -32600,
        "Forbidden: a client certificate that is known here is needed";
    DUPLICATE_HEADER: "http/headers", BAD_REQUEST, -32020, "Bad Request: a header occurs twice";
    CONTENT_TYPE: "http/content-type", UNSUPPORTED_MEDIA_TYPE, -32600,
        "Unsupported Media Type: send application/json";
    BODY_TOO_LARGE: "http/body-size", PAYLOAD_TOO_LARGE, -32600, "Payload Too Large";
    BODY_TOO_SLOW: "http/body-time", REQUEST_TIMEOUT, -32600, "Request Timeout";
    BODY_BROKEN: "http/body", BAD_REQUEST, -32700, "Parse error";
    ODD_KEY: "http/keys", BAD_REQUEST, -32700,
        "Parse error: a key occurs twice or holds a NUL";
    SESSION: "http/session", NOT_FOUND, -32600, "Session not found";
    SESSIONS_FULL: "http/session-cap", SERVICE_UNAVAILABLE, -32603, "Too many sessions",
        "retry-after" => "30";
    PARSE_ERROR: "http/json", BAD_REQUEST, -32700, "Parse error";
    INVALID_REQUEST: "http/json", BAD_REQUEST, -32600, "Invalid Request";
    NOT_ACCEPTABLE: "http/accept", NOT_ACCEPTABLE, -32600,
        "Not Acceptable: accept application/json and text/event-stream";
    INTERNAL: "http/internal", INTERNAL_SERVER_ERROR, -32603, "Internal error";
}

/// A connection was not read at all, because as many are open as may be.
pub(crate) const CONNECTION_CAP: &str = "http/connections";
/// A peer that is not a declared proxy connected.
pub(crate) const UNDECLARED_PROXY: &str = "http/proxy";
/// A handshake failed: no TLS, a version or a certificate that is not taken.
#[cfg(feature = "tls")]
pub(crate) const HANDSHAKE: &str = "tls/handshake";
/// A handshake took too long.
#[cfg(feature = "tls")]
pub(crate) const HANDSHAKE_TIME: &str = "tls/handshake-time";
/// As many handshakes were going on as may be, in all or of one network.
#[cfg(feature = "tls")]
pub(crate) const HANDSHAKES: &str = "tls/handshakes";
/// The files changed, and what they hold is not used.
#[cfg(feature = "tls")]
pub(crate) const RELOAD: &str = "tls/reload";
/// A connection did not deliver its first request head in time.
pub(crate) const SLOW_HEAD: &str = "http/head-time";
/// A request head was too large or was not HTTP; the connection is closed.
pub(crate) const BAD_HEAD: &str = "http/head";
/// Another user connected to the Unix-domain socket.
pub(crate) const FOREIGN_PEER: &str = "unix/peer";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_refusal_is_a_json_rpc_error_without_an_id() {
        for refusal in ALL.iter().copied().chain([&FULL]) {
            let body: serde_json::Value = serde_json::from_str(refusal.body).unwrap();
            assert_eq!(body["jsonrpc"], "2.0");
            assert!(body["error"]["code"].as_i64().unwrap() < 0);
            assert!(body["error"]["message"].is_string());
            assert!(body.get("id").is_none());
            assert!(refusal.status.is_client_error() || refusal.status.is_server_error());
            drop(refusal.response());
        }
    }
}
