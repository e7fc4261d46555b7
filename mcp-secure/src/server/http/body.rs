//! The body of an answer: constant bytes, or what rmcp streams.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::BoxBody;

use super::activity::InFlight;

/// The body of an answer. Dropping it ends the request it belongs to.
pub(crate) struct Body {
    kind: Kind,
    in_flight: Option<InFlight>,
    /// When one of these is ready the body ends: a stream without an end of its own must not
    /// hold up a shutdown, nor go on when the credential that opened it is over.
    ends: Vec<End>,
}

type End = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

enum Kind {
    Constant(Option<Bytes>),
    Stream(BoxBody<Bytes, Infallible>),
}

impl Body {
    pub(crate) fn constant(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Constant(Some(bytes)),
            in_flight: None,
            ends: Vec::new(),
        }
    }

    pub(crate) fn stream(body: BoxBody<Bytes, Infallible>) -> Self {
        Self {
            kind: Kind::Stream(body),
            in_flight: None,
            ends: Vec::new(),
        }
    }

    /// Counts the request as running until this body is dropped.
    pub(crate) fn hold(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }

    /// Ends the body when this is ready.
    pub(crate) fn end_with(&mut self, end: impl Future<Output = ()> + Send + Sync + 'static) {
        self.ends.push(Box::pin(end));
    }

    /// Ends a stream when this is ready; an answer that is all there is not cut.
    pub(crate) fn end_stream_with(
        &mut self,
        end: impl Future<Output = ()> + Send + Sync + 'static,
    ) {
        if matches!(self.kind, Kind::Stream(_)) {
            self.end_with(end);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let is_ready = |end: &mut End| end.as_mut().poll(cx).is_ready();
        if self.ends.iter_mut().any(is_ready) {
            // None of them is asked again.
            self.ends.clear();
            self.kind = Kind::Constant(None);
        }
        match &mut self.kind {
            Kind::Constant(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Constant(bytes) => bytes.is_none(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Constant(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Kind::Stream(body) => body.size_hint(),
        }
    }
}
