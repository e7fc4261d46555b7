//! Puts a server together from what was declared and what the operator bound.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crate::{
    Error, Limits, Result, TextPolicy,
    audit::{Audit, AuditSink, Tally},
    auth::{Assurance, Principal},
    call::Call,
    capability::{
        Facts, Grant, Grants, LeaseGuard,
        fs::{FsLimits, OpenRoot},
    },
    definition::{Definition, SecureService},
    layer::identity::IdentitySource,
    manifest::Manifest,
    pipeline::{
        Handlers, Hardened, Registry,
        stack::{self, UserLayers},
    },
    server::Source,
    state::{MemoryStore, Sealer},
};

/// A grant with what the operator bound it to.
pub(crate) struct Bound {
    pub(crate) grant: Grant,
    pub(crate) path: PathBuf,
    /// Where the code says so, the folder that `path` must be inside of.
    pub(crate) ceiling: Option<PathBuf>,
}

/// Everything that is the same for all transports of one server.
pub(crate) struct Assembled {
    pub(crate) hardened: Hardened,
    #[cfg_attr(
        not(feature = "http"),
        allow(dead_code, reason = "only HTTP seals sessions")
    )]
    pub(crate) sealer: Sealer,
    pub(crate) tally: Arc<Tally>,
}

/// What is put together.
pub(crate) struct Plan<S> {
    pub(crate) source: Source<S>,
    pub(crate) definition: Definition<S>,
    pub(crate) bound: Vec<Bound>,
    pub(crate) limits: Limits,
    pub(crate) text: TextPolicy,
    pub(crate) layers: Vec<UserLayers>,
    pub(crate) sink: AuditSink,
    pub(crate) transport: &'static str,
    pub(crate) identity: IdentitySource,
    /// What is served is held against it.
    pub(crate) effective: Manifest,
    /// Of the compiled form: what audit records name.
    pub(crate) manifest_digest: String,
}

impl<S: SecureService> Plan<S> {
    /// Opens the grants, runs `#[init]`, builds the stack. Runs inside the runtime.
    pub(crate) async fn assemble(self) -> Result<Assembled> {
        let registry = Arc::new(Registry::new(&self.definition, &self.limits)?);
        self.effective.check_served(&registry)?;
        let grants = Arc::new(open(self.bound)?);
        let sealer = Sealer::random()?;
        let audit = Arc::new(Audit::new(
            self.sink,
            self.transport,
            self.manifest_digest.into(),
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
        let layers = self.layers;
        let stack = stack::build(stack::Parts {
            service: Arc::new(service),
            handlers: Handlers::new(&self.definition),
            registry: Arc::clone(&registry),
            grants,
            limits: Arc::new(self.limits),
            text: self.text,
            audit,
            identity: self.identity,
            sealer: sealer.clone(),
            store: Arc::new(MemoryStore::new(ROUNDS)),
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
        })
    }
}

/// Single-use numbers that are remembered at once; each lives ten minutes.
const ROUNDS: usize = 65_536;

fn open(bound: Vec<Bound>) -> Result<Grants> {
    let mut grants = Grants::default();
    for Bound {
        grant,
        path,
        ceiling,
    } in bound
    {
        let root = open_root(&grant, &path, ceiling.as_deref())?;
        grants.insert_fs(grant.type_id, Arc::new(root));
    }
    Ok(grants)
}

/// Opens one folder, and holds it inside its ceiling once links are followed.
pub(crate) fn open_root(
    grant: &Grant,
    path: &std::path::Path,
    ceiling: Option<&std::path::Path>,
) -> Result<OpenRoot> {
    let explain = |error| {
        Error::new(format!(
            "the grant `{}` cannot be opened: {error}",
            grant.name
        ))
    };
    let root = OpenRoot::open(path, grant.policy.clone(), FsLimits::default()).map_err(explain)?;
    if let Some(ceiling) = ceiling {
        let outer =
            OpenRoot::open(ceiling, grant.policy.clone(), FsLimits::default()).map_err(explain)?;
        if !root.path().starts_with(outer.path()) {
            return Err(Error::new(format!(
                "the grant `{}` is bound to `{}`, which is outside of `{}`",
                grant.name,
                root.path().display(),
                outer.path().display()
            ))
            .help("bind it to a folder inside of the one that the code names"));
        }
    }
    Ok(root)
}

/// Holds what is used against what is granted: an operator should never be asked for
/// authority that nothing uses, nor a tool fail on the first call.
pub(crate) fn check_grants<S>(
    definition: &Definition<S>,
    init: &[&'static [Facts]],
    grants: &[Grant],
) -> Result<()> {
    let tools = definition.tools.iter().flat_map(|t| t.about.facts());
    let prompts = definition.prompts.iter().flat_map(|p| p.about.facts());
    let resources = definition.resources.iter().flat_map(|r| r.about.facts());
    let completions = definition
        .completions
        .iter()
        .flat_map(|c| c.handles.iter().flat_map(|h| h.iter()));
    let used: BTreeSet<&str> = tools
        .chain(prompts)
        .chain(resources)
        .chain(completions)
        .chain(init.iter().flat_map(|h| h.iter()))
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

/// The paths of grants that the code itself binds; the operator's come from the options.
#[cfg(feature = "testing")]
pub(crate) fn path_in_code(grant: &Grant) -> Option<PathBuf> {
    use crate::capability::GrantSource;
    match &grant.source {
        GrantSource::Operator => None,
        GrantSource::Path(path) => Some(path.clone()),
    }
}

/// A plan without an operator.
#[cfg(feature = "testing")]
pub(crate) fn plan_for_tests<S: SecureService>(
    server: crate::SecureServer<S, crate::server::Ready>,
    paths: &[(String, PathBuf)],
    sink: AuditSink,
    identity: IdentitySource,
) -> Result<Plan<S>> {
    let definition = S::definition();
    let init = server.source.handles();
    check_grants(&definition, &init, &server.grants)?;
    let compiled = Manifest::compiled(&definition, &server.grants, &server.limits, &["stdio"]);
    compiled.texts_with(&definition).refuse()?;
    let mut bound = Vec::new();
    for grant in server.grants {
        let given = paths
            .iter()
            .find(|(name, _)| name == grant.name)
            .map(|(_, path)| path.clone());
        let path = given
            .or_else(|| path_in_code(&grant))
            .ok_or_else(|| Error::new(format!("the grant `{}` is not bound", grant.name)))?;
        bound.push(Bound {
            grant,
            path,
            ceiling: None,
        });
    }
    Ok(Plan {
        source: server.source,
        definition,
        bound,
        limits: server.limits,
        text: server.text,
        layers: server.layers,
        sink,
        transport: "memory",
        identity,
        manifest_digest: compiled.digest(),
        effective: compiled,
    })
}
