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
pub struct SealingKey(Source);

enum Source {
    File(PathBuf),
    Text(SecretString),
}

impl SealingKey {
    /// A file that not every user of the machine can read, with at least 32 random bytes as
    /// text: `openssl rand -base64 32`. Read once, when the server starts.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// The same text, from wherever your program keeps it; never from its own text.
    pub fn secret(text: SecretString) -> Self {
        Self(Source::Text(text))
    }

    pub(crate) fn path(&self) -> Option<&std::path::Path> {
        match &self.0 {
            Source::File(path) => Some(path),
            Source::Text(_) => None,
        }
    }

    /// The key for one server as it is served: what another one sealed, or this one before its
    /// tools changed, does not open.
    pub(crate) fn derive(&self, server: &[&str]) -> Result<Zeroizing<[u8; 32]>> {
        let text = match &self.0 {
            Source::File(path) => {
                secret_file(path).map_err(|error| error.before("the sealing key: "))?
            }
            Source::Text(text) => Zeroizing::new(text.expose_secret().to_owned()),
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
        let of = |text: &str, server: &[&str]| *key(text).derive(server).unwrap();
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
