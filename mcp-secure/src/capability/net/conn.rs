//! Connections of one grant, and who uses them.
//!
//! A pool belongs to one grant and knows its hosts: no connection serves two grants, even if
//! both name the same host. Each connection is driven by a task that closes it when its
//! exchange is abandoned, too old, or when the call that began it has ended, whether or not
//! anybody still polls the response.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{NetError, NetLimits, body::SendBody};
use crate::capability::Lease;

/// Idle connections, the newest last.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<(String, Conn)>>);

impl Pool {
    /// An idle connection to a host.
    pub(super) async fn take(&self, host: &str) -> Option<Conn> {
        loop {
            let mut conn = {
                let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                idle.retain(|(_, conn)| !conn.sender.is_closed());
                let place = idle.iter().rposition(|(of, _)| of == host)?;
                idle.remove(place).1
            };
            // It is ready at once, or something of the last exchange is still under way.
            if let Ok(Ok(())) = tokio::time::timeout(SETTLE, conn.sender.ready()).await {
                return Some(conn);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, host: &str, conn: Conn) {
        if conn.sender.is_closed() {
            return;
        }
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST_IDLE {
            idle.remove(0);
        }
        idle.push((host.to_owned(), conn));
    }
}

/// One connection.
pub(super) struct Conn {
    sender: SendRequest<SendBody>,
    /// Read by the driver when it looks: to wake it twice a request would cost more than all
    /// the checks of one.
    used: Arc<Mutex<Use>>,
    /// Its end is how the driver hears that nobody holds the connection any more.
    _held: oneshot::Sender<Infallible>,
}

/// What a connection is for at the moment.
enum Use {
    /// For nothing, since then; it may stay for a while.
    Idle(Instant),
    /// For an exchange of this call, until then.
    Busy(Lease, Instant),
}

impl Conn {
    /// Speaks HTTP on a stream.
    pub(super) async fn new(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        limits: &NetLimits,
    ) -> Result<Self, NetError> {
        let (sender, connection) = Builder::new()
            .max_headers(limits.max_headers)
            .max_header_size(limits.max_header_bytes)
            .max_buf_size(limits.max_header_bytes.max(8192))
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| broken(&error))?;
        let used = Arc::new(Mutex::new(Use::Idle(Instant::now())));
        let (held, dropped) = oneshot::channel();
        tokio::spawn(drive(connection, Arc::clone(&used), dropped));
        Ok(Self {
            sender,
            used,
            _held: held,
        })
    }

    /// Sends a request. Dropping the connection before [`idle`](Self::idle) closes it.
    ///
    /// # Errors
    ///
    /// The request comes back if nothing of it was sent: the server had closed the connection
    /// in the meantime.
    pub(super) async fn send(
        &mut self,
        request: Request<SendBody>,
        lease: &Lease,
        deadline: Instant,
    ) -> Result<Response<Incoming>, (NetError, Option<Request<SendBody>>)> {
        self.is_now(Use::Busy(lease.clone(), deadline));
        self.sender
            .try_send_request(request)
            .await
            .map_err(|mut error| {
                let request = error.take_message();
                (broken(error.error()), request)
            })
    }

    /// The exchange is over.
    pub(super) fn idle(&self) {
        self.is_now(Use::Idle(Instant::now()));
    }

    fn is_now(&self, is: Use) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = is;
    }
}

impl Use {
    /// Whether the connection is to be closed.
    fn is_over(&self) -> bool {
        match self {
            Self::Idle(since) => since.elapsed() >= MAX_IDLE,
            Self::Busy(lease, deadline) => !lease.is_live() || Instant::now() >= *deadline,
        }
    }
}

/// Drives a connection while somebody has a use for it.
async fn drive<T>(
    connection: Connection<T, SendBody>,
    used: Arc<Mutex<Use>>,
    mut dropped: oneshot::Receiver<Infallible>,
) where
    T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    tokio::pin!(connection);
    let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = &mut connection => return,
            _ = &mut dropped => return,
            _ = look.tick() => {
                if used.lock().unwrap_or_else(PoisonError::into_inner).is_over() {
                    return;
                }
            }
        }
    }
}

/// What hyper says: that the other side speaks no HTTP, too much of it, or not at all.
pub(super) fn broken(error: &hyper::Error) -> NetError {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    // hyper has a question for it in servers only.
    if error.is_parse() && detail.contains("too large") {
        return NetError::Header {
            name: "of the response".to_owned(),
            reason: "is one too many, or too long",
        };
    }
    NetError::Connection { detail }
}

/// How long the end of an exchange may take to settle.
const SETTLE: Duration = Duration::from_millis(20);

/// How often a connection looks whether its call still runs, and whether it is over in another way.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long an idle connection stays. Many servers close after a minute.
const MAX_IDLE: Duration = Duration::from_secs(50);

/// Idle connections of one grant.
const MOST_IDLE: usize = 16;
