//! A connection with TLS or without, for everything that does not mind.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

pin_project! {
    /// One connection.
    #[project = Project]
    pub(crate) enum Secured<Io> {
        Plain { #[pin] io: Io },
        Tls { #[pin] io: Box<TlsStream<Io>> },
    }
}

macro_rules! either {
    ($this:ident, $io:ident => $do:expr) => {
        match $this.project() {
            Project::Plain { io: $io } => $do,
            Project::Tls { io: $io } => $do,
        }
    };
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_read(context, buffer))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain { io } => io.is_write_vectored(),
            Self::Tls { io } => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_shutdown(context))
    }
}
