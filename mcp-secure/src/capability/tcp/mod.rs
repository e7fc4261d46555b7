//! A byte stream to one granted host and port, or Unix-domain socket.
//!
//! For protocols that have no handle of their own. The dialer resolves the granted name once,
//! judges every address, and hands over what it connected; see the rules for
//! [private addresses](TcpEndpoint::ALLOW_PRIVATE). What goes through the stream is the tool's
//! own matter, so the handle counts as one that writes, and a person is asked.
//!
//! What it does not cover: TLS, which you put on top with the granted name, and what the bytes
//! mean.

mod conn;
mod error;
mod grant;

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use conn::TcpConn;
pub use error::{Reason, TcpError};
#[cfg(feature = "redis")]
pub(crate) use grant::Place;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) use grant::own_place;
pub use grant::{TcpGrant, TcpLimits};

use super::{
    Capability, Facts, Handle, Lease, Step, Trail,
    dial::{Route, Stream},
    sealed::Sealed,
};
use crate::{
    call::Call,
    error::{ToolError, ToolResult},
};

/// A TCP service that a server needs, declared with `#[capability(tcp = "host:port")]`.
pub trait TcpEndpoint: Capability {
    /// `host:port` in code. `None`: the operator names it, or the path of a socket.
    const ADDRESS: Option<&'static str>;
    /// Private, loopback and other special addresses may be connected to.
    const ALLOW_PRIVATE: bool;
}

/// A service behind a socket, lent to one call.
///
/// ```
/// use mcp_secure::{ToolResult, capability::tcp::{Tcp, TcpEndpoint}};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// async fn ping<E: TcpEndpoint>(cache: Tcp<E>) -> ToolResult<String> {
///     let mut conn = cache.connect().await?;
///     conn.write_all(b"PING\r\n").await?;
///     let mut answer = [0; 7];
///     conn.read_exact(&mut answer).await?;
///     Ok(String::from_utf8_lossy(&answer).into_owned())
/// }
/// ```
pub struct Tcp<E> {
    open: Arc<OpenTcp>,
    lease: Lease,
    trail: Trail,
    of: PhantomData<fn() -> E>,
}

/// A service that is granted.
pub(crate) struct OpenTcp {
    /// In the form that the rule is held against.
    host: String,
    route: Route,
    limits: TcpLimits,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Stream>>,
}

impl OpenTcp {
    fn new(host: String, route: Route, limits: TcpLimits) -> Self {
        Self {
            host,
            route,
            limits,
            permits: Arc::new(Semaphore::new(limits.connections.max(1))),
            idle: Mutex::default(),
        }
    }

    fn keep(&self, stream: Stream) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.limits.connections {
            idle.push(stream);
        }
    }

    fn kept(&self) -> Option<Stream> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, TcpError> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(self.limits.idle_timeout, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(TcpError::Busy),
        }
    }
}

impl<E: TcpEndpoint> Tcp<E> {
    /// A new connection.
    ///
    /// # Errors
    ///
    /// [`TcpError::Connect`], [`TcpError::Busy`], [`TcpError::Revoked`].
    pub async fn connect(&self) -> Result<TcpConn, TcpError> {
        self.noted(self.begin(false).await)
    }

    /// A connection that was [kept](TcpConn::keep), or else a new one.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect). One that was kept may have been closed by the service
    /// meanwhile: then its first read is its end.
    pub async fn checkout(&self) -> Result<TcpConn, TcpError> {
        self.noted(self.begin(true).await)
    }

    async fn begin(&self, may_be_kept: bool) -> Result<TcpConn, TcpError> {
        self.live()?;
        let permit = self.open.permit().await?;
        let kept = if may_be_kept { self.open.kept() } else { None };
        let stream = match kept {
            Some(stream) => stream,
            None => self.open.route.dial(&self.open.host).await?.stream,
        };
        self.live()?;
        Ok(TcpConn::new(
            stream,
            Arc::clone(&self.open),
            self.lease.clone(),
            self.trail.clone(),
            E::NAME,
            permit,
        ))
    }

    fn live(&self) -> Result<(), TcpError> {
        if self.lease.is_live() {
            Ok(())
        } else {
            Err(TcpError::Revoked)
        }
    }

    /// A connection says itself what became of it; this says that there is none.
    fn noted(&self, done: Result<TcpConn, TcpError>) -> Result<TcpConn, TcpError> {
        done.inspect_err(|error| {
            let control = error.control();
            self.trail.add(Step {
                kind: "tcp",
                file: None,
                capability: E::NAME,
                action: "connect".to_owned(),
                outcome: if control.is_some() {
                    "denied"
                } else {
                    "failed"
                },
                control,
                detail: error.detail().map(str::to_owned),
                bytes_in: 0,
                bytes_out: 0,
            });
        })
    }
}

impl<E> Clone for Tcp<E> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            lease: self.lease.clone(),
            trail: self.trail.clone(),
            of: PhantomData,
        }
    }
}

impl<E: TcpEndpoint> fmt::Debug for Tcp<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tcp({})", E::NAME)
    }
}

impl<E: TcpEndpoint> Sealed for Tcp<E> {}

impl<E: TcpEndpoint> Handle for Tcp<E> {
    const FACTS: &'static [Facts] = &[Facts {
        capability: E::NAME,
        access: "bytes",
        writes: true,
        destructive: true,
        open_world: true,
        private: E::PRIVATE,
        needs_approval: true,
        ..Facts::inert("tcp")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let open = call.grants.get::<E, OpenTcp>().ok_or_else(|| {
            ToolError::internal(format_args!("no grant for capability `{}`", E::NAME))
        })?;
        Ok(Self {
            open,
            lease: call.lease.clone(),
            trail: call.trail.clone(),
            of: PhantomData,
        })
    }
}
