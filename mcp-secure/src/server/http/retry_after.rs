//! 429 and 503 with `Retry-After`, where the answer to one message is the whole response.
//!
//! The specification asks for a JSON-RPC error in the body and lets the server choose the status
//! (Streamable HTTP, "sending messages"); proxies and HTTP clients act on the status. On a
//! session, or where an answer is a stream, the status is said before the message is looked at:
//! there the time is in the data of the error alone.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::body::Body;
use crate::pipeline::RetryAfter;

#[derive(Clone)]
pub(crate) struct RetryAfterLayer;

impl<S> Layer<S> for RetryAfterLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Retry<S> {
        Retry { inner }
    }
}

#[derive(Clone)]
pub(crate) struct Retry<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Retry<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Telling<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let retry = RetryAfter::default();
        request.extensions_mut().insert(retry.clone());
        Telling {
            future: self.inner.call(request),
            retry,
        }
    }
}

pin_project! {
    pub(crate) struct Telling<F> {
        #[pin]
        future: F,
        retry: RetryAfter,
    }
}

impl<F, E> Future for Telling<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.future.poll(context));
        if let (Ok(response), Some(told)) = (&mut answer, this.retry.get())
            && is_whole(response)
        {
            *response.status_mut() = match told.is_overloaded {
                true => StatusCode::SERVICE_UNAVAILABLE,
                false => StatusCode::TOO_MANY_REQUESTS,
            };
            let seconds = HeaderValue::from(told.seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        Poll::Ready(answer)
    }
}

fn is_whole(response: &Response<Body>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
