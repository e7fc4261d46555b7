//! Who gets a page: this machine, under its own name, with the cookie.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use mcp_secure::{Error, Result};
use subtle::ConstantTimeEq as _;

use super::{page, stats::Stats};

pub(super) struct Door {
    file: PathBuf,
    hosts: [String; 2],
    /// In the address that was printed, until it is used.
    token: Mutex<Option<String>>,
    first: String,
    cookie: String,
}

impl Door {
    pub(super) fn new(file: &Path, port: u16) -> Result<Self> {
        let token = secret()?;
        Ok(Self {
            file: file.to_owned(),
            hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")],
            first: token.clone(),
            token: Mutex::new(Some(token)),
            // Cookies know no ports: two of these commands must not take each other's.
            cookie: format!("mcp_secure_audit_{port}={}", secret()?),
        })
    }

    pub(super) fn token(&self) -> &str {
        &self.first
    }

    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        // DNS rebinding: a page of another origin reaches this port under a name of its own.
        if !self.is_here(request) {
            return answer(StatusCode::MISDIRECTED_REQUEST, PLAIN, "not this host\n");
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return answer(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET only\n");
        }
        let uri = request.uri();
        // Says nothing of a log, and a browser asks for it before it has a page.
        if uri.path() == "/style.css" {
            return answer(StatusCode::OK, "text/css; charset=utf-8", page::STYLE);
        }
        if uri.path() != "/" {
            return answer(StatusCode::NOT_FOUND, PLAIN, "not found\n");
        }
        if let Some(token) = uri.query().and_then(|query| query.strip_prefix("token=")) {
            return match self.spend(token) {
                true => self.let_in(),
                false => answer(
                    StatusCode::FORBIDDEN,
                    PLAIN,
                    "the address was used, or is another\n",
                ),
            };
        }
        if !self.has_cookie(request) {
            return answer(
                StatusCode::FORBIDDEN,
                PLAIN,
                "use the address that the command printed\n",
            );
        }
        match Stats::read(&self.file) {
            Ok(stats) => answer(StatusCode::OK, HTML, page::page(&self.file, &stats)),
            Err(error) => {
                eprintln!("error: {error}");
                answer(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    PLAIN,
                    "the log cannot be read\n",
                )
            }
        }
    }

    fn is_here<B>(&self, request: &Request<B>) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        self.hosts
            .iter()
            .any(|here| host.as_bytes() == here.as_bytes())
    }

    /// Good once.
    fn spend(&self, given: &str) -> bool {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let good = token
            .as_ref()
            .is_some_and(|token| token.as_bytes().ct_eq(given.as_bytes()).into());
        if good {
            *token = None;
        }
        good
    }

    fn let_in(&self) -> Response<Full<Bytes>> {
        let mut response = answer(StatusCode::SEE_OTHER, PLAIN, "");
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, HeaderValue::from_static("/"));
        let cookie = format!("{}; HttpOnly; SameSite=Strict; Path=/", self.cookie);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.insert(header::SET_COOKIE, cookie);
        }
        response
    }

    fn has_cookie<B>(&self, request: &Request<B>) -> bool {
        let cookies = request.headers().get_all(header::COOKIE);
        cookies
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .any(|one| one.trim().as_bytes().ct_eq(self.cookie.as_bytes()).into())
    }
}

fn answer(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
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

fn secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| Error::new(format!("there is no randomness: {e}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];
