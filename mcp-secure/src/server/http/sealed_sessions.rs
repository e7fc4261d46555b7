//! Session ids that work for one principal only.
//!
//! To rmcp a session id is the only key: whoever learns it can use, resume and delete the
//! session (CVE-2026-52869 was this bug in another SDK). So the id that leaves is sealed to
//! the principal it was made for, and one that comes in is opened with the principal of
//! *this* request, for every method. There is no table: what does not open is "not found",
//! be it foreign, forged, too old or from another process.
//!
//! Requests of the 2026-07-28 revision have no sessions; the header is dropped unread.
//! `Last-Event-ID` is dropped always: replay is not offered in this version, and rmcp's
//! event store, which ignores the session, is never configured.

use std::{
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready as task_ready},
    time::Duration,
};

use futures::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{
    body::Body,
    headers::PROTOCOL_VERSION,
    refusal::{INTERNAL, Refusal, SESSION, Tally},
    session_cap::Table,
};
use crate::{auth::Principal, state::Sealer};

/// The id of the session inside this process, for the pipeline's own check that a session
/// is used by the principal who opened it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey(pub(crate) Arc<str>);

/// Seals ids on their way out and opens them on their way in.
#[derive(Clone)]
pub(crate) struct SealedSessionsLayer {
    sealer: Sealer,
    lifetime: Duration,
    tally: Tally,
    /// Where the sealed ids are kept for who cannot open them.
    table: Option<Arc<Table>>,
}

/// A service that sees its own ids only.
#[derive(Clone)]
pub(crate) struct SealedSessions<S> {
    layer: SealedSessionsLayer,
    inner: S,
}

pin_project! {
    /// An answer whose session id, if it has one, is sealed.
    pub(crate) struct Sealing<F> {
        #[pin]
        future: F,
        // Only a request without a session can open one.
        seal_for: Option<(Principal, SealedSessionsLayer)>,
    }
}

pub(crate) static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const PURPOSE: &str = "session";

/// Whether a request says that it follows the revision without sessions.
///
/// rmcp compares the same header in the same way, and checks it against the body.
pub(crate) fn is_stateless(headers: &HeaderMap) -> bool {
    headers
        .get(&PROTOCOL_VERSION)
        .is_some_and(|v| v.as_bytes() >= b"2026-07-28".as_slice())
}

impl SealedSessionsLayer {
    pub(crate) fn new(sealer: &Sealer, lifetime: Duration, tally: &Tally) -> Self {
        Self {
            sealer: sealer.clone(),
            lifetime,
            tally: tally.clone(),
            table: None,
        }
    }

    pub(crate) fn remembered_in(mut self, table: &Arc<Table>) -> Self {
        self.table = Some(Arc::clone(table));
        self
    }

    /// Replaces the sealed id by the real one. `Ok(None)` if there is none.
    fn open<B>(&self, request: &mut Request<B>) -> Result<Option<Principal>, &'static Refusal> {
        let Some(principal) = request.extensions().get::<Principal>() else {
            return Err(&INTERNAL);
        };
        let headers = request.headers();
        if is_stateless(headers) || !headers.contains_key(&SESSION_ID) {
            let principal = principal.clone();
            request.headers_mut().remove(&SESSION_ID);
            return Ok(Some(principal));
        }
        let mut values = headers.get_all(&SESSION_ID).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().map_err(|_| &SESSION)?,
            _ => return Err(&SESSION),
        };
        let id: String = self
            .sealer
            .open(value, principal, PURPOSE)
            .map_err(|_| &SESSION)?;
        let value = HeaderValue::from_str(&id).map_err(|_| &SESSION)?;
        request.headers_mut().insert(&SESSION_ID, value);
        request.extensions_mut().insert(SessionKey(id.into()));
        Ok(None)
    }

    fn seal(&self, headers: &mut HeaderMap, principal: &Principal) -> Result<(), &'static Refusal> {
        let Some(id) = headers.get(&SESSION_ID) else {
            return Ok(());
        };
        let id = id.to_str().map_err(|_| &INTERNAL)?;
        let sealed = self
            .sealer
            .seal(&id, principal, PURPOSE, self.lifetime)
            .ok_or(&INTERNAL)?;
        let value = HeaderValue::try_from(sealed.into_string()).map_err(|_| &INTERNAL)?;
        if let Some(table) = &self.table {
            table.is_shown_as(id, &value);
        }
        headers.insert(&SESSION_ID, value);
        Ok(())
    }
}

impl<S> Layer<S> for SealedSessionsLayer {
    type Service = SealedSessions<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SealedSessions {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for SealedSessions<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, Sealing<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.headers_mut().remove(&LAST_EVENT_ID);
        match self.layer.open(&mut request) {
            Ok(principal) => Either::Right(Sealing {
                future: self.inner.call(request),
                seal_for: principal.map(|principal| (principal, self.layer.clone())),
            }),
            Err(refusal) => Either::Left(ready(Ok(self
                .layer
                .tally
                .refuse(refusal, request.version())))),
        }
    }
}

impl<F, E> Future for Sealing<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = task_ready!(this.future.poll(cx))?;
        let sealed = match &this.seal_for {
            Some((principal, layer)) => layer.seal(response.headers_mut(), principal),
            // A bare id must not leave, whatever rmcp had in mind.
            None => {
                response.headers_mut().remove(&SESSION_ID);
                Ok(())
            }
        };
        Poll::Ready(Ok(match sealed {
            Ok(()) => response,
            Err(refusal) => refusal.response(),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use tower::ServiceExt;

    use super::*;
    use crate::{auth::Assurance, server::http::tests::tally};

    /// Opens session `inner-1` for who has none, and tells what it saw.
    async fn inner(request: Request<()>) -> Result<Response<Body>, Infallible> {
        assert!(!request.headers().contains_key("last-event-id"));
        let seen = request.headers().get("mcp-session-id").cloned();
        let mut response = Response::new(Body::constant("ok".into()));
        match seen {
            Some(id) => {
                let key = request.extensions().get::<SessionKey>().unwrap();
                assert_eq!(id.to_str().unwrap(), &*key.0);
                response.headers_mut().insert("x-seen", id);
            }
            None => {
                response
                    .headers_mut()
                    .insert("mcp-session-id", "inner-1".parse().unwrap());
            }
        }
        Ok(response)
    }

    fn person(name: &str) -> Principal {
        Principal::minted("i", name, Assurance::LocalToken)
    }

    async fn send(sealer: &Sealer, who: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let (tally, _) = tally();
        let layer = SealedSessionsLayer::new(sealer, Duration::from_secs(60), &tally);
        let mut request = Request::builder().header("last-event-id", "0/1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.extension(person(who)).body(()).unwrap();
        layer
            .layer(tower::service_fn(inner))
            .oneshot(request)
            .await
            .unwrap()
    }

    fn session(response: &Response<Body>) -> String {
        response.headers()["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[tokio::test]
    async fn an_id_opens_for_the_principal_it_was_made_for_and_nobody_else() {
        let sealer = Sealer::random().unwrap();
        let id = session(&send(&sealer, "alice", &[]).await);
        assert!(!id.contains("inner"));
        assert!(id.bytes().all(|b| (0x21..=0x7e).contains(&b)));
        let own = send(&sealer, "alice", &[("mcp-session-id", &id)]).await;
        assert_eq!(own.headers()["x-seen"], "inner-1");
        assert_eq!(
            send(&sealer, "mallory", &[("mcp-session-id", &id)])
                .await
                .status(),
            404
        );
        let other = Sealer::random().unwrap();
        assert_eq!(
            send(&other, "alice", &[("mcp-session-id", &id)])
                .await
                .status(),
            404
        );
    }

    #[tokio::test]
    async fn a_bare_a_forged_or_a_second_id_is_not_found() {
        let sealer = Sealer::random().unwrap();
        let id = session(&send(&sealer, "alice", &[]).await);
        let cursor = sealer
            .seal(
                &"inner-1",
                &person("alice"),
                "cursor",
                Duration::from_secs(60),
            )
            .unwrap()
            .into_string();
        for bad in ["inner-1", "", "x", &cursor, &format!("{id}A")] {
            let response = send(&sealer, "alice", &[("mcp-session-id", bad)]).await;
            assert_eq!(response.status(), 404, "{bad}");
        }
        let twice = [
            ("mcp-session-id", id.as_str()),
            ("mcp-session-id", id.as_str()),
        ];
        assert_eq!(send(&sealer, "alice", &twice).await.status(), 404);
    }

    #[tokio::test]
    async fn the_revision_without_sessions_does_not_look_at_the_header() {
        let sealer = Sealer::random().unwrap();
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-session-id", "inner-1"),
        ];
        let response = send(&sealer, "alice", &headers).await;
        assert_eq!(response.status(), 200);
        assert!(
            !response.headers().contains_key("x-seen"),
            "it never got in"
        );
    }
}
