//! Responses, and what each of them forbids.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::html;
use crate::server::http::Page;

/// Which check turned a browser away; travels with the response to whoever counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusedBy(&'static str);

impl From<Response<Bytes>> for Page {
    fn from(mut response: Response<Bytes>) -> Self {
        let refused = response.extensions_mut().remove::<RefusedBy>();
        Self {
            response,
            refused: refused.map(|RefusedBy(control)| control),
        }
    }
}

/// A line for a program.
pub(crate) fn line(status: StatusCode, text: &'static str) -> Response<Bytes> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
    )
}

/// A page of ours.
pub(crate) fn html_page(status: StatusCode, page: String) -> Response<Bytes> {
    respond(status, HTML, page.into())
}

/// The one style sheet. It says nothing of anything.
pub(super) fn style() -> Response<Bytes> {
    let css = Bytes::from_static(html::STYLE_SHEET.as_bytes());
    respond(StatusCode::OK, "text/css; charset=utf-8", css)
}

/// There is no such page: the same whether it never was, is over, or is another person's.
pub(crate) fn nothing() -> Response<Bytes> {
    html_page(StatusCode::NOT_FOUND, html::nothing())
}

/// A word.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    html_page(status, html::word(text))
}

/// To another of our own pages, after a form: a reload does not send it again.
pub(crate) fn see(url: &str) -> Response<Bytes> {
    let mut response = respond(StatusCode::SEE_OTHER, HTML, Bytes::new());
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

/// A browser was turned away by this check, if by one.
pub(crate) fn refused(by: Option<&'static str>, mut response: Response<Bytes>) -> Response<Bytes> {
    if let Some(control) = by {
        response.extensions_mut().insert(RefusedBy(control));
    }
    response
}

pub(crate) fn unavailable() -> Response<Bytes> {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "This cannot be answered now. Try again in a moment.",
    );
    let later = HeaderValue::from_static("5");
    response.headers_mut().insert(header::RETRY_AFTER, later);
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
/// the link to any other site. Browsers hold redirects after a form against `form-action`, so no
/// form of ours is answered with one to another site ([`html::onward`]).
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
