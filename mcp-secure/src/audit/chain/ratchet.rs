//! The key of the keyed hash. It moves forward only: from the key of today nobody makes the key
//! of yesterday, so whoever breaks in today cannot write yesterday's lines anew.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Hash;

/// A key of the ratchet.
pub(in crate::audit) type Key = Zeroizing<[u8; 32]>;

pub(in crate::audit) struct Ratchet {
    key: Key,
    epoch: u64,
    /// Keyed with what the key of this epoch makes; cloned for each line.
    keyed: Option<Hmac<Sha256>>,
}

impl Ratchet {
    pub(in crate::audit) fn at(key: &[u8; 32], epoch: u64) -> Self {
        let key = Zeroizing::new(*key);
        Self {
            keyed: keyed(&key),
            key,
            epoch,
        }
    }

    pub(in crate::audit) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(in crate::audit) fn key(&self) -> Key {
        self.key.clone()
    }

    /// The next key takes the place of this one, which is wiped.
    pub(in crate::audit) fn advance(&mut self) {
        self.key = expand(&self.key, b"mcp-secure audit: next key");
        self.keyed = keyed(&self.key);
        self.epoch += 1;
    }

    /// Of a line that follows another.
    pub(in crate::audit) fn mac(&self, previous: &Hash, leaf: &Hash) -> Hash {
        // A key of 32 bytes always fits; if it did not, no line would verify.
        let Some(mut mac) = self.keyed.clone() else {
            return [0; 32];
        };
        mac.update(RECORD);
        mac.update(previous);
        mac.update(leaf);
        mac.finalize().into_bytes().into()
    }
}

fn keyed(key: &Key) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(&*expand(key, b"mcp-secure audit: records")).ok()
}

/// HKDF-Expand (RFC 5869) to one block: the key is random already, so nothing is extracted.
fn expand(key: &Key, purpose: &[u8]) -> Key {
    let mut next = Zeroizing::new([0; 32]);
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&**key) {
        mac.update(purpose);
        mac.update(&[1]);
        *next = mac.finalize().into_bytes().into();
    }
    next
}

/// What the first line says of the first key, so that a wrong one is told from a changed log.
pub(in crate::audit) fn commitment(key: &[u8; 32]) -> Hash {
    Sha256::new_with_prefix(b"mcp-secure audit: verification key\0")
        .chain_update(key)
        .finalize()
        .into()
}

/// Short enough that a record takes two blocks of the hash.
const RECORD: &[u8] = b"record\0";
