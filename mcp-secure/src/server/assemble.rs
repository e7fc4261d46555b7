//! Puts a server together from what was declared and what the operator bound.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::BoxFuture;

use crate::{
    Error, Limits, Result, TextPolicy,
    approval::{self, Approvals, Desk},
    audit::{Audit, AuditSink, DigestKey, Tally},
    auth::{Assurance, Principal},
    call::Call,
    capability::{Binding, Facts, Grant, Grants, LeaseGuard, Opening, Rights},
    definition::{Definition, SecureService},
    layer::{
        approve::Asking,
        identity::IdentitySource,
        load_shed::{self, Room},
    },
    limit::SharedBuckets,
    manifest::Manifest,
    metrics::Meter,
    pipeline::{
        Handlers, Hardened, Registry,
        stack::{self, UserLayers},
    },
    policy::Policies,
    server::Source,
    state::{MemoryStore, Sealer, SealingKey, Store},
};

/// Everything that is the same for all transports of one server.
pub(crate) struct Assembled {
    pub(crate) hardened: Hardened,
    #[cfg_attr(
        not(feature = "http"),
        allow(dead_code, reason = "only HTTP seals sessions")
    )]
    pub(crate) sealer: Sealer,
    pub(crate) tally: Arc<Tally>,
    /// What persons are asked and say.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "there is no page"))]
    pub(crate) desk: Arc<Desk>,
    pub(crate) room: Room,
}

/// What is put together.
pub(crate) struct Plan<S> {
    pub(crate) source: Source<S>,
    pub(crate) definition: Definition<S>,
    /// Opened before the runtime exists, and before the sandbox closes.
    pub(crate) grants: Grants,
    /// What they still ask before the server serves.
    pub(crate) ready: Vec<BoxFuture<'static, Result<()>>>,
    pub(crate) limits: Limits,
    pub(crate) text: TextPolicy,
    pub(crate) layers: Vec<UserLayers>,
    /// Held against the definition before the operator's file took tools away.
    pub(crate) policies: Policies,
    pub(crate) sink: AuditSink,
    /// What the digests of its records are made with.
    pub(crate) digest_key: DigestKey,
    pub(crate) meter: Meter,
    pub(crate) transport: &'static str,
    pub(crate) identity: IdentitySource,
    /// What is served is held against it.
    pub(crate) effective: Manifest,
    /// Of the compiled form: what audit records name.
    pub(crate) manifest_digest: String,
    /// Started, if it needs to be.
    pub(crate) store: Arc<dyn Store>,
    /// Started, if there are any.
    pub(crate) shared_limits: Option<Arc<dyn SharedBuckets>>,
    pub(crate) sealer: Sealer,
    pub(crate) approvals: Approvals,
    /// Where the page is, if there is one.
    #[cfg(feature = "http")]
    pub(crate) page: Option<crate::page::Place>,
    /// What callers connect, if there is anything.
    #[cfg(feature = "upstream")]
    pub(crate) connecting: Option<crate::layer::connect::Connecting>,
}

impl<S: SecureService> Plan<S> {
    /// Runs `#[init]`, builds the stack. Runs inside the runtime.
    pub(crate) async fn assemble(self) -> Result<Assembled> {
        let mut registry = Registry::new(&self.definition, &self.limits)?;
        registry.policies = self.policies;
        let registry = Arc::new(registry);
        self.effective.check_served(&registry)?;
        futures::future::try_join_all(self.ready).await?;
        let grants = Arc::new(self.grants);
        let sealer = self.sealer;
        let audit = Arc::new(Audit::new(
            self.sink,
            self.transport,
            self.manifest_digest.clone().into(),
            self.digest_key,
            self.meter.clone(),
        ));
        let tally = Tally::new(Arc::clone(&audit));
        let service = match self.source {
            Source::Value(service) => service,
            Source::Init { init, .. } => {
                let name = self.definition.name;
                let principal = Principal::minted("server", name, Assurance::Declared);
                let call = Call::outside_of_requests(Arc::clone(&grants), principal);
                let _guard = LeaseGuard(call.lease.clone());
                init(call).await?
            }
        };
        #[cfg(feature = "upstream")]
        for access in self.connecting.iter().flat_map(|it| it.all.iter()) {
            access.share(&self.store);
        }
        #[cfg(feature = "upstream")]
        if let Some(connecting) = &self.connecting {
            connecting.desk.record_in(&audit);
        }
        let limits = &self.limits;
        let room = Room::new(load_shed::Sizes {
            places: limits.concurrency,
            // One caller may have all of it.
            principal: (self.identity.has_several())
                .then(|| limits.principal_concurrency.min(limits.concurrency)),
            tools: registry.tools.iter().map(|tool| tool.permits).collect(),
            queue: limits.queue,
            wait: limits.queue_wait,
        });
        let layers = self.layers;
        let time = self
            .limits
            .approval_timeout
            .min(crate::layer::commit::ROUND_TTL);
        let desk = Arc::new(Desk::new(
            Arc::clone(&self.store),
            sealer.clone(),
            self.approvals.bounds(time),
            Some(Arc::clone(&audit)),
        ));
        desk.watch();
        desk.introduce(self.approvals.outside().into_iter().cloned().collect());
        let tools = self.definition.tools.iter();
        let asking = Asking {
            desk: Arc::clone(&desk),
            approvals: self.approvals,
            #[cfg(feature = "http")]
            page: self.page,
            server: self.definition.name,
            manifest: self.manifest_digest,
            effects: tools
                .map(|tool| approval::effects(&self.effective, tool.about.name))
                .collect(),
        };
        let stack = stack::build(stack::Parts {
            asking,
            service: Arc::new(service),
            handlers: Handlers::new(&self.definition),
            registry: Arc::clone(&registry),
            grants,
            limits: Arc::new(self.limits),
            text: self.text,
            audit,
            identity: self.identity,
            room: room.clone(),
            sealer: sealer.clone(),
            store: self.store,
            shared_limits: self.shared_limits,
            #[cfg(feature = "upstream")]
            connecting: self.connecting,
            // The first declared is the outermost, so the last one goes on first.
            user: (!layers.is_empty()).then(|| -> UserLayers {
                Box::new(move |inner| {
                    layers
                        .into_iter()
                        .rev()
                        .fold(inner, |inner, layer| layer(inner))
                })
            }),
        });
        Ok(Assembled {
            hardened: Hardened::new(stack, registry),
            sealer,
            tally,
            desk,
            room,
        })
    }
}

/// What remembers the single-use numbers of a server that shares them with nobody.
pub(crate) fn store_of_this_process() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(ROUNDS))
}

/// What seals for a server, whose tools are already those that are served.
///
/// # Errors
///
/// When the key is shared and what was used is not: what a person agreed to once would run once
/// at each replica, and again after each restart.
pub(crate) fn sealer<S>(
    key: Option<&SealingKey>,
    has_shared_store: bool,
    definition: &Definition<S>,
    manifest_digest: &str,
) -> Result<Sealer> {
    let Some(key) = key else {
        return Sealer::random();
    };
    if !has_shared_store {
        return Err(Error::new(
            "there is a sealing key for replicas, and each would remember for itself what was used",
        )
        .help("add `.store(RedisStore::at(\"rediss://…\"))`, or leave the sealing key out"));
    }
    // An agreement is for a tool by its place in the list, so that is part of the key.
    let tools = definition.tools.iter().map(|t| t.about.name);
    let prompts = definition.prompts.iter().map(|p| p.about.name);
    let resources = definition.resources.iter().map(|r| r.about.name);
    let mut server = vec![definition.name, manifest_digest];
    for part in [
        tools.collect::<Vec<_>>(),
        prompts.collect(),
        resources.collect(),
    ] {
        server.push("-");
        server.extend(part);
    }
    let keys = key.derive(&server)?;
    match keys.split_first() {
        Some((key, former)) => Ok(Sealer::of(key, former)),
        None => Sealer::random(),
    }
}

/// Single-use numbers that are remembered at once; each lives ten minutes.
const ROUNDS: usize = 65_536;

/// Opens the grants. Each is told what the handles of all tools add up to, and says what the
/// sandbox must leave open.
pub(crate) fn open<S>(
    definition: &Definition<S>,
    init: &[&'static [Facts]],
    grants: &[Grant],
    bindings: &[Binding],
    opening: &mut Opening,
) -> Result<Grants> {
    let mut opened = Grants::default();
    for (grant, binding) in grants.iter().zip(bindings) {
        let rights = Rights {
            writes: facts(definition, init)
                .any(|facts| facts.capability == grant.name && facts.writes),
        };
        opened.insert(grant.type_id, grant.source.open(binding, rights, opening)?);
    }
    Ok(opened)
}

/// Every right of every handle that user code is lent.
fn facts<'a, S>(
    definition: &'a Definition<S>,
    init: &'a [&'static [Facts]],
) -> impl Iterator<Item = &'a Facts> {
    let tools = definition.tools.iter().flat_map(|t| t.about.facts());
    let prompts = definition.prompts.iter().flat_map(|p| p.about.facts());
    let resources = definition.resources.iter().flat_map(|r| r.about.facts());
    let completions = definition
        .completions
        .iter()
        .flat_map(|c| c.handles.iter().flat_map(|h| h.iter()));
    tools
        .chain(prompts)
        .chain(resources)
        .chain(completions)
        .chain(init.iter().flat_map(|h| h.iter()))
}

/// Holds what is used against what is granted: an operator should never be asked for
/// authority that nothing uses, nor a tool fail on the first call.
pub(crate) fn check_grants<S>(
    definition: &Definition<S>,
    init: &[&'static [Facts]],
    grants: &[Grant],
) -> Result<()> {
    let used: BTreeSet<&str> = facts(definition, init)
        .map(|facts| facts.capability)
        .filter(|capability| !capability.is_empty())
        .collect();
    let mut granted = BTreeSet::new();
    for grant in grants {
        if !granted.insert(grant.name) {
            return Err(Error::new(format!(
                "the capability `{}` is granted twice",
                grant.name
            )));
        }
        if !used.contains(grant.name) {
            return Err(
                Error::new(format!("nothing uses the grant `{}`", grant.name))
                    .help("remove `.grant(…)` for it from the code"),
            );
        }
    }
    match used.difference(&granted).next() {
        Some(missing) => Err(
            Error::new(format!("the capability `{missing}` is not granted"))
                .help("add `.grant(….from_operator())` for it where the server is built"),
        ),
        None => Ok(()),
    }
}

/// A plan without an operator.
#[cfg(feature = "testing")]
pub(crate) fn plan_for_tests<S: SecureService>(
    server: crate::SecureServer<S, crate::server::Ready>,
    paths: &[(String, std::path::PathBuf)],
    sink: AuditSink,
    identity: IdentitySource,
) -> Result<Plan<S>> {
    use super::engines::Engines;
    use crate::capability::Asked;

    let definition = S::definition();
    let init = server.source.handles();
    check_grants(&definition, &init, &server.grants)?;
    let compiled = Manifest::compiled(&definition, &server.grants, &server.limits, &["stdio"]);
    compiled.texts_with(&definition).refuse()?;
    let cwd = std::path::Path::new("/");
    let mut bindings = Vec::new();
    for grant in &server.grants {
        let given = paths.iter().find(|(name, _)| name == grant.name);
        let asked = given.map(|(_, path)| Asked {
            written: path.as_os_str(),
            base: cwd,
        });
        bindings.push(grant.source.bind(asked.as_ref(), cwd)?);
    }
    let mut opening = Opening::default();
    let grants = open(&definition, &init, &server.grants, &bindings, &mut opening)?;
    let policies = Engines::of_code(&server.policies).prepare(&definition)?;
    Ok(Plan {
        source: server.source,
        definition,
        grants,
        ready: opening.ready,
        limits: server.limits,
        text: server.text,
        layers: server.layers,
        policies,
        sink,
        digest_key: DigestKey::random()?,
        meter: Meter::default(),
        transport: "memory",
        identity,
        manifest_digest: compiled.digest(),
        effective: compiled,
        store: store_of_this_process(),
        shared_limits: None,
        sealer: Sealer::random()?,
        // There is no browser in memory.
        approvals: Approvals::by(crate::approval::By::in_client()),
        #[cfg(feature = "http")]
        page: None,
        #[cfg(feature = "upstream")]
        connecting: None,
    })
}
