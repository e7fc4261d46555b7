//! The shape of a check that needs nothing but the request head.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::Either;
use http::{Request, Response};
use tower::{Layer, Service};

use super::{
    body::Body,
    refusal::{Refusal, Tally},
};

/// A check on a request head, before the body is read.
pub(crate) trait Gate: Send + Sync + 'static {
    /// Lets the request pass or says why not.
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal>;
}

/// Puts a [`Gate`] in front of a service.
pub(crate) struct GateLayer<G> {
    gate: Arc<G>,
    tally: Tally,
}

/// A service behind a [`Gate`].
pub(crate) struct Gated<G, S> {
    gate: Arc<G>,
    tally: Tally,
    inner: S,
}

impl<G> GateLayer<G> {
    pub(crate) fn new(gate: &Arc<G>, tally: &Tally) -> Self {
        Self {
            gate: gate.clone(),
            tally: tally.clone(),
        }
    }
}

impl<G, S> Layer<S> for GateLayer<G> {
    type Service = Gated<G, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gated {
            gate: self.gate.clone(),
            tally: self.tally.clone(),
            inner,
        }
    }
}

impl<G: Gate, S, B> Service<Request<B>> for Gated<G, S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.gate.check(&request) {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(refusal) => Either::Left(ready(Ok(self.tally.refuse(refusal, request.version())))),
        }
    }
}

impl<G, S: Clone> Clone for Gated<G, S> {
    fn clone(&self) -> Self {
        Self {
            gate: self.gate.clone(),
            tally: self.tally.clone(),
            inner: self.inner.clone(),
        }
    }
}
