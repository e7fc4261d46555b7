//! Responses, and what each of them forbids.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::html;

/// A page of ours.
pub(super) fn html_page(status: StatusCode, page: String) -> Response<Bytes> {
    respond(status, HTML, page.into())
}

/// The one style sheet. It says nothing of anything.
pub(super) fn style() -> Response<Bytes> {
    let css = Bytes::from_static(html::STYLE.as_bytes());
    respond(StatusCode::OK, "text/css; charset=utf-8", css)
}

/// There is no such page: the same whether it never was, is over, or is another person's.
pub(super) fn nothing() -> Response<Bytes> {
    html_page(StatusCode::NOT_FOUND, html::nothing())
}

/// A word.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    html_page(status, html::word(text))
}

/// A line for a program.
pub(super) fn said(status: StatusCode, text: &'static str) -> Response<Bytes> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
    )
}

/// To another of our own pages, after a form: a reload does not send it again.
pub(super) fn see(path: &str) -> Response<Bytes> {
    let mut response = respond(StatusCode::SEE_OTHER, HTML, Bytes::new());
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

const HTML: &str = "text/html; charset=utf-8";

/// No script at all, no frame around it (a click on what is under another page), and nothing of
/// the link to any other site.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "clipboard-read=(), clipboard-write=()",
    ),
];
