//! `run()`: options, checks, transport; in the order in which they may fail.

#[cfg(feature = "http")]
use std::io::Write as _;
use std::{ffi::OsString, sync::Arc, time::SystemTime};

use super::{
    Ready, SecureServer,
    assemble::{self, Plan, check_grants},
    resolve::{Declared, Resolved, Transport},
    runtime, serve,
    verbs::{self, Next, Surroundings},
};
use crate::{
    Error, Result,
    audit::AuditSink,
    capability::{Binding, Facts, Opening},
    definition::{Definition, SecureService},
    layer::identity::IdentitySource,
    manifest::{Manifest, Texts},
    pipeline::Registry,
    server::config::AuditTarget,
};

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
        let definition = S::definition();
        let init = self.source.handles();
        check_grants(&definition, &init, &self.grants)?;
        let transports =
            Declared::transports(self.stdio.is_some(), self.has_http(), self.has_unix());
        let manifest = Manifest::compiled(&definition, &self.grants, &self.limits, &transports)
            .with_init(&init);
        let texts = manifest.texts_with(&definition);
        let declared = self.declared(manifest, texts);

        let exe = std::env::current_exe()
            .map_err(|e| Error::new(format!("the path of this program is not known: {e}")))?;
        let cwd = std::env::current_dir()
            .map_err(|e| Error::new(format!("the current folder cannot be named: {e}")))?;
        let next = verbs::dispatch(
            args.into_iter().map(Into::into),
            (definition.name, definition.version),
            &declared,
            |resolved| probe(&definition, &init, &declared, resolved),
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
                self.serve(definition, compiled, *resolved)
            }
            Next::Exit(0) => Ok(()),
            Next::Exit(code) => std::process::exit(i32::from(code)),
        }
    }

    fn serve(
        self,
        mut definition: Definition<S>,
        compiled: Manifest,
        resolved: Resolved,
    ) -> Result<()> {
        // A tool that the operator denies is not served at all: it cannot be listed, called
        // or guessed.
        definition.tools.retain(|tool| {
            !resolved
                .denied_tools
                .iter()
                .any(|denied| denied == tool.about.name)
        });
        let sink = sink(
            resolved.audit.as_ref(),
            self.audit.as_deref(),
            definition.name,
        )?;
        #[cfg(feature = "http")]
        let name = definition.name;
        let identity = match (&resolved.transport, self.stdio) {
            (Transport::Stdio, Some(principal)) => IdentitySource::Declared(Arc::new(principal)),
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
        let mut opening = Opening::default();
        let grants = assemble::open(
            &definition,
            &self.source.handles(),
            &self.grants,
            &bindings(&resolved),
            &mut opening,
        )?;
        let plan = Plan {
            source: self.source,
            definition,
            grants,
            limits: resolved.limits,
            text: resolved.text,
            layers: self.layers,
            sink,
            transport: resolved.transport.name(),
            identity,
            effective: resolved.manifest,
            manifest_digest: compiled.digest(),
        };
        match resolved.transport {
            Transport::Stdio => {
                // Before the runtime exists: no thread may hold the old descriptor.
                let out = super::stdio::take_stdout()
                    .map_err(|e| Error::new(format!("standard output cannot be set aside: {e}")))?;
                let runtime = runtime()?;
                let done = runtime.block_on(serve::stdio(plan, out));
                // A read of standard input or a stuck tool must not keep the process.
                super::end(runtime);
                done
            }
            #[cfg(feature = "http")]
            Transport::Http(address) => {
                let mut http = self
                    .http
                    .ok_or_else(|| Error::new("this server does not declare `http`"))?;
                if let Some(address) = address {
                    http.move_to(address.to_string());
                }
                if let Some(path) = resolved.token_file {
                    http.keep_token_at(path);
                }
                let limits = http.limits_mut();
                limits.body_bytes = limits.body_bytes.min(max_message);
                let bound = http.bind(name)?;
                let runtime = runtime()?;
                let done = runtime.block_on(serve::http(plan, bound));
                super::end(runtime);
                done
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
                let bound = unix.bind()?;
                let runtime = runtime()?;
                let done = runtime.block_on(serve::http(plan, bound));
                super::end(runtime);
                done
            }
            #[cfg(not(feature = "http"))]
            _ => Err(Error::new("this server is built without HTTP")),
        }
    }

    fn declared(&self, manifest: Manifest, texts: Texts) -> Declared<'_> {
        Declared {
            grants: &self.grants,
            limits: &self.limits,
            text: self.text,
            stdio: self.stdio.is_some(),
            #[cfg(feature = "http")]
            http: self.http.as_ref().map(|http| {
                let (addr, path) = http.declared();
                super::resolve::DeclaredHttp {
                    addr: addr.to_owned(),
                    path: path.to_owned(),
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

    #[cfg(feature = "http")]
    fn has_http(&self) -> bool {
        self.http.is_some()
    }

    #[cfg(feature = "http")]
    fn has_unix(&self) -> bool {
        self.unix.is_some()
    }

    #[cfg(not(feature = "http"))]
    fn has_http(&self) -> bool {
        false
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
    resolved: &Resolved,
) -> Result<()> {
    let registry = Registry::new(definition, &resolved.limits)?;
    declared.manifest.check_served(&registry)?;
    assemble::open(
        definition,
        init,
        declared.grants,
        &bindings(resolved),
        &mut Opening::default(),
    )?;
    Ok(())
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

fn sink(
    asked: Option<&AuditTarget>,
    declared: Option<&std::path::Path>,
    server: &str,
) -> Result<AuditSink> {
    match (asked, declared) {
        (Some(AuditTarget::Stderr), _) => Ok(AuditSink::stderr()),
        (Some(AuditTarget::File(path)), _) => AuditSink::file(path),
        (None, Some(path)) => AuditSink::file(path),
        (None, None) => match AuditSink::default_path(server) {
            Some(path) => AuditSink::file(&path),
            None => Err(
                Error::new("there is no place for the audit log: `HOME` is not set")
                    .help("name one with `--audit PATH`, or say `--audit stderr`"),
            ),
        },
    }
}

/// One line for the operator on standard error, which no log filter hides.
#[cfg(feature = "http")]
pub(crate) fn announce(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
