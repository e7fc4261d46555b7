//! `mcp-secure vault people`: what each caller of a server has.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mcp_secure::{
    Result,
    vault::{Owner, People},
};

use super::{Opened, Terms, input, list};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Store a credential of a caller; the secret comes from the terminal or standard input
    Set {
        /// What grants call it
        name: String,
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        terms: Terms,
    },
    /// List what a caller has
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Take a credential of a caller out
    Rm {
        /// Its name
        name: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Connect a caller by a code that they type on another device
    #[cfg(feature = "upstream")]
    Connect(super::grants::Connect),
    /// Take back at its issuer what a caller connected, and remove it here
    #[cfg(feature = "upstream")]
    Disconnect(super::grants::Disconnect),
    /// Write the anchor of what a caller has, as it is
    Anchor {
        #[command(flatten)]
        whose: Whose,
    },
    /// Remove all that a caller has, with the one key that opens it and its copies in backups
    Forget {
        #[command(flatten)]
        whose: Whose,
        #[cfg(feature = "upstream")]
        #[command(flatten)]
        reached: super::grants::Reached,
    },
}

/// A caller, and where theirs are.
#[derive(Args)]
pub(super) struct Whose {
    /// The folder of the credentials of callers
    #[arg(long, value_name = "FOLDER")]
    people: PathBuf,
    /// The folder of the files that remember the newest generation of each
    #[arg(long, value_name = "FOLDER")]
    people_anchors: Option<PathBuf>,
    /// Who vouches for the caller: the issuer of their tokens, `api-key`, or `local`
    #[arg(long)]
    issuer: String,
    /// Who the caller is there
    #[arg(long)]
    subject: String,
    #[command(flatten)]
    vault: Opened,
}

impl Whose {
    pub(super) fn open(&self) -> Result<(People, Owner)> {
        let owner = Owner::new(&self.issuer, &self.subject)?;
        let people = self
            .vault
            .file()
            .people(&self.vault.key.key()?, &self.people)?;
        Ok(match &self.people_anchors {
            Some(folder) => (people.anchors(folder), owner),
            None => (people, owner),
        })
    }
}

impl Verb {
    pub(super) fn run(&self) -> Result<()> {
        match self {
            Self::Set { name, whose, terms } => {
                let credential = terms.of(name)?;
                let (people, owner) = whose.open()?;
                let secret = input::secret(&format!("secret for `{name}`: "))?;
                let version = people.set(&owner, &credential, &secret)?;
                eprintln!("stored `{name}`, version {version}");
            }
            Self::List { whose } => {
                let (people, owner) = whose.open()?;
                list(&people.list(&owner)?)?;
            }
            Self::Rm { name, whose } => {
                let (people, owner) = whose.open()?;
                people.remove(&owner, name)?;
                eprintln!("`{name}` is taken out; take it back at its issuer as well");
            }
            #[cfg(feature = "upstream")]
            Self::Connect(connect) => connect.run()?,
            #[cfg(feature = "upstream")]
            Self::Disconnect(disconnect) => disconnect.run()?,
            Self::Anchor { whose } => {
                let (people, owner) = whose.open()?;
                let generation = people.write_anchor(&owner)?;
                eprintln!("the anchor says generation {generation}");
            }
            Self::Forget {
                whose,
                #[cfg(feature = "upstream")]
                reached,
            } => {
                let (people, owner) = whose.open()?;
                // What an issuer gave outlives what is removed here.
                #[cfg(feature = "upstream")]
                reached.take_back(&people, &owner)?;
                eprintln!(
                    "{}",
                    match people.forget(&owner)? {
                        true =>
                            "forgotten: no copy of the entries opens, unless one of the key is kept",
                        false => "there was nothing",
                    }
                );
            }
        }
        Ok(())
    }
}
