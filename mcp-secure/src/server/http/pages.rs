//! Pages for persons beside the endpoint for clients. They are behind the checks of host and rate,
//! and before those of clients: a browser has no token, and its own form comes from this origin,
//! which no list of `allow_origin` needs to name.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use http::{Method, Request, Response, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service, service_fn, util::MapResponseLayer};

use super::{
    HttpLimits,
    body::Body,
    connection::drive,
    gate::GateLayer,
    host::Hosts,
    hygiene::harden,
    rate::{Limiter, PeerRate, RateLayer},
    refusal::{BODY_TOO_LARGE, BODY_TOO_SLOW, PATH, PreAuthSink, Tally},
};
use crate::{Error, Result, page::Place};

/// Some pages beside the endpoint.
pub(crate) trait Site: Send + Sync + 'static {
    /// Whether a path is of them.
    fn has(&self, path: &str) -> bool;

    /// Bytes of what may be sent to a path of them.
    fn most(&self, path: &str) -> usize {
        let _ = path;
        MOST_FORM
    }

    /// Answers. There is a form only where one was sent.
    fn answer<'a>(&'a self, head: &'a Parts, form: Bytes) -> BoxFuture<'a, Page>;
}

/// An answer, and which check turned the browser away, if one did.
pub(crate) struct Page {
    pub(crate) response: Response<Bytes>,
    pub(crate) refused: Option<&'static str>,
}

/// Answers for the pages, and lets everything else pass.
#[derive(Clone)]
pub(crate) struct PagesLayer {
    sites: Arc<[Arc<dyn Site>]>,
    limits: HttpLimits,
    tally: Tally,
}

/// A service beside which pages are.
#[derive(Clone)]
pub(crate) struct WithPages<S> {
    layer: PagesLayer,
    inner: S,
}

impl PagesLayer {
    pub(crate) fn new(sites: &Arc<[Arc<dyn Site>]>, limits: &HttpLimits, tally: &Tally) -> Self {
        Self {
            sites: Arc::clone(sites),
            limits: limits.clone(),
            tally: tally.clone(),
        }
    }
}

impl<S> Layer<S> for PagesLayer {
    type Service = WithPages<S>;

    fn layer(&self, inner: S) -> WithPages<S> {
        WithPages {
            layer: self.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for WithPages<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        Either<BoxFuture<'static, std::result::Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let Some(site) = self.layer.sites.iter().find(|site| site.has(path)) else {
            return Either::Right(self.inner.call(request));
        };
        let site = Arc::clone(site);
        let PagesLayer { limits, tally, .. } = self.layer.clone();
        let version = request.version();
        Either::Left(Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut form = Bytes::new();
            if head.method == Method::POST {
                let body = body.map_err(|_| std::io::Error::other("the form was cut off"));
                // A form that arrives a byte at a time holds a connection and no more than this.
                let read = timeout(
                    limits.body_time,
                    Limited::new(body, site.most(head.uri.path())).collect(),
                );
                form = match read.await {
                    Ok(Ok(form)) => form.to_bytes(),
                    Ok(Err(_)) => return Ok(tally.refuse(&BODY_TOO_LARGE, version)),
                    Err(_) => return Ok(tally.refuse(&BODY_TOO_SLOW, version)),
                };
            }
            let Page { response, refused } = site.answer(&head, form).await;
            if let Some(control) = refused {
                tally.count(control);
            }
            Ok(response.map(Body::constant))
        }))
    }
}

/// A listener on loopback for the pages alone, where the server itself has none that a browser
/// reaches: stdio, and a Unix-domain socket.
pub(crate) struct PageListener {
    socket: std::net::TcpListener,
    local: SocketAddr,
}

impl PageListener {
    /// At a port that the system chooses (RFC 8252 section 7.3); before the sandbox closes, which
    /// forbids to listen.
    pub(crate) fn bind() -> Result<Self> {
        let bound = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0));
        let prepared = bound.and_then(|socket| {
            socket.set_nonblocking(true)?;
            let local = socket.local_addr()?;
            Ok(Self { socket, local })
        });
        prepared.map_err(|e| {
            Error::new(format!("cannot listen for the page on 127.0.0.1: {e}")).help(
                "the page is where a person agrees, or connects an account; if there can be none, \
                 say `.approvals(Approvals::by(By::in_client()))`, and connect by `.device()`",
            )
        })
    }

    pub(crate) fn place(&self) -> Place {
        Place::new("http", &self.local.to_string())
    }

    /// Serves the pages until the shutdown.
    pub(crate) async fn serve(
        self,
        sites: Arc<[Arc<dyn Site>]>,
        sink: Arc<dyn PreAuthSink>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let socket = tokio::net::TcpListener::from_std(self.socket)
            .map_err(|e| Error::new(format!("the listener of the page cannot be used: {e}")))?;
        let hosts = Arc::new(Hosts::new(self.local, &[])?);
        let limits = HttpLimits::default();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let limiter = Some(Arc::new(Limiter::new(PeerRate::default())));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return Ok(());
            };
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = shutdown.cancelled() => return Ok(()),
            };
            let Ok((io, peer)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let tally = Tally::new(sink.clone(), Some(peer.ip()));
            let nothing = {
                let tally = tally.clone();
                service_fn(move |request: Request<hyper::body::Incoming>| {
                    let refused = tally.refuse(&PATH, request.version());
                    std::future::ready(Ok::<_, Infallible>(refused))
                })
            };
            let ring = (
                MapResponseLayer::new(harden),
                RateLayer::new(&limiter, &tally),
                GateLayer::new(&hosts, &tally),
                PagesLayer::new(&sites, &limits, &tally),
            )
                .layer(nothing);
            let (limits, shutdown) = (limits.clone(), shutdown.clone());
            tokio::spawn(async move {
                drive(io, ring, limits, tally, shutdown).await;
                drop(place);
            });
        }
    }
}

/// Bytes of a form: a token and a word.
pub(crate) const MOST_FORM: usize = 4096;
/// Browsers open six or so.
const CONNECTIONS: usize = 32;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
