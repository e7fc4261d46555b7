//! The operator's file: `mcp-secure.toml`. It binds what the code asks for, and narrows what
//! the code allows; it cannot widen anything.
//!
//! ```toml
//! [grants]                      # relative to this file
//! notes = "/home/me/notes"
//!
//! [limits]                      # each may only be lowered
//! timeout = "10s"
//! max_output = "256 KiB"
//! concurrency = 8
//!
//! [transport]
//! default = "http"              # of those that the code declares
//!
//! [http]
//! addr = "127.0.0.1:8443"       # others only where the code has TLS or a proxy
//! token_file = "notes.token"
//!
//! [unix]
//! path = "/run/user/1000/notes.sock"
//!
//! [audit]
//! path = "notes.audit.jsonl"    # or: stderr = true
//! checkpoint_records = 16384     # a signature after so many records
//! checkpoint_every = "1s"        # or after this time
//! segment = "64 MiB"             # a new segment when one is this large
//! segment_age = "24h"            # or this old
//! keep_segments = 100            # older ones are deleted, and a record says so
//! keep_for = "2160h"
//! queue = "8 MiB"                # records that wait for the disk
//! when_full = "refuse"           # or "gap": go on, and say how many records are missing
//! anchor = "/mnt/elsewhere/notes.checkpoints"
//! anchor_url = "https://witness.example/notes"   # or posted there; needs the feature `net`
//! anchor_headers_file = "witness.headers"
//! anchor_ca_file = "witness.pem"
//! anchor_private = true          # it is in a private network
//! anchor_within = "10min"        # no request is taken when none was kept there for so long
//!
//! [otel]                        # needs the feature `otel`
//! endpoint = "https://collector.example:4318"
//! headers_file = "collector.headers"
//! ca_file = "collector.pem"
//! private = true                 # it is in a private network
//! every = "5s"
//!
//! [text]                        # each may only be made stricter
//! redact = ["email"]            # more than the code says
//! hidden = "strip"              # where the code shows hidden characters
//! notes = true                  # where the code leaves them out
//!
//! [sandbox]
//! require = "full"              # or "partial": refuses to start below it
//! env = ["NOTES_THEME"]         # variables to keep; most are dropped at start
//!
//! [approvals]                   # each may only be made stronger
//! by = "page"                   # or "webhook"; for all tools
//! sign_in = "approvals"         # the client by which persons sign in on the page
//! webhook = "https://approvals.example/questions"
//! webhook_secret_file = "approvals.secret"
//!
//! [approvals.wire]              # for one tool
//! by = "webhook"
//! others = "payments:approve"
//! people = 2
//! remember = false              # each call is asked about
//!
//! [policies]                    # each call must pass these, too; needs the feature `cedar`
//! path = "policies"             # a file, or a folder with files `*.cedar`
//!
//! [tools]
//! deny = ["delete_note"]        # gone as if they did not exist
//!
//! [tools.publish]               # each may only be lowered, or said where the code says nothing
//! rate = "5/min"                # of one caller
//! total_rate = "50/min"         # of all together
//! quota = "100/day"
//! output_quota = "10 MiB/day"
//! timeout = "5s"
//! concurrency = 2
//! max_output = "64 KiB"
//! cost = 10                     # this one may only be raised
//! repeat = 3                    # the same call in a minute
//! ```
//!
//! # Where it is looked for
//!
//! `--config FILE`, or else `$XDG_CONFIG_HOME/mcp-secure/<server>.toml` (by default below
//! `~/.config`). **Never in the current directory**: clients start servers inside of the
//! project that is open, and a repository that brings its own file would grant itself the
//! user's folders.

pub(super) mod approvals;
pub(super) mod tools;

use std::{
    fs::File,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    config_file::{self, Placed},
    suggest,
};
use crate::{
    Error, Hidden, Limits, Result, Secret, TextPolicy,
    manifest::{size, time},
};

pub(super) use crate::capability::absolute;

/// What one file says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(super) file: String,
    pub(super) grants: Vec<(String, Placed<String>)>,
    /// What a relative path in it is relative to.
    pub(super) folder: PathBuf,
    pub(super) limits: Vec<(&'static LimitKey, Placed<u64>)>,
    pub(super) transport: Option<Placed<String>>,
    pub(super) http_addr: Option<Placed<SocketAddr>>,
    pub(super) token_file: Option<Placed<PathBuf>>,
    pub(super) unix_path: Option<Placed<PathBuf>>,
    pub(super) audit: Option<Placed<AuditTarget>>,
    pub(super) audit_settings: crate::audit::Settings,
    #[cfg(feature = "otel")]
    pub(super) otel: Option<crate::otel::Otlp>,
    pub(super) redact: Vec<Placed<Secret>>,
    pub(super) hidden: Option<Placed<Hidden>>,
    pub(super) notes: Option<Placed<()>>,
    pub(super) approvals: approvals::Wished,
    pub(super) deny: Vec<Placed<String>>,
    /// What is lowered of which tool.
    pub(super) tools: Vec<(Placed<String>, Placed<tools::Bound>)>,
    #[cfg(feature = "cedar")]
    pub(super) policies: Option<Placed<PathBuf>>,
    #[cfg(feature = "sandbox")]
    pub(super) require: Option<Placed<crate::sandbox::Level>>,
    #[cfg(feature = "sandbox")]
    pub(super) env: Vec<Placed<String>>,
}

/// Where audit records go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditTarget {
    /// A file.
    File(PathBuf),
    /// Standard error.
    Stderr,
    /// No record is made.
    #[cfg(feature = "__bench")]
    #[doc(hidden)]
    Nowhere,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When the file can be written by anybody but its owner or is not the user's own, when it
    /// is not TOML, or when a key or a value is not known. The message names the file, the
    /// line, the column and the key.
    pub fn load(path: &Path) -> Result<Self> {
        Self::read(path)?.ok_or_else(|| {
            Error::new(format!("there is no config file `{}`", path.display()))
                .help("name an existing file with `--config FILE`, or leave the option out")
        })
    }

    /// The file that `--config` names, or the user's own for this server, if there is one.
    pub(crate) fn find(explicit: Option<&Path>, server: &str) -> Result<Option<Self>> {
        match explicit {
            Some(path) => Self::load(path).map(Some),
            None => match default_path(server, |name| std::env::var_os(name)) {
                Some(path) => Self::read(&path),
                None => Ok(None),
            },
        }
    }

    /// `None` if there is no such file.
    fn read(path: &Path) -> Result<Option<Self>> {
        let named =
            |what: String| Error::new(format!("the config file `{}` {what}", path.display()));
        let Some(mut file) = open(path).map_err(|e| named(format!("cannot be opened: {e}")))?
        else {
            return Ok(None);
        };
        owned(&file, path)?;
        let mut bytes = Vec::new();
        file.by_ref()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| named(format!("cannot be read: {e}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(named(format!("is larger than {}", size(MAX_BYTES))));
        }
        let text = String::from_utf8(bytes).map_err(|_| named("is not text in UTF-8".into()))?;
        let absolute =
            std::path::absolute(path).map_err(|e| named(format!("has no absolute path: {e}")))?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        config_file::parse(&path.display().to_string(), folder, &text).map(Some)
    }

    /// The limits of the code, lowered by this file.
    ///
    /// # Errors
    ///
    /// When one would be raised.
    pub fn narrow(&self, mut limits: Limits) -> Result<Limits> {
        let ceiling = limits.clone();
        for (key, value) in &self.limits {
            let most = (key.get)(&ceiling);
            if value.value > most {
                return Err(self
                    .error(
                        value,
                        format!(
                            "`limits.{}` is {}, above the ceiling of {} that the code sets",
                            key.name,
                            key.unit.show(value.value),
                            key.unit.show(most)
                        ),
                    )
                    .help("the operator can lower a limit, never raise it"));
            }
            (key.set)(&mut limits, value.value);
        }
        // What is lowered holds for what is measured by it.
        limits.timeout = limits.timeout.min(limits.max_timeout);
        limits.tool_concurrency = limits.tool_concurrency.min(limits.concurrency);
        limits.principal_concurrency = limits.principal_concurrency.min(limits.concurrency);
        Ok(limits)
    }

    /// What becomes of text, as the code says or more strictly.
    ///
    /// # Errors
    ///
    /// When it would be less strict.
    pub fn tighten(&self, mut policy: TextPolicy) -> Result<TextPolicy> {
        for secret in &self.redact {
            policy = policy.redact(secret.value);
        }
        if let Some(hidden) = &self.hidden {
            if hidden.value == Hidden::Escape && policy.strips() {
                return Err(self
                    .error(
                        hidden,
                        "`text.hidden` is `escape`, and the code strips".to_owned(),
                    )
                    .help("the operator can take more out of a text, never less"));
            }
            policy = policy.hidden(hidden.value);
        }
        if self.notes.is_some() {
            policy.annotate();
        }
        Ok(policy)
    }

    /// The tools to take away.
    ///
    /// # Errors
    ///
    /// When one does not exist: a misspelled denial would deny nothing.
    pub fn denied_tools(&self, known: &[&str]) -> Result<Vec<String>> {
        for denied in &self.deny {
            if !known.contains(&denied.value.as_str()) {
                return Err(self
                    .error(
                        denied,
                        format!("`tools.deny` names `{}`, which is no tool", denied.value),
                    )
                    .help(suggest::help(&denied.value, "tools", known.iter().copied())));
            }
        }
        Ok(self
            .deny
            .iter()
            .map(|denied| denied.value.clone())
            .collect())
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The address for HTTP. Whether others may reach it, the code decides.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr.as_ref().map(|placed| placed.value)
    }

    /// The file with the token of HTTP clients.
    pub fn token_file(&self) -> Option<&Path> {
        self.token_file
            .as_ref()
            .map(|placed| placed.value.as_path())
    }

    /// The Unix-domain socket.
    pub fn unix_path(&self) -> Option<&Path> {
        self.unix_path.as_ref().map(|placed| placed.value.as_path())
    }

    /// The operator's own policies, and the digest of what they are now.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    #[cfg(feature = "cedar")]
    pub(super) fn policies(&self) -> Result<Option<(PathBuf, String)>> {
        let Some(placed) = &self.policies else {
            return Ok(None);
        };
        let digest = crate::policy::CedarPolicies::at(&placed.value)
            .digest()
            .map_err(|e| e.before(&format!("{}: `policies.path`: ", placed.place(&self.file))))?;
        Ok(Some((placed.value.clone(), digest)))
    }

    /// How much of a sandbox there must be at least.
    #[cfg(feature = "sandbox")]
    pub fn require(&self) -> Option<crate::sandbox::Level> {
        self.require.as_ref().map(|placed| placed.value)
    }

    /// Variables of the environment that are kept.
    #[cfg(feature = "sandbox")]
    pub fn env(&self) -> Vec<String> {
        self.env.iter().map(|placed| placed.value.clone()).collect()
    }

    /// Where audit records go.
    pub fn audit(&self) -> Option<&AuditTarget> {
        self.audit.as_ref().map(|placed| &placed.value)
    }

    /// How they are written there.
    pub(crate) fn audit_settings(&self) -> crate::audit::Settings {
        self.audit_settings.clone()
    }

    /// An error at a place of this file.
    pub(super) fn error<T>(&self, at: &Placed<T>, message: String) -> Error {
        Error::new(format!("{}: {message}", at.place(&self.file)))
    }
}

/// One key of `[limits]`. Values are in units, milliseconds or bytes.
#[derive(Debug)]
pub(super) struct LimitKey {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    /// A number that may be none.
    Room,
    Time,
    Size,
}

impl Unit {
    fn show(self, value: u64) -> String {
        match self {
            Self::Count | Self::Room => value.to_string(),
            Self::Time => time(value),
            Self::Size => size(value),
        }
    }
}

macro_rules! limit_keys {
    ($($name:ident: $unit:ident),* $(,)?) => {
        pub(super) static LIMIT_KEYS: &[LimitKey] = &[$(LimitKey {
            name: stringify!($name),
            unit: Unit::$unit,
            get: |limits| Bound::get(&limits.$name),
            set: |limits, value| Bound::set(&mut limits.$name, value),
        }),*];

        /// Without `..`: a new limit does not compile until the operator can lower it.
        #[cfg(test)]
        fn every_limit_has_a_key(limits: Limits) {
            let Limits { $($name: _),* } = limits;
        }
    };
}

limit_keys! {
    concurrency: Count,
    queue: Room,
    queue_wait: Time,
    tool_concurrency: Count,
    principal_concurrency: Count,
    principal_per_minute: Count,
    principal_burst: Count,
    client_per_minute: Count,
    client_burst: Count,
    address_per_minute: Count,
    repeats_per_minute: Count,
    limit_keys: Count,
    pending_approvals: Count,
    approval_timeout: Time,
    timeout: Time,
    max_timeout: Time,
    max_output: Size,
    max_message: Size,
    max_depth: Count,
    page_size: Count,
}

trait Bound {
    fn get(&self) -> u64;
    fn set(&mut self, value: u64);
}

impl Bound for usize {
    fn get(&self) -> u64 {
        u64::try_from(*self).unwrap_or(u64::MAX)
    }
    fn set(&mut self, value: u64) {
        *self = Self::try_from(value).unwrap_or(Self::MAX);
    }
}

/// Without one there is no limit: whichever the operator sets is lower.
impl Bound for Option<usize> {
    fn get(&self) -> u64 {
        self.as_ref().map_or(u64::MAX, Bound::get)
    }
    fn set(&mut self, value: u64) {
        let mut most = 0;
        Bound::set(&mut most, value);
        *self = Some(most);
    }
}

impl Bound for Duration {
    fn get(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
    fn set(&mut self, value: u64) {
        *self = Self::from_millis(value);
    }
}

/// An address: `127.0.0.1:8443`, `localhost:8443`, or a port of loopback.
pub(super) fn address(text: &str) -> Result<SocketAddr> {
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    let parsed = match port.parse::<u16>() {
        Ok(port) => Some(SocketAddr::from(([127, 0, 0, 1], port))),
        Err(_) => text.parse().ok(),
    };
    parsed.ok_or_else(|| {
        Error::new(format!("`{text}` is not an address"))
            .help("write an IP address and a port, such as `127.0.0.1:8443`, or a port alone")
    })
}

/// The user's own file for a server. A relative `XDG_CONFIG_HOME` is ignored, as the XDG
/// specification says: it would be the current directory again.
fn default_path(server: &str, var: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if server.is_empty() || !server.chars().all(plain) {
        return None;
    }
    let absolute = |name: &str| {
        var(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(config.join("mcp-secure").join(format!("{server}.toml")))
}

fn open(path: &Path) -> std::io::Result<Option<File>> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // A FIFO in its place would hold the start for ever.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The file decides what a model's tools can touch: only its owner may write it, and the
/// owner is this user or root. The owner is looked at because in a folder that others can
/// write, anybody can put a file of their own in its place. Asked of the open file, so that
/// what was judged is what is read.
#[cfg(unix)]
fn owned(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let path = path.display();
    let meta = file
        .metadata()
        .map_err(|e| Error::new(format!("the config file `{path}` cannot be examined: {e}")))?;
    if !meta.is_file() {
        return Err(
            Error::new(format!("the config file `{path}` is not a regular file"))
                .help("name a file with `--config FILE`"),
        );
    }
    if meta.uid() != 0 && meta.uid() != crate::auth::current_uid() {
        return Err(
            Error::new(format!("the config file `{path}` belongs to another user")).help(
                "it decides what the tools can reach: make it yours, or root's, with `chown`",
            ),
        );
    }
    if meta.mode() & 0o022 != 0 {
        return Err(
            Error::new(format!("the config file `{path}` can be written by others"))
                .help(format!("run `chmod go-w {path}`")),
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn owned(file: &File, path: &Path) -> Result<()> {
    match file.metadata() {
        Ok(meta) if meta.is_file() => Ok(()),
        _ => Err(Error::new(format!(
            "the config file `{}` is not a regular file",
            path.display()
        ))),
    }
}

const MAX_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
