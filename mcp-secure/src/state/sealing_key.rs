//! A key of the operator's, by which replicas open what one of them sealed.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    secret_file::secret_file,
};

/// The secret from which replicas of one server make the key that seals what a client carries:
/// session ids, cursors, and the agreement of a person from one round to the next.
///
/// Without it each process makes a key of its own, and what one replica sealed is "not valid" at
/// the next.
///
/// ```
/// use mcp_secure::state::SealingKey;
///
/// SealingKey::file("/run/secrets/sealing-key");
/// ```
///
/// To change it, put the new one first and keep the old one until what it sealed has run out (a
/// session lives for a day, if nothing else is said; everything else for minutes, or as long as
/// your own [`Carried`](crate::state::Carried) types say):
///
/// ```
/// use mcp_secure::state::SealingKey;
///
/// SealingKey::file("/run/secrets/sealing-key").and_former("/run/secrets/sealing-key.old");
/// ```
pub struct SealingKey {
    source: Source,
    /// What was sealed with these still opens.
    former: Vec<Source>,
}

enum Source {
    File(PathBuf),
    Text(SecretString),
}

impl SealingKey {
    /// A file that not every user of the machine can read, with at least 32 random bytes as
    /// text: `openssl rand -base64 32`. Read once, when the server starts.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Source::File(path.into()))
    }

    /// The same text, from wherever your program keeps it; never from its own text.
    pub fn secret(text: SecretString) -> Self {
        Self::of(Source::Text(text))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            former: Vec::new(),
        }
    }

    /// A file with the key that was in use before: what it sealed still opens, and nothing is
    /// sealed with it any more. May be said again.
    #[must_use]
    pub fn and_former(mut self, path: impl Into<PathBuf>) -> Self {
        self.former.push(Source::File(path.into()));
        self
    }

    /// Its files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &std::path::Path> {
        [&self.source]
            .into_iter()
            .chain(&self.former)
            .filter_map(|source| match source {
                Source::File(path) => Some(path.as_path()),
                Source::Text(_) => None,
            })
    }

    /// The keys for one server as it is served, the one to seal with first: what another server
    /// sealed, or this one before its tools changed, does not open.
    pub(crate) fn derive(&self, server: &[&str]) -> Result<Vec<Zeroizing<[u8; 32]>>> {
        let keys = [&self.source].into_iter().chain(&self.former);
        let keys: Vec<_> = keys
            .map(|source| source.derive(server))
            .collect::<Result<_>>()?;
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().skip(at + 1).any(|other| other == key) {
                return Err(Error::new("a former sealing key is one that is in use")
                    .help("leave it out of `.and_former(…)`, or make a new one to seal with"));
            }
        }
        Ok(keys)
    }
}

impl Source {
    fn derive(&self, server: &[&str]) -> Result<Zeroizing<[u8; 32]>> {
        let text = match self {
            Self::File(path) => {
                secret_file(path).map_err(|error| error.before("the sealing key: "))?
            }
            Self::Text(text) => Zeroizing::new(text.expose_secret().to_owned()),
        };
        let distinct: std::collections::BTreeSet<u8> = text.bytes().collect();
        if text.len() < SHORTEST || distinct.len() < FEWEST {
            return Err(Error::new(format!(
                "the sealing key is shorter than {SHORTEST} bytes, or not random"
            ))
            .help("make one with `openssl rand -base64 32`, and give it to all replicas"));
        }
        let mut hash = Sha256::new_with_prefix(b"mcp-secure sealing key\0");
        for part in server.iter().copied().chain([text.as_str()]) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Ok(Zeroizing::new(hash.finalize().into()))
    }
}

const SHORTEST: usize = 32;

/// Different bytes: 32 random ones as text have some twenty, `aaaa…` has one.
const FEWEST: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(text: &str) -> SealingKey {
        SealingKey::secret(SecretString::from(text))
    }

    #[test]
    fn replicas_of_one_server_have_one_key_and_others_have_others() {
        let text = "Zm9ydHktdHdvIGlzIG5vdCBhIHJhbmRvbSBudW1iZXI=";
        let of = |text: &str, server: &[&str]| *key(text).derive(server).unwrap()[0];
        let ours = of(text, &["notes", "digest"]);
        assert_eq!(ours, of(text, &["notes", "digest"]));
        for other in [
            of(text, &["mail", "digest"]),
            of(text, &["notes", "another"]),
            of(text, &["notesdigest"]),
            of(text, &["note", "sdigest"]),
            of(&text.to_lowercase(), &["notes", "digest"]),
        ] {
            assert_ne!(ours, other);
        }
    }

    #[test]
    fn what_is_short_or_not_random_is_no_key() {
        for text in ["", "hunter2", &"a".repeat(64), &"abc".repeat(20)] {
            let error = key(text).derive(&[]).unwrap_err().to_string();
            assert!(
                error.contains("openssl") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
