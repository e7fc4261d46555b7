//! 403 with the scopes that are missing, before an answer has begun.
//!
//! The decision is the message ring's alone. Here its outcome becomes a status: on a session
//! `rmcp` says 200 and opens a stream before it looks at the message, so the head of that answer
//! is held until Authorize has decided, or until something else has been answered.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, combinators::BoxBody};
use tower::{Layer, Service};

use super::{
    body::Body,
    challenge::{Challenges, Why},
    refusal::INSUFFICIENT_SCOPE,
};
use crate::{auth::Principal, pipeline::Decided};

/// Turns "a scope is missing" into a status and a challenge. Does nothing for principals whom
/// no authorization server can give another scope.
#[derive(Clone)]
pub(crate) struct StepUpLayer(Option<Arc<Challenges>>);

/// A service whose answers wait for the decision.
#[derive(Clone)]
pub(crate) struct StepUp<S> {
    challenges: Option<Arc<Challenges>>,
    inner: S,
}

impl StepUpLayer {
    pub(crate) fn new(challenges: &Option<Arc<Challenges>>) -> Self {
        Self(challenges.clone())
    }
}

impl<S> Layer<S> for StepUpLayer {
    type Service = StepUp<S>;

    fn layer(&self, inner: S) -> StepUp<S> {
        StepUp {
            challenges: self.0.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for StepUp<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, Infallible>>>;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let may = |principal: &Principal| principal.can_step_up();
        let Some(challenges) = self
            .challenges
            .clone()
            .filter(|_| request.extensions().get().is_some_and(may))
        else {
            return Either::Left(self.inner.call(request));
        };
        let decided = Decided::default();
        request.extensions_mut().insert(decided.clone());
        let future = self.inner.call(request);
        Either::Right(Box::pin(async move {
            let response = future.await?;
            let (response, scopes) = when_decided(response, &decided).await;
            Ok(match scopes {
                None => response,
                Some(scopes) => forbidden(&challenges, scopes),
            })
        }))
    }
}

/// The answer, as far as it had to be read, and the scopes that are missing.
async fn when_decided(
    response: Response<Body>,
    decided: &Decided,
) -> (Response<Body>, Option<&'static [&'static str]>) {
    if let Some(challenge) = decided.get() {
        return (response, challenge);
    }
    // What is not the stream of a request's answer has nothing to be decided: 202 for a
    // notification, the stream of a GET, an error.
    let is_stream = response.status() == StatusCode::OK
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|v| v.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream {
        return (response, None);
    }
    let (head, mut body) = response.into_parts();
    let first = tokio::select! {
        biased;
        challenge = decided.wait() => {
            return (Response::from_parts(head, body), challenge);
        }
        // Something was answered that is not decided on, or the stream has ended.
        first = body.frame() => first,
        () = tokio::time::sleep(PATIENCE) => return (Response::from_parts(head, body), None),
    };
    (whole(head, first, body), decided.get().flatten())
}

type Frame = http_body::Frame<Bytes>;

/// Puts back what was read.
fn whole(
    head: http::response::Parts,
    first: Option<Result<Frame, Infallible>>,
    body: Body,
) -> Response<Body> {
    let first = futures::stream::iter(first);
    let rest = http_body_util::BodyStream::new(body);
    let frames = futures::StreamExt::chain(first, rest);
    let body = BoxBody::new(http_body_util::StreamBody::new(frames));
    Response::from_parts(head, Body::stream(body))
}

fn forbidden(challenges: &Challenges, scopes: &[&str]) -> Response<Body> {
    let mut response = INSUFFICIENT_SCOPE.response();
    for value in challenges.values(Why::InsufficientScope(scopes)) {
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// A decision takes microseconds. What has none after this long is passed on as it is: nothing
/// is allowed by that, only a refusal is then told inside the stream.
const PATIENCE: Duration = Duration::from_secs(10);
