//! `mcp-secure vault`: the credentials that servers spend.

mod dotenv;
#[cfg(feature = "upstream")]
mod grants;
mod key;
mod last_use;
mod people;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use mcp_secure::{
    Result,
    vault::{
        VaultFile,
        verbs::{Terms, input, list, written},
    },
};

use self::key::{KeyArgs, NewKeyArgs};

/// The long help.
pub(crate) const ABOUT: &str = "\
Keep the credentials that servers spend.

A vault is one encrypted file. Each credential in it is sealed with the hosts that it may be sent to, and \
with the header that it goes into; a server spends it there and nowhere else. A secret is read from the \
terminal or from standard input, never from the command line, and no verb prints one.

  mcp-secure vault init --vault vault/v --key-file keys/v
  mcp-secure vault set github --vault vault/v --key-file keys/v --host https://api.github.com
  mcp-secure vault list --vault vault/v --key-file keys/v

The generation before is kept beside the vault as FILE.prev, but for `rm`, `rotate` and `rewrap`, which \
remove it: it would hold what they take away. An anchor (--anchor) remembers the newest generation in another \
place, so that an older vault is refused; without one an older vault is as good as a new one.";

/// The arguments of `vault`.
#[derive(Args)]
pub(crate) struct Vault {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make an empty vault, and its key file if that is not there
    Init {
        #[command(flatten)]
        vault: Opened,
    },
    /// Store a credential, or a new value of one; the secret comes from the terminal or standard input
    Set {
        /// What grants call it
        name: String,
        #[command(flatten)]
        vault: Opened,
        #[command(flatten)]
        terms: Terms,
    },
    /// List the credentials: name, version, day, placement and hosts
    List {
        #[command(flatten)]
        vault: Opened,
    },
    /// Take a credential out
    Rm {
        /// Its name
        name: String,
        #[command(flatten)]
        vault: Opened,
    },
    /// Let another key open the vault, in place of this one
    Rewrap {
        #[command(flatten)]
        vault: Opened,
        #[command(flatten)]
        new: NewKeyArgs,
        /// The old key goes on opening it
        #[arg(long)]
        keep: bool,
    },
    /// Seal everything anew under a new master key
    Rotate {
        #[command(flatten)]
        vault: Opened,
        /// Other keys that open the vault will not any more
        #[arg(long)]
        drop_other_keys: bool,
        /// Renew what callers' keys are made of, too, and move what lies in this folder
        #[arg(long, value_name = "FOLDER")]
        people: Option<PathBuf>,
        /// The folder of the callers' anchors
        #[arg(long, value_name = "FOLDER", requires = "people")]
        people_anchors: Option<PathBuf>,
    },
    /// Write an encrypted copy, with a key of its own
    Export {
        #[command(flatten)]
        vault: Opened,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        new: NewKeyArgs,
    },
    /// Move a secret out of an environment file into the vault
    Import {
        /// What grants will call it
        name: String,
        /// The file
        #[arg(long, value_name = "FILE")]
        env_file: PathBuf,
        /// The variable in it
        #[arg(long, value_name = "VARIABLE")]
        variable: String,
        #[command(flatten)]
        vault: Opened,
        #[command(flatten)]
        terms: Terms,
    },
    /// Say how old each credential is, and when it was spent last
    Audit {
        #[command(flatten)]
        vault: Opened,
        /// The audit log of a server that spends from it
        #[arg(long, value_name = "FILE")]
        log: Vec<PathBuf>,
        /// From how many days on a credential should be renewed
        #[arg(long, value_name = "DAYS", default_value_t = 90)]
        old: u64,
    },
    /// Keep what each caller of a server has, for endpoints that spend that
    People {
        #[command(subcommand)]
        verb: people::Verb,
    },
    /// Take the generation before, when the vault is torn
    Restore {
        #[command(flatten)]
        vault: Opened,
    },
    /// Write the anchor of the vault as it is
    Anchor {
        #[command(flatten)]
        vault: Opened,
    },
}

#[derive(Args)]
struct Opened {
    /// The file of the vault
    #[arg(long = "vault", value_name = "FILE")]
    path: PathBuf,
    /// The file that remembers the newest generation
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

impl Opened {
    fn file(&self) -> VaultFile {
        let file = VaultFile::at(&self.path);
        match &self.anchor {
            Some(anchor) => file.anchor(anchor),
            None => file,
        }
    }
}

impl Vault {
    /// Does it, and says what was done on standard error.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.verb {
            Verb::Init { vault } => {
                if let Some(made) = vault.key.make()? {
                    eprintln!(
                        "made the key `{made}`: keep it apart from the vault and its backups"
                    );
                }
                vault.file().init(&vault.key.new_key()?)?;
                eprintln!("made the vault `{}`", vault.path.display());
            }
            Verb::Set { name, vault, terms } => {
                let credential = terms.of(name)?;
                let key = vault.key.key()?;
                let secret = input::secret(&format!("secret for `{name}`: "))?;
                let version = vault.file().set(&key, &credential, &secret)?;
                eprintln!("stored `{name}`, version {version}");
            }
            Verb::List { vault } => list(&vault.file().list(&vault.key.key()?)?)?,
            Verb::Rm { name, vault } => {
                vault.file().remove(&vault.key.key()?, name)?;
                eprintln!("`{name}` is out of the vault; take it back at its issuer as well");
            }
            Verb::Rewrap { vault, new, keep } => {
                let key = vault.key.key()?;
                vault.file().rewrap(&key, &new.key()?, *keep)?;
                eprintln!("the new key opens the vault");
            }
            Verb::Rotate {
                vault,
                drop_other_keys,
                people,
                people_anchors,
            } => {
                let (file, key) = (vault.file(), vault.key.key()?);
                let count = file.rotate(&key, *drop_other_keys)?;
                eprintln!("{count} sealed anew");
                if let Some(folder) = people {
                    let count = file.rotate_people(&key, folder, people_anchors.as_deref())?;
                    eprintln!("{count} callers moved: start the servers again that serve them");
                }
            }
            Verb::Export { vault, to, new } => {
                let key = vault.key.key()?;
                let count = vault.file().export(&key, &VaultFile::at(to), &new.key()?)?;
                eprintln!("{count} written to `{}`", to.display());
            }
            Verb::Import {
                name,
                env_file,
                variable,
                vault,
                terms,
            } => {
                let credential = terms.of(name)?;
                let found = dotenv::Found::read(env_file, variable)?;
                let version = vault
                    .file()
                    .set(&vault.key.key()?, &credential, found.secret())?;
                found.remove()?;
                eprintln!(
                    "stored `{name}`, version {version}, and removed `{variable}` from `{}`\n\
                     warning: the old bytes were overwritten once, but snapshots, journals, \
                     backups and version control may have them: renew the secret at its issuer",
                    env_file.display()
                );
            }
            Verb::Audit { vault, log, old } => {
                return last_use::audit(&vault.file().list(&vault.key.key()?)?, log, *old);
            }
            Verb::People { verb } => verb.run()?,
            Verb::Restore { vault } => {
                let generation = vault.file().restore(&vault.key.key()?)?;
                eprintln!(
                    "the generation before is generation {generation} now: look what is missing"
                );
            }
            Verb::Anchor { vault } => {
                let generation = vault.file().write_anchor(&vault.key.key()?)?;
                eprintln!("the anchor says generation {generation}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
