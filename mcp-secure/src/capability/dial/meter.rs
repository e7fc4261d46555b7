//! A limit on what may arrive, below a driver that has none of its own.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// How many bytes may still arrive. A driver collects a message until it is whole, so a limit
/// on what it hands over comes too late for one message of a gigabyte.
#[derive(Clone, Default)]
pub(crate) struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(crate) fn allow(&self, bytes: u64) {
        self.0.store(bytes.saturating_add(SMALL), Ordering::Relaxed);
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes what arrived; false if it was too much.
    fn take(&self, bytes: u64) -> bool {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(bytes);
        self.0.store(left, Ordering::Relaxed);
        left > 0
    }
}

/// A stream that ends when too much arrives.
pub(crate) struct Metered {
    stream: Stream,
    meter: Meter,
}

impl Metered {
    pub(crate) fn new(stream: Stream, meter: Meter) -> Self {
        Self { stream, meter }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = (buf.filled().len() - before) as u64;
        if read > 0 && !self.meter.take(read) {
            return Poll::Ready(Err(io::Error::other("more arrived than is allowed")));
        }
        done
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// For greetings, descriptions of statements, and messages about errors.
const SMALL: u64 = 1 << 20;
