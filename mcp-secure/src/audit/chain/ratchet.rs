//! The key of the keyed hash. It moves forward only: from the key of today nobody makes the key
//! of yesterday, so whoever breaks in today cannot write yesterday's lines anew.

use zeroize::Zeroizing;

use super::Hash;
use crate::sha256::{Hmac, hash};

/// A key of the ratchet.
pub(in crate::audit) type Key = Zeroizing<[u8; 32]>;

pub(in crate::audit) struct Ratchet {
    key: Key,
    epoch: u64,
    /// Keyed with what the key of this epoch makes.
    keyed: Hmac,
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
        let mut message = [0; RECORD.len() + 64];
        let (purpose, rest) = message.split_at_mut(RECORD.len());
        let (first, second) = rest.split_at_mut(32);
        purpose.copy_from_slice(RECORD);
        first.copy_from_slice(previous);
        second.copy_from_slice(leaf);
        self.keyed.of(&message)
    }
}

fn keyed(key: &Key) -> Hmac {
    Hmac::new(&expand(key, b"mcp-secure audit: records"))
}

/// HKDF-Expand (RFC 5869) to one block: the key is random already, so nothing is extracted.
fn expand(key: &Key, purpose: &[u8]) -> Key {
    Zeroizing::new(Hmac::new(key).of(&[purpose, &[1]].concat()))
}

/// What the first line says of the first key, so that a wrong one is told from a changed log.
pub(in crate::audit) fn commitment(key: &[u8; 32]) -> Hash {
    let named = Zeroizing::new([b"mcp-secure audit: verification key\0", &key[..]].concat());
    hash(&named)
}

/// Short enough that a record takes two blocks of the hash.
const RECORD: &[u8] = b"record\0";
