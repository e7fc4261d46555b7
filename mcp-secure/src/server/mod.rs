//! From a service to a running server: the builder, and what carries messages to the
//! pipeline, one folder for each transport.

pub(crate) mod assemble;
pub(crate) mod cli;
mod client_config;
pub mod config;
mod config_file;
#[cfg(feature = "upstream")]
mod connect;
pub(crate) mod engines;
pub(crate) mod grants;
#[cfg(feature = "http")]
pub mod http;
mod keys;
mod lock;
pub(crate) mod log;
mod own_files;
#[cfg(feature = "http")]
mod persons;
pub(crate) mod resolve;
#[cfg(feature = "sandbox")]
mod ring;
mod run;
mod serve;
pub(crate) mod stdio;
pub(crate) mod suggest;
pub(crate) mod verbs;

use std::{marker::PhantomData, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tower::Layer;

use crate::{
    Error, Limits, Result, TextPolicy,
    approval::Approvals,
    auth::Principal,
    call::Call,
    capability::{Facts, Grant},
    definition::{SecureInit, SecureService},
    pipeline::{
        BoxError, McpReply, McpRequest,
        stack::{self, Inner, UserLayers},
    },
    policy::PolicyEngine,
    state::{SealingKey, Store},
};

#[cfg(feature = "sandbox")]
use crate::sandbox::Sandbox;
#[cfg(feature = "http")]
use http::{Authenticated, Http, Unix};

/// A server that has no transport yet: it cannot run.
pub struct NoTransport(());

/// A server that can run.
pub struct Ready(());

/// Builds a server and runs it.
///
/// Nothing that decides who may call can be left out: a server without a transport does not
/// compile into something that runs, a stdio server names its principal, and an HTTP server
/// names its authentication.
///
/// ```no_run
/// use mcp_secure::prelude::*;
///
/// struct Hello;
///
/// #[secure_server]
/// impl Hello {
///     /// Greet somebody.
///     #[tool(public)]
///     async fn greet(&self, name: String) -> String {
///         format!("Hello, {name}!")
///     }
/// }
///
/// fn main() -> mcp_secure::Result<()> {
///     SecureServer::new(Hello).stdio(Principal::local_user()).run()
/// }
/// ```
///
/// A server that nobody could reach, and one that anybody could, do not compile:
///
/// ```compile_fail,E0599
/// # use mcp_secure::prelude::*;
/// # struct Hello;
/// # #[secure_server]
/// # impl Hello {
/// #     /// Greet somebody.
/// #     #[tool(public)]
/// #     async fn greet(&self, name: String) -> String { name }
/// # }
/// SecureServer::new(Hello).run();
/// ```
///
/// ```compile_fail,E0308
/// # use mcp_secure::prelude::*;
/// # struct Hello;
/// # #[secure_server]
/// # impl Hello {
/// #     /// Greet somebody.
/// #     #[tool(public)]
/// #     async fn greet(&self, name: String) -> String { name }
/// # }
/// SecureServer::new(Hello).http(Http::on("127.0.0.1:8730"));
/// ```
///
/// ```no_run
/// # use mcp_secure::prelude::*;
/// # struct Hello;
/// # #[secure_server]
/// # impl Hello {
/// #     /// Greet somebody.
/// #     #[tool(public)]
/// #     async fn greet(&self, name: String) -> String { name }
/// # }
/// SecureServer::new(Hello).http(Http::on("127.0.0.1:8730").local_token(["greet"]));
/// ```
pub struct SecureServer<S, T = NoTransport> {
    pub(crate) source: Source<S>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) limits: Limits,
    pub(crate) text: TextPolicy,
    pub(crate) layers: Vec<UserLayers>,
    pub(crate) policies: Vec<Box<dyn PolicyEngine>>,
    pub(crate) stdio: Option<Principal>,
    #[cfg(feature = "http")]
    pub(crate) http: Option<Http<Authenticated>>,
    #[cfg(feature = "http")]
    pub(crate) unix: Option<Unix>,
    pub(crate) audit: Option<PathBuf>,
    pub(crate) audit_anchor: Option<Box<dyn crate::audit::AuditAnchor>>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) sealing_key: Option<SealingKey>,
    pub(crate) approvals: Approvals,
    #[cfg(feature = "redis")]
    pub(crate) shared_limits: Option<Arc<crate::state::RedisLimits>>,
    #[cfg(feature = "vault")]
    pub(crate) vault: Option<crate::vault::Vault>,
    #[cfg(feature = "otel")]
    pub(crate) otel: Option<crate::otel::Otlp>,
    #[cfg(feature = "sandbox")]
    pub(crate) sandbox: Sandbox,
    state: PhantomData<fn() -> T>,
}

/// Where the service comes from.
pub(crate) enum Source<S> {
    Value(S),
    Init {
        init: fn(Call) -> BoxFuture<'static, Result<S>>,
        handles: fn() -> Vec<&'static [Facts]>,
    },
}

impl<S> Source<S> {
    /// The rights that `#[init]` is lent.
    pub(crate) fn handles(&self) -> Vec<&'static [Facts]> {
        match self {
            Self::Value(_) => Vec::new(),
            Self::Init { handles, .. } => handles(),
        }
    }
}

impl<S: SecureService> SecureServer<S, NoTransport> {
    /// A server around a value.
    pub fn new(service: S) -> Self {
        Self::from_source(Source::Value(service))
    }

    /// A server whose value is made by its `#[init]` function when the runtime is up and
    /// the grants are open.
    pub fn from_init() -> Self
    where
        S: SecureInit,
    {
        Self::from_source(Source::Init {
            init: S::init,
            handles: S::init_handles,
        })
    }

    fn from_source(source: Source<S>) -> Self {
        Self {
            source,
            grants: Vec::new(),
            limits: Limits::default(),
            text: TextPolicy::default(),
            layers: Vec::new(),
            policies: Vec::new(),
            stdio: None,
            #[cfg(feature = "http")]
            http: None,
            #[cfg(feature = "http")]
            unix: None,
            audit: None,
            audit_anchor: None,
            store: None,
            sealing_key: None,
            approvals: Approvals::default(),
            #[cfg(feature = "redis")]
            shared_limits: None,
            #[cfg(feature = "vault")]
            vault: None,
            #[cfg(feature = "otel")]
            otel: None,
            #[cfg(feature = "sandbox")]
            sandbox: Sandbox::new(),
            state: PhantomData,
        }
    }
}

impl<S: SecureService, T> SecureServer<S, T> {
    /// Declares a capability that the server uses. A grant that no tool uses, and a
    /// capability that is used but not granted, both stop the start.
    #[must_use]
    pub fn grant(mut self, grant: impl Into<Grant>) -> Self {
        self.grants.push(grant.into());
        self
    }

    /// Replaces the limits. The operator can lower them, never raise.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says what becomes of text that leaves. The operator can be stricter, never looser.
    #[must_use]
    pub fn text(mut self, policy: TextPolicy) -> Self {
        self.text = policy;
        self
    }

    /// Adds policies over who asks, for what, with which arguments. They are asked of every call,
    /// after its scopes and its schema, and lists show what they may permit. Of several engines,
    /// the operator's among them, each must permit.
    #[must_use]
    pub fn policies(mut self, engine: impl PolicyEngine) -> Self {
        self.policies.push(Box::new(engine));
        self
    }

    /// Where the audit log goes unless the operator says otherwise.
    #[must_use]
    pub fn audit_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.audit = Some(path.into());
        self
    }

    /// Keeps the signed checkpoints of the audit log elsewhere, too: in place of the file that an
    /// operator can name with `[audit] anchor`, who then cannot name one.
    ///
    /// ```
    /// use mcp_secure::{audit::AuditAnchor, prelude::*};
    /// # struct Hello;
    /// # #[secure_server]
    /// # impl Hello {
    /// #     /// Greet.
    /// #     #[tool(public)]
    /// #     async fn greet(&self) -> String { String::new() }
    /// # }
    /// struct Witness(std::os::unix::net::UnixDatagram);
    ///
    /// impl AuditAnchor for Witness {
    ///     fn anchor(&mut self, note: &str) -> std::io::Result<()> {
    ///         self.0.send(note.as_bytes()).map(|_| ())
    ///     }
    /// }
    ///
    /// # fn example(socket: std::os::unix::net::UnixDatagram) {
    /// let server = SecureServer::new(Hello).audit_anchor(Witness(socket));
    /// # }
    /// ```
    #[must_use]
    pub fn audit_anchor(mut self, anchor: impl crate::audit::AuditAnchor) -> Self {
        self.audit_anchor = Some(Box::new(anchor));
        self
    }

    /// Where it is remembered what was used once: the agreements of persons, and the proofs of
    /// DPoP unless the resource server has a store of its own. Without this it is the memory of
    /// this process. Replicas need one that they share, such as `state::RedisStore`.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Replicas open what one of them sealed: a person may agree at one and the call run at
    /// another. Needs a [`store`](Self::store) that they share, or each of them would let it run once.
    #[must_use]
    pub fn sealing_key(mut self, key: SealingKey) -> Self {
        self.sealing_key = Some(key);
        self
    }

    /// Says who is asked before a tool runs that needs a person's agreement. Without it, they are
    /// asked on the strongest way that the transport has.
    #[must_use]
    pub fn approvals(mut self, approvals: Approvals) -> Self {
        self.approvals = approvals;
        self
    }

    /// Callers and tools are limited for all replicas together, not for each of them.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn shared_limits(mut self, limits: crate::state::RedisLimits) -> Self {
        self.shared_limits = Some(Arc::new(limits));
        self
    }

    /// Where the credentials are that endpoints spend: see
    /// [`NetGrant::credential`](crate::capability::net::NetGrant::credential).
    #[cfg(feature = "vault")]
    #[must_use]
    pub fn vault(mut self, vault: crate::vault::Vault) -> Self {
        self.vault = Some(vault);
        self
    }

    /// Sends spans, numbers and audit records to a collector while it happens, unless the operator
    /// names another one.
    #[cfg(feature = "otel")]
    #[must_use]
    pub fn otel(mut self, collector: crate::otel::Otlp) -> Self {
        self.otel = Some(collector);
        self
    }

    /// Says what the server asks of the operating system beside its grants, and how much of a
    /// sandbox it wants at least. Without, it closes everything else that it can.
    #[cfg(feature = "sandbox")]
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// Adds a layer of your own: inside identity, outside authorization. What it changes is
    /// checked like what the client sent; it cannot get past a check. The layer that is
    /// added first is the outermost.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Inner> + Send + 'static,
        L::Service: tower::Service<McpRequest, Response = McpReply> + Clone + Send + Sync + 'static,
        <L::Service as tower::Service<McpRequest>>::Error: Into<BoxError> + 'static,
        <L::Service as tower::Service<McpRequest>>::Future: Send + 'static,
    {
        self.layers.push(stack::erase(layer));
        self
    }

    /// Serves one client over standard input and output, on behalf of this principal.
    #[must_use]
    pub fn stdio(mut self, principal: Principal) -> SecureServer<S, Ready> {
        self.stdio = Some(principal);
        self.ready()
    }

    /// Serves streamable HTTP.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(mut self, http: Http<Authenticated>) -> SecureServer<S, Ready> {
        self.http = Some(http);
        self.ready()
    }

    /// Serves streamable HTTP on a Unix-domain socket; the kernel names the peer.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn unix(mut self, unix: Unix) -> SecureServer<S, Ready> {
        self.unix = Some(unix);
        self.ready()
    }

    fn ready(self) -> SecureServer<S, Ready> {
        SecureServer {
            source: self.source,
            grants: self.grants,
            limits: self.limits,
            text: self.text,
            layers: self.layers,
            policies: self.policies,
            stdio: self.stdio,
            #[cfg(feature = "http")]
            http: self.http,
            #[cfg(feature = "http")]
            unix: self.unix,
            audit: self.audit,
            audit_anchor: self.audit_anchor,
            store: self.store,
            sealing_key: self.sealing_key,
            approvals: self.approvals,
            #[cfg(feature = "redis")]
            shared_limits: self.shared_limits,
            #[cfg(feature = "vault")]
            vault: self.vault,
            #[cfg(feature = "otel")]
            otel: self.otel,
            #[cfg(feature = "sandbox")]
            sandbox: self.sandbox,
            state: PhantomData,
        }
    }
}

/// How long an answer may still take when the client of a stdio server is gone.
pub(crate) const DRAIN: Duration = Duration::from_millis(1500);

/// How long what still runs has to be dropped when the server ends.
pub(crate) const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Ends a runtime. What waits is dropped, and so writes its audit record; what is stuck, or
/// reads standard input, does not keep the process.
pub(crate) fn end(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(LAST_MOMENT);
}

/// What a runtime cannot be built for is an operator's matter.
///
/// How many threads is asked before the sandbox closes: a quota lies in files of the kernel.
pub(crate) fn runtime(threads: usize) -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|e| Error::new(format!("the runtime cannot start: {e}")))
}
