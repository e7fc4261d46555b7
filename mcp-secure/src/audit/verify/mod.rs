//! Whether a log is as it was written. This room reads files and trusts none of them but the
//! keys and heads it is given.

#[allow(
    clippy::indexing_slicing,
    reason = "of JSON values, where what is not there is null"
)]
mod files;
#[allow(
    clippy::indexing_slicing,
    reason = "of JSON values, where what is not there is null"
)]
mod head;
#[allow(
    clippy::indexing_slicing,
    reason = "of JSON values, where what is not there is null"
)]
mod proof;
#[cfg(test)]
mod tests;
#[allow(
    clippy::indexing_slicing,
    reason = "of JSON values, where what is not there is null"
)]
mod walk;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use files::segments;
pub use proof::{prove, prove_consistency, verify_consistency, verify_proof};
#[cfg(test)]
pub(super) use tests::Walker;

use super::{
    chain::{Key, PublicKey, WitnessKey, decode32},
    sink::{VERIFY_KEY, beside},
};
use crate::{Error, Result};

/// A look at an audit log: which files to hold it against.
///
/// What each of them proves is in the book, on the page about the audit log. In short: the
/// *signatures* (`public`) that nobody without the server's signing key changed a signed record;
/// the *verification key* (`key`) that even who has all keys of the server as they are now changed
/// nothing from before; an external *head* that the end was not cut off and the whole not
/// replaced by an older copy.
#[derive(Clone, Debug)]
pub struct Verify {
    path: PathBuf,
    key: Option<PathBuf>,
    public: Option<PathBuf>,
    head: Option<PathBuf>,
    witness: Option<PathBuf>,
}

/// What was found out.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The random name of the log.
    pub log: String,
    /// Lines that were read, those of the log's own among them.
    pub records: u64,
    /// Files that were read.
    pub segments: u64,
    /// Signatures that are good.
    pub checkpoints: u64,
    /// Lines that a good signature covers.
    pub signed: u64,
    /// The keyed hashes were checked.
    pub keyed: bool,
    /// External heads that the log was held against.
    pub heads: u64,
    /// Those of them that the witness cosigned.
    pub witnessed: u64,
    /// What is not as it was written. Empty: nothing was found.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and what that means.
    pub notes: Vec<String>,
}

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The number of the record, where one can be said.
    pub seq: Option<u64>,
    /// The file.
    pub file: String,
    /// The line in it, from one; zero for the whole file.
    pub line: u64,
    /// In words.
    pub reason: String,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A record says something else than was written.
    Edited,
    /// Records are gone.
    Missing,
    /// A record stands where it was not written: moved, repeated or made up.
    Misplaced,
    /// A line is none of this log's.
    Foreign,
    /// The records do not give the root that was signed.
    Root,
    /// A signature is wrong, or missing.
    Signature,
    /// A key is not the one of this log.
    Key,
    /// A segment is gone, or is another one.
    Segment,
    /// The log ends before a checkpoint that was kept elsewhere.
    Truncated,
    /// The log is another one than when a checkpoint was kept elsewhere.
    Replaced,
}

impl Verify {
    /// The log whose active segment is at `path`. The keys that lie beside it are used unless
    /// others are named.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            key: None,
            public: None,
            head: None,
            witness: None,
        }
    }

    /// The verification key, as the operator kept it.
    #[must_use]
    pub fn key(mut self, file: impl Into<PathBuf>) -> Self {
        self.key = Some(file.into());
        self
    }

    /// The public key of the signatures.
    #[must_use]
    pub fn public(mut self, file: impl Into<PathBuf>) -> Self {
        self.public = Some(file.into());
        self
    }

    /// Checkpoints that were kept elsewhere: one signed note, or the lines of an anchor file.
    #[must_use]
    pub fn head(mut self, file: impl Into<PathBuf>) -> Self {
        self.head = Some(file.into());
        self
    }

    /// The public key of a witness. Heads that it did not cosign are findings, and the log is not
    /// held against them.
    #[must_use]
    pub fn witness(mut self, file: impl Into<PathBuf>) -> Self {
        self.witness = Some(file.into());
        self
    }

    /// Reads the whole log.
    ///
    /// # Errors
    ///
    /// When it cannot be read, a key is none, or a witness is named and no head. That something is wrong *with the log* is no
    /// error but a finding.
    pub fn run(&self) -> Result<Verification> {
        let mut notes = Vec::new();
        let key = match &self.key {
            Some(file) => Some(read_key(file)?),
            None => {
                let beside = beside(&self.path, "key");
                if beside.exists() {
                    notes.push(format!(
                        "the verification key lies beside the log (`{}`): who can write the log \
                         may have read it; move it away and name it with `--key`",
                        beside.display()
                    ));
                    Some(read_key(&beside)?)
                } else {
                    notes.push(
                        "no verification key: the signatures alone do not hold against who has \
                         the signing key of the server; name it with `--key FILE`"
                            .to_owned(),
                    );
                    None
                }
            }
        };
        let public = match &self.public {
            Some(file) => Some(read_public(file)?),
            None => {
                let beside = beside(&self.path, "pub");
                if beside.exists() {
                    notes.push(format!(
                        "the public key lies beside the log (`{}`): who can write the log can \
                         write it, too; name a copy from elsewhere with `--pub`",
                        beside.display()
                    ));
                    Some(read_public(&beside)?)
                } else {
                    None
                }
            }
        };
        if self.head.is_none() {
            notes.push(
                "no external head: a log whose end was cut off, or that is an older copy of \
                 itself, looks the same; name one with `--head FILE`"
                    .to_owned(),
            );
        }
        let witness = self.witness.as_deref().map(read_witness).transpose()?;
        if witness.is_some() && self.head.is_none() {
            return Err(Error::new(
                "a witness is asked for, and no head that it could have cosigned",
            )
            .help("name the checkpoint, or the anchor file, with `--head FILE`"));
        }
        let mut walk = walk::Walk::new(key, public, notes);
        walk.witness = witness;
        if let Some(file) = &self.head {
            walk.heads = head::read(file)?;
        }
        let files = files::find(&self.path)?;
        for file in &files {
            walk.file(file)?;
        }
        Ok(walk.end(&self.path))
    }
}

pub(super) fn read_key(file: &Path) -> Result<Key> {
    let text = crate::secret_file::secret_file(file)
        .map_err(|error| error.before("the verification key: "))?;
    text.strip_prefix(VERIFY_KEY)
        .and_then(decode32)
        .map(Key::from)
        .ok_or_else(|| {
            Error::new(format!("`{}` is no verification key", file.display()))
                .help("name the `.key` file that was made with the log")
        })
}

fn read_witness(file: &Path) -> Result<WitnessKey> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::new(format!("`{}` cannot be read: {e}", file.display())))?;
    WitnessKey::parse(&text).ok_or_else(|| {
        Error::new(format!(
            "`{}` is no public key of a witness",
            file.display()
        ))
        .help("name the `.pub` file that was made with its key")
    })
}

pub(super) fn read_public(file: &Path) -> Result<PublicKey> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::new(format!("`{}` cannot be read: {e}", file.display())))?;
    PublicKey::parse(&text).ok_or_else(|| {
        Error::new(format!("`{}` is no public key of a log", file.display()))
            .help("name the `.pub` file that was made with the log")
    })
}
