//! `run()`: options, checks, transport; in the order in which they may fail.

use std::sync::Arc;

use super::{
    Ready, SecureServer, Source,
    assemble::{Bound, Plan, check_grants, path_in_code},
    runtime, serve,
};
use crate::{
    Error, Result, audit::AuditSink, definition::SecureService, layer::identity::IdentitySource,
};

impl<S: SecureService> SecureServer<S, Ready> {
    /// Reads the command line and serves.
    ///
    /// Not async: what must happen before any thread exists, happens here first.
    ///
    /// # Errors
    ///
    /// When the server cannot start, in words for the operator.
    pub fn run(self) -> Result<()> {
        super::log::init();
        let mut args = std::env::args().skip(1).peekable();
        if args.peek().is_some_and(|a| a == "serve") { args.next(); }
        let mut verb = "stdio";
        let mut given = Vec::new();
        let mut audit = None;
        while let Some(a) = args.next() {
            match a.as_str() {
                "--stdio" => verb = "stdio",
                "--http" => verb = "http",
                "--grant" => given.extend(args.next().and_then(|g| g.split_once('=').map(|(n, p)| (n.to_owned(), p.to_owned())))),
                "--audit" => audit = args.next(),
                other => return Err(Error::new(format!("unknown option `{other}`"))),
            }
        }
        let definition = S::definition();
        let init = match &self.source { Source::Init { handles, .. } => handles(), Source::Value(_) => Vec::new() };
        check_grants(&definition, &init, &self.grants)?;
        let mut bound = Vec::new();
        for grant in self.grants {
            let path = match path_in_code(&grant) { Some(p) => p, None => given.iter().find(|(n, _)| *n == grant.name).map(|(_, p)| p.into()).ok_or_else(|| Error::new(format!("`{}` is not bound", grant.name)))? };
            bound.push(Bound { grant, path });
        }
        let sink = match audit { Some(a) if a == "stderr" => AuditSink::stderr(), Some(a) => AuditSink::file(a.as_ref())?, None => AuditSink::file(&AuditSink::default_path(definition.name).ok_or_else(|| Error::new("no home"))?)? };
        let identity = match verb {
            "stdio" => IdentitySource::Declared(Arc::new(self.stdio.clone().ok_or_else(|| Error::new("no stdio"))?)),
            _ => IdentitySource::HttpParts,
        };
        let name = definition.name;
        let plan = Plan { source: self.source, definition, bound, limits: self.limits, layers: self.layers, sink, transport: if verb == "stdio" { "stdio" } else { "http" }, identity, manifest_digest: String::new() };
        if verb == "stdio" {
            let out = super::stdio::take_stdout().map_err(|e| Error::new(format!("stdout: {e}")))?;
            let rt = runtime()?;
            let done = rt.block_on(serve::stdio(plan, out));
            rt.shutdown_background();
            return done;
        }
        let http = self.http.ok_or_else(|| Error::new("no http"))?.bind(name)?;
        let rt = runtime()?;
        eprintln!("{:?} {:?}", http.local_addr(), http.token_path());
        rt.block_on(serve::http(plan, http))
    }
}
