//! What a TLS connection adds to its requests and answers.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower::Service;

use crate::{auth::PeerThumbprint, server::http::body::Body};

/// The same for all requests of one connection.
#[derive(Clone, Default)]
pub(crate) struct Dress {
    pub(super) thumbprint: Option<PeerThumbprint>,
    pub(super) hsts: Option<HeaderValue>,
}

/// A service whose requests know the client's certificate, and whose answers say that plain
/// HTTP is over.
#[derive(Clone)]
pub(crate) struct Dressed<S> {
    dress: Dress,
    inner: S,
}

impl<S> Dressed<S> {
    pub(crate) fn new(dress: Dress, inner: S) -> Self {
        Self { dress, inner }
    }
}

impl<S, B> Service<Request<B>> for Dressed<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Dressing<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(thumbprint) = self.dress.thumbprint {
            request.extensions_mut().insert(thumbprint);
        }
        Dressing {
            future: self.inner.call(request),
            hsts: self.dress.hsts.clone(),
        }
    }
}

pin_project! {
    pub(crate) struct Dressing<F> {
        #[pin]
        future: F,
        hsts: Option<HeaderValue>,
    }
}

impl<F, E> Future for Dressing<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.future.poll(context));
        if let (Ok(response), Some(hsts)) = (&mut answer, this.hsts.take()) {
            response
                .headers_mut()
                .insert(header::STRICT_TRANSPORT_SECURITY, hsts);
        }
        Poll::Ready(answer)
    }
}
