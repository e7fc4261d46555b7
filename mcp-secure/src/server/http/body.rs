//! The body of an answer: constant bytes, or what rmcp streams.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::activity::InFlight;

/// The body of an answer. Dropping it ends the request it belongs to.
pub(crate) struct Body {
    kind: Kind,
    in_flight: Option<InFlight>,
    /// When this is ready the body ends: a stream without an end of its own must not
    /// hold up a shutdown.
    until: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// When this is ready the credential that opened it was taken back.
    revoked: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// When the credential that opened it is over, so is what it opened.
    deadline: Option<Pin<Box<Sleep>>>,
}

enum Kind {
    Constant(Option<Bytes>),
    Stream(BoxBody<Bytes, Infallible>),
}

impl Body {
    pub(crate) fn constant(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Constant(Some(bytes)),
            in_flight: None,
            until: None,
            revoked: None,
            deadline: None,
        }
    }

    pub(crate) fn stream(body: BoxBody<Bytes, Infallible>) -> Self {
        Self {
            kind: Kind::Stream(body),
            in_flight: None,
            until: None,
            revoked: None,
            deadline: None,
        }
    }

    /// Counts the request as running until this body is dropped.
    pub(crate) fn hold(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }

    /// Ends the body when the token fires.
    pub(crate) fn end_with(&mut self, until: WaitForCancellationFutureOwned) {
        self.until = Some(Box::pin(until));
    }

    /// As [`end_at`](Self::end_at), when the token fires.
    pub(crate) fn end_if(&mut self, revoked: WaitForCancellationFutureOwned) {
        if matches!(self.kind, Kind::Stream(_)) {
            self.revoked = Some(Box::pin(revoked));
        }
    }

    /// Ends a stream at this moment; an answer that is all there is not cut.
    pub(crate) fn end_at(&mut self, moment: Instant) {
        if matches!(self.kind, Kind::Stream(_)) {
            self.deadline = Some(Box::pin(sleep_until(moment)));
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
        if let Some(until) = &mut self.until
            && until.as_mut().poll(cx).is_ready()
        {
            self.until = None;
            self.kind = Kind::Constant(None);
        }
        if let Some(revoked) = &mut self.revoked
            && revoked.as_mut().poll(cx).is_ready()
        {
            self.revoked = None;
            self.kind = Kind::Constant(None);
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            self.deadline = None;
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
