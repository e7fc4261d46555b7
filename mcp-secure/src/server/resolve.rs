//! What the code declares, the operator's file and the command line, made one.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    cli::{ServeOptions, TransportOption},
    config::{AuditTarget, Config, absolute},
    grants,
};
use crate::{
    Error, Limits, Result, TextPolicy,
    approval::Approvals,
    capability::Grant,
    manifest::{BoundGrant, Manifest, Texts},
};

/// What the builder declares: the ceiling.
pub(crate) struct Declared<'a> {
    pub(crate) grants: &'a [Grant],
    pub(crate) limits: &'a Limits,
    pub(crate) text: TextPolicy,
    pub(crate) approvals: &'a Approvals,
    /// Callers show access tokens: who is at the page could sign in.
    pub(crate) could_sign_in: bool,
    /// By what, if the code says it.
    pub(crate) signs_in_by: Option<&'a str>,
    pub(crate) stdio: bool,
    pub(crate) http: Option<DeclaredHttp>,
    /// The path in code, if it names one.
    pub(crate) unix: Option<Option<PathBuf>>,
    /// The compiled form, of which the effective one is made.
    pub(crate) manifest: Manifest,
    /// What the text rules find in everything that is served.
    pub(crate) texts: Texts,
}

/// For the address that a client is told.
pub(crate) struct DeclaredHttp {
    /// As the code writes it: `127.0.0.1:8443`.
    pub(crate) addr: String,
    /// The path of the endpoint: `/mcp`.
    pub(crate) path: String,
    /// What it is called in the manifest: `http`, or `https` where it speaks TLS.
    pub(crate) shown: &'static str,
    /// What clients write before the name.
    pub(crate) scheme: &'static str,
    /// The first name that it answers to, beyond those of loopback.
    pub(crate) host: Option<String>,
    /// A proxy is in front: what is bound is not what clients reach.
    pub(crate) is_behind_proxy: bool,
    /// Why others may not reach it, and what to change.
    pub(crate) unfit: Option<Unfit>,
    /// What callers show.
    pub(crate) shown_by_callers: Shown,
}

/// What a caller over HTTP shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "http"),
    allow(dead_code, reason = "only HTTP has callers")
)]
pub(crate) enum Shown {
    /// The token in the file on this machine.
    TokenFile,
    /// A key that the operator made.
    ApiKey,
    /// An access token: a client gets it by logging in.
    #[cfg(feature = "oauth")]
    AccessToken,
    /// A certificate, in the handshake.
    #[cfg(feature = "tls")]
    Certificate,
}

/// Why a server may not leave its machine.
#[derive(Clone, Copy)]
pub(crate) struct Unfit {
    pub(crate) why: &'static str,
    pub(crate) help: &'static str,
}

impl Unfit {
    pub(crate) fn at(self, address: &str) -> String {
        format!("others reach `{address}`, and {}", self.why)
    }
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) transport: Transport,
    /// Its name in the manifest and in records.
    pub(crate) serving: &'static str,
    /// In the order of [`Declared::grants`].
    pub(crate) grants: Vec<BoundGrant>,
    pub(crate) limits: Limits,
    pub(crate) text: TextPolicy,
    /// Where the operator wants records; the builder's default otherwise.
    pub(crate) audit: Option<AuditTarget>,
    /// How it is written.
    pub(crate) audit_settings: crate::audit::Settings,
    pub(crate) token_file: Option<PathBuf>,
    /// Where the operator reads numbers.
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Option<super::cli::MetricsOption>,
    /// Where the operator collects telemetry.
    #[cfg(feature = "otel")]
    pub(crate) otel: Option<crate::otel::Otlp>,
    /// Who is asked.
    pub(crate) approvals: Approvals,
    /// By which client persons sign in, if the operator says so.
    #[cfg_attr(
        not(feature = "oauth"),
        allow(dead_code, reason = "nobody comes with a token")
    )]
    pub(crate) sign_in: Option<String>,
    pub(crate) denied_tools: Vec<String>,
    /// The operator's own policies.
    #[cfg(feature = "cedar")]
    pub(crate) policies: Option<PathBuf>,
    /// The effective form.
    pub(crate) manifest: Manifest,
    /// How much of a sandbox the operator wants at least.
    #[cfg(feature = "sandbox")]
    pub(crate) require: Option<crate::sandbox::Level>,
    /// Variables of the environment that the operator keeps.
    #[cfg(feature = "sandbox")]
    pub(crate) env: Vec<String>,
    /// The file that was read, as it was named.
    pub(crate) config: Option<String>,
}

/// The one transport that is served. Where there is no address or path, that of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Stdio,
    Http(Option<SocketAddr>),
    Unix(Option<PathBuf>),
}

impl Transport {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Stdio => STDIO,
            Self::Http(_) => HTTP,
            Self::Unix(_) => UNIX,
        }
    }
}

impl Declared<'_> {
    /// The same for the manifest, where `https` is another thing than `http`.
    pub(crate) fn rows(stdio: bool, http: Option<&'static str>, unix: bool) -> Vec<&'static str> {
        [stdio.then_some(STDIO), http, unix.then_some(UNIX)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The names of what is declared, to choose from and for errors.
    pub(crate) fn transports(stdio: bool, http: bool, unix: bool) -> Vec<&'static str> {
        [(stdio, STDIO), (http, HTTP), (unix, UNIX)]
            .into_iter()
            .filter_map(|(is, name)| is.then_some(name))
            .collect()
    }

    /// Reads the operator's file and decides everything that can be decided without opening
    /// a folder or a socket.
    ///
    /// # Errors
    ///
    /// Whatever stops a start, in words for the operator.
    pub(crate) fn resolve(&self, options: &ServeOptions, cwd: &Path) -> Result<Resolved> {
        let config = Config::find(options.config.as_deref(), &self.manifest.server.name)?;
        self.resolve_with(options, config, cwd)
    }

    fn resolve_with(
        &self,
        options: &ServeOptions,
        config: Option<Config>,
        cwd: &Path,
    ) -> Result<Resolved> {
        let tools: Vec<&str> = self
            .manifest
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        let (limits, denied_tools) = match &config {
            Some(config) => (
                config.narrow(self.limits.clone())?,
                config.denied_tools(&tools)?,
            ),
            None => (self.limits.clone(), Vec::new()),
        };
        let text = match &config {
            Some(config) => config.tighten(self.text)?,
            None => self.text,
        };
        let sign_in = match &config {
            Some(config) => config.sign_in(self.signs_in_by)?.map(str::to_owned),
            None => None,
        };
        let approvals = match &config {
            Some(config) if config.has_approvals() => {
                let approvals = config.strengthen(self.approvals.clone(), &tools)?;
                let is_said = sign_in.is_some() || self.signs_in_by.is_some();
                let signs_in = self.could_sign_in && is_said;
                approvals
                    .check(&tools, signs_in)
                    .map_err(|error| error.before(&format!("{}: `approvals`: ", config.file())))?;
                Some(approvals)
            }
            _ => None,
        };
        let transport = self.transport(options.transport.as_ref(), config.as_ref(), cwd)?;
        let serving = match (&transport, &self.http) {
            (Transport::Http(_), Some(http)) => http.shown,
            _ => transport.name(),
        };
        let grants = grants::bind(self.grants, &options.grants, config.as_ref(), cwd)?;
        let token_file = match (
            &options.token_file,
            config.as_ref().and_then(Config::token_file),
        ) {
            (Some(path), _) => Some(absolute(cwd, path).map_err(|e| e.before("--token-file: "))?),
            (None, path) => path.map(Path::to_owned),
        };
        let audit = match (&options.audit, config.as_ref().and_then(Config::audit)) {
            (Some(AuditTarget::File(path)), _) => Some(AuditTarget::File(
                absolute(cwd, path).map_err(|e| e.before("--audit: "))?,
            )),
            (Some(other), _) => Some(other.clone()),
            (None, target) => target.cloned(),
        };
        #[cfg(feature = "cedar")]
        let policies = match &config {
            Some(config) => config.policies()?,
            None => None,
        };
        let mut manifest = self.manifest.effective(&grants, &limits);
        if let Some(config) = &config {
            config.narrow_tools(&mut manifest.tools, &limits)?;
        }
        let manifest = manifest.denying(&denied_tools).serving(serving);
        let manifest = match &approvals {
            Some(approvals) => manifest.with_approvals(approvals.terms()),
            None => manifest,
        };
        #[cfg(feature = "cedar")]
        let manifest = match &policies {
            Some((_, digest)) => {
                manifest.with_policies([format!("cedar, of the operator, {digest}")])
            }
            None => manifest,
        };
        Ok(Resolved {
            transport,
            serving,
            grants,
            limits,
            text,
            audit,
            audit_settings: config
                .as_ref()
                .map(Config::audit_settings)
                .unwrap_or_default(),
            token_file,
            #[cfg(feature = "metrics")]
            metrics: options.metrics.clone(),
            #[cfg(feature = "otel")]
            otel: config.as_ref().and_then(|config| config.otel.clone()),
            sign_in,
            approvals: approvals.unwrap_or_else(|| self.approvals.clone()),
            denied_tools,
            #[cfg(feature = "cedar")]
            policies: policies.map(|(path, _)| path),
            manifest,
            #[cfg(feature = "sandbox")]
            require: config.as_ref().and_then(Config::require),
            #[cfg(feature = "sandbox")]
            env: config.as_ref().map(Config::env).unwrap_or_default(),
            config: config.map(|config| config.file().to_owned()),
        })
    }

    /// The one that the command line names, or the config file; else the only one, or stdio:
    /// a client that starts a server speaks that.
    fn transport(
        &self,
        option: Option<&TransportOption>,
        config: Option<&Config>,
        cwd: &Path,
    ) -> Result<Transport> {
        let declared = Self::transports(self.stdio, self.http.is_some(), self.unix.is_some());
        let chosen = match option {
            Some(TransportOption::Stdio) => STDIO,
            Some(TransportOption::Http(_)) => HTTP,
            Some(TransportOption::Unix(_)) => UNIX,
            None => match config.and_then(|config| Some((config, config.transport.as_ref()?))) {
                Some((config, wish)) => match declared.iter().find(|name| **name == wish.value) {
                    Some(name) => name,
                    None => {
                        return Err(config
                            .error(wish, format!("`transport.default` is `{}`", wish.value))
                            .help(exists(&declared)));
                    }
                },
                None => match declared.as_slice() {
                    [only] => only,
                    several if several.contains(&STDIO) => STDIO,
                    _ => {
                        return Err(Error::new("it is not said how to serve")
                            .help(format!("add `--http` or `--unix`; {}", exists(&declared))));
                    }
                },
            },
        };
        if !declared.contains(&chosen) {
            return Err(
                Error::new(format!("this server does not declare `{chosen}`"))
                    .help(exists(&declared)),
            );
        }
        Ok(match (chosen, option) {
            (HTTP, Some(TransportOption::Http(Some(address)))) => {
                if let Some(unfit) = self.unfit(*address) {
                    let told = Error::new(unfit.at(&address.to_string()));
                    return Err(told.before("--http: ").help(unfit.help));
                }
                Transport::Http(Some(*address))
            }
            (HTTP, _) => {
                let placed = config.and_then(|c| Some((c, c.http_addr.as_ref()?)));
                if let Some((config, placed)) = placed
                    && let Some(unfit) = self.unfit(placed.value)
                {
                    let told = format!("`http.addr`: {}", unfit.at(&placed.value.to_string()));
                    return Err(config.error(placed, told).help(unfit.help));
                }
                Transport::Http(config.and_then(Config::http_addr))
            }
            (UNIX, Some(TransportOption::Unix(Some(path)))) => {
                Transport::Unix(Some(absolute(cwd, path).map_err(|e| e.before("--unix: "))?))
            }
            (UNIX, _) => {
                let path = config.and_then(Config::unix_path).map(Path::to_owned);
                let in_code = self.unix.iter().flatten().next().cloned();
                Transport::Unix(path.or(in_code))
            }
            _ => Transport::Stdio,
        })
    }

    /// Why the operator may not choose this address, if so. What the code says of its own is
    /// looked at when it is bound.
    fn unfit(&self, address: SocketAddr) -> Option<Unfit> {
        let http = self.http.as_ref()?;
        let is_public = http.is_behind_proxy || !address.ip().is_loopback();
        http.unfit.filter(|_| is_public)
    }
}

fn exists(declared: &[&str]) -> String {
    let names: Vec<String> = declared.iter().map(|name| format!("`{name}`")).collect();
    format!("the code declares {}", names.join(", "))
}

const STDIO: &str = "stdio";
const HTTP: &str = "http";
const UNIX: &str = "unix";

#[cfg(test)]
pub(super) mod tests;
