//! SHA-256 and HMAC-SHA256, by the fastest library that the build has.
//!
//! Each call is recorded, and hashing is most of what that costs where a processor has no
//! instructions for it: there AWS-LC's assembly does the same in two thirds of the time. It
//! comes with TLS (`rustls`); a build without links no C for this, and `sha2` does it.

pub(crate) type Hash = [u8; 32];

pub(crate) use library::{Hmac, hash};

#[cfg(feature = "aws-lc")]
mod library {
    use aws_lc_rs::{digest, hmac};

    use super::Hash;

    pub(crate) fn hash(bytes: &[u8]) -> Hash {
        let digest = digest::digest(&digest::SHA256, bytes);
        fixed(digest.as_ref())
    }

    /// Keyed once: the hash of the padded key is not made anew for each message.
    #[derive(Clone)]
    pub(crate) struct Hmac(hmac::Key);

    impl Hmac {
        pub(crate) fn new(key: &[u8; 32]) -> Self {
            Self(hmac::Key::new(hmac::HMAC_SHA256, key))
        }

        pub(crate) fn of(&self, message: &[u8]) -> Hash {
            fixed(hmac::sign(&self.0, message).as_ref())
        }
    }

    /// Of a slice that is always so long: an empty hash would verify nothing.
    fn fixed(bytes: &[u8]) -> Hash {
        bytes.try_into().unwrap_or_default()
    }
}

#[cfg(not(feature = "aws-lc"))]
mod library {
    use hmac::{KeyInit as _, Mac as _};
    use sha2::{Digest as _, Sha256};
    use zeroize::Zeroizing;

    use super::Hash;

    pub(crate) fn hash(bytes: &[u8]) -> Hash {
        Sha256::digest(bytes).into()
    }

    /// Keyed once: the hash of the padded key is not made anew for each message.
    #[derive(Clone)]
    pub(crate) struct Hmac(hmac::Hmac<Sha256>);

    impl Hmac {
        pub(crate) fn new(key: &[u8; 32]) -> Self {
            // Behind a short key are zeros (RFC 2104, section 2).
            let mut block = Zeroizing::new([0; 64]);
            for (to, from) in block.iter_mut().zip(key) {
                *to = *from;
            }
            Self(hmac::Hmac::new((&*block).into()))
        }

        pub(crate) fn of(&self, message: &[u8]) -> Hash {
            self.0
                .clone()
                .chain_update(message)
                .finalize()
                .into_bytes()
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use crate::hex::hex;

    /// FIPS 180-4's examples, and RFC 4231's: whichever library it is, a log that one wrote is
    /// verified by the other.
    #[test]
    fn both_are_those_of_the_standards() {
        for (message, digest) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(hex(&hash(message.as_bytes())), digest, "{message}");
        }
        let million = vec![b'a'; 1_000_000];
        assert_eq!(
            hex(&hash(&million)),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        // Test cases 1 and 2: shorter keys are the same key with zeros behind it.
        for (key, message, mac) in [
            (
                &[0x0b; 20][..],
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            let mut whole = [0; 32];
            whole[..key.len()].copy_from_slice(key);
            let keyed = Hmac::new(&whole);
            assert_eq!(hex(&keyed.of(message.as_bytes())), mac);
            assert_eq!(hex(&keyed.clone().of(message.as_bytes())), mac, "again");
        }
    }

    #[test]
    fn both_are_those_of_the_other_library() {
        use ::hmac::{Hmac as Other, KeyInit as _, Mac as _};
        use sha2::{Digest as _, Sha256};

        let bytes: Vec<u8> = (0..400_u16).map(|n| n.to_le_bytes()[0]).collect();
        for len in 0..bytes.len() {
            let message = &bytes[..len];
            let other: Hash = Sha256::digest(message).into();
            assert_eq!(hash(message), other, "{len}");
            let key: [u8; 32] = other;
            let other = Other::<Sha256>::new_from_slice(&key).map(|mac| mac.chain_update(message));
            let other: Option<Hash> = other.ok().map(|mac| mac.finalize().into_bytes().into());
            assert_eq!(Some(Hmac::new(&key).of(message)), other, "{len}");
        }
    }
}
