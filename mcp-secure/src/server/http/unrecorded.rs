//! Counts what `rmcp` refuses by itself: a request that its own checks turn away (a header
//! that contradicts the body, a revision that is not served) never reaches the audit layer,
//! and would leave no trace.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{
    body::Body,
    refusal::{Counted, Tally},
};

/// Travels with the request; set by the audit layer, which has a record of its own.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<AtomicBool>);

impl Recorded {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone)]
pub(crate) struct UnrecordedLayer(Tally);

impl UnrecordedLayer {
    pub(crate) fn new(tally: &Tally) -> Self {
        Self(tally.clone())
    }
}

impl<S> Layer<S> for UnrecordedLayer {
    type Service = Unrecorded<S>;

    fn layer(&self, inner: S) -> Unrecorded<S> {
        Unrecorded {
            inner,
            tally: self.0.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Unrecorded<S> {
    inner: S,
    tally: Tally,
}

impl<S, B> Service<Request<B>> for Unrecorded<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Counting<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let recorded = Recorded::default();
        request.extensions_mut().insert(recorded.clone());
        Counting {
            future: self.inner.call(request),
            recorded,
            tally: self.tally.clone(),
        }
    }
}

pin_project! {
    pub(crate) struct Counting<F> {
        #[pin]
        future: F,
        recorded: Recorded,
        tally: Tally,
    }
}

impl<F, E> Future for Counting<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(context));
        if let Ok(response) = &answer {
            let status = response.status();
            let refused = status.is_client_error() || status.is_server_error();
            let counted = response.extensions().get::<Counted>().is_some();
            if refused && !counted && !this.recorded.0.load(Ordering::Relaxed) {
                this.tally.count(PROTOCOL);
            }
        }
        Poll::Ready(answer)
    }
}

const PROTOCOL: &str = "http/protocol";
