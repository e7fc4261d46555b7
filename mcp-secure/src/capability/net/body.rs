//! What is sent: bytes, or a stream of them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::Stream;
use http_body::{Body, Frame, SizeHint};

use crate::capability::Lease;

pub(super) type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of one request. Counts what leaves.
pub(super) struct SendBody {
    kind: Kind,
    sent: Arc<AtomicU64>,
}

enum Kind {
    Empty,
    Bytes(Bytes),
    Stream {
        stream: ByteStream,
        left: u64,
        lease: Lease,
    },
}

impl SendBody {
    pub(super) fn empty() -> Self {
        Self::of(Kind::Empty)
    }

    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self::of(Kind::Bytes(bytes))
    }

    /// Breaks off, and with it the connection, at more bytes than the limit and when the call
    /// ends.
    pub(super) fn stream(stream: ByteStream, limit: u64, lease: Lease) -> Self {
        Self::of(Kind::Stream {
            stream,
            left: limit,
            lease,
        })
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            sent: Arc::default(),
        }
    }

    /// Where the count is.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }
}

impl Body for SendBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let bytes = match &mut this.kind {
            Kind::Empty => return Poll::Ready(None),
            Kind::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                this.kind = Kind::Empty;
                bytes
            }
            Kind::Stream {
                stream,
                left,
                lease,
            } => match std::task::ready!(stream.as_mut().poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(bytes)) => {
                    let rest = left.checked_sub(bytes.len() as u64);
                    let Some(rest) = rest.filter(|_| lease.is_live()) else {
                        this.kind = Kind::Empty;
                        let what = "the body is too long, or its call has ended";
                        return Poll::Ready(Some(Err(io::Error::other(what))));
                    };
                    *left = rest;
                    bytes
                }
            },
        };
        this.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream { .. } => SizeHint::default(),
        }
    }
}
