//! `mcp-secure keys`: the API keys of a server.

mod print;
pub(crate) mod time;

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use clap::{Args, Subcommand};
use mcp_secure::{
    Error, Result,
    auth::api_keys::{IssuedKey, KeyFile, Lifetime, NewKey},
};

use self::time::Span;

/// The long help.
pub(crate) const ABOUT: &str = "\
Make, list, replace and take back the API keys of a server that has `Http::api_keys(FILE)`.

A key is printed once, alone on standard output; the file holds its SHA-256. A running server hears of
each change within a second.

Times are spans (90d, 12h, 30m, 10s), days (2027-01-31, in UTC) or moments (2027-01-31T12:00:00Z).";

/// The arguments of `keys`.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a key, and the file if it is not there
    Add {
        #[command(flatten)]
        file: File,
        /// Whose it is, as audit records and tools see it
        #[arg(long)]
        subject: String,
        /// What its holder may do; once for each scope
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        #[command(flatten)]
        life: Required,
        /// From when it is good
        #[arg(long, value_name = "TIME")]
        not_before: Option<Span>,
    },
    /// List the keys: never more of one than its id
    List {
        #[command(flatten)]
        file: File,
    },
    /// Take a key back, now
    Revoke {
        #[command(flatten)]
        file: File,
        /// Its id
        id: String,
    },
    /// Make a second key for the holder of one, and let the first end
    Rotate {
        #[command(flatten)]
        file: File,
        /// The id of the old one
        id: String,
        /// How long both are good
        #[arg(long, value_name = "TIME")]
        overlap: Span,
        #[command(flatten)]
        life: Optional,
    },
    /// Forget the keys that are revoked or expired
    Prune {
        #[command(flatten)]
        file: File,
    },
}

#[derive(Args)]
struct File {
    /// The file of keys
    #[arg(long = "file", value_name = "FILE")]
    path: PathBuf,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Required {
    /// When it ends
    #[arg(long, value_name = "TIME")]
    expires: Option<Span>,
    /// It does not end until it is revoked
    #[arg(long)]
    no_expiry: bool,
}

#[derive(Args)]
#[group(multiple = false)]
struct Optional {
    /// When the new one ends; as long as the old was made for, unless said otherwise
    #[arg(long, value_name = "TIME")]
    expires: Option<Span>,
    /// The new one does not end until it is revoked
    #[arg(long)]
    no_expiry: bool,
}

impl Keys {
    /// Does it, and says what was done on standard error: standard output is for the key.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let now = SystemTime::now();
        match &self.verb {
            Verb::Add {
                file,
                subject,
                scopes,
                life,
                not_before,
            } => {
                let lifetime = lifetime(life.expires, life.no_expiry, now)?;
                let lifetime = lifetime.ok_or_else(|| Error::new("a key needs an end"))?;
                let mut new = NewKey::new(subject, lifetime).scopes(scopes);
                if let Some(not_before) = not_before {
                    new = new.not_before(not_before.after(now)?);
                }
                let file = file.keys();
                tell(&file.add(&new)?, &file)?;
            }
            Verb::List { file } => print::list(&file.keys().list()?, now)?,
            Verb::Revoke { file, id } => {
                let entry = file.keys().revoke(id)?;
                eprintln!("the key `{}` of {} is revoked", entry.id(), entry.subject());
            }
            Verb::Rotate {
                file,
                id,
                overlap,
                life,
            } => {
                let overlap = overlap.length(now)?;
                let lifetime = lifetime(life.expires, life.no_expiry, now)?;
                let file = file.keys();
                tell(&file.rotate(id, overlap, lifetime)?, &file)?;
                let all = file.list()?;
                let old = all.iter().find(|key| key.id() == id);
                if let Some(end) = old.and_then(|old| old.expires()) {
                    eprintln!("the key `{id}` is good until {}", time::written(end));
                }
            }
            Verb::Prune { file } => {
                let count = file.keys().prune()?;
                eprintln!("{count} forgotten");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl File {
    fn keys(&self) -> KeyFile {
        KeyFile::at(&self.path)
    }
}

fn lifetime(expires: Option<Span>, none: bool, now: SystemTime) -> Result<Option<Lifetime>> {
    Ok(match expires {
        Some(expires) => Some(Lifetime::Until(expires.after(now)?)),
        None => none.then_some(Lifetime::NoExpiry),
    })
}

/// The key, once.
fn tell(issued: &IssuedKey, file: &KeyFile) -> Result<()> {
    let entry = &issued.entry;
    if let Err(error) = print::secret(&issued.secret) {
        // Nobody has it.
        file.revoke(entry.id())?;
        return Err(Error::new(format!(
            "the key cannot be printed: {error}; `{}` is revoked",
            entry.id()
        )));
    }
    let until = match entry.expires() {
        Some(end) => format!("until {}", time::written(end)),
        None => "until it is revoked".to_owned(),
    };
    eprintln!(
        "the key `{}` of {} is good {until}; it is not shown again",
        entry.id(),
        entry.subject()
    );
    Ok(())
}
