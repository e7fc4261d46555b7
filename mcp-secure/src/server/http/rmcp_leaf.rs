//! The innermost service: rmcp, with its error texts replaced, and beside it the straight road
//! for what is plainly in order.
//!
//! rmcp answers errors of its own as plain text that holds serde's words or the `Display` of
//! whatever failed. Here each becomes the constant JSON-RPC error for its status. What is
//! already a JSON-RPC error keeps its code and words: those are the specification's
//! (-32020, -32021, -32022 with 400, -32601 with 404).

use std::{
    convert::Infallible,
    fmt::Display,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    body::Body,
    limits::HttpLimits,
    refusal::{
        BODY_TOO_LARGE, INTERNAL, INVALID_REQUEST, METHOD, NOT_ACCEPTABLE, PARSE_ERROR, Refusal,
        SESSION,
    },
    session_cap::BoundedSessions,
    straight::{Plain, Straight, is_plain},
};

/// rmcp's service and the road beside it, shared by all connections.
pub(crate) struct Leaf<S> {
    roads: Arc<Roads<S>>,
    #[cfg(test)]
    straight: bool,
}

struct Roads<S> {
    rmcp: StreamableHttpService<S, BoundedSessions>,
    straight: Straight,
    make: Arc<dyn Fn() -> S + Send + Sync>,
}

impl<S: ServerHandler> Leaf<S> {
    pub(crate) fn new(
        make: impl Fn() -> S + Send + Sync + 'static,
        sessions: &Arc<BoundedSessions>,
        limits: &HttpLimits,
        legacy_sessions: bool,
        stop: CancellationToken,
    ) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(legacy_sessions)
            .with_json_response(true)
            .with_sse_retry(None)
            .with_stateless_protocol_metadata_required(true)
            .with_max_request_body_bytes(limits.body_bytes)
            .with_cancellation_token(stop.clone())
            // Ours are outside, stricter, and the only ones: a second opinion here could
            // only be a laxer one that hides a hole in the first.
            .disable_allowed_hosts()
            .disable_allowed_origins();
        let make: Arc<dyn Fn() -> S + Send + Sync> = Arc::new(make);
        let made = Arc::clone(&make);
        let roads = Arc::new(Roads {
            rmcp: StreamableHttpService::new(move || Ok(made()), sessions.clone(), config),
            straight: Straight::new(stop),
            make,
        });
        Self {
            roads,
            #[cfg(test)]
            straight: true,
        }
    }
}

#[cfg(test)]
impl<S> Leaf<S> {
    /// Without the road beside it.
    pub(crate) fn of_rmcp_alone(self) -> Self {
        Self {
            straight: false,
            ..self
        }
    }
}

impl<S> Clone for Leaf<S> {
    fn clone(&self) -> Self {
        Self {
            roads: Arc::clone(&self.roads),
            #[cfg(test)]
            straight: self.straight,
        }
    }
}

impl<S, B> Service<Request<B>> for Leaf<S>
where
    S: ServerHandler,
    B: http_body::Body<Data = Bytes, Error: Display> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Not rmcp's own `Service`: it clones its whole configuration for each request.
        let roads = Arc::clone(&self.roads);
        let straight = is_plain(&request);
        #[cfg(test)]
        let straight = straight && self.straight;
        if !straight {
            return Box::pin(async move { Ok(mask(roads.rmcp.handle(request).await).await) });
        }
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // Why it did not come whole is told outside, where its size and time are kept.
            let Ok(body) = body.collect().await else {
                return Ok(INVALID_REQUEST.response());
            };
            let body = body.to_bytes();
            if let Some(call) = Plain::read(&head.headers, &body) {
                return Ok(roads.straight.call((roads.make)(), head, call).await);
            }
            let request = Request::from_parts(head, Full::new(body));
            Ok(mask(roads.rmcp.handle(request).await).await)
        })
    }
}

/// Replaces an error that is not JSON-RPC.
async fn mask(response: Response<BoxBody<Bytes, Infallible>>) -> Response<Body> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let headers = response.headers();
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|v| v.as_bytes() == b"application/json");
    if !is_error || is_json {
        return response.map(Body::stream);
    }
    let allow = headers.get(header::ALLOW).cloned();
    let refusal = match status {
        StatusCode::NOT_FOUND => &SESSION,
        StatusCode::METHOD_NOT_ALLOWED => &METHOD,
        StatusCode::NOT_ACCEPTABLE => &NOT_ACCEPTABLE,
        StatusCode::PAYLOAD_TOO_LARGE => &BODY_TOO_LARGE,
        // The content type was checked outside, so this is about the body.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let Ok(text) = response.into_body().collect().await;
            why_not_parsed(&text.to_bytes())
        }
        _ if status.is_client_error() => &INVALID_REQUEST,
        _ => &INTERNAL,
    };
    let mut masked = refusal.response();
    if let Some(allow) = allow {
        masked.headers_mut().insert(header::ALLOW, allow);
    }
    masked
}

/// rmcp says 415 both for text that is not JSON and for JSON that is no message (a batch,
/// say). Its sentence tells them apart; should the sentence change, the answer is -32700.
fn why_not_parsed(text: &[u8]) -> &'static Refusal {
    const NO_MESSAGE: &[u8] = b"unrecognized JSON-RPC message";
    let no_message = text
        .windows(NO_MESSAGE.len())
        .any(|part| part == NO_MESSAGE);
    if no_message {
        &INVALID_REQUEST
    } else {
        &PARSE_ERROR
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http_body_util::Full;

    use super::*;

    async fn masked(status: u16, json: bool, text: &'static str) -> (u16, String) {
        let mut response = Response::builder().status(status);
        if json {
            response = response.header("content-type", "application/json");
        }
        let response = mask(response.body(Full::from(text).boxed()).unwrap()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn no_words_of_a_failure_inside_reach_the_caller() {
        for status in [400, 403, 404, 405, 406, 413, 415, 422, 500, 503] {
            let (_, body) = masked(status, false, "at /home/u: canary").await;
            assert!(!body.contains("canary"), "{status}");
            assert!(
                body.starts_with(r#"{"jsonrpc":"2.0","error":"#),
                "{status}: {body}"
            );
        }
        assert_eq!(masked(500, false, "x").await.0, 500);
        assert_eq!(masked(415, false, "x").await.0, 400);
    }

    #[tokio::test]
    async fn what_the_specification_says_is_kept() {
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"m"}}"#;
        assert_eq!(masked(400, true, error).await, (400, error.to_owned()));
        assert_eq!(masked(200, false, "data").await, (200, "data".to_owned()));
    }
}
