//! The verbs of a server's own binary, parsed into plain values; what they mean is decided in
//! [`resolve`](super::resolve) and [`verbs`](super::verbs).

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{
    ArgGroup, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser as _},
};

use super::{
    config::{self, AuditTarget},
    grants::GrantOption,
    log::LogLevel,
};

/// What the operator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    Serve(ServeOptions),
    Check(ServeOptions),
    Manifest(ManifestOptions),
    ClientConfig(ClientConfigOptions),
    #[cfg(feature = "sandbox")]
    Doctor(DoctorOptions),
    #[cfg(feature = "vault")]
    Vault(crate::vault::Verb),
}

/// How to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServeOptions {
    pub(crate) transport: Option<TransportOption>,
    pub(crate) grants: Vec<GrantOption>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) audit: Option<AuditTarget>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) lock: Option<PathBuf>,
    pub(crate) log: Option<LogLevel>,
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Option<MetricsOption>,
}

/// Where the operator reads numbers.
#[cfg(feature = "metrics")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricsOption {
    pub(crate) place: MetricsPlace,
    /// The operator says that others may read them.
    pub(crate) on_network: bool,
}

/// An address, or a socket in the file system.
#[cfg(feature = "metrics")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetricsPlace {
    Address(SocketAddr),
    Unix(PathBuf),
}

/// One of the declared transports, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransportOption {
    Stdio,
    Http(Option<SocketAddr>),
    Unix(Option<PathBuf>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestOptions {
    pub(crate) form: ManifestForm,
    /// The effective form, with what these options bind.
    pub(crate) effective: Option<ServeOptions>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManifestForm {
    Json,
    Page,
    Digest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientConfigOptions {
    pub(crate) client: Client,
    pub(crate) serve: ServeOptions,
}

#[cfg(feature = "sandbox")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoctorOptions {
    pub(crate) json: bool,
    pub(crate) serve: ServeOptions,
}

/// A program that starts or reaches MCP servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    ClaudeDesktop,
    ClaudeCode,
    Vscode,
    Cursor,
}

/// There is nothing to run: help was asked for, or the command line is not understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) text: String,
    /// 0 for help and version, 2 for a usage error.
    pub(crate) code: u8,
}

/// Reads a command line, whose first item is the name of the program.
pub(crate) fn parse<I>(
    server: &'static str,
    version: &'static str,
    args: I,
) -> Result<Invocation, Stop>
where
    I: IntoIterator<Item = OsString>,
{
    let command = CommandLine::command()
        .name(server)
        .version(version)
        .about(format!("The MCP server `{server}`."));
    command
        .try_get_matches_from(args)
        .and_then(|matches| CommandLine::from_arg_matches(&matches))
        .map(CommandLine::into_invocation)
        .map_err(|error| Stop {
            text: format!("{}\n", error.render().to_string().trim_end()),
            code: if error.use_stderr() { USAGE } else { 0 },
        })
}

/// Takes the level of `--log` before anything else is done, if this command line is understood.
pub(crate) fn set_log(args: &[OsString]) {
    let options = match parse("", "", args.iter().cloned()) {
        Ok(Invocation::Serve(options) | Invocation::Check(options)) => options,
        _ => return,
    };
    if let Some(level) = options.log {
        super::log::set(level);
    }
}

#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve. This is what happens without a verb, too
    Serve(ServeArgs),
    /// Say what `serve` would do with the same options, and whether it would start
    Check(ServeArgs),
    /// Print what the server can do
    Manifest(ManifestArgs),
    /// Print what goes into a client's configuration
    ClientConfig(ClientConfigArgs),
    /// Close the sandbox as `serve` would with the same options, try what it forbids, and say
    /// what the kernel keeps; fails below the required level
    #[cfg(feature = "sandbox")]
    Doctor(DoctorArgs),
    /// Keep the credentials that this server spends
    #[cfg(feature = "vault")]
    Vault {
        #[command(subcommand)]
        verb: crate::vault::Verb,
    },
}

#[derive(Args)]
#[command(group = ArgGroup::new("transport").multiple(false))]
struct ServeArgs {
    /// Serve one client over standard input and output
    #[arg(long, group = "transport")]
    stdio: bool,
    /// Serve HTTP on an address or a port of loopback
    #[arg(long, group = "transport", value_name = "ADDR", num_args = 0..=1, value_parser = address)]
    http: Option<Option<SocketAddr>>,
    /// Serve HTTP on a Unix-domain socket
    #[arg(long, group = "transport", value_name = "PATH", num_args = 0..=1)]
    unix: Option<Option<PathBuf>>,
    #[command(flatten)]
    operator: OperatorArgs,
    /// Where the audit log goes: a file, or `stderr`
    #[arg(long, value_name = "PATH|stderr", value_parser = audit)]
    audit: Option<AuditTarget>,
    /// The file with the token that HTTP clients show
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Refuse to go on if the server can do more than this reviewed manifest says
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// How much to say on standard error; never what callers send or get
    #[arg(long, value_enum, value_name = "LEVEL")]
    log: Option<LogLevel>,
    /// Serve `/metrics`, `/livez` and `/readyz` on an address or a port of loopback, or on a socket
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR|unix:PATH", value_parser = metrics)]
    metrics: Option<MetricsPlace>,
    /// The address of `--metrics` may be reached from the network, by anybody
    #[cfg(feature = "metrics")]
    #[arg(long, requires = "metrics")]
    metrics_on_network: bool,
}

#[derive(Args)]
struct OperatorArgs {
    /// Bind a capability to a folder, an address or a program; once for each
    #[arg(long = "grant", value_name = "NAME=VALUE", value_parser = OsStringValueParser::new().try_map(grant))]
    grants: Vec<GrantOption>,
    /// The operator's file; by default the user's own, below `~/.config/mcp-secure`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args)]
#[command(group = ArgGroup::new("form").multiple(false))]
struct ManifestArgs {
    /// Canonical JSON, for a file under version control
    #[arg(long, group = "form")]
    json: bool,
    /// A page to read (the default)
    #[arg(long, group = "form")]
    page: bool,
    /// Only the digest
    #[arg(long, group = "form")]
    digest: bool,
    /// What the operator made of it, rather than what the code allows
    #[arg(long)]
    effective: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Args)]
struct ClientConfigArgs {
    /// Whose configuration
    #[arg(long, value_enum, default_value_t = Client::ClaudeDesktop)]
    client: Client,
    #[command(flatten)]
    serve: ServeArgs,
}

#[cfg(feature = "sandbox")]
#[derive(Args)]
struct DoctorArgs {
    /// For programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

impl CommandLine {
    fn into_invocation(self) -> Invocation {
        match self.verb {
            None => Invocation::Serve(self.serve.into_options()),
            Some(Verb::Serve(args)) => Invocation::Serve(args.into_options()),
            Some(Verb::Check(args)) => Invocation::Check(args.into_options()),
            Some(Verb::Manifest(args)) => Invocation::Manifest(args.into_options()),
            Some(Verb::ClientConfig(args)) => Invocation::ClientConfig(ClientConfigOptions {
                client: args.client,
                serve: args.serve.into_options(),
            }),
            #[cfg(feature = "sandbox")]
            Some(Verb::Doctor(args)) => Invocation::Doctor(DoctorOptions {
                json: args.json,
                serve: args.serve.into_options(),
            }),
            #[cfg(feature = "vault")]
            Some(Verb::Vault { verb }) => Invocation::Vault(verb),
        }
    }
}

impl ServeArgs {
    fn into_options(self) -> ServeOptions {
        let transport = match (self.stdio, self.http, self.unix) {
            (true, _, _) => Some(TransportOption::Stdio),
            (_, Some(address), _) => Some(TransportOption::Http(address)),
            (_, _, Some(path)) => Some(TransportOption::Unix(path)),
            _ => None,
        };
        ServeOptions {
            transport,
            grants: self.operator.grants,
            config: self.operator.config,
            audit: self.audit,
            token_file: self.token_file,
            lock: self.lock,
            log: self.log,
            #[cfg(feature = "metrics")]
            metrics: self.metrics.map(|place| MetricsOption {
                place,
                on_network: self.metrics_on_network,
            }),
        }
    }
}

impl ManifestArgs {
    fn into_options(self) -> ManifestOptions {
        // What is bound shows in the effective form only; to ask for one is to ask for it.
        let effective =
            self.effective || !self.operator.grants.is_empty() || self.operator.config.is_some();
        ManifestOptions {
            form: match (self.json, self.digest) {
                (true, _) => ManifestForm::Json,
                (_, true) => ManifestForm::Digest,
                _ => ManifestForm::Page,
            },
            effective: effective.then(|| ServeOptions {
                grants: self.operator.grants,
                config: self.operator.config,
                ..ServeOptions::default()
            }),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, crate::Error> {
    config::address(text)
}

#[cfg(feature = "metrics")]
fn metrics(text: &str) -> Result<MetricsPlace, crate::Error> {
    match text.strip_prefix("unix:") {
        Some("") => Err(crate::Error::new("the path is empty")),
        Some(path) => Ok(MetricsPlace::Unix(path.into())),
        None => address(text).map(MetricsPlace::Address),
    }
}

fn audit(text: &str) -> Result<AuditTarget, crate::Error> {
    match text {
        "" => Err(crate::Error::new("the path is empty")),
        "stderr" => Ok(AuditTarget::Stderr),
        #[cfg(feature = "__bench")]
        "nowhere" => Ok(AuditTarget::Nowhere),
        path => Ok(AuditTarget::File(path.into())),
    }
}

/// Splits at the first `=`; the value may be any bytes.
fn grant(text: OsString) -> Result<GrantOption, crate::Error> {
    let malformed = || crate::Error::new("it is not `NAME=VALUE`");
    let (name, value) = split(&text).ok_or_else(malformed)?;
    if name.is_empty() || value.is_empty() {
        return Err(malformed());
    }
    Ok(GrantOption { name, value })
}

#[cfg(unix)]
fn split(text: &OsString) -> Option<(String, OsString)> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut parts = text.as_bytes().splitn(2, |byte| *byte == b'=');
    let name = std::str::from_utf8(parts.next()?).ok()?;
    Some((
        name.to_owned(),
        std::ffi::OsStr::from_bytes(parts.next()?).into(),
    ))
}

#[cfg(not(unix))]
fn split(text: &OsString) -> Option<(String, OsString)> {
    let (name, value) = text.to_str()?.split_once('=')?;
    Some((name.to_owned(), value.into()))
}

/// The exit code of a usage error.
const USAGE: u8 = 2;

#[cfg(test)]
mod tests;
