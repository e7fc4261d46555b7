//! API keys: secrets that a program shows, for deployments without an authorization server.
//!
//! This room knows how a key looks, the file that keys are kept in, and what is done to them:
//! `mcp-secure keys` is a command line around [`KeyFile`]. What shows a key at the door of a
//! server is in `server/http/api_keys.rs`.
//!
//! # The form
//!
//! `msk_<id>_<secret><checksum>`: an id of 12 characters, by which a key is found and which may
//! be shown; 256 random bits in base64url; and six characters of CRC-32, so that a typing error
//! and a scanner of repositories know a key from a word without asking anybody.
//!
//! # At rest
//!
//! The file holds SHA-256 of each key and no key. Argon2id and its kin make guessing dear where
//! there is something to guess: passwords, which people choose. Of 256 random bits nobody tries
//! a part worth mentioning, however cheap a try is; stretching would only make each request
//! cost what a flood of bad keys then costs the server.

mod entry;
mod file;
mod key;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, SubsecRound as _, Utc};
use secrecy::{ExposeSecret as _, SecretString};

pub use entry::{ApiKey, KeyState};
#[cfg(feature = "http")]
pub(crate) use key::{digest, id_of};

use crate::{Error, Result};

/// A file with API keys: one JSON document, its owner's alone.
pub struct KeyFile {
    path: PathBuf,
}

/// How long a key is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifetime {
    /// Until then.
    Until(SystemTime),
    /// Until it is revoked. A key that nobody remembers is good as well.
    NoExpiry,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    subject: String,
    scopes: Vec<String>,
    not_before: Option<SystemTime>,
    lifetime: Lifetime,
}

/// A key that was just made. The secret is here and nowhere else.
pub struct IssuedKey {
    /// What its holder shows.
    pub secret: Secret,
    /// What the file knows of it.
    pub entry: ApiKey,
}

/// What the holder of a key shows. It is wiped when it is dropped.
pub struct Secret(SecretString);

impl Secret {
    /// The key itself, to hand it to its holder.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl NewKey {
    /// A key of this subject, without scopes.
    pub fn new(subject: impl Into<String>, lifetime: Lifetime) -> Self {
        Self {
            subject: subject.into(),
            scopes: Vec::new(),
            not_before: None,
            lifetime,
        }
    }

    /// What its holder may do.
    #[must_use]
    pub fn scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Not good before then.
    #[must_use]
    pub fn not_before(mut self, moment: SystemTime) -> Self {
        self.not_before = Some(moment);
        self
    }
}

impl KeyFile {
    /// The file at this path. Nothing is looked at yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// When there is no file, when others can read or write it or write its folder, or when it
    /// holds something else.
    pub fn list(&self) -> Result<Vec<ApiKey>> {
        file::Folder::open(&self.path)?.read_all()
    }

    /// Makes a key. The file and its folder are made if they are not there.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list); and when a name or a time is not what it has to be, or there are
    /// too many keys.
    pub fn add(&self, new: &NewKey) -> Result<IssuedKey> {
        let now = now();
        let (secret, id) = key::generate().map(|(key, id)| (Secret(key), id))?;
        let entry = ApiKey::new(id, digest_of(&secret), new, now)?;
        file::Folder::make(&self.path)?.change(|keys| {
            keys.push(entry.clone());
            Ok(())
        })?;
        Ok(IssuedKey { secret, entry })
    }

    /// Ends a key for good. It stays in the list until [`prune`](Self::prune). A running server
    /// takes it no more a moment later.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), and when there is no such key.
    pub fn revoke(&self, id: &str) -> Result<ApiKey> {
        let now = now();
        file::Folder::open(&self.path)?.change(|keys| {
            let entry = find(keys, id)?;
            entry.revoke(now);
            Ok(entry.clone())
        })
    }

    /// Makes a second key of the same subject and scopes, and ends the old one after `overlap`:
    /// until then both are good. The new one lives as long as the old was made for, unless
    /// `lifetime` says otherwise.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add); and when the old key is over, or is one without an end and no
    /// `lifetime` is given.
    pub fn rotate(
        &self,
        id: &str,
        overlap: Duration,
        lifetime: Option<Lifetime>,
    ) -> Result<IssuedKey> {
        let now = now();
        let (secret, new_id) = key::generate().map(|(key, id)| (Secret(key), id))?;
        let digest = digest_of(&secret);
        let entry = file::Folder::open(&self.path)?.change(|keys| {
            let old = find(keys, id)?;
            let entry = old.succeed(new_id, digest, lifetime, overlap, now)?;
            keys.push(entry.clone());
            Ok(entry)
        })?;
        Ok(IssuedKey { secret, entry })
    }

    /// Forgets keys that are revoked or expired; says how many.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn prune(&self) -> Result<usize> {
        let now = SystemTime::now();
        file::Folder::open(&self.path)?.change(|keys| {
            let before = keys.len();
            keys.retain(|key| !matches!(key.state(now), KeyState::Revoked | KeyState::Expired));
            Ok(before - keys.len())
        })
    }

    /// The same file by a path without links in its folder, and that folder.
    #[cfg(feature = "http")]
    pub(crate) fn settled(&self) -> Result<(Self, PathBuf)> {
        file::settled(&self.path).map(|(path, folder)| (Self { path }, folder))
    }

    /// Which file it is now, without reading it.
    #[cfg(feature = "http")]
    pub(crate) fn look(&self) -> crate::seen::Seen {
        crate::seen::Seen::of_name(&self.path)
    }
}

fn find<'k>(keys: &'k mut [ApiKey], id: &str) -> Result<&'k mut ApiKey> {
    // Whoever has the whole key at hand may not have its id: it is not said again.
    if !key::is_id(id) {
        return Err(Error::new("that is not the id of a key")
            .help("an id has 12 characters: `mcp-secure keys list` shows them"));
    }
    keys.iter_mut()
        .find(|key| key.id() == id)
        .ok_or_else(|| Error::new(format!("there is no key `{id}`")))
}

fn digest_of(secret: &Secret) -> [u8; 32] {
    key::digest(secret.reveal().as_bytes())
}

/// To the second: what the file says.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

/// A file with more keys than this is not read, and not made.
const MOST_KEYS: usize = 1000;

#[cfg(all(test, unix))]
mod tests;
