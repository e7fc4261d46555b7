//! The door of the HTTP ring as a [`tower::Layer`], for an application with routes and a listener of
//! its own.
//!
//! The checks are those of [`ring.rs`](super::ring), in its order, as far as they need nothing but
//! the head of a request: they are run around a leaf that only keeps what was let in.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::{BoxFuture, Either, Ready, ready};
use http::{HeaderMap, Request, Response, header, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service, ServiceExt as _, service_fn};

use super::{
    authenticate::{AuthenticateLayer, End, end_of_stream},
    body::Body,
    builder::{Authenticated, Door, Http, Served},
    challenge::{Challenges, Why},
    gate::{Gate, GateLayer},
    hygiene::harden,
    metadata::MetadataLayer,
    query::NoQueryTokens,
    rate::RateLayer,
    refusal::{
        BODY_TOO_LARGE, FULL, INSUFFICIENT_SCOPE, INTERNAL, PROXY_SILENT, PreAuthSink, Refusal,
        Tally, UNDECLARED_PROXY,
    },
};
use crate::{Error, Result, auth::Principal, capability::Opening, pipeline::BoxError};

/// The body of what comes out of a layer.
pub type LayerBody = UnsyncBoxBody<Bytes, BoxError>;

/// The door of the HTTP ring, for any [`tower::Service`] over [`http::Request`]: axum, hyper.
///
/// In the order of the checks: the rate of a network, `Host`, the RFC 9728 document, `Origin`, tokens
/// in the query, whether there is a place (if [`concurrency`](Self::concurrency) says how many there
/// are), authentication. What gets through has a [`Principal`] in its extensions and neither
/// `Authorization` nor cookies; a stream that a `GET` opened ends with its token. Bodies pass as
/// they are: only a `Content-Length` above
/// [`body_bytes`](super::HttpLimits::body_bytes) is refused, before authentication, so the
/// application limits what it reads.
///
/// Made by [`Http::layer`]; a clone is the same one.
#[derive(Clone)]
pub struct HttpLayer {
    shared: Arc<Inner>,
    places: Places,
}

struct Inner {
    door: Door,
    size: Arc<Size>,
    query: Arc<NoQueryTokens>,
    sink: Arc<dyn PreAuthSink>,
    peer: Box<PeerOf>,
    scopes: Vec<String>,
}

/// Which address a connection came from.
type PeerOf = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// A service behind an [`HttpLayer`].
#[derive(Clone)]
pub struct HttpService<S> {
    shared: Arc<Inner>,
    places: Places,
    inner: S,
}

/// Lets only a [`Principal`] pass that has these scopes; others hear 403 with all of them, so that
/// a client can ask for more. Made by [`HttpLayer::require`], for a route behind that layer.
#[derive(Clone)]
pub struct ScopeLayer {
    scopes: Arc<[String]>,
    challenges: Option<Arc<Challenges>>,
}

/// A service behind a [`ScopeLayer`].
#[derive(Clone)]
pub struct ScopeService<S> {
    layer: ScopeLayer,
    inner: S,
}

impl Http<Authenticated> {
    /// The checks of this crate's own server before a body is read, for an application that brings
    /// the routes and the listener.
    ///
    /// `name` and `scopes` are what the RFC 9728 document says. `peer` says which address a
    /// connection came from: from axum's `ConnectInfo`, or from what the accepting code put there.
    /// A request whose peer is not known is refused: it would be of no network, and no rate would
    /// hold it. Where [`behind_proxy`](Self::behind_proxy) is declared, the client's address is read
    /// from what that proxy says.
    ///
    /// ```no_run
    /// use mcp_secure::prelude::*;
    ///
    /// # async fn example() -> mcp_secure::Result<()> {
    /// #[derive(Clone)]
    /// struct Peer(std::net::SocketAddr); // put into the extensions by the code that accepts
    ///
    /// let door = Http::on("127.0.0.1:8000")
    ///     .api_keys("keys.json")
    ///     .layer("notes", ["notes:read"], |head| Some(head.extensions.get::<Peer>()?.0.ip()))
    ///     .await?;
    /// let reading = door.require(["notes:read"])?;
    /// // Router::new().route("/notes", get(notes).layer(reading)).layer(door)
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When what was declared would stop a server from starting, when the port is 0, or when TLS is
    /// to be ended by a listener that a layer does not have.
    pub async fn layer<I: IntoIterator<Item = T>, T: Into<String>>(
        self,
        name: &str,
        scopes: I,
        peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Result<HttpLayer> {
        let mut scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let mut opening = Opening::default();
        let door = self.door(&mut Served {
            name,
            scopes: scopes.clone(),
            store: None,
            has_pages: false,
            opening: &mut opening,
        })?;
        futures::future::try_join_all(opening.ready).await?;
        Ok(HttpLayer {
            shared: Arc::new(Inner {
                size: Arc::new(Size(door.most_bytes)),
                door,
                query: Arc::new(NoQueryTokens),
                sink: Arc::new(Told),
                peer: Box::new(peer),
                scopes,
            }),
            places: Places::default(),
        })
    }
}

impl HttpLayer {
    /// The application serves at most so many requests at once; more are told to come back, with 503
    /// and `Retry-After`, before their tokens are checked and before their bodies come
    /// (`load_shed/door`). A request has its place from authentication until the application has
    /// answered; the body of the answer may take longer.
    ///
    /// Without it nothing is counted here. All clones and services of this layer share the places.
    ///
    /// # Errors
    ///
    /// When there is no place at all.
    pub fn concurrency(mut self, most: usize) -> Result<Self> {
        if most == 0 {
            return Err(
                Error::new("a layer with no place for a request serves nothing")
                    .help("say how many requests the application serves at once"),
            );
        }
        let most = most.min(Semaphore::MAX_PERMITS);
        self.places = Places(Some(Arc::new(Semaphore::new(most))));
        Ok(self)
    }

    /// A layer for routes that need these scopes, all of them.
    ///
    /// # Errors
    ///
    /// When none is named, or one that the RFC 9728 document does not tell.
    pub fn require<I: IntoIterator<Item = T>, T: Into<String>>(
        &self,
        scopes: I,
    ) -> Result<ScopeLayer> {
        let scopes: Arc<[String]> = scopes.into_iter().map(Into::into).collect();
        if scopes.is_empty() {
            return Err(Error::new("a route is to need a scope, and none is named")
                .help("name one, or leave the layer away: a principal is needed in any case"));
        }
        if let Some(unknown) = scopes
            .iter()
            .find(|scope| !self.shared.scopes.contains(scope))
        {
            return Err(Error::new(format!(
                "`{unknown}` is needed by a route, and clients are not told of it"
            ))
            .help("name it in `.layer(…)`, too"));
        }
        Ok(ScopeLayer {
            scopes,
            challenges: self.shared.door.issued.challenges.clone(),
        })
    }
}

/// Says what was turned away to the process's own log.
struct Told;

impl PreAuthSink for Told {
    fn refused(&self, control: &'static str, peer: Option<IpAddr>) {
        let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
        tracing::warn!(target: "mcp_secure::http", control, peer, "refused");
    }
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> HttpService<S> {
        HttpService {
            shared: Arc::clone(&self.shared),
            places: self.places.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for HttpService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<LayerBody>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled ready goes with the request; a clone stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        let places = self.places.clone();
        Box::pin(async move {
            let Judged {
                response,
                admitted,
                tally,
            } = shared.judge(request, &places).await;
            let Some((head, body)) = admitted else {
                return Ok(response.map(own));
            };
            // The last one may be taken since the door was passed.
            let Some(_place) = places.take() else {
                return Ok(harden(tally.put_off(&FULL)).map(own));
            };
            let end = match head.extensions.get::<Principal>() {
                Some(principal) => end_of_stream(&head, principal),
                // Nothing comes through the ring without one.
                None => return Ok(INTERNAL.response().map(own)),
            };
            let mut answer = inner.call(Request::from_parts(head, body)).await?;
            for (name, value) in said_for_all(response.headers()) {
                answer.headers_mut().insert(name, value.clone());
            }
            Ok(answer.map(|body| ending(body, end)))
        })
    }
}

/// What the door says on every answer: a nonce, and that nothing is kept.
fn said_for_all(
    headers: &HeaderMap,
) -> impl Iterator<Item = (http::HeaderName, &http::HeaderValue)> {
    headers
        .iter()
        .filter(|(name, _)| !matches!(**name, header::CONTENT_TYPE | header::CONTENT_LENGTH))
        .map(|(name, value)| (name.clone(), value))
}

impl Inner {
    /// Runs the checks around a leaf that keeps what reaches it.
    async fn judge<B: Send + 'static>(&self, request: Request<B>, places: &Places) -> Judged<B> {
        let (head, body) = request.into_parts();
        let connected = (self.peer)(&head);
        let refused = |tally: Tally, refusal: &Refusal, version| Judged {
            response: harden(tally.refuse(refusal, version)),
            admitted: None,
            tally,
        };
        let nobody = Tally::new(Arc::clone(&self.sink), connected);
        let Some(connected) = connected else {
            return refused(nobody, &INTERNAL, head.version);
        };
        let tally = match &self.door.proxies {
            None => nobody,
            Some(proxies) if !proxies.trusts(connected) => {
                let answer = nobody.refuse_as(UNDECLARED_PROXY, &PROXY_SILENT, head.version);
                return Judged {
                    response: harden(answer),
                    admitted: None,
                    tally: nobody,
                };
            }
            Some(proxies) => match proxies.client(&head.headers) {
                Ok(client) => nobody.for_peer(client),
                Err(refusal) => return refused(nobody, refusal, head.version),
            },
        };
        let kept = Arc::new(Mutex::new(None));
        let leaf = service_fn({
            let kept = Arc::clone(&kept);
            move |request: Request<B>| {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.into_parts());
                ready(Ok::<_, Infallible>(Response::new(Body::constant(
                    Bytes::new(),
                ))))
            }
        });
        let door = &self.door;
        let ring = (
            RateLayer::new(&door.limiter, &tally),
            GateLayer::new(&self.size, &tally),
            GateLayer::new(&door.hosts, &tally),
            MetadataLayer::new(&door.issued.metadata, &tally),
            GateLayer::new(&door.origins, &tally),
            GateLayer::new(&self.query, &tally),
            places.door(&tally),
            AuthenticateLayer::new(&door.auth, &tally),
        )
            .layer(leaf);
        let Ok(response) = ring.oneshot(Request::from_parts(head, body)).await;
        let admitted = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Judged {
            response: harden(response),
            admitted,
            tally,
        }
    }
}

/// What the door says of a request.
struct Judged<B> {
    response: Response<Body>,
    /// What goes on to the application.
    admitted: Option<(Parts, B)>,
    tally: Tally,
}

/// So many requests may be with the application.
#[derive(Clone, Default)]
struct Places(Option<Arc<Semaphore>>);

/// One that is taken, or one of as many as anybody likes.
struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    fn take(&self) -> Option<Place> {
        let permit = match &self.0 {
            None => None,
            Some(places) => Some(Arc::clone(places).try_acquire_owned().ok()?),
        };
        Some(Place { _permit: permit })
    }

    /// Nobody is let in while all are taken. No place is taken here: whoever shows a token that is
    /// none would have one for as long as an issuer is asked about it.
    fn door(&self, tally: &Tally) -> DoorLayer {
        DoorLayer {
            places: self.clone(),
            tally: tally.clone(),
        }
    }

    fn is_full(&self) -> bool {
        let places = self.0.as_ref();
        places.is_some_and(|places| places.available_permits() == 0)
    }
}

struct DoorLayer {
    places: Places,
    tally: Tally,
}

#[derive(Clone)]
struct AtTheDoor<S> {
    places: Places,
    tally: Tally,
    inner: S,
}

impl<S> Layer<S> for DoorLayer {
    type Service = AtTheDoor<S>;

    fn layer(&self, inner: S) -> AtTheDoor<S> {
        AtTheDoor {
            places: self.places.clone(),
            tally: self.tally.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for AtTheDoor<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.places.is_full() {
            // The connection is somebody else's: its listener knows how patient it is.
            true => Either::Left(ready(Ok(self.tally.put_off(&FULL)))),
            false => Either::Right(self.inner.call(request)),
        }
    }
}

/// A body that says of itself that it is too large need not come.
struct Size(u64);

impl Gate for Size {
    fn check<B>(&self, request: &Request<B>) -> Result<(), &'static Refusal> {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        match length.is_some_and(|length| length > self.0) {
            true => Err(&BODY_TOO_LARGE),
            false => Ok(()),
        }
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, inner: S) -> ScopeService<S> {
        ScopeService {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B, R> Service<Request<B>> for ScopeService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<LayerBody>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let refusal = match request.extensions().get::<Principal>() {
            Some(principal) if self.layer.scopes.iter().all(|s| principal.has_scope(s)) => {
                let future = self.inner.call(request);
                return Box::pin(async move {
                    let answer = future.await?;
                    Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
                });
            }
            Some(_) => self.layer.forbidden(),
            // Somebody put the route in front of the door.
            None => INTERNAL.response(),
        };
        Box::pin(ready(Ok(harden(refusal).map(own))))
    }
}

impl ScopeLayer {
    fn forbidden(&self) -> Response<Body> {
        let mut response = INSUFFICIENT_SCOPE.response();
        if let Some(challenges) = &self.challenges {
            let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
            for value in challenges.values(Why::InsufficientScope(&scopes)) {
                response
                    .headers_mut()
                    .append(header::WWW_AUTHENTICATE, value);
            }
        }
        response
    }
}

fn own(body: Body) -> LayerBody {
    body.map_err(|never| match never {}).boxed_unsync()
}

/// The body, which ends with the credential that opened it.
fn ending<R>(body: R, end: End) -> LayerBody
where
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let body = body.map_err(Into::into);
    match end.into_future() {
        None => body.boxed_unsync(),
        Some(end) => Ending {
            body: Box::pin(body),
            end: Box::pin(end),
        }
        .boxed_unsync(),
    }
}

struct Ending<R> {
    body: Pin<Box<R>>,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<R: http_body::Body<Data = Bytes>> http_body::Body for Ending<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        self.body.as_mut().poll_frame(context)
    }
}
