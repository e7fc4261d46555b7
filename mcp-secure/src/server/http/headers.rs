//! Headers that decide something occur once, and a POST carries JSON.
//!
//! rmcp reads the first of several values; a proxy may read the last. A form or a text body,
//! which a page can send across origins without asking (a CORS "simple request"), is refused
//! here, so that behind this gate a 415 of rmcp can only mean "not JSON".

use http::{HeaderName, Method, Request, header};

use super::{
    gate::Gate,
    refusal::{CONTENT_TYPE, DUPLICATE_HEADER, Refusal},
};

/// See the file.
pub(crate) struct DecidingHeaders;

pub(crate) static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) static METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(crate) static NAME: HeaderName = HeaderName::from_static("mcp-name");

impl Gate for DecidingHeaders {
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal> {
        let headers = request.headers();
        for name in [&header::CONTENT_TYPE, &PROTOCOL_VERSION, &METHOD, &NAME] {
            let mut values = headers.get_all(name).iter();
            if values.next().is_some() && values.next().is_some() {
                return Err(&DUPLICATE_HEADER);
            }
        }
        if request.method() == Method::POST {
            let json = headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|v| is_json(v.as_bytes()));
            if !json {
                return Err(&CONTENT_TYPE);
            }
        }
        Ok(())
    }
}

/// `application/json`, with or without parameters.
fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|b| *b == b';').next().unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn status(method: &str, values: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method);
        for (name, value) in values {
            request = request.header(*name, *value);
        }
        DecidingHeaders
            .check(&request.body(()).unwrap())
            .map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_post_is_json_or_nothing() {
        for (value, expected) in [
            ("application/json", 200),
            ("Application/JSON; charset=utf-8", 200),
            ("text/plain", 415),
            ("text/plain; application/json", 415),
            ("application/x-www-form-urlencoded", 415),
            ("multipart/form-data; boundary=x", 415),
            ("application/json-seq", 415),
            ("application/jsonx", 415),
            ("", 415),
        ] {
            assert_eq!(
                status("POST", &[("content-type", value)]),
                expected,
                "{value:?}"
            );
        }
        assert_eq!(status("POST", &[]), 415);
        assert_eq!(status("GET", &[]), 200);
    }

    #[test]
    fn a_header_with_two_values_is_refused_in_both_orders() {
        let json = ("content-type", "application/json");
        let text = ("content-type", "text/plain");
        assert_eq!(status("POST", &[json, text]), 400);
        assert_eq!(status("POST", &[text, json]), 400);
        for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
            assert_eq!(
                status("POST", &[json, (name, "a"), (name, "b")]),
                400,
                "{name}"
            );
            assert_eq!(
                status("POST", &[json, (name, "a"), (name, "a")]),
                400,
                "{name}"
            );
            assert_eq!(status("POST", &[json, (name, "a")]), 200, "{name}");
        }
    }
}
