//! `run()`: options, checks, transport; in the order in which they may fail.

#[cfg(feature = "http")]
use std::io::Write as _;
use std::{ffi::OsString, time::SystemTime};

#[cfg(feature = "redis")]
use std::sync::Arc;

#[cfg(feature = "metrics")]
use super::cli::MetricsPlace;
#[cfg(feature = "http")]
use super::persons::{Persons, Wanted};
use super::{
    Ready, SecureServer,
    assemble::{self, Plan, check_grants},
    own_files::OwnFiles,
    resolve::{Declared, Resolved, Transport},
    runtime, serve,
    verbs::{self, Next, Surroundings},
};
#[cfg(feature = "metrics")]
use crate::metrics::Operator;
use crate::{
    Error, Result,
    audit::{About, AuditSink, DigestKey},
    capability::{Binding, Facts, FileAccess, FileNeed, Opening},
    definition::{Definition, SecureService},
    layer::identity::IdentitySource,
    manifest::{Manifest, Texts},
    metrics::Meter,
    pipeline::Registry,
    policy::PolicyEngine,
    server::{config::AuditTarget, engines::Engines},
    state::{SealingKey, Starting, Store},
};
#[cfg(feature = "redis")]
use crate::{limit::SharedBuckets, state::RedisLimits};

impl<S: SecureService> SecureServer<S, Ready> {
    /// Does what the command line says: serves, or checks, or prints the manifest or a
    /// client's configuration. `--help` lists the verbs.
    ///
    /// Not async: what must happen before any thread exists, happens here first. Bring no
    /// runtime of your own.
    ///
    /// Leaves the process with code 2 if the command line is not understood, and with 1 if
    /// it cannot do what was asked.
    ///
    /// # Errors
    ///
    /// When the server cannot start, in words for the operator.
    pub fn run(self) -> Result<()> {
        self.run_from(std::env::args_os())
    }

    /// [`run`](Self::run) with a command line of the caller's, whose first item is the name
    /// of the program.
    ///
    /// # Errors
    ///
    /// As `run`.
    pub fn run_from<I, T>(self, args: I) -> Result<()>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        super::log::init();
        #[cfg(all(target_os = "linux", feature = "keyring"))]
        {
            if let Some(done) = crate::vault::serve_as_reader() {
                return done;
            }
            crate::vault::by_child();
        }
        #[cfg(all(target_os = "linux", feature = "sandbox"))]
        if let Some(done) = crate::broker::serve_as_helper() {
            return done;
        }
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        super::cli::set_log(&args);
        let definition = S::definition();
        // Before anything is open: it may start the program again.
        #[cfg(feature = "sandbox")]
        let rows = {
            let name = (definition.name, definition.version);
            super::ring::start_clean(&self.sandbox, name, &args)
        };
        let init = self.source.handles();
        check_grants(&definition, &init, &self.grants)?;
        let transports = Declared::rows(self.stdio.is_some(), self.shown_http(), self.has_unix());
        let manifest = Manifest::compiled(&definition, &self.grants, &self.limits, &transports)
            .with_init(&init);
        #[cfg(feature = "sandbox")]
        let manifest = manifest.with_sandbox(&self.sandbox);
        #[cfg(feature = "http")]
        let manifest = manifest.with_callers(
            self.http
                .as_ref()
                .map(super::http::Http::callers)
                .unwrap_or_default(),
        );
        let manifest = manifest.with_policies(self.policies.iter().map(|engine| engine.row()));
        let manifest = manifest.with_store(self.shared_terms());
        let manifest = manifest.with_approvals(self.approval_terms(&definition)?);
        let texts = manifest.texts_with(&definition);
        let declared = self.declared(manifest, texts);

        let exe = std::env::current_exe()
            .map_err(|e| Error::new(format!("the path of this program is not known: {e}")))?;
        let cwd = std::env::current_dir()
            .map_err(|e| Error::new(format!("the current folder cannot be named: {e}")))?;
        let next = verbs::dispatch(
            args,
            (definition.name, definition.version),
            &declared,
            |resolved| {
                let mut opening = Opening::default();
                #[cfg(feature = "vault")]
                if let Some(vault) = &self.vault {
                    vault.enter(&mut opening)?;
                }
                let policies = &self.policies;
                probe(
                    &definition,
                    &init,
                    &declared,
                    policies,
                    resolved,
                    &mut opening,
                )
            },
            &mut Surroundings {
                exe: &exe,
                cwd: &cwd,
                now: SystemTime::now(),
                out: &mut std::io::stdout(),
                err: &mut std::io::stderr(),
            },
        );
        match next {
            Next::Serve(resolved) => {
                let compiled = declared.manifest;
                self.serve(
                    definition,
                    compiled,
                    *resolved,
                    #[cfg(feature = "sandbox")]
                    rows,
                )
            }
            #[cfg(feature = "sandbox")]
            Next::Doctor { resolved, json } => self.doctor(&definition, &resolved, json, rows),
            #[cfg(feature = "vault")]
            Next::Vault(verb) => {
                let vault = self.vault.as_ref().ok_or_else(|| {
                    Error::new("this server has no vault")
                        .help("`mcp-secure vault` keeps those of others")
                });
                vault.and_then(|vault| verb.run(vault))
            }
            Next::Exit(0) => Ok(()),
            Next::Exit(code) => std::process::exit(i32::from(code)),
        }
    }

    fn serve(
        mut self,
        mut definition: Definition<S>,
        compiled: Manifest,
        resolved: Resolved,
        #[cfg(feature = "sandbox")] rows: Vec<crate::sandbox::Row>,
    ) -> Result<()> {
        #[cfg(feature = "sandbox")]
        let mut ring = super::ring::Ring::begin(self.sandbox, &resolved, rows);
        self.approvals = resolved.approvals.clone();
        // Before: a policy may go on naming a tool that the operator takes away.
        let engines = Engines::of(&self.policies, &resolved);
        let policies = engines.prepare(&definition)?;
        // A tool that the operator denies is not served at all: it cannot be listed, called
        // or guessed.
        definition.tools.retain(|tool| {
            !resolved
                .denied_tools
                .iter()
                .any(|denied| denied == tool.about.name)
        });
        for tool in &mut definition.tools {
            let rows = resolved.manifest.tools.iter();
            for row in rows.filter(|row| row.name == tool.about.name) {
                tool.about.policy.lower_to(&row.limits);
            }
        }
        let target = audit_target(
            resolved.audit.clone(),
            self.audit.as_deref(),
            definition.name,
        )?;
        let manifest_digest = compiled.digest();
        let sink = match &target {
            AuditTarget::File(path) => AuditSink::open(
                path,
                &resolved.audit_settings,
                &About {
                    server: definition.name.to_owned(),
                    version: definition.version.to_owned(),
                    manifest: manifest_digest.clone(),
                },
            )?,
            AuditTarget::Stderr => AuditSink::stderr(),
            #[cfg(feature = "__bench")]
            AuditTarget::Nowhere => crate::audit::bench::nowhere(),
        };
        if let Some(anchor) = self.audit_anchor.take() {
            if resolved.audit_settings.anchor.is_some() {
                return Err(
                    Error::new("the checkpoints of the audit log have two anchors")
                        .help("this server brings its own: leave `anchor` under `[audit]` away"),
                );
            }
            sink.anchor(anchor)?;
        }
        let mut opening = Opening::default();
        if let Some(key) = &resolved.audit_settings.cosigner {
            let what = "the second key of the audit log";
            opening.secrets.push((what, key.clone()));
        }
        #[cfg(feature = "net")]
        let posting = match &resolved.audit_settings.post_anchor {
            Some(post) => {
                let (anchor, posting) = post.open(&mut opening)?;
                sink.anchor(anchor)?;
                Some(posting)
            }
            None => None,
        };
        let digest_key = match &target {
            AuditTarget::File(path) => DigestKey::beside(path)?,
            // Nothing lies beside a stream.
            _ => DigestKey::random()?,
        };
        #[cfg(feature = "http")]
        let (name, scopes) = (definition.name, definition.scopes());
        let identity = match (&resolved.transport, self.stdio) {
            (Transport::Stdio, Some(principal)) => IdentitySource::Declared(principal),
            (Transport::Stdio, None) => {
                return Err(Error::new("this server does not declare `stdio`"));
            }
            #[cfg(feature = "http")]
            _ => IdentitySource::HttpParts,
            #[cfg(not(feature = "http"))]
            _ => return Err(Error::new("this server is built without HTTP")),
        };
        #[cfg(feature = "http")]
        let max_message = resolved.limits.max_message;
        let meter = Meter::default();
        #[cfg(feature = "otel")]
        let (meter, telemetry) = match resolved.otel.clone().or(self.otel.take()) {
            Some(collector) => {
                let server = crate::otel::Server {
                    name: definition.name,
                    version: definition.version,
                    manifest: manifest_digest.clone(),
                };
                let (telemetry, pending) =
                    crate::otel::Telemetry::open(collector, server, &mut opening)?;
                (Meter::exported(telemetry), Some(pending))
            }
            None => (meter, None),
        };
        #[cfg(feature = "metrics")]
        let (meter, operator) = match &resolved.metrics {
            Some(at) => {
                let meter = meter.counting();
                let operator = match &at.place {
                    MetricsPlace::Address(address) => {
                        Operator::bind(*address, at.on_network, meter.clone())?
                    }
                    #[cfg(unix)]
                    MetricsPlace::Unix(path) => Operator::bind_unix(path, meter.clone())?,
                    #[cfg(not(unix))]
                    MetricsPlace::Unix(_) => {
                        return Err(Error::new("sockets in the file system need a Unix system"));
                    }
                };
                (meter, Some(operator))
            }
            None => (meter, None),
        };
        #[cfg(feature = "vault")]
        if let Some(vault) = &self.vault {
            vault.prepare()?;
            vault.enter(&mut opening)?;
        }
        let grants = assemble::open(
            &definition,
            &self.source.handles(),
            &self.grants,
            &bindings(&resolved),
            &mut opening,
        )?;
        #[cfg(feature = "vault")]
        crate::vault::Vault::leave(&mut opening)?;
        if let Some(store) = &self.store {
            store.start(&mut Starting::of(&mut opening))?;
        }
        #[cfg(feature = "redis")]
        if let Some(limits) = &self.shared_limits {
            limits.start(&mut Starting::of(&mut opening))?;
        }
        for approver in self.approvals.outside() {
            approver.start(&mut Starting::of(&mut opening))?;
        }
        let sealing_key = self.sealing_key.as_ref();
        let sealer = assemble::sealer(
            sealing_key,
            self.store.as_ref().is_some_and(|store| store.is_shared()),
            &definition,
            &manifest_digest,
        )?;
        #[cfg(feature = "oauth")]
        if let Some(capability) = crate::auth::oauth::wanted_inbound(&mut opening) {
            let takes_tokens = match resolved.transport {
                Transport::Http(_) => self.http.as_ref().is_some_and(|http| http.takes_tokens()),
                _ => false,
            };
            if !takes_tokens {
                return Err(Error::new(format!(
                    "the grant `{capability}` exchanges the caller's token, and here nobody \
                     comes with one"
                ))
                .help("serve HTTP with `.resource_server(…)`, or take `.exchange(…)` away"));
            }
        }
        let transport = resolved.serving;
        #[cfg(feature = "http")]
        let wants_page = self.approvals.wants_page();
        #[cfg(feature = "http")]
        let asks = (wants_page || self.approvals.hears()) && may_ask(&definition);
        #[cfg_attr(not(feature = "http"), allow(unused_mut))]
        let mut bound = match resolved.transport {
            // Before the runtime exists: no thread may hold the old descriptor.
            Transport::Stdio => Bound::Stdio(
                super::stdio::take_stdout()
                    .map_err(|e| Error::new(format!("standard output cannot be set aside: {e}")))?,
            ),
            #[cfg(feature = "http")]
            Transport::Http(address) => {
                let mut http = self
                    .http
                    .ok_or_else(|| Error::new("this server does not declare `http`"))?;
                if let Some(address) = address {
                    http.move_to(address.to_string());
                }
                #[cfg(feature = "oauth")]
                if let Some(client_id) = &resolved.sign_in {
                    http.sign_in_by(client_id);
                }
                if let Some(path) = resolved.token_file
                    && !http.keep_token_at(path)
                {
                    return Err(Error::new(
                        "a token file is named, and this server's callers show something else",
                    )
                    .help("leave `--token-file`, or `token_file` under `[http]`, away"));
                }
                let limits = http.limits_mut();
                limits.body_bytes = limits.body_bytes.min(max_message);
                Bound::Http(Box::new(http.bind(&mut super::http::Served {
                    name,
                    scopes,
                    opening: &mut opening,
                    store: self.store.as_ref(),
                    has_pages: true,
                })?))
            }
            #[cfg(feature = "http")]
            Transport::Unix(path) => {
                let mut unix = self
                    .unix
                    .ok_or_else(|| Error::new("this server does not declare `unix`"))?;
                if let Some(path) = path {
                    unix.move_to(path);
                }
                let limits = unix.limits_mut();
                limits.body_bytes = limits.body_bytes.min(max_message);
                Bound::Http(Box::new(unix.bind()?))
            }
            #[cfg(not(feature = "http"))]
            _ => return Err(Error::new("this server is built without HTTP")),
        };
        #[cfg(feature = "upstream")]
        let accesses = crate::connect::all(&mut opening);
        #[cfg(feature = "http")]
        #[cfg_attr(not(feature = "upstream"), allow(unused_mut))]
        let mut persons = {
            #[cfg(feature = "upstream")]
            let connect = accesses.first().map(|access| access.capability());
            #[cfg(not(feature = "upstream"))]
            let connect = None;
            let wanted = Wanted {
                approve: asks.then(|| self.approvals.approver_scopes()),
                page: wants_page,
                always: definition.tools.iter().any(|t| t.about.needs_approval()),
                connect,
            };
            Persons::of(&mut bound, &sealer, wanted)?
        };
        let store = self.store.clone();
        let store = store.unwrap_or_else(assemble::store_of_this_process);
        #[cfg(feature = "upstream")]
        let connecting = {
            let kept = super::connect::Kept {
                sealer: &sealer,
                store: &store,
            };
            super::connect::open(accesses, definition.name, &bound, &mut persons, &kept)?
        };
        #[cfg_attr(
            not(feature = "http"),
            allow(unused_mut, reason = "only HTTP has a token")
        )]
        let mut own = OwnFiles::of(&target, resolved.config.as_deref());
        #[cfg(feature = "http")]
        if let Bound::Http(bound) = &bound {
            for (what, path, is_secret) in bound.own_files() {
                own.add(what, Some(path));
                if is_secret {
                    own.keep_secret(what, path);
                }
            }
        }
        if let AuditTarget::File(path) = &target {
            let key = DigestKey::path_beside(path);
            own.add("the key of the audit log's digests", Some(&key));
            own.keep_secret("the key of the audit log's digests", &key);
        }
        for file in engines.files() {
            own.add("the policies", Some(&file));
        }
        let sealing = sealing_key
            .into_iter()
            .flat_map(SealingKey::paths)
            .map(|path| ("the sealing key", Some(path)));
        let secrets = [
            (
                "the password of the store",
                self.store.as_deref().and_then(Store::secret_path),
            ),
            #[cfg(feature = "redis")]
            (
                "the password of the shared limits",
                self.shared_limits
                    .as_deref()
                    .and_then(RedisLimits::secret_path),
            ),
        ];
        for (what, path) in sealing.chain(secrets) {
            if let Some(path) = path {
                own.add(what, Some(path));
                own.keep_secret(what, path);
            }
        }
        for (what, path) in &opening.secrets {
            own.add(what, Some(path));
            own.keep_secret(what, path);
        }
        own.outside_of(&opening.needs)?;
        // After: what the server keeps for itself is not what a tool reaches.
        let kept = std::mem::take(&mut opening.own);
        opening.needs.files.extend(kept);
        #[cfg(feature = "http")]
        if let Bound::Http(bound) = &bound {
            opening.needs.files.extend(bound.needs());
        }
        #[cfg(all(unix, feature = "metrics"))]
        if let Some(folder) = operator.as_ref().and_then(|one| one.path()?.parent()) {
            opening.needs.files.push(FileNeed {
                path: folder.to_owned(),
                access: FileAccess::Remove,
                because: "the socket of the numbers".to_owned(),
            });
        }
        if let Some(path) = sink.folder() {
            opening.needs.files.push(audit_need(path));
        }
        let ready = std::mem::take(&mut opening.ready);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // Whatever ends this function: what was recorded gets to the disk.
        let _closing = sink.closing();
        #[cfg(feature = "sandbox")]
        {
            let report = ring.close(opening)?;
            sink.start()?;
            crate::audit::sandbox(&sink, transport, &manifest_digest, &report);
            ring.judge(&report)?;
        }
        #[cfg(not(feature = "sandbox"))]
        sink.start()?;
        #[cfg(feature = "otel")]
        let exported = sink.clone();
        #[cfg(feature = "net")]
        let posting = posting.map(|posting| posting.run(sink.clone(), meter.clone()));
        let plan = Plan {
            source: self.source,
            definition,
            grants,
            ready,
            limits: resolved.limits,
            text: resolved.text,
            layers: self.layers,
            policies,
            sink,
            digest_key,
            meter,
            transport,
            identity,
            effective: resolved.manifest,
            manifest_digest,
            store,
            #[cfg(feature = "redis")]
            shared_limits: self
                .shared_limits
                .map(|limits| -> Arc<dyn SharedBuckets> { limits }),
            #[cfg(not(feature = "redis"))]
            shared_limits: None,
            sealer,
            approvals: self.approvals,
            #[cfg(feature = "http")]
            page: persons.approve_at(),
            #[cfg(feature = "upstream")]
            connecting,
        };
        let runtime = runtime(threads)?;
        #[cfg(feature = "metrics")]
        if let Some(operator) = operator {
            if let Some(address) = operator.address() {
                announce(&format!("metrics on http://{address}/metrics"));
            }
            #[cfg(unix)]
            if let Some(path) = operator.path() {
                announce(&format!("metrics on unix:{}", path.display()));
            }
            runtime.spawn(operator.serve());
        }
        #[cfg(feature = "net")]
        if let Some(posting) = posting {
            runtime.spawn(posting);
        }
        #[cfg(feature = "otel")]
        let telemetry = telemetry.map(|pending| {
            let _inside = runtime.enter();
            pending.start(exported, transport)
        });
        let done = match bound {
            Bound::Stdio(out) => runtime.block_on(serve::stdio(
                plan,
                out,
                #[cfg(feature = "http")]
                persons,
            )),
            #[cfg(feature = "http")]
            Bound::Http(bound) => runtime.block_on(serve::http(plan, *bound, persons)),
        };
        #[cfg(feature = "otel")]
        if let Some(telemetry) = telemetry {
            runtime.block_on(telemetry.stop());
        }
        // A read of standard input or a stuck tool must not keep the process.
        super::end(runtime);
        done
    }

    /// Goes as far as a start goes before it takes a transport, and says how far it came.
    #[cfg(feature = "sandbox")]
    fn doctor(
        self,
        definition: &Definition<S>,
        resolved: &Resolved,
        json: bool,
        rows: Vec<crate::sandbox::Row>,
    ) -> Result<()> {
        Engines::of(&self.policies, resolved).prepare(definition)?;
        let mut ring = super::ring::Ring::begin(self.sandbox, resolved, rows);
        let mut opening = Opening::default();
        #[cfg(feature = "vault")]
        if let Some(vault) = &self.vault {
            vault.prepare()?;
            vault.enter(&mut opening)?;
        }
        // Held until the end: a server has them open as well.
        let _grants = assemble::open(
            definition,
            &self.source.handles(),
            &self.grants,
            &bindings(resolved),
            &mut opening,
        )?;
        #[cfg(feature = "vault")]
        {
            for line in crate::vault::Vault::reminders(&mut opening) {
                eprintln!("{line}");
            }
            crate::vault::Vault::leave(&mut opening)?;
        }
        if let Some(store) = &self.store {
            store.start(&mut Starting::of(&mut opening))?;
        }
        #[cfg(feature = "redis")]
        if let Some(limits) = &self.shared_limits {
            limits.start(&mut Starting::of(&mut opening))?;
        }
        let kept = std::mem::take(&mut opening.own);
        opening.needs.files.extend(kept);
        #[cfg(feature = "otel")]
        if let Some(collector) = resolved.otel.as_ref().or(self.otel.as_ref()) {
            let server = crate::otel::Server {
                name: definition.name,
                version: definition.version,
                manifest: String::new(),
            };
            crate::otel::Telemetry::open(collector.clone(), server, &mut opening)?;
        }
        #[cfg(feature = "net")]
        if let Some(post) = &resolved.audit_settings.post_anchor {
            post.open(&mut opening)?;
        }
        let target = audit_target(
            resolved.audit.clone(),
            self.audit.as_deref(),
            definition.name,
        )?;
        if let AuditTarget::File(path) = &target {
            opening
                .needs
                .files
                .push(audit_need(crate::audit::segments_folder(path)?));
        }
        let report = ring.close(opening)?;
        verbs::say(&mut std::io::stdout(), &report.shown(json)?)?;
        ring.suffices(&report)
    }

    /// What replicas share, for the manifest.
    fn shared_terms(&self) -> Vec<String> {
        let mut terms = self.store.as_ref().map_or_else(Vec::new, |s| s.terms());
        #[cfg(feature = "redis")]
        if let Some(limits) = &self.shared_limits {
            terms.extend(limits.terms());
        }
        #[cfg(feature = "otel")]
        terms.extend(self.otel.as_ref().map(crate::otel::Otlp::term));
        if self.sealing_key.is_some() {
            terms.push("replicas open what one of them sealed".to_owned());
        }
        terms
    }

    /// Where the client's word is taken for a person's, for the manifest.
    fn approval_terms(&self, definition: &Definition<S>) -> Result<Vec<String>> {
        let tools: Vec<&str> = definition.tools.iter().map(|t| t.about.name).collect();
        self.approvals.check(&tools, self.signs_in())?;
        Ok(match may_ask(definition) {
            true => self.approvals.terms(),
            false => Vec::new(),
        })
    }

    fn declared(&self, manifest: Manifest, texts: Texts) -> Declared<'_> {
        Declared {
            grants: &self.grants,
            limits: &self.limits,
            text: self.text,
            approvals: &self.approvals,
            could_sign_in: self.could_sign_in(),
            #[cfg(feature = "oauth")]
            signs_in_by: self.http.as_ref().and_then(|http| http.signs_in_by()),
            #[cfg(not(feature = "oauth"))]
            signs_in_by: None,
            stdio: self.stdio.is_some(),
            #[cfg(feature = "http")]
            http: self.http.as_ref().map(|http| {
                let (addr, path) = http.declared();
                let (scheme, host) = http.outside();
                super::resolve::DeclaredHttp {
                    addr: addr.to_owned(),
                    path: path.to_owned(),
                    shown: if http.has_tls() { "https" } else { "http" },
                    scheme,
                    shown_by_callers: http.shown_by_callers(),
                    host: host.map(str::to_owned),
                    is_behind_proxy: http.has_proxy(),
                    unfit: http.unfit(),
                }
            }),
            #[cfg(not(feature = "http"))]
            http: None,
            #[cfg(feature = "http")]
            unix: self.unix.as_ref().map(|unix| Some(unix.path().to_owned())),
            #[cfg(not(feature = "http"))]
            unix: None,
            manifest,
            texts,
        }
    }

    /// Whether the page of this server can know who a person is.
    fn signs_in(&self) -> bool {
        #[cfg(feature = "oauth")]
        {
            let client_id = self.http.as_ref().and_then(|http| http.signs_in_by());
            self.could_sign_in() && client_id.is_some()
        }
        #[cfg(not(feature = "oauth"))]
        false
    }

    /// Whether it could, if it were said by what persons sign in.
    fn could_sign_in(&self) -> bool {
        #[cfg(feature = "oauth")]
        {
            // The page of stdio and of a Unix-domain socket knows nobody.
            let takes_tokens = self.http.as_ref().is_some_and(|http| http.takes_tokens());
            takes_tokens && self.stdio.is_none() && self.unix.is_none()
        }
        #[cfg(not(feature = "oauth"))]
        false
    }

    #[cfg(feature = "http")]
    fn shown_http(&self) -> Option<&'static str> {
        let shown = |tls| if tls { "https" } else { "http" };
        self.http.as_ref().map(|http| shown(http.has_tls()))
    }

    #[cfg(feature = "http")]
    fn has_unix(&self) -> bool {
        self.unix.is_some()
    }

    #[cfg(not(feature = "http"))]
    fn shown_http(&self) -> Option<&'static str> {
        None
    }

    #[cfg(not(feature = "http"))]
    fn has_unix(&self) -> bool {
        false
    }
}

/// What `check` tries beyond reading: the table that would be served, and the folders.
fn probe<S: SecureService>(
    definition: &Definition<S>,
    init: &[&'static [Facts]],
    declared: &Declared<'_>,
    policies: &[Box<dyn PolicyEngine>],
    resolved: &Resolved,
    opening: &mut Opening,
) -> Result<()> {
    Engines::of(policies, resolved).prepare(definition)?;
    let registry = Registry::new(definition, &resolved.limits)?;
    declared.manifest.check_served(&registry)?;
    assemble::open(
        definition,
        init,
        declared.grants,
        &bindings(resolved),
        opening,
    )?;
    Ok(())
}

/// What stays open for the audit log: the folder that older segments go to.
fn audit_need(path: std::path::PathBuf) -> FileNeed {
    FileNeed {
        path,
        access: FileAccess::Write,
        because: "the audit log".to_owned(),
    }
}

fn bindings(resolved: &Resolved) -> Vec<Binding> {
    resolved
        .grants
        .iter()
        .map(|bound| Binding {
            value: bound.value.clone(),
            ceiling: bound.ceiling.clone(),
        })
        .collect()
}

/// What is served, once it is taken.
pub(super) enum Bound {
    Stdio(std::fs::File),
    #[cfg(feature = "http")]
    Http(Box<super::http::Bound>),
}

fn audit_target(
    asked: Option<AuditTarget>,
    declared: Option<&std::path::Path>,
    server: &str,
) -> Result<AuditTarget> {
    let declared = || declared.map(|path| AuditTarget::File(path.to_owned()));
    let default = || AuditSink::default_path(server).map(AuditTarget::File);
    asked.or_else(declared).or_else(default).ok_or_else(|| {
        Error::new("there is no place for the audit log: `HOME` is not set")
            .help("name one with `--audit PATH`, or say `--audit stderr`")
    })
}

/// One line for the operator on standard error, which no log filter hides.
#[cfg(feature = "http")]
pub(crate) fn announce(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a person may have to be asked about some tool: always, or when data flow together.
fn may_ask<S>(definition: &Definition<S>) -> bool {
    definition.tools.iter().any(|tool| {
        let is_open = || tool.about.facts().any(|facts| facts.open_sink);
        tool.about.needs_approval() || (tool.about.policy.allow_flow.is_none() && is_open())
    })
}
