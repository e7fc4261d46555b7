//! HTTP: which host is asked, which path, by whom; and bounds on all of it.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{self, HeaderName},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use super::{
    Issuer,
    authorize::{Form, Told},
};

type Answer = Response<Full<Bytes>>;

const MOST_BYTES: usize = 16 * 1024;
const MOST_CONNECTIONS: usize = 128;
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn serve(listener: TcpListener, issuer: Arc<Issuer>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: they come back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let issuer = Arc::clone(&issuer);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let issuer = Arc::clone(&issuer);
                async move { Ok::<_, Infallible>(answer(&issuer, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
            drop(place);
        });
    }
}

/// What any page of any origin may read: it holds nothing of a person's browser.
fn is_open(path: &str) -> bool {
    path.starts_with("/.well-known/") || matches!(path, "/jwks" | "/token" | "/register")
}

async fn answer(issuer: &Issuer, request: Request<Incoming>) -> Answer {
    // Another name for this address is a page that was rebound to it.
    let host = request.headers().get(header::HOST);
    let expected = issuer.url.trim_start_matches("http://");
    if host.and_then(|host| host.to_str().ok()) != Some(expected) {
        return text(StatusCode::FORBIDDEN, "another host is meant");
    }
    let open = is_open(request.uri().path());
    let mut answer = match (request.method().clone(), open) {
        (Method::OPTIONS, true) => text(StatusCode::NO_CONTENT, ""),
        _ => routed(issuer, request).await,
    };
    let headers = answer.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // With `no-referrer` a browser writes `Origin: null` on this page's own form, too (Fetch).
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    if open {
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, mcp-protocol-version",
        );
        set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
    }
    answer
}

async fn routed(issuer: &Issuer, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    match (&method, path.as_str()) {
        (
            &Method::GET,
            "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration",
        ) => as_json(StatusCode::OK, &metadata(&issuer.url)),
        (&Method::GET, "/jwks") => as_json(StatusCode::OK, &json!({ "keys": [issuer.key.jwk()] })),
        (&Method::GET, "/authorize") => {
            match form(request.uri().query().unwrap_or_default().as_bytes()) {
                Some(form) => told(issuer.authorize(&form)),
                None => text(StatusCode::BAD_REQUEST, "a parameter is there twice"),
            }
        }
        (&Method::POST, "/authorize/decide") => {
            // A page elsewhere can send a form to here, and not under this name.
            let origin = request.headers().get(header::ORIGIN);
            if origin.and_then(|origin| origin.to_str().ok()) != Some(&issuer.url) {
                return text(StatusCode::FORBIDDEN, "this came from another page");
            }
            match read(request).await.as_deref().and_then(form) {
                Some(form) => told(issuer.decide(&form)),
                None => text(StatusCode::BAD_REQUEST, "this is no form"),
            }
        }
        (&Method::POST, "/token") => {
            let authorization = request.headers().get(header::AUTHORIZATION).cloned();
            let Some(form) = read(request).await.as_deref().and_then(form) else {
                return refused("invalid_request");
            };
            let authorization = authorization
                .as_ref()
                .map(|value| value.to_str().unwrap_or_default());
            match issuer.token(&form, authorization) {
                Ok(answer) => as_json(StatusCode::OK, &answer),
                Err(error) => refused(error),
            }
        }
        (&Method::POST, "/register") => match read(request).await {
            None => refused("invalid_client_metadata"),
            Some(body) => match issuer.register(&body) {
                Ok(answer) => as_json(StatusCode::CREATED, &answer),
                Err(error) => refused(error),
            },
        },
        _ => text(StatusCode::NOT_FOUND, "not found"),
    }
}

/// RFC 8414, and the same for those who look where OpenID Connect has it.
fn metadata(url: &str) -> Value {
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "registration_endpoint": format!("{url}/register"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

async fn read(request: Request<Incoming>) -> Option<Bytes> {
    let body = Limited::new(request.into_body(), MOST_BYTES).collect();
    let collected = timeout(PATIENCE, body).await.ok()?.ok()?;
    Some(collected.to_bytes())
}

/// The pairs of a form; none of them twice (RFC 6749 section 3.1).
fn form(bytes: &[u8]) -> Option<Form> {
    let mut seen = HashSet::new();
    url::form_urlencoded::parse(bytes)
        .into_owned()
        .map(|(name, value)| seen.insert(name.clone()).then_some((name, value)))
        .collect()
}

fn told(told: Told) -> Answer {
    match told {
        Told::Go(url) => {
            let mut answer = text(StatusCode::SEE_OTHER, "");
            if let Ok(url) = HeaderValue::from_str(&url) {
                answer.headers_mut().insert(header::LOCATION, url);
            }
            answer
        }
        Told::Page(page) => {
            let mut answer = with(StatusCode::OK, "text/html; charset=utf-8", page);
            answer.headers_mut().insert(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(
                    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
                ),
            );
            answer
        }
        Told::Wrong(why) => text(StatusCode::BAD_REQUEST, why),
    }
}

fn refused(error: &str) -> Answer {
    let status = match error {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    as_json(status, &json!({ "error": error }))
}

fn as_json(status: StatusCode, value: &Value) -> Answer {
    with(status, "application/json", value.to_string())
}

fn text(status: StatusCode, words: &str) -> Answer {
    with(status, "text/plain; charset=utf-8", words.to_owned())
}

fn with(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
