//! One connection, lent for one call.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior},
};

use super::{OpenTcp, TcpError, TcpLimits};
use crate::capability::{Lease, Step, Trail, dial::Stream};

/// Bytes to and from the granted service, and to nothing else.
///
/// It ends with the call: every read and write then is an error. So it is after too many
/// bytes, and after too much time; see [`TcpLimits`].
pub struct TcpConn {
    /// `None` after it was kept.
    stream: Option<Stream>,
    open: Arc<OpenTcp>,
    lease: Lease,
    limits: TcpLimits,
    until: Instant,
    idle_until: Instant,
    /// Wakes whoever waits, so that a lease or a time that has ended is seen.
    look: Interval,
    read: u64,
    written: u64,
    /// Why it ended, if we ended it.
    ended: Option<TcpError>,
    trail: Trail,
    capability: &'static str,
    _permit: OwnedSemaphorePermit,
}

impl TcpConn {
    pub(super) fn new(
        stream: Stream,
        open: Arc<OpenTcp>,
        lease: Lease,
        trail: Trail,
        capability: &'static str,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let (limits, now) = (open.limits, Instant::now());
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream: Some(stream),
            open,
            lease,
            limits,
            until: now + limits.timeout,
            idle_until: now + limits.idle_timeout,
            look,
            read: 0,
            written: 0,
            ended: None,
            trail,
            capability,
            _permit: permit,
        }
    }

    /// Puts the connection back for a later [`checkout`](super::Tcp::checkout) of the same
    /// grant. Only you know whether the protocol is at a point where that is right: whoever
    /// comes next, for whichever caller, goes on where this one stopped.
    pub fn keep(mut self) {
        if self.ended.is_none()
            && self.lease.is_live()
            && let Some(stream) = self.stream.take()
        {
            self.open.keep(stream);
        }
    }

    /// Whether it may go on.
    fn check(&mut self) -> io::Result<()> {
        if self.ended.is_none() {
            let now = Instant::now();
            if !self.lease.is_live() {
                self.end(TcpError::Revoked);
            } else if now >= self.until || now >= self.idle_until {
                self.end(TcpError::Timeout);
            }
        }
        match &self.ended {
            Some(error) => Err(error.clone().into_io()),
            None => Ok(()),
        }
    }

    /// For good: the socket is closed.
    fn end(&mut self, error: TcpError) {
        self.stream = None;
        self.ended = Some(error);
    }

    fn moved(&mut self) {
        self.idle_until = Instant::now() + self.limits.idle_timeout;
    }

    /// Nothing moves: looks again later, and now.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            if let Err(error) = self.check() {
                return Poll::Ready(Err(error));
            }
            if self.look.poll_tick(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for TcpConn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let left = self.limits.max_read - self.read;
        // One byte more than is allowed tells too much from just enough.
        let room = usize::try_from(left.saturating_add(1)).unwrap_or(usize::MAX);
        let room = room.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        let stream = self.stream.as_mut().ok_or_else(gone)?;
        let done = Pin::new(stream).poll_read(cx, &mut part);
        let read = part.filled().len();
        match done {
            Poll::Pending => self.wait(cx),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                if read as u64 > left {
                    let limit = self.limits.max_read;
                    self.end(TcpError::Bytes { limit });
                    return Poll::Ready(self.check());
                }
                self.read += read as u64;
                self.moved();
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for TcpConn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if bytes.len() as u64 > self.limits.max_written - self.written {
            let limit = self.limits.max_written;
            self.end(TcpError::Bytes { limit });
            self.check()?;
        }
        let stream = self.stream.as_mut().ok_or_else(gone)?;
        match Pin::new(stream).poll_write(cx, bytes) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(Ok(written)) => {
                self.written += written as u64;
                self.moved();
                Poll::Ready(Ok(written))
            }
            Poll::Ready(error) => Poll::Ready(error),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let stream = self.stream.as_mut().ok_or_else(gone)?;
        match Pin::new(stream).poll_flush(cx) {
            Poll::Pending => self.wait(cx),
            done => done,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// What was moved is in the record, however the connection ends.
impl Drop for TcpConn {
    fn drop(&mut self) {
        let control = self.ended.as_ref().and_then(TcpError::control);
        self.trail.add(Step {
            kind: "tcp",
            file: None,
            capability: self.capability,
            action: "connect".to_owned(),
            outcome: if control.is_some() { "denied" } else { "ok" },
            control,
            detail: None,
            bytes_in: self.read,
            bytes_out: self.written,
        });
    }
}

impl fmt::Debug for TcpConn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpConn({})", self.capability)
    }
}

/// How often a connection that waits looks at its lease and its time.
const LOOK: Duration = Duration::from_millis(50);
