//! The stack, readable as a list: the first line is the outermost.

use std::sync::Arc;

use tower::{Layer, ServiceBuilder, util::BoxCloneSyncService};

use super::{BoxError, Dispatch, Handlers, McpReply, McpRequest, Registry};
#[cfg(feature = "upstream")]
use crate::layer::connect::{ConnectLayer, Connecting};
use crate::{
    audit::Audit,
    capability::{Grants, Sealing},
    definition::SecureService,
    layer::{
        approve::{ApproveLayer, Asking},
        audit::AuditLayer,
        authorize::AuthorizeLayer,
        cancel::CancelLayer,
        catch_panic::CatchPanicLayer,
        commit::CommitLayer,
        flow::{FlowLayer, TaintBook},
        genuine::GenuineLayer,
        guard::{GuardLayer, TextPolicy, last_look::LastLookLayer},
        identity::{IdentityLayer, IdentitySource},
        load_shed::{LoadShedLayer, Room},
        policy::PolicyLayer,
        rate::{CallerRateLayer, Limiter, ToolRateLayer},
        timeout::TimeoutLayer,
        validate::ValidateLayer,
    },
    limit::SharedBuckets,
    limits::Limits,
    state::{Sealer, Store},
};

/// The stack around user code, as layers of the user's see it.
pub type Inner = BoxCloneSyncService<McpRequest, McpReply, BoxError>;

/// The users' own layers, already erased: what is inside goes in, what is outside comes out.
pub(crate) type UserLayers = Box<dyn FnOnce(Inner) -> Inner + Send>;

/// What the layers share.
pub(crate) struct Parts<S> {
    pub(crate) service: Arc<S>,
    pub(crate) handlers: Handlers<S>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) text: TextPolicy,
    pub(crate) audit: Arc<Audit>,
    pub(crate) identity: IdentitySource,
    pub(crate) room: Room,
    pub(crate) sealer: Sealer,
    /// Who is asked, and where.
    pub(crate) asking: Asking,
    pub(crate) store: Arc<dyn Store>,
    /// Limits that hold for all replicas together.
    pub(crate) shared_limits: Option<Arc<dyn SharedBuckets>>,
    /// What callers connect, if there is anything.
    #[cfg(feature = "upstream")]
    pub(crate) connecting: Option<Connecting>,
    /// The users' layers, if there are any.
    pub(crate) user: Option<UserLayers>,
}

/// Builds the one stack of a server.
pub(crate) fn build<S: SecureService>(parts: Parts<S>) -> Inner {
    let Parts {
        service,
        handlers,
        registry,
        grants,
        limits,
        text,
        audit,
        identity,
        room,
        sealer,
        asking,
        store,
        shared_limits,
        #[cfg(feature = "upstream")]
        connecting,
        user,
    } = parts;
    // On stdio, and in a session, what tools keep belongs to the connection.
    let shelves = match &identity {
        IdentitySource::Declared(_) => None,
        #[cfg(feature = "http")]
        IdentitySource::HttpParts => Some(Arc::default()),
    };
    let leaf = Dispatch::new(
        service,
        handlers,
        Arc::clone(&registry),
        grants,
        Sealing {
            sealer: sealer.clone(),
            store: Arc::clone(&store),
        },
        shelves,
        text,
    );

    // Policies ask before the flow layer does, and of lists as well.
    let book = Arc::new(TaintBook::default());
    let limiter = Arc::new(Limiter::new(&limits, &registry, shared_limits));
    let checked = ServiceBuilder::new()
        // Before it is known whether what is asked for exists: guessing costs as asking does.
        .layer(CallerRateLayer::new(Arc::clone(&limiter)))
        .layer(AuthorizeLayer::new(
            Arc::clone(&registry),
            Arc::clone(&book),
        ))
        .layer(ValidateLayer::new(
            Arc::clone(&registry),
            Arc::clone(&limits),
            sealer.clone(),
        ))
        // Behind both: nobody learns from it that a tool is there, and nothing that is malformed
        // uses it up. Before policies and persons, whose time it saves.
        .layer(ToolRateLayer::new(
            limiter,
            Arc::clone(&registry),
            sealer.clone(),
        ))
        // Behind validation: a policy is asked about arguments that have their shape.
        .layer(PolicyLayer::new(Arc::clone(&registry)))
        // Before approval, which is what it may demand; after the checks, which are cheaper.
        .layer(FlowLayer::new(Arc::clone(&registry), book))
        .layer(ApproveLayer::new(
            Arc::clone(&registry),
            &limits,
            sealer.clone(),
            asking,
        ));
    // Behind approval, which the caller may refuse, and before anything runs.
    #[cfg(feature = "upstream")]
    let checked = checked.layer(ConnectLayer::new(
        Arc::clone(&registry),
        &limits,
        sealer,
        connecting,
    ));
    let checked = checked
        // Behind approval and connecting: whoever waits for a person takes no place.
        .layer(LoadShedLayer::new(
            room,
            Arc::clone(&registry),
            limits.timeout,
        ))
        .layer(CommitLayer::new(
            Arc::clone(&registry),
            Arc::clone(&audit),
            store,
        ))
        .layer(TimeoutLayer::new(Arc::clone(&registry), limits.timeout))
        .layer(GuardLayer::new(
            Arc::clone(&registry),
            Arc::clone(&limits),
            text,
        ))
        .service(leaf);

    let meddled = user.is_some();
    let checked = BoxCloneSyncService::new(checked);
    let inner = match user {
        Some(user) => user(checked),
        None => checked,
    };

    let outer = ServiceBuilder::new()
        .layer(AuditLayer::new(audit))
        .layer(CatchPanicLayer)
        .layer(CancelLayer)
        .layer(GenuineLayer::new(registry))
        .layer(LastLookLayer::new(limits, text, meddled))
        .layer(IdentityLayer::new(identity))
        .service(inner);

    BoxCloneSyncService::new(outer)
}

/// Erases a layer of the user's.
pub(crate) fn erase<L>(layer: L) -> UserLayers
where
    L: Layer<Inner> + Send + 'static,
    L::Service: tower::Service<McpRequest, Response = McpReply> + Clone + Send + Sync + 'static,
    <L::Service as tower::Service<McpRequest>>::Error: Into<BoxError> + 'static,
    <L::Service as tower::Service<McpRequest>>::Future: Send + 'static,
{
    Box::new(move |inner| {
        let service = layer.layer(inner);
        BoxCloneSyncService::new(tower::ServiceExt::map_err(service, Into::into))
    })
}
