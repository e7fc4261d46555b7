//! Who is asking: the one place of the HTTP ring where a principal comes from.
//!
//! It runs before a byte of the body is read. Behind it nobody sees the credential: the
//! headers that carry one are removed, so no tool can pass the caller's token on.

use std::{
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready as task_ready},
    time::SystemTime,
};

use futures::future::{Either, OptionFuture};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header, request::Parts};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};
use zeroize::Zeroizing;

use super::{
    api_keys::ApiKeys,
    body::Body,
    local_token::LocalToken,
    refusal::{INVALID_TOKEN, Refusal, Tally, UNAUTHENTICATED},
};
use crate::{auth::Principal, layer::identity::Peer};

/// Turns a request head into a principal, or says why not.
///
/// Known only inside this crate, so that nobody else mints a principal. An answer that
/// needs no waiting is a [`Ready`]; one that fetches keys brings a future of its own.
pub(crate) trait Authenticator: Send + Sync + 'static {
    type Verdict: Future<Output = Result<Principal, Denied>> + Send;

    fn authenticate(&self, head: &Parts) -> Self::Verdict;

    /// The credential of this request, if some grant exchanges it.
    fn presented(&self, _: &HeaderMap) -> Option<Zeroizing<String>> {
        None
    }

    /// What every answer carries for the next request of this caller.
    fn nonce(&self) -> Option<(HeaderName, HeaderValue)> {
        None
    }
}

/// The request has no identity.
#[derive(Debug)]
pub(crate) struct Denied {
    refusal: &'static Refusal,
    /// The check that says no, where it is finer than the refusal's.
    control: &'static str,
    /// Replace the constant ones of the same name: where OAuth names its metadata, a nonce.
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What a server was declared with.
pub(crate) enum Auth {
    /// A secret in a file that only its owner can read.
    LocalToken(LocalToken),
    /// Keys in a file of the server's own.
    ApiKeys(Arc<ApiKeys>),
    /// The kernel named the peer of this connection.
    Peer(Principal),
    /// An authorization server's access tokens.
    #[cfg(feature = "oauth")]
    Tokens(Box<super::issued::Tokens>),
    /// The certificate that the connection showed is in a table.
    #[cfg(feature = "tls")]
    Certificates(std::collections::HashMap<[u8; 32], Principal>),
    /// Several people, for tests.
    #[cfg(any(test, feature = "testing"))]
    Table(Vec<(&'static str, Principal)>),
}

/// Puts an [`Authenticator`] in front of a service.
pub(crate) struct AuthenticateLayer<A> {
    authenticator: Arc<A>,
    tally: Tally,
}

/// A service that only requests with a [`Principal`] in their extensions reach.
pub(crate) struct Authenticate<A, S> {
    authenticator: Arc<A>,
    tally: Tally,
    inner: S,
}

type Nonce = Option<(HeaderName, HeaderValue)>;

pin_project! {
    #[project = StateProj]
    pub(crate) enum State<V, S, B>
    where
        S: Service<Request<B>>,
    {
        Asking {
            #[pin] verdict: V,
            waiting: Option<(Parts, B, S, Tally)>,
            nonce: Nonce,
            presented: Option<Zeroizing<String>>,
        },
        Admitted { #[pin] future: S::Future, over: End, nonce: Nonce },
    }
}

impl Denied {
    /// There is no credential, or none that can be read.
    pub(crate) fn missing() -> Self {
        Self::of(&UNAUTHENTICATED)
    }

    /// The connection showed no certificate, or one that nobody has here.
    #[cfg(feature = "tls")]
    fn certificate() -> Self {
        Self::of(&super::refusal::CERTIFICATE)
    }

    /// There is one, and it is not good.
    pub(crate) fn invalid() -> Self {
        Self::of(&INVALID_TOKEN)
    }

    fn of(refusal: &'static Refusal) -> Self {
        Self::by(refusal.control, refusal, Vec::new())
    }

    /// Said by a check of its own.
    pub(crate) fn by(
        control: &'static str,
        refusal: &'static Refusal,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self {
            refusal,
            control,
            headers,
        }
    }
}

/// The bearer token of a request: exactly one `Authorization`, in the header and nowhere
/// else (RFC 6750; the query parameter of its section 2.3 ends up in logs).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&[u8], Denied> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(Denied::missing)?;
    if values.next().is_some() {
        return Err(Denied::missing());
    }
    let (scheme, token) = value
        .as_bytes()
        .split_at_checked(7)
        .ok_or_else(Denied::missing)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() {
        return Err(Denied::missing());
    }
    Ok(token)
}

#[cfg(feature = "oauth")]
type Asked = super::issued::Verdict;
#[cfg(not(feature = "oauth"))]
type Asked = Ready<Result<Principal, Denied>>;

impl Authenticator for Auth {
    type Verdict = Either<Ready<Result<Principal, Denied>>, Asked>;

    fn nonce(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            #[cfg(feature = "oauth")]
            Self::Tokens(tokens) => tokens.nonce(),
            _ => None,
        }
    }

    fn presented(&self, headers: &HeaderMap) -> Option<Zeroizing<String>> {
        #[cfg(feature = "oauth")]
        if let Self::Tokens(tokens) = self {
            return tokens.presented(headers);
        }
        let _ = headers;
        None
    }

    fn authenticate(&self, head: &Parts) -> Self::Verdict {
        Either::Left(ready(match self {
            #[cfg(feature = "oauth")]
            Self::Tokens(tokens) => return Either::Right(tokens.authenticate(head)),
            Self::LocalToken(token) => {
                bearer(&head.headers).and_then(|presented| token.verify(presented))
            }
            Self::ApiKeys(keys) => {
                bearer(&head.headers).and_then(|presented| keys.verify(presented))
            }
            Self::Peer(principal) => Ok(principal.clone()),
            #[cfg(feature = "tls")]
            Self::Certificates(table) => {
                let shown = head.extensions.get::<crate::auth::PeerThumbprint>();
                let principal = shown.and_then(|shown| table.get(&shown.0));
                principal.cloned().ok_or_else(Denied::certificate)
            }
            #[cfg(any(test, feature = "testing"))]
            Self::Table(people) => bearer(&head.headers).and_then(|presented| {
                people
                    .iter()
                    .find(|(token, _)| token.as_bytes() == presented)
                    .map(|(_, principal)| principal.clone())
                    .ok_or_else(Denied::invalid)
            }),
        }))
    }
}

/// A proof of possession (RFC 9449): good for one request, and nobody's business inside.
const DPOP: HeaderName = HeaderName::from_static("dpop");

impl<A> AuthenticateLayer<A> {
    pub(crate) fn new(authenticator: &Arc<A>, tally: &Tally) -> Self {
        Self {
            authenticator: authenticator.clone(),
            tally: tally.clone(),
        }
    }
}

impl<A, S> Layer<S> for AuthenticateLayer<A> {
    type Service = Authenticate<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self {
            authenticator,
            tally,
        } = self;
        Authenticate {
            authenticator: authenticator.clone(),
            tally: tally.clone(),
            inner,
        }
    }
}

impl<A, S, B> Service<Request<B>> for Authenticate<A, S>
where
    A: Authenticator,
    S: Service<Request<B>, Response = Response<Body>> + Clone,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = State<A::Verdict, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled ready goes with the request; a clone stays.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let (head, body) = request.into_parts();
        let verdict = self.authenticator.authenticate(&head);
        State::Asking {
            verdict,
            presented: self.authenticator.presented(&head.headers),
            waiting: Some((head, body, inner, self.tally.clone())),
            nonce: self.authenticator.nonce(),
        }
    }
}

impl<V, S, B> Future for State<V, S, B>
where
    V: Future<Output = Result<Principal, Denied>>,
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Output = Result<Response<Body>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let (future, over, nonce) = match self.as_mut().project() {
                StateProj::Admitted {
                    future,
                    over,
                    nonce,
                } => {
                    let mut response = task_ready!(future.poll(cx))?;
                    if let Some(end) = std::mem::take(over).into_future() {
                        response.body_mut().end_stream_with(end);
                    }
                    if let Some((name, value)) = nonce.take() {
                        response.headers_mut().insert(name, value);
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProj::Asking {
                    verdict,
                    waiting,
                    nonce,
                    presented,
                } => {
                    let verdict = task_ready!(verdict.poll(cx));
                    let Some((mut head, body, mut inner, tally)) = waiting.take() else {
                        // Polled again after the answer, against the contract of `Future`.
                        return Poll::Pending;
                    };
                    let principal = match verdict {
                        Ok(principal) => principal,
                        Err(Denied {
                            refusal,
                            control,
                            headers,
                        }) => {
                            let mut response = tally.refuse_as(control, refusal, head.version);
                            let told = response.headers_mut();
                            for (name, _) in &headers {
                                told.remove(name);
                            }
                            for (name, value) in headers {
                                told.append(name, value);
                            }
                            return Poll::Ready(Ok(response));
                        }
                    };
                    for secret in [
                        header::AUTHORIZATION,
                        header::PROXY_AUTHORIZATION,
                        header::COOKIE,
                        DPOP,
                    ] {
                        head.headers.remove(secret);
                    }
                    let over = end_of_stream(&head, &principal);
                    let presented = presented.take();
                    #[cfg(feature = "oauth")]
                    if let Some(token) = presented {
                        let inbound = crate::auth::oauth::Inbound::new(token, &principal);
                        head.extensions.insert(inbound);
                    }
                    #[cfg(not(feature = "oauth"))]
                    drop(presented);
                    head.extensions.insert(principal);
                    if let Some(peer) = tally.peer() {
                        head.extensions.insert(Peer(peer));
                    }
                    (
                        inner.call(Request::from_parts(head, body)),
                        over,
                        nonce.take(),
                    )
                }
            };
            self.set(State::Admitted {
                future,
                over,
                nonce,
            });
        }
    }
}

/// When the stream that a request opens has to end: one without an end of its own would go on
/// after the token that opened it (spec AUTHZ-26). An answer ends by itself, and in time.
pub(super) fn end_of_stream(head: &Parts, principal: &Principal) -> End {
    if head.method != Method::GET {
        return End::default();
    }
    let left = |expires: SystemTime| {
        let left = expires.duration_since(SystemTime::now());
        Instant::now().checked_add(left.unwrap_or_default())
    };
    End {
        at: principal.expires().and_then(left),
        with: principal.over(),
    }
}

/// What ends a stream.
#[derive(Default)]
pub(crate) struct End {
    at: Option<Instant>,
    with: Option<CancellationToken>,
}

impl End {
    /// Ready when the first of its reasons is there; `None` if there is none.
    pub(super) fn into_future(self) -> Option<impl Future<Output = ()> + Send + Sync + 'static> {
        let Self { at, with } = self;
        let some = at.is_some() || with.is_some();
        let time = OptionFuture::from(at.map(tokio::time::sleep_until));
        let word = OptionFuture::from(with.map(CancellationToken::cancelled_owned));
        some.then_some(async move {
            tokio::select! { Some(()) = time => {}, Some(()) = word => {} }
        })
    }
}

impl<A, S: Clone> Clone for Authenticate<A, S> {
    fn clone(&self) -> Self {
        let Self {
            authenticator,
            tally,
            inner,
        } = self;
        Self {
            authenticator: authenticator.clone(),
            tally: tally.clone(),
            inner: inner.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use tower::ServiceExt;

    use super::*;
    use crate::{auth::Assurance, server::http::tests::tally};

    async fn inner(request: Request<()>) -> Result<Response<Body>, Infallible> {
        assert!(request.extensions().get::<Principal>().is_some());
        for secret in ["authorization", "proxy-authorization", "cookie"] {
            assert!(
                !request.headers().contains_key(secret),
                "{secret} went through"
            );
        }
        assert_eq!(request.headers()["x-other"], "stays");
        Ok(Response::new(Body::constant("in".into())))
    }

    async fn send(headers: &[(&str, &str)]) -> Response<Body> {
        let alice = Principal::minted("i", "alice", Assurance::LocalToken);
        let (tally, _) = tally();
        let auth = Arc::new(Auth::Table(vec![("secret", alice)]));
        let service = AuthenticateLayer::new(&auth, &tally).layer(tower::service_fn(inner));
        let mut request = Request::builder().uri("/mcp?access_token=secret");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        service
            .oneshot(request.header("x-other", "stays").body(()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn one_bearer_token_in_the_header_and_nothing_else_is_an_identity() {
        for (value, expected) in [
            ("Bearer secret", 200),
            ("bearer secret", 200),
            ("BEARER   secret ", 200),
            ("Bearer secre", 401),
            ("Bearer secrets", 401),
            ("Bearer Secret", 401),
            ("Bearer", 401),
            ("Bearer ", 401),
            ("Bearersecret", 401),
            ("Basic secret", 401),
            ("secret", 401),
            ("", 401),
        ] {
            let response = send(&[("authorization", value)]).await;
            assert_eq!(response.status().as_u16(), expected, "{value:?}");
        }
        assert_eq!(send(&[]).await.status(), 401, "the query is never read");
        let good = ("authorization", "Bearer secret");
        assert_eq!(send(&[good, good]).await.status(), 401);
        assert_eq!(
            send(&[good, ("authorization", "Bearer x")]).await.status(),
            401
        );
        assert_eq!(send(&[("cookie", "token=secret")]).await.status(), 401);
    }

    #[tokio::test]
    async fn what_carried_the_credential_stays_outside() {
        let headers = [
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("proxy-authorization", "c"),
        ];
        assert_eq!(send(&headers).await.status(), 200);
    }

    #[tokio::test]
    async fn the_challenge_names_an_error_only_when_a_token_was_shown() {
        assert_eq!(send(&[]).await.headers()["www-authenticate"], "Bearer");
        let response = send(&[("authorization", "Bearer x")]).await;
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer error=\"invalid_token\""
        );
    }
}
