//! A full server says so before it asks who is there: what a token costs to check is paid by the
//! server, and a flood would make it pay for calls that it must refuse anyway.
//!
//! What belongs to an open session passes. It may be what lets a running call end: a person's
//! answer, or a withdrawal. Those ids were given to somebody who is known, and there are only so
//! many; the session is opened, as always, for its principal alone, behind authentication.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use futures::future::Either;
use http::{Request, Response};
use tower::{Layer, Service};

use super::{
    body::Body,
    refusal::{FULL, Tally},
    session_cap::Table,
};
use crate::layer::load_shed::Room;

/// Puts the door in front of a service.
pub(crate) struct FullLayer {
    room: Room,
    sessions: Arc<Table>,
    tally: Tally,
    put_off: Arc<AtomicU32>,
}

/// A service behind it.
#[derive(Clone)]
pub(crate) struct UnlessFull<S> {
    room: Room,
    sessions: Arc<Table>,
    tally: Tally,
    /// How often on this connection.
    put_off: Arc<AtomicU32>,
    inner: S,
}

impl FullLayer {
    pub(crate) fn new(room: &Room, sessions: &Arc<Table>, tally: &Tally) -> Self {
        Self {
            room: room.clone(),
            sessions: Arc::clone(sessions),
            tally: tally.clone(),
            put_off: Arc::default(),
        }
    }
}

impl<S> Layer<S> for FullLayer {
    type Service = UnlessFull<S>;

    fn layer(&self, inner: S) -> UnlessFull<S> {
        UnlessFull {
            room: self.room.clone(),
            sessions: Arc::clone(&self.sessions),
            tally: self.tally.clone(),
            put_off: Arc::clone(&self.put_off),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for UnlessFull<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.room.is_full() && !self.sessions.knows(request.headers()) {
            let answer = match self.put_off.fetch_add(1, Ordering::Relaxed) {
                0..PATIENCE => self.tally.put_off(&FULL),
                // Whoever is not known keeps no connection open for ever by asking again.
                _ => self.tally.refuse(&FULL, request.version()),
            };
            return Either::Left(ready(Ok(answer)));
        }
        Either::Right(self.inner.call(request))
    }
}

/// How often somebody is put off on one connection before it is closed.
const PATIENCE: u32 = 16;
