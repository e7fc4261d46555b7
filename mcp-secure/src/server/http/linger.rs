//! A goodbye that the other side can still hear.
//!
//! A caller without a good credential is answered before its body is read. If the connection
//! were then simply closed, with bytes of that body still unread, TCP would send a reset, and a
//! reset destroys what is on its way: the caller sees a broken connection instead of the 401
//! that says whom to ask for a token (RFC 9112 section 9.6). So the side for writing is closed
//! first, and what still arrives is thrown away, for a moment and to a limit.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

pin_project! {
    /// A stream whose end is not a reset.
    pub(crate) struct Linger<Io> {
        #[pin]
        io: Io,
        left: usize,
        closed: bool,
        deadline: Option<Pin<Box<Sleep>>>,
    }
}

impl<Io> Linger<Io> {
    pub(crate) fn new(io: Io) -> Self {
        Self {
            io,
            left: MOST,
            closed: false,
            deadline: None,
        }
    }
}

impl<Io: AsyncRead> AsyncRead for Linger<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().io.poll_read(context, buffer)
    }
}

impl<Io: AsyncRead + AsyncWrite> AsyncWrite for Linger<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().io.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        if !*this.closed {
            ready!(this.io.as_mut().poll_shutdown(context))?;
            *this.closed = true;
        }
        let deadline = this
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(LONGEST)));
        if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        while *this.left > 0 {
            let mut buffer = ReadBuf::new(&mut scratch);
            // An error is an end as good as any.
            if ready!(this.io.as_mut().poll_read(context, &mut buffer)).is_err()
                || buffer.filled().is_empty()
            {
                break;
            }
            *this.left = this.left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().io.poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// More than this nobody has on the way who waits for an answer.
const MOST: usize = 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn an_answer_before_the_body_was_read_arrives() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut server = Linger::new(server);
        client.write_all(&[b'x'; 50_000]).await.unwrap();
        let told = tokio::spawn(async move {
            server.write_all(b"no").await.unwrap();
            server.shutdown().await.unwrap();
        });
        let mut heard = String::new();
        // It goes on sending until it has read, as clients do.
        for _ in 0..10 {
            let _ = client.write_all(&[b'x'; 1000]).await;
            tokio::task::yield_now().await;
        }
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "no");
        drop(client);
        told.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_stops_or_never_leaves_is_left() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = Linger::new(server);
        let begun = tokio::time::Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), LONGEST.as_secs());
        let _ = client.write_all(b"x").await;

        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let mut server = Linger::new(server);
        let flood = tokio::spawn(async move {
            let mut sent = 0;
            while client.write_all(&[0; 1024]).await.is_ok() {
                sent += 1024;
            }
            sent
        });
        server.shutdown().await.unwrap();
        drop(server);
        assert!(flood.await.unwrap() <= MOST + 128 * 1024);
    }
}
