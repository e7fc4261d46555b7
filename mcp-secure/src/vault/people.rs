//! The credentials of each caller: a folder beside the vault, with a small vault for each.
//!
//! ```text
//! keys/ID          32 random bytes of this caller, and of nobody else
//! entries/ID       a vault of the same form, for what this caller has
//! entries/ID.prev  the generation before
//! ```
//!
//! A caller is who vouches for them and who they are there, issuer and subject. Both go into the
//! key that opens their entries and into the name of the files, each with its length before it:
//! entries that lie under another caller's name do not open, and no request says whose are
//! spent. The third part of the key is a random secret that the vault holds, so that the folder
//! alone is worth nothing and its names tell nobody who uses the server.
//!
//! Who removes `keys/ID` has removed every copy of the entries, those in backups as well: what
//! is left cannot be opened by anybody. That is true as far as `keys` is in no backup.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

#[cfg(feature = "upstream")]
use super::Placement;
use super::{
    Entry, NewCredential, VaultFile, VaultKey,
    admin::{KIND, Open, copy, previous},
    crypt::{Key, fill},
    format::{MAX_TEXT, Record},
};
use crate::{
    Error, Result,
    hex::hex,
    kept_file::{KeptFile, Kind},
};

/// Whose credentials: who vouches for the caller, and who the caller is there. As a
/// [`Principal`](crate::auth::Principal) says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    issuer: String,
    subject: String,
}

impl Owner {
    /// A caller, by the two words that an audit record has.
    ///
    /// # Errors
    ///
    /// When one is empty, or longer than 512 bytes.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Result<Self> {
        let (issuer, subject) = (issuer.into(), subject.into());
        for (what, text) in [("an issuer", &issuer), ("a subject", &subject)] {
            if text.is_empty() || text.len() > MAX_TEXT {
                return Err(Error::new(format!(
                    "{what} is empty, or longer than {MAX_TEXT} bytes"
                ))
                .help("write the two as the audit log has them"));
            }
        }
        Ok(Self { issuer, subject })
    }

    /// No two callers are one text.
    pub(crate) fn words(&self, purpose: &[u8]) -> Vec<u8> {
        let mut out = purpose.to_vec();
        for text in [&self.issuer, &self.subject] {
            out.extend((text.len() as u64).to_be_bytes());
            out.extend(text.as_bytes());
        }
        out
    }
}

/// The credentials of all callers. There is one folder of them for a vault.
pub struct People {
    folder: PathBuf,
    root: Key,
    most: usize,
}

impl People {
    /// In this folder, for a vault that is open.
    pub(super) fn of(folder: &Path, most: usize, open: &Open) -> Result<Self> {
        let root = open
            .sealed
            .records
            .iter()
            .find(|record| record.name == ROOT);
        let root = root.ok_or_else(|| {
            Error::new("the vault was made for no callers' credentials")
                .help("`mcp-secure vault rotate` makes it one that was")
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            root: Key::of(&open.secret(root)?)?,
            most,
        })
    }

    #[cfg(feature = "upstream")]
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a caller has.
    ///
    /// # Errors
    ///
    /// When it does not open: it may be another caller's.
    pub fn list(&self, owner: &Owner) -> Result<Vec<Entry>> {
        match self.key(owner)? {
            Some(key) => self.file(owner)?.list(&key),
            None => Ok(Vec::new()),
        }
    }

    /// Stores a credential of a caller, and gives the number of its version.
    ///
    /// # Errors
    ///
    /// When the secret is none, or the caller has as many as one may have.
    pub fn set(
        &self,
        owner: &Owner,
        credential: &NewCredential,
        secret: &SecretString,
    ) -> Result<u32> {
        // Before anything is made for somebody who then has nothing.
        credential.check(secret)?;
        let path = self.key_path(owner)?;
        let keys = KeptFile::make(OF_CALLER, &path)?;
        // Until the end: nobody is forgotten meanwhile.
        keys.lock()?;
        let (file, entries) = (self.file(owner)?, self.entries(owner)?);
        let random = match keys.read(MAX_KEY)? {
            Some(random) => random,
            None => {
                let mut random = vec![0; 32];
                fill(&mut random)?;
                keys.replace(&random)?;
                // Of somebody who was forgotten: nothing opens it.
                remove(&entries)?;
                random
            }
        };
        let key = self.key_of(owner, &path, random)?;
        if !entries.exists() {
            file.init(&key)?;
        }
        file.set(&key, credential, secret)
    }

    /// Takes one out.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn remove(&self, owner: &Owner, name: &str) -> Result<()> {
        let key = self.key(owner)?;
        let key = key.ok_or_else(|| Error::new("that caller has no credentials"))?;
        self.file(owner)?.remove(&key, name)
    }

    /// Removes all that a caller has, and first the one key that opens it: what a backup of the
    /// entries has cannot be opened any more. `false`: there was nothing.
    ///
    /// # Errors
    ///
    /// When a file cannot be removed.
    pub fn forget(&self, owner: &Owner) -> Result<bool> {
        let path = self.key_path(owner)?;
        if !path.parent().is_some_and(Path::exists) {
            return Ok(false);
        }
        let keys = KeptFile::open(OF_CALLER, &path)?;
        keys.lock()?;
        let was_there = keys.read(MAX_KEY)?.is_some();
        keys.remove()?;
        remove(&self.entries(owner)?)?;
        Ok(was_there)
    }

    /// Takes one out so that no copy of it opens any more, those in backups as well: what the caller
    /// keeps is sealed anew, and the bytes that opened all of it are gone. `false`: there was none.
    ///
    /// Whenever it is cut off, what is left opens with the bytes that are there then.
    #[cfg(feature = "upstream")]
    pub(crate) fn shred(&self, owner: &Owner, name: &str) -> Result<bool> {
        let path = self.key_path(owner)?;
        if !path.parent().is_some_and(Path::exists) {
            return Ok(false);
        }
        let keys = KeptFile::open(OF_CALLER, &path)?;
        keys.lock()?;
        let Some(random) = keys.read(MAX_KEY)? else {
            return Ok(false);
        };
        let old = self.key_of(owner, &path, random)?;
        let file = self.file(owner)?;
        let all = file.list(&old)?;
        if !all.iter().any(|entry| entry.name() == name) {
            return Ok(false);
        }
        if all.len() == 1 {
            keys.remove()?;
            remove(&self.entries(owner)?)?;
            return Ok(true);
        }
        file.remove(&old, name)?;
        // A new master key first: the old one is in no generation that the new bytes open.
        file.rotate(&old, true)?;
        let mut random = Zeroizing::new(vec![0; MAX_KEY]);
        fill(&mut random)?;
        let new = self.key_of(owner, &path, random.to_vec())?;
        file.rewrap(&old, &new, true)?;
        keys.replace(&random)?;
        file.rotate(&new, true)?;
        Ok(true)
    }

    /// What a caller has under a name: all that is said of it, and the secret.
    pub(super) fn secret(
        &self,
        owner: &Owner,
        name: &str,
    ) -> Result<Option<(Record, Zeroizing<Vec<u8>>)>> {
        let Some(key) = self.key(owner)? else {
            return Ok(None);
        };
        let open = self.file(owner)?.open(&key)?;
        let found = open
            .sealed
            .records
            .iter()
            .find(|record| record.name == name);
        let Some(record) = found else {
            return Ok(None);
        };
        Ok(Some((copy(record), open.secret(record)?)))
    }

    /// What an issuer gave for a caller, and nothing that somebody stored under that name.
    #[cfg(feature = "upstream")]
    pub(crate) fn grant(&self, owner: &Owner, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let found = self.secret(owner, name)?;
        let grant = Placement::Grant.to_string();
        Ok(found.and_then(|(record, secret)| (record.placement == grant).then_some(secret)))
    }

    fn file(&self, owner: &Owner) -> Result<VaultFile> {
        Ok(VaultFile::at(self.entries(owner)?).most(self.most))
    }

    fn entries(&self, owner: &Owner) -> Result<PathBuf> {
        Ok(self.folder.join(ENTRIES).join(self.id(owner)?))
    }

    fn key_path(&self, owner: &Owner) -> Result<PathBuf> {
        Ok(self.folder.join(KEYS).join(self.id(owner)?))
    }

    /// The name of a caller's files, which tells nobody who it is.
    fn id(&self, owner: &Owner) -> Result<String> {
        let words = owner.words(b"mcp-secure people id v1\0");
        Ok(hex(&self.root.mac(&words)?))
    }

    /// What opens the entries of a caller, if there are any.
    fn key(&self, owner: &Owner) -> Result<Option<VaultKey>> {
        let path = self.key_path(owner)?;
        if !path.parent().is_some_and(Path::exists) {
            return Ok(None);
        }
        match KeptFile::open(OF_CALLER, &path)?.read(MAX_KEY)? {
            Some(random) => self.key_of(owner, &path, random).map(Some),
            None => Ok(None),
        }
    }

    /// Made of the secret of the vault, of who it is, and of the bytes that are theirs alone.
    fn key_of(&self, owner: &Owner, path: &Path, random: Vec<u8>) -> Result<VaultKey> {
        let random = Zeroizing::new(random);
        if random.len() != MAX_KEY {
            return Err(OF_CALLER.fail(path, "is torn, or was changed"));
        }
        let words = owner.words(b"mcp-secure people kek v1\0");
        Ok(VaultKey::derived(&self.root.derive(&random, &words)?))
    }
}

/// What no tool may read, and a server reads when somebody calls.
pub(super) fn folders(folder: &Path) -> [PathBuf; 3] {
    [folder.to_owned(), folder.join(KEYS), folder.join(ENTRIES)]
}

/// Makes the folders, as a sandbox can only let a server read what is there.
pub(super) fn make(folder: &Path) -> Result<()> {
    for folder in folders(folder) {
        // The file is of no matter: its folder is made, and held against what it must be.
        KeptFile::make(OF_CALLER, &folder.join("-"))?;
    }
    Ok(())
}

fn remove(entries: &Path) -> Result<()> {
    for path in [&previous(entries), entries] {
        if path.exists() {
            KeptFile::open(KIND, path)?.remove()?;
        }
    }
    Ok(())
}

const KEYS: &str = "keys";
const ENTRIES: &str = "entries";

const OF_CALLER: Kind = Kind {
    what: "the key of a caller",
    draft: ".key-draft.",
};

/// What one caller may have, unless the server says otherwise.
pub(super) const MOST_EACH: usize = 16;

const MAX_KEY: usize = 32;

/// No name of a credential: those begin with a letter.
pub(super) const ROOT: &str = ".people";
