//! What an operator says of a credential at a command line: shared by `mcp-secure vault` and by
//! the verb `vault` of a server's own binary, which knows its vault and its key itself.

pub mod input;

use std::{
    io::{self, Write as _},
    time::SystemTime,
};

use clap::{Args, Subcommand};

use super::{Entry, NewCredential, Placement, Vault};
use crate::{Error, Result};

/// Where a credential may go.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Where it may be sent: scheme, host, perhaps port and path; once for each
    #[arg(long = "host", value_name = "URL", required = true)]
    hosts: Vec<String>,
    /// Send it as `Authorization: Basic`; the secret is `user:password`
    #[arg(long, conflicts_with = "header")]
    basic: bool,
    /// Send it in this header, instead of as a bearer token
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// Send it as this parameter of the query, which is written down on the way: a server spends
    /// it only if its code says `dangerous`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["header", "basic"])]
    query: Option<String>,
    /// It is the password at a database server; `--host` is `postgres://HOST:PORT`
    #[arg(long, conflicts_with_all = ["header", "basic", "query"])]
    password: bool,
    /// It is the private key of a client certificate, in PEM form
    #[arg(long, conflicts_with_all = ["header", "basic", "query", "password"])]
    client_key: bool,
    /// Send it nowhere: it is there to be found by thieves, and a server that sees it leave says so
    #[arg(long, conflicts_with_all = ["header", "basic", "password", "query", "client_key"])]
    canary: bool,
}

impl Terms {
    /// The credential of this name.
    ///
    /// # Errors
    ///
    /// As [`NewCredential::new`].
    pub fn of(&self, name: &str) -> Result<NewCredential> {
        let placement = match (&self.header, &self.query) {
            _ if self.canary => Placement::Canary,
            _ if self.password => Placement::Password,
            _ if self.client_key => Placement::ClientKey,
            _ if self.basic => Placement::Basic,
            (Some(name), _) => Placement::Header(name.to_ascii_lowercase()),
            (_, Some(name)) => Placement::Query(name.clone()),
            (None, None) => Placement::Bearer,
        };
        if matches!(placement, Placement::Query(_)) {
            say("warning: what goes into a query is in the logs of all on the way");
        }
        NewCredential::new(name, placement, &self.hosts)
    }
}

/// What a server's own binary does with its vault.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Make the vault of this server, and its key if that is not there
    Init,
    /// Store a credential, or a new value of one; the secret comes from the terminal or standard input
    Set {
        /// What grants call it
        name: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// List the credentials: name, version, day, placement and hosts
    List,
    /// Take a credential out
    Rm {
        /// Its name
        name: String,
    },
    /// Seal everything anew under a new master key, and move callers' to other keys
    Rotate {
        /// Other keys that open the vault will not any more
        #[arg(long)]
        drop_other_keys: bool,
    },
    /// Take the generation before, when the vault is torn
    Restore,
    /// Write the anchor of the vault as it is
    Anchor,
}

impl Verb {
    /// Does it to the vault that the code of the server names.
    pub(crate) fn run(&self, vault: &Vault) -> Result<()> {
        #[cfg(target_os = "linux")]
        let _ = super::hygiene::tidy();
        let (file, key) = vault.stored().ok_or_else(|| {
            Error::new("the vault of this server has no file")
                .help("its credentials come from elsewhere: see there")
        })?;
        match self {
            Self::Init => {
                let is_new = key.make().unwrap_or(false);
                file.init(key)?;
                say("made the vault of this server");
                if is_new {
                    say("and its key: keep it apart from the vault and its backups");
                }
            }
            Self::Set { name, terms } => {
                let credential = terms.of(name)?;
                let secret = input::secret(&format!("secret for `{name}`: "))?;
                let version = file.set(key, &credential, &secret)?;
                say(&format!("stored `{name}`, version {version}"));
            }
            Self::List => list(&file.list(key)?)?,
            Self::Rm { name } => {
                file.remove(key, name)?;
                say(&format!(
                    "`{name}` is out of the vault; take it back at its issuer as well"
                ));
            }
            Self::Rotate { drop_other_keys } => {
                let count = file.rotate(key, *drop_other_keys)?;
                say(&format!("{count} sealed anew"));
                if let Some((people, anchors)) = vault.of_people() {
                    let count = file.rotate_people(key, people, anchors)?;
                    say(&format!("{count} callers moved: start the server again"));
                }
            }
            Self::Restore => {
                let generation = file.restore(key)?;
                say(&format!(
                    "the generation before is generation {generation} now: look what is missing"
                ));
            }
            Self::Anchor => {
                let generation = file.write_anchor(key)?;
                say(&format!("the anchor says generation {generation}"));
            }
        }
        Ok(())
    }
}

/// The credentials, a line each, on standard output.
///
/// # Errors
///
/// When it cannot be written.
pub fn list(entries: &[Entry]) -> Result<()> {
    let mut out = io::stdout().lock();
    let widest = |of: fn(&Entry) -> &str| entries.iter().map(|e| of(e).len()).max().unwrap_or(0);
    let (name, placement) = (widest(Entry::name), widest(Entry::placement));
    let mut all = || {
        for entry in entries {
            let day = chrono::DateTime::<chrono::Utc>::from(entry.created().min(SystemTime::now()));
            writeln!(
                out,
                "{:<name$}  v{:<4} {}  {:<placement$}  {}",
                entry.name(),
                entry.version(),
                day.format("%Y-%m-%d"),
                entry.placement(),
                entry.hosts().join(" "),
            )?;
        }
        out.flush()
    };
    written(all())
}

/// What was written, or not.
///
/// # Errors
///
/// When it was not, but for a reader who has seen enough.
pub fn written(done: io::Result<()>) -> Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("the output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// For the operator, on standard error.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
