//! Who asks: exactly one principal for every request, from the transport, never from the
//! message. A session belongs to the first principal that speaks in it.

use rmcp::model::ErrorCode;
use tower::Layer;

use super::{Enclosed, forward_ready, refuse};
use crate::{
    auth::Principal,
    pipeline::{McpRequest, Refusal, ReplyFuture},
};

/// Where a transport leaves the principal.
#[derive(Clone)]
pub(crate) enum IdentitySource {
    /// The operator declared it (stdio).
    Declared(Principal),
    /// The HTTP ring put it into the request's parts.
    #[cfg(feature = "http")]
    HttpParts,
}

impl IdentitySource {
    /// Whether there may be more than one.
    pub(crate) fn has_several(&self) -> bool {
        match self {
            Self::Declared(_) => false,
            #[cfg(feature = "http")]
            Self::HttpParts => true,
        }
    }

    #[cfg_attr(not(feature = "http"), allow(unused_variables))]
    fn of(&self, request: &McpRequest) -> Option<Principal> {
        match self {
            Self::Declared(principal) => Some(principal.clone()),
            #[cfg(feature = "http")]
            Self::HttpParts => request
                .context()
                .extensions
                .get::<http::request::Parts>()?
                .extensions
                .get::<Principal>()
                .cloned(),
        }
    }
}

/// Where a caller is; the HTTP ring puts it beside the principal.
#[cfg(feature = "http")]
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) std::net::IpAddr);

#[derive(Clone)]
pub(crate) struct IdentityLayer(IdentitySource);

impl IdentityLayer {
    pub(crate) fn new(source: IdentitySource) -> Self {
        Self(source)
    }
}

impl<S> Layer<S> for IdentityLayer {
    type Service = IdentityService<S>;

    fn layer(&self, inner: S) -> IdentityService<S> {
        IdentityService {
            inner,
            source: self.0.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct IdentityService<S> {
    inner: S,
    source: IdentitySource,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for IdentityService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        let Some(principal) = self.source.of(&request) else {
            return refuse(Refusal::failed(
                "identity/none",
                "no principal reached the stack",
            ));
        };
        #[cfg(feature = "http")]
        if let Some(parts) = request.context().extensions.get::<http::request::Parts>()
            && let Some(Peer(peer)) = parts.extensions.get()
        {
            let _ = request.journey().peer.set(*peer);
        }
        let owned = request.connection().is_owned_by(&principal.key());
        let _ = request.journey().principal.set(principal);
        if !owned {
            return refuse(Refusal::denied(
                "identity/session",
                ErrorCode::INVALID_REQUEST,
                "unknown session",
                "a session was used by another principal than its owner",
            ));
        }
        let Some(in_flight) = request.connection().begin(&request.context().id) else {
            return refuse(Refusal::denied(
                "identity/duplicate-id",
                ErrorCode::INVALID_REQUEST,
                "this request id is in use",
                "a request id was used twice at once",
            ));
        };
        let future = self.inner.call(request);
        Box::pin(async move {
            let _in_flight = in_flight;
            future.await
        })
    }
}
