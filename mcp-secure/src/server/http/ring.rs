//! The HTTP ring, outermost first.
//!
//! Cheap and anonymous before costly and known: until a request has a principal, nothing
//! but its head is looked at.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use rmcp::ServerHandler;
use tower::{Layer, Service, util::MapResponseLayer};

use super::{
    authenticate::{AuthenticateLayer, Authenticator},
    body::Body,
    challenge::Challenges,
    endpoint::Endpoint,
    gate::GateLayer,
    headers::DecidingHeaders,
    host::Hosts,
    hygiene::harden,
    limits::HttpLimits,
    metadata::{Metadata, MetadataLayer},
    origin::Origins,
    pages::{Pages, PagesLayer},
    query::NoQueryTokens,
    rate::{Limiter, RateLayer},
    refusal::Tally,
    request_body::BodyLimitLayer,
    retry_after::RetryAfterLayer,
    rmcp_leaf::Leaf,
    sealed_sessions::SealedSessionsLayer,
    session_cap::{BoundedSessions, SessionCapLayer},
    step_up::StepUpLayer,
    unrecorded::UnrecordedLayer,
};
use crate::state::Sealer;

/// What the rings of all connections share.
pub(crate) struct Shared<S> {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) origins: Arc<Origins>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) query: Arc<NoQueryTokens>,
    pub(crate) headers: Arc<DecidingHeaders>,
    /// Where tokens come from, if they are an authorization server's.
    pub(crate) issued: Issued,
    /// What persons see, if they are asked anything.
    pub(crate) pages: Option<Arc<dyn Pages>>,
    pub(crate) limiter: Option<Arc<Limiter>>,
    pub(crate) limits: HttpLimits,
    pub(crate) sealer: Sealer,
    pub(crate) sessions: Arc<BoundedSessions>,
    pub(crate) leaf: Leaf<S>,
}

/// What a server says that takes the tokens of an authorization server.
#[derive(Clone, Default)]
pub(crate) struct Issued {
    pub(crate) metadata: Option<Arc<Metadata>>,
    pub(crate) challenges: Option<Arc<Challenges>>,
}

/// The ring of one connection.
pub(crate) fn ring<S, A, B>(
    shared: &Shared<S>,
    authenticator: &Arc<A>,
    tally: &Tally,
) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<S, A, B>
where
    S: ServerHandler,
    A: Authenticator,
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    let Shared {
        hosts,
        origins,
        endpoint,
        query,
        headers,
        issued,
        pages,
        limiter,
        limits,
        sealer,
        sessions,
        leaf,
    } = shared;
    (
        MapResponseLayer::new(harden),
        RateLayer::new(limiter, tally),
        GateLayer::new(hosts, tally),
        MetadataLayer::new(&issued.metadata, tally),
        // Before origins: a form of theirs is held against this server's own, by them.
        PagesLayer::new(pages, limits, tally),
        GateLayer::new(origins, tally),
        GateLayer::new(endpoint, tally),
        GateLayer::new(query, tally),
        AuthenticateLayer::new(authenticator, tally),
        UnrecordedLayer::new(tally),
        RetryAfterLayer,
        StepUpLayer::new(&issued.challenges),
        GateLayer::new(headers, tally),
        BodyLimitLayer::new(limits.body_bytes, limits.body_time, tally),
        SealedSessionsLayer::new(sealer, limits.session_lifetime, tally),
        SessionCapLayer::new(sessions.table(), tally),
    )
        .layer(leaf.clone())
}
