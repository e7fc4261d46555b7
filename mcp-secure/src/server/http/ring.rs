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
    full::FullLayer,
    gate::GateLayer,
    headers::DecidingHeaders,
    host::Hosts,
    hygiene::harden,
    limits::HttpLimits,
    metadata::{Metadata, MetadataLayer},
    origin::Origins,
    pages::{PagesLayer, Site},
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
use crate::{layer::load_shed::Room, state::Sealer};

/// What the rings of all connections share.
pub(crate) struct Shared<S> {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) origins: Arc<Origins>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) query: Arc<NoQueryTokens>,
    pub(crate) headers: Arc<DecidingHeaders>,
    /// Where tokens come from, if they are an authorization server's.
    pub(crate) issued: Issued,
    /// For persons, if there are any.
    pub(crate) sites: Arc<[Arc<dyn Site>]>,
    pub(crate) limiter: Option<Arc<Limiter>>,
    pub(crate) limits: HttpLimits,
    pub(crate) sealer: Sealer,
    pub(crate) sessions: Arc<BoundedSessions>,
    pub(crate) room: Room,
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
        sites,
        limiter,
        limits,
        sealer,
        sessions,
        room,
        leaf,
    } = shared;
    (
        MapResponseLayer::new(harden),
        RateLayer::new(limiter, tally),
        GateLayer::new(hosts, tally),
        MetadataLayer::new(&issued.metadata, tally),
        PagesLayer::new(sites, limits, tally),
        (
            GateLayer::new(origins, tally),
            GateLayer::new(endpoint, tally),
            GateLayer::new(query, tally),
        ),
        // Behind what costs nothing and what is for everybody, before what costs.
        FullLayer::new(room, sessions.table(), tally),
        AuthenticateLayer::new(authenticator, tally),
        UnrecordedLayer::new(tally),
        RetryAfterLayer,
        StepUpLayer::new(&issued.challenges),
        GateLayer::new(headers, tally),
        BodyLimitLayer::new(limits.body_bytes, limits.body_time, tally),
        SealedSessionsLayer::new(sealer, limits.session_lifetime, tally)
            .remembered_in(sessions.table()),
        SessionCapLayer::new(sessions.table(), tally),
    )
        .layer(leaf.clone())
}
