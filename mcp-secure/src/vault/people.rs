//! The credentials of each caller: a folder beside the vault, with a small vault for each.
//!
//! ```text
//! keys/ID          32 random bytes of this caller, and of nobody else; who it is, sealed
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
//! Who it is lies sealed beside the random bytes, so that all can be moved to another root: the
//! name of a file says it to nobody, the operator included.
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
    anchor,
    crypt::{Key, fill},
    format::{MAX_TEXT, NONCE, Record},
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

    /// The other way round, where nothing stands before.
    fn of_words(words: &[u8]) -> Option<Self> {
        let mut rest = words;
        let mut next = || {
            let (len, after) = rest.split_at_checked(8)?;
            let len = usize::try_from(u64::from_be_bytes(len.try_into().ok()?)).ok()?;
            let (text, after) = after.split_at_checked(len)?;
            rest = after;
            String::from_utf8(text.to_vec()).ok()
        };
        let (issuer, subject) = (next()?, next()?);
        rest.is_empty().then(|| Self::new(issuer, subject).ok())?
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn subject(&self) -> &str {
        &self.subject
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
    anchors: Option<PathBuf>,
    /// What endpoints did not take.
    #[cfg(feature = "upstream")]
    doubts: super::doubts::Doubts,
}

impl People {
    /// In this folder, for a vault that is open.
    pub(super) fn of(folder: &Path, most: usize, open: &Open) -> Result<Self> {
        if open.sealed.records.iter().any(|record| record.name == NEXT) {
            return Err(
                Error::new("the callers' credentials are half way to another root")
                    .help("`mcp-secure vault rotate --people FOLDER` goes on where it was stopped"),
            );
        }
        Self::under(ROOT, folder, most, open)
    }

    /// Under this one of its roots.
    pub(super) fn under(root: &str, folder: &Path, most: usize, open: &Open) -> Result<Self> {
        let mut records = open.sealed.records.iter();
        let root = records.find(|record| record.name == root);
        let root = root.ok_or_else(|| {
            Error::new("the vault was made for no callers' credentials")
                .help("`mcp-secure vault rotate` makes it one that was")
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            root: Key::of(&open.secret(root)?)?,
            most,
            anchors: None,
            #[cfg(feature = "upstream")]
            doubts: super::doubts::Doubts::default(),
        })
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn doubts(&self) -> &super::doubts::Doubts {
        &self.doubts
    }

    #[cfg(feature = "upstream")]
    pub(super) fn written(&self) -> impl Iterator<Item = &Path> {
        [Some(self.folder.as_path()), self.anchors.as_deref()]
            .into_iter()
            .flatten()
    }

    /// Remembers the newest generation of what each caller has, a file for each in this folder, and
    /// refuses older ones: see [`VaultFile::anchor`]. Put it where who could write the entries
    /// cannot. Once it is named, callers need one: [`write_anchor`](Self::write_anchor) makes that of a caller who had
    /// something before.
    #[must_use]
    pub fn anchors(mut self, folder: impl Into<PathBuf>) -> Self {
        self.anchors = Some(folder.into());
        self
    }

    /// Writes the anchor of what a caller has, as it is.
    ///
    /// # Errors
    ///
    /// When no folder of anchors is named, or it does not open.
    pub fn write_anchor(&self, owner: &Owner) -> Result<u64> {
        let key = self.key(owner)?;
        let key = key.ok_or_else(|| Error::new("that caller has no credentials"))?;
        self.file(owner)?.write_anchor(&key)
    }

    /// Moves all to another root: other names, and other keys of the same. What a caller had
    /// before under the old root opens with nothing that is left.
    ///
    /// # Errors
    ///
    /// When one of them does not open, or is of a form that does not say whose it is.
    pub(super) fn move_to(&self, new: &Self) -> Result<usize> {
        let keys = self.folder.join(KEYS);
        if !keys.exists() {
            return Ok(0);
        }
        let guard = KeptFile::open(OF_CALLER, &keys.join("-"))?;
        // Nobody stores or is forgotten meanwhile.
        guard.lock()?;
        let wrong =
            |error: std::io::Error| OF_CALLER.fail(&keys, format!("cannot be listed: {error}"));
        let mut count = 0;
        for entry in std::fs::read_dir(&keys).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.len() != 64 {
                continue;
            }
            let bytes = KeptFile::open(OF_CALLER, &path)?.read(MAX_KEY)?;
            let Some(bytes) = bytes.map(Zeroizing::new) else {
                continue;
            };
            // One that was moved when this was stopped the last time.
            if new.whose(&name, &bytes).is_some() {
                continue;
            }
            let owner = self.whose(&name, &bytes).ok_or_else(|| {
                OF_CALLER.fail(&path, "does not say whose it is").help(
                    "store one of that caller's credentials again, or remove the file: it was \
                     made before callers could be moved, or by somebody else",
                )
            })?;
            self.move_one(&owner, &bytes, new)?;
            count += 1;
        }
        Ok(count)
    }

    /// The new ones are whole before the first of the old goes. Stopped in between, it begins anew.
    fn move_one(&self, owner: &Owner, bytes: &[u8], new: &Self) -> Result<()> {
        let (old_path, new_path) = (self.key_path(owner)?, new.key_path(owner)?);
        let old_key = self.key_of(owner, &old_path, bytes)?;
        new.drop_entries(owner)?;
        let text = new.new_key(owner)?;
        let new_key = new.key_of(owner, &new_path, &text)?;
        KeptFile::open(OF_CALLER, &new_path)?.replace(&text)?;
        if self.entries(owner)?.exists() {
            self.file(owner)?
                .export(&old_key, &new.file(owner)?, &new_key)?;
        }
        KeptFile::open(OF_CALLER, &old_path)?.remove()?;
        self.drop_entries(owner)
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
        let text = match keys.read(MAX_KEY)?.map(Zeroizing::new) {
            Some(text) if text.len() == RANDOM => {
                // Of before it was said whose it is.
                let text = self.with_owner(owner, &text)?;
                keys.replace(&text)?;
                text
            }
            Some(text) => text,
            None => {
                let text = self.new_key(owner)?;
                // Of somebody who was forgotten: nothing opens it. Before the key: who is
                // stopped in between has nothing, and no half.
                self.drop_entries(owner)?;
                keys.replace(&text)?;
                text
            }
        };
        let key = self.key_of(owner, &path, &text)?;
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
        let nothing = || Error::new("that caller has no credentials");
        let (_locked, key) = self.locked(owner)?.ok_or_else(nothing)?;
        self.file(owner)?.remove(&key, name)
    }

    /// Puts a grant in the place of one that is still there and is still the one that `is_still`
    /// knows. `false`: it is not, and nothing was written. What was taken back meanwhile stays so.
    #[cfg(feature = "upstream")]
    pub(crate) fn replace_grant(
        &self,
        owner: &Owner,
        credential: &NewCredential,
        secret: &SecretString,
        is_still: impl FnOnce(&[u8]) -> bool,
    ) -> Result<bool> {
        let Some((_locked, key)) = self.locked(owner)? else {
            return Ok(false);
        };
        let there = self.grant(owner, &credential.name)?;
        if !there.is_some_and(|there| is_still(&there)) {
            return Ok(false);
        }
        self.file(owner)?.set(&key, credential, secret)?;
        Ok(true)
    }

    /// What opens the entries of a caller, and nobody else changes them until the first is dropped.
    fn locked(&self, owner: &Owner) -> Result<Option<(KeptFile, VaultKey)>> {
        let path = self.key_path(owner)?;
        if !path.parent().is_some_and(Path::exists) {
            return Ok(None);
        }
        let keys = KeptFile::open(OF_CALLER, &path)?;
        keys.lock()?;
        let Some(text) = keys.read(MAX_KEY)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let key = self.key_of(owner, &path, &text)?;
        Ok(Some((keys, key)))
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
        self.drop_entries(owner)?;
        Ok(was_there)
    }

    /// Takes one out so that no copy of it opens any more, those in backups as well: what the caller
    /// keeps is sealed anew, and the bytes that opened all of it are gone. `false`: there was none.
    ///
    /// Whenever it is cut off, what is left opens with the bytes that are there then.
    #[cfg(feature = "upstream")]
    pub(crate) fn shred(&self, owner: &Owner, name: &str) -> Result<bool> {
        let Some((keys, old)) = self.locked(owner)? else {
            return Ok(false);
        };
        let file = self.file(owner)?;
        let all = file.list(&old)?;
        if !all.iter().any(|entry| entry.name() == name) {
            return Ok(false);
        }
        if all.len() == 1 {
            keys.remove()?;
            self.drop_entries(owner)?;
            return Ok(true);
        }
        file.remove(&old, name)?;
        // A new master key first: the old one is in no generation that the new bytes open.
        file.rotate(&old, true)?;
        let text = self.new_key(owner)?;
        let new = self.key_of(owner, &self.key_path(owner)?, &text)?;
        file.rewrap(&old, &new, true)?;
        keys.replace(&text)?;
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
        let file = VaultFile::at(self.entries(owner)?).most(self.most);
        Ok(match &self.anchors {
            Some(folder) => file.anchor(folder.join(self.id(owner)?)),
            None => file,
        })
    }

    /// Removes what a caller has, the generation before, and their anchor.
    fn drop_entries(&self, owner: &Owner) -> Result<()> {
        remove(&self.entries(owner)?)?;
        match &self.anchors {
            Some(folder) if folder.exists() => {
                KeptFile::open(anchor::KIND, &folder.join(self.id(owner)?))?.remove()
            }
            _ => Ok(()),
        }
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
            Some(text) => {
                let text = Zeroizing::new(text);
                self.key_of(owner, &path, &text).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Random bytes, and whose they are.
    fn new_key(&self, owner: &Owner) -> Result<Zeroizing<Vec<u8>>> {
        let mut random = Zeroizing::new([0; RANDOM]);
        fill(random.as_mut_slice())?;
        self.with_owner(owner, random.as_slice())
    }

    fn with_owner(&self, owner: &Owner, random: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let mut aad = self.id(owner)?.into_bytes();
        aad.extend_from_slice(random);
        let aad = Zeroizing::new(aad);
        let (nonce, sealed) = self.owner_key()?.seal(&owner.words(b""), &aad)?;
        let mut text = Zeroizing::new(Vec::with_capacity(RANDOM + NONCE + sealed.len()));
        text.extend_from_slice(random);
        text.extend_from_slice(&nonce);
        text.extend_from_slice(&sealed);
        Ok(text)
    }

    /// Whose this is, if it is a key under this root and lies under their name.
    fn whose(&self, name: &str, text: &[u8]) -> Option<Owner> {
        let (random, rest) = text.split_at_checked(RANDOM)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE)?;
        let mut aad = name.as_bytes().to_vec();
        aad.extend_from_slice(random);
        let aad = Zeroizing::new(aad);
        let words = self
            .owner_key()
            .ok()?
            .open(nonce.try_into().ok()?, sealed, &aad)?;
        let owner = Owner::of_words(&words)?;
        (self.id(&owner).ok()? == name).then_some(owner)
    }

    fn owner_key(&self) -> Result<Key> {
        self.root.derive(b"", b"mcp-secure people owner v1")
    }

    /// Made of the secret of the vault, of who it is, and of the bytes that are theirs alone.
    fn key_of(&self, owner: &Owner, path: &Path, text: &[u8]) -> Result<VaultKey> {
        let random = text.get(..RANDOM).filter(|_| text.len() < MAX_KEY);
        let random = random.ok_or_else(|| OF_CALLER.fail(path, "is torn, or was changed"))?;
        let words = owner.words(b"mcp-secure people kek v1\0");
        Ok(VaultKey::derived(&self.root.derive(random, &words)?))
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

/// The same for the folder of the anchors.
pub(super) fn make_anchors(folder: &Path) -> Result<()> {
    KeptFile::make(anchor::KIND, &folder.join("-")).map(drop)
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

const RANDOM: usize = 32;
/// With an issuer and a subject of the longest.
const MAX_KEY: usize = 2048;

/// No name of a credential: those begin with a letter.
pub(super) const ROOT: &str = ".people";
/// What takes its place, for as long as callers are moved.
pub(super) const NEXT: &str = ".people.next";
