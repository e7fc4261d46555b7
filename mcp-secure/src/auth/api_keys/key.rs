//! How a key looks.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// A new key and its id.
pub(super) fn generate() -> Result<(SecretString, String)> {
    let mut random = Zeroizing::new([0_u8; ID + BYTES]);
    getrandom::fill(random.as_mut())
        .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
    let (id, secret) = random.split_at(ID);
    // 32 characters, so each has as much of a byte's randomness as any other.
    let letter = |b: &u8| ALPHABET.get(usize::from(b & 31)).copied().unwrap_or(b'a');
    let id: String = id.iter().map(|b| char::from(letter(b))).collect();
    let mut key = Zeroizing::new(String::with_capacity(LENGTH));
    key.push_str(PREFIX);
    key.push_str(&id);
    key.push('_');
    URL_SAFE_NO_PAD.encode_string(secret, &mut key);
    let checksum = checksum(key.as_bytes());
    key.push_str(&checksum);
    Ok((SecretString::from(key.as_str()), id))
}

/// The id of what has the form of a key.
#[cfg(any(test, feature = "http"))]
pub(crate) fn id_of(key: &[u8]) -> Option<&str> {
    let (body, sum) = key.split_at_checked(LENGTH - SUM)?;
    let (id, secret) = body.strip_prefix(PREFIX.as_bytes())?.split_at_checked(ID)?;
    let secret = secret.strip_prefix(b"_")?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
    let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
    (secret.iter().all(plain) && sum == checksum(body).as_bytes()).then_some(id)
}

pub(super) fn is_id(id: &str) -> bool {
    id.len() == ID && id.bytes().all(|b| ALPHABET.contains(&b))
}

/// What the file holds of a key. Its id is in it, so no line of the file can be made another's.
pub(crate) fn digest(key: &[u8]) -> [u8; 32] {
    crate::sha256::hash(key)
}

/// CRC-32 in base 62, as GitHub and npm end their tokens. It says nothing of the secret to
/// whoever does not have it, and the file does not have it.
fn checksum(body: &[u8]) -> String {
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    crc = !crc;
    let mut digits = [b'0'; SUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((crc % 62) as usize).copied().unwrap_or(b'0');
        crc /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

const PREFIX: &str = "msk_";
/// Characters of an id.
const ID: usize = 12;
/// 256 bits.
const BYTES: usize = 32;
/// The same in base64url.
const TEXT: usize = 43;
const SUM: usize = 6;
const LENGTH: usize = PREFIX.len() + ID + 1 + TEXT + SUM;
/// Without what is taken for another: `l`, `1`, `o`, `0`.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_key_has_an_id_and_a_changed_one_is_none() {
        let (secret, id) = generate().unwrap();
        let key = secret.expose_secret().as_bytes();
        assert_eq!(key.len(), 66);
        assert_eq!(id_of(key), Some(id.as_str()));
        for at in 0..key.len() {
            let mut typo = key.to_vec();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(id_of(&typo), None, "a typo at {at}");
            assert_eq!(id_of(&key[..at]), None, "cut at {at}");
        }
        assert_eq!(id_of(&[key, b"x"].concat()), None);
        assert_eq!(id_of(&key.to_ascii_lowercase()), None);
        assert_eq!(id_of(&key.to_ascii_uppercase()), None);
        assert_ne!(generate().unwrap().1, id);
    }

    #[test]
    fn the_checksum_is_that_of_zlib() {
        // CRC-32 of `123456789` is 0xCBF43926: 3421780262 = 3·62⁵ + 45·62⁴ + …
        let digits = checksum(b"123456789");
        let value = digits.bytes().fold(0_u64, |n, b| {
            n * 62 + BASE62.iter().position(|d| *d == b).unwrap() as u64
        });
        assert_eq!(value, 0xCBF4_3926);
    }
}
