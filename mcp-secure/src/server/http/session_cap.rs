//! How many sessions there may be: rmcp's own table has no bound (measured: 300 sessions
//! from one peer without an identity, none refused).
//!
//! Two halves that share one table. [`BoundedSessions`] sits inside rmcp and counts the ids
//! that are really alive, so a client that opens and vanishes is counted until rmcp lets go
//! of what it opened. [`SessionCapLayer`] sits outside: it says whose session would be
//! opened, refuses before the body is read when there is no room, and turns a refusal from
//! inside, which rmcp would answer 500, into 503.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    fmt,
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready as task_ready},
    time::{Duration, Instant},
};

use futures::{Stream, future::Either};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use pin_project_lite::pin_project;
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        RestoreOutcome, ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, LocalSessionManagerError},
    },
};
use tokio::task::futures::TaskLocalFuture;
use tower::{Layer, Service};

use super::{
    body::Body,
    limits::HttpLimits,
    refusal::{INTERNAL, SESSIONS_FULL, Tally},
    sealed_sessions::{SESSION_ID, is_stateless},
};
use crate::auth::Principal;

/// rmcp's sessions in memory, with a cap for all and one for each principal.
pub(crate) struct BoundedSessions {
    inner: LocalSessionManager,
    table: Arc<Table>,
}

/// Who holds how many sessions.
pub(crate) struct Table {
    total: usize,
    each: usize,
    lifetime: Duration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<SessionId, Session>,
    /// Sessions, and places taken for one that is being made, by principal. Their sum is
    /// `taken`; an entry that falls to zero is removed, so this is bounded by the cap too.
    by_owner: HashMap<Arc<str>, usize>,
    taken: usize,
    /// What clients call the sessions that are open.
    shown: HashSet<HeaderValue>,
}

struct Session {
    opened: Instant,
    /// What its client calls it.
    shown: Option<HeaderValue>,
    _place: Place,
}

/// One session's place in the table; dropping it gives the place back.
struct Place {
    table: Arc<Table>,
    owner: Arc<str>,
}

/// Why a session was not made.
#[derive(Debug)]
pub(crate) enum SessionsError {
    Full,
    Inner(LocalSessionManagerError),
}

/// Whose request is running, and whether it found no room.
struct Caller {
    principal: Principal,
    full: Cell<bool>,
}

tokio::task_local! {
    /// rmcp makes a session without saying for whom, in the same task that polls the
    /// request: so the request says it here.
    static CALLER: Caller;
}

impl BoundedSessions {
    pub(crate) fn new(limits: &HttpLimits) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = Some(limits.session_idle);
        // A client that connects and never initializes holds a place; not for a minute.
        inner.session_config.init_timeout = Some(limits.body_time);
        // Replay is off, so nothing is primed for it and nothing kept for it.
        inner.session_config.sse_retry = None;
        inner.session_config.completed_cache_ttl = Duration::ZERO;
        let table = Table {
            total: limits.sessions,
            each: limits.sessions_per_principal,
            lifetime: limits.session_lifetime,
            open: Mutex::default(),
        };
        Self {
            inner,
            table: Arc::new(table),
        }
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Ends the sessions that are older than their lifetime.
    pub(crate) async fn sweep(&self) {
        for id in self.table.expired(Instant::now()) {
            // An error means that its worker had ended already; its place is free either way.
            let _ = self.close_session(&id).await;
        }
    }
}

impl Table {
    /// Whether this claims to belong to a session that is open. Only a claim: whose session it
    /// is, is looked at behind authentication.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> bool {
        let name = headers.get(&SESSION_ID).filter(|_| !is_stateless(headers));
        name.is_some_and(|name| self.lock().shown.contains(name))
    }

    /// The client of this session calls it so.
    pub(crate) fn is_shown_as(&self, id: &str, name: &HeaderValue) {
        let mut open = self.lock();
        let Open {
            sessions, shown, ..
        } = &mut *open;
        if let Some(session) = sessions.get_mut(id)
            && session.shown.is_none()
        {
            session.shown = Some(name.clone());
            shown.insert(name.clone());
        }
    }

    /// Whether there is room for one more.
    fn has_room(&self, owner: &str) -> bool {
        let open = self.lock();
        open.taken < self.total && open.by_owner.get(owner).is_none_or(|n| *n < self.each)
    }

    fn take(self: &Arc<Self>, owner: &str) -> Option<Place> {
        let mut open = self.lock();
        if open.taken >= self.total {
            return None;
        }
        let owner: Arc<str> = match open.by_owner.get_key_value(owner) {
            Some((_, n)) if *n >= self.each => return None,
            Some((owner, _)) => owner.clone(),
            None if self.each == 0 => return None,
            None => owner.into(),
        };
        open.taken += 1;
        *open.by_owner.entry(owner.clone()).or_default() += 1;
        Some(Place {
            table: self.clone(),
            owner,
        })
    }

    fn keep(&self, id: SessionId, place: Place) {
        let session = Session {
            opened: Instant::now(),
            shown: None,
            _place: place,
        };
        let before = self.lock().sessions.insert(id, session);
        drop(before);
    }

    /// Idempotent: rmcp closes each session twice, at the DELETE and when its worker ends.
    fn forget(&self, id: &SessionId) {
        // Dropped after the lock is free: giving the place back takes the lock again.
        let session = {
            let mut open = self.lock();
            let session = open.sessions.remove(id);
            if let Some(name) = session.as_ref().and_then(|one| one.shown.as_ref()) {
                open.shown.remove(name);
            }
            session
        };
        drop(session);
    }

    fn expired(&self, now: Instant) -> Vec<SessionId> {
        let open = self.lock();
        let old = |s: &Session| now.duration_since(s.opened) > self.lifetime;
        open.sessions
            .iter()
            .filter(|(_, s)| old(s))
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.table.lock();
        open.taken = open.taken.saturating_sub(1);
        if let Some(n) = open.by_owner.get_mut(&self.owner) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                open.by_owner.remove(&self.owner);
            }
        }
    }
}

impl SessionManager for BoundedSessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionsError> {
        // Without a caller there is nobody to count it for: fail closed.
        let place = CALLER
            .try_with(|caller| {
                let place = self.table.take(&caller.principal.key());
                caller.full.set(place.is_none());
                place
            })
            .ok()
            .flatten()
            .ok_or(SessionsError::Full)?;
        let (id, transport) = self.inner.create_session().await?;
        self.table.keep(id.clone(), place);
        Ok((id, transport))
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionsError> {
        let closed = self.inner.close_session(id).await;
        self.table.forget(id);
        Ok(closed?)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionsError> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionsError> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        Ok(self.inner.create_stream(id, message).await?)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionsError> {
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        Ok(self.inner.create_standalone_stream(id).await?)
    }

    /// Replay is refused: `Last-Event-ID` does not get past the ring, and if it did it
    /// would end here.
    async fn resume(
        &self,
        id: &SessionId,
        _last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        let refused = LocalSessionManagerError::SessionNotFound(id.clone());
        Err::<futures::stream::Empty<ServerSseMessage>, _>(SessionsError::Inner(refused))
    }

    /// A restored session would belong to whoever asked first; there is no store to restore
    /// from, and no way to restore.
    async fn restore_session(
        &self,
        _id: SessionId,
    ) -> Result<RestoreOutcome<Self::Transport>, SessionsError> {
        Ok(RestoreOutcome::NotSupported)
    }

    fn event_store(
        &self,
    ) -> Option<Arc<dyn rmcp::transport::streamable_http_server::session::EventStore>> {
        None
    }
}

impl From<LocalSessionManagerError> for SessionsError {
    fn from(error: LocalSessionManagerError) -> Self {
        Self::Inner(error)
    }
}

impl fmt::Display for SessionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("too many sessions"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionsError {}

/// Refuses a request that would open a session for which there is no room.
#[derive(Clone)]
pub(crate) struct SessionCapLayer {
    table: Arc<Table>,
    tally: Tally,
}

/// A service that opens so many sessions and no more.
#[derive(Clone)]
pub(crate) struct SessionCap<S> {
    layer: SessionCapLayer,
    inner: S,
}

pin_project! {
    /// An answer to a request that may open a session.
    pub(crate) struct Opening<F> {
        #[pin]
        future: TaskLocalFuture<Caller, F>,
        tally: Tally,
        version: Version,
    }
}

impl SessionCapLayer {
    pub(crate) fn new(table: &Arc<Table>, tally: &Tally) -> Self {
        Self {
            table: table.clone(),
            tally: tally.clone(),
        }
    }
}

impl<S> Layer<S> for SessionCapLayer {
    type Service = SessionCap<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionCap {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for SessionCap<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future =
        Either<Ready<Result<Response<Body>, S::Error>>, Either<S::Future, Opening<S::Future>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let headers = request.headers();
        if request.method() != Method::POST || headers.contains_key(&SESSION_ID) {
            return Either::Right(Either::Left(self.inner.call(request)));
        }
        let SessionCapLayer { table, tally } = &self.layer;
        let version = request.version();
        let Some(principal) = request.extensions().get::<Principal>().cloned() else {
            return Either::Left(ready(Ok(INTERNAL.response())));
        };
        // An `initialize` opens a session whatever its header says, so every request without
        // one carries its caller; but only one that looks like it is worth an early no.
        if !is_stateless(headers) && !table.has_room(&principal.key()) {
            return Either::Left(ready(Ok(tally.refuse(&SESSIONS_FULL, version))));
        }
        let caller = Caller {
            principal,
            full: Cell::new(false),
        };
        let future = CALLER.scope(caller, self.inner.call(request));
        Either::Right(Either::Right(Opening {
            future,
            tally: tally.clone(),
            version,
        }))
    }
}

impl<F, E> Future for Opening<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let response = task_ready!(this.future.as_mut().poll(cx))?;
        let full = this
            .future
            .take_value()
            .is_some_and(|caller| caller.full.get());
        Poll::Ready(Ok(match full {
            true => this.tally.refuse(&SESSIONS_FULL, *this.version),
            false => response,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::auth::Assurance;

    fn sessions(total: usize, each: usize) -> BoundedSessions {
        BoundedSessions::new(&HttpLimits {
            sessions: total,
            sessions_per_principal: each,
            ..HttpLimits::default()
        })
    }

    async fn open(sessions: &BoundedSessions, who: &str) -> Option<SessionId> {
        let principal = Principal::minted("i", who, Assurance::LocalToken);
        let caller = Caller {
            principal,
            full: Cell::new(false),
        };
        let opened = CALLER.scope(caller, sessions.create_session()).await;
        opened.ok().map(|(id, _transport)| id)
    }

    #[tokio::test]
    async fn one_principal_cannot_use_up_the_places_of_all() {
        let sessions = sessions(3, 2);
        assert!(open(&sessions, "alice").await.is_some());
        assert!(open(&sessions, "alice").await.is_some());
        assert!(open(&sessions, "alice").await.is_none(), "her own cap");
        assert!(open(&sessions, "bob").await.is_some());
        assert!(open(&sessions, "carol").await.is_none(), "the cap for all");
        assert_eq!(sessions.table.count(), 3);
    }

    #[tokio::test]
    async fn a_session_closed_twice_gives_back_one_place() {
        let sessions = sessions(2, 2);
        let first = open(&sessions, "alice").await.unwrap();
        let _second = open(&sessions, "alice").await.unwrap();
        let _ = sessions.close_session(&first).await;
        let _ = sessions.close_session(&first).await;
        assert_eq!(sessions.table.count(), 1);
        assert!(open(&sessions, "alice").await.is_some());
        assert!(open(&sessions, "alice").await.is_none());
    }

    #[tokio::test]
    async fn without_a_caller_no_session_is_made() {
        assert!(sessions(2, 2).create_session().await.is_err());
    }

    #[tokio::test]
    async fn a_session_does_not_outlive_its_time() {
        let limits = HttpLimits {
            session_lifetime: Duration::ZERO,
            ..HttpLimits::default()
        };
        let sessions = BoundedSessions::new(&limits);
        let id = open(&sessions, "alice").await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        sessions.sweep().await;
        assert!(!sessions.has_session(&id).await.unwrap());
        assert_eq!(sessions.table.count(), 0);
    }

    #[tokio::test]
    async fn what_nobody_holds_any_more_is_not_remembered() {
        let sessions = sessions(8, 8);
        for n in 0..8 {
            let id = open(&sessions, &format!("p{n}")).await.unwrap();
            let _ = sessions.close_session(&id).await;
        }
        let open = sessions.table.lock();
        assert!(open.sessions.is_empty() && open.by_owner.is_empty() && open.taken == 0);
    }
}
