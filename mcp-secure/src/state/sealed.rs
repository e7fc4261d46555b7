//! One mechanism for everything that a client carries for us: session ids, cursors,
//! request state. Encrypted and authenticated, bound to principal, purpose and time.

use std::{
    marker::PhantomData,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::auth::Principal;

/// The key of this process, or of all replicas of a server, and those that it had before.
#[derive(Clone)]
pub(crate) struct Sealer(Arc<Keys>);

struct Keys {
    current: XChaCha20Poly1305,
    former: Vec<XChaCha20Poly1305>,
}

/// A value sealed for a client to carry.
///
/// Whoever carries it learns nothing and can change nothing; whoever steals it cannot use
/// it, because opening needs the same principal and purpose. All failures are one failure.
pub(crate) struct Sealed<T>(String, PhantomData<fn() -> T>);

/// Not ours, not yours, not for this, or too late: the caller is not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSealed;

/// The longest text that is looked at: sealed state is small.
const MAX_LEN: usize = 64 * 1024;
const NONCE: usize = 24;

impl Sealer {
    /// A fresh random key. What it sealed dies with the process.
    pub(crate) fn random() -> crate::Result<Self> {
        let mut key = zeroize::Zeroizing::new([0_u8; 32]);
        getrandom::fill(key.as_mut())
            .map_err(|e| crate::Error::new(format!("the system has no randomness: {e}")))?;
        Ok(Self::of(&key, &[]))
    }

    /// One that others have, too, and those that are only opened with.
    pub(crate) fn of(key: &[u8; 32], former: &[zeroize::Zeroizing<[u8; 32]>]) -> Self {
        Self(Arc::new(Keys {
            current: XChaCha20Poly1305::new(key.into()),
            former: former
                .iter()
                .map(|key| XChaCha20Poly1305::new((&**key).into()))
                .collect(),
        }))
    }

    pub(crate) fn seal<T: Serialize>(
        &self,
        value: &T,
        principal: &Principal,
        purpose: &str,
        ttl: Duration,
    ) -> Option<Sealed<T>> {
        let mut plain = (now() + ttl.as_secs()).to_be_bytes().to_vec();
        serde_json::to_writer(&mut plain, value).ok()?;
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let aad = bind(principal, purpose);
        let payload = Payload {
            msg: &plain,
            aad: &aad,
        };
        let mut out = nonce.to_vec();
        out.extend(self.0.current.encrypt(&XNonce::from(nonce), payload).ok()?);
        Some(Sealed(URL_SAFE_NO_PAD.encode(out), PhantomData))
    }

    pub(crate) fn open<T: DeserializeOwned>(
        &self,
        sealed: &str,
        principal: &Principal,
        purpose: &str,
    ) -> Result<T, NotSealed> {
        self.open_long(sealed, principal, purpose, MAX_LEN)
    }

    /// The same of what our own store kept, which may be longer.
    pub(crate) fn open_long<T: DeserializeOwned>(
        &self,
        sealed: &str,
        principal: &Principal,
        purpose: &str,
        most: usize,
    ) -> Result<T, NotSealed> {
        if sealed.len() > most {
            return Err(NotSealed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| NotSealed)?;
        let (nonce, cipher) = bytes.split_first_chunk::<NONCE>().ok_or(NotSealed)?;
        let aad = bind(principal, purpose);
        let open = |key: &XChaCha20Poly1305| {
            let payload = Payload {
                msg: cipher,
                aad: &aad,
            };
            key.decrypt(&XNonce::from(*nonce), payload).ok()
        };
        let plain = open(&self.0.current)
            .or_else(|| self.0.former.iter().find_map(open))
            .ok_or(NotSealed)?;
        let (deadline, value) = plain.split_at_checked(8).ok_or(NotSealed)?;
        let deadline = u64::from_be_bytes(deadline.try_into().map_err(|_| NotSealed)?);
        if now() > deadline {
            return Err(NotSealed);
        }
        serde_json::from_slice(value).map_err(|_| NotSealed)
    }
}

impl<T> Sealed<T> {
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Principal and purpose, unambiguously.
fn bind(principal: &Principal, purpose: &str) -> Vec<u8> {
    let key = principal.key();
    let mut aad = Vec::with_capacity(16 + key.len() + purpose.len());
    aad.extend((key.len() as u64).to_be_bytes());
    aad.extend(key.as_bytes());
    aad.extend((purpose.len() as u64).to_be_bytes());
    aad.extend(purpose.as_bytes());
    aad
}

/// Seconds since 1970, which never go back: what was used once is remembered for as long as its seal
/// is good, by a clock that nobody sets. With the wall clock alone, whoever sets it back could use
/// a state again that the store has forgotten by then.
fn now() -> u64 {
    static START: OnceLock<(u64, Instant)> = OnceLock::new();
    let (start, since) = *START.get_or_init(|| (wall(), Instant::now()));
    let steady = start.saturating_add(since.elapsed().as_secs());
    #[cfg(test)]
    let wall = || wall().saturating_add_signed(clock::shift());
    wall().max(steady)
}

fn wall() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |d| d.as_secs())
}

/// The wall clock of a test's thread, which somebody sets.
#[cfg(test)]
pub(crate) mod clock {
    use std::cell::Cell;

    thread_local! {
        static SHIFT: Cell<i64> = const { Cell::new(0) };
    }

    pub(crate) fn set(seconds: i64) {
        SHIFT.set(seconds);
    }

    pub(super) fn shift() -> i64 {
        SHIFT.get()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::auth::Assurance;

    fn alice() -> Principal {
        Principal::minted("i", "alice", Assurance::Declared)
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_principal_and_purpose_only() {
        let sealer = Sealer::random().unwrap();
        let text = sealer
            .seal(&7_u32, &alice(), "cursor", Duration::from_secs(60))
            .unwrap()
            .into_string();
        assert_eq!(sealer.open::<u32>(&text, &alice(), "cursor"), Ok(7));
        let mallory = Principal::minted("i", "mallory", Assurance::Declared);
        assert_eq!(
            sealer.open::<u32>(&text, &mallory, "cursor"),
            Err(NotSealed)
        );
        assert_eq!(
            sealer.open::<u32>(&text, &alice(), "session"),
            Err(NotSealed)
        );
        assert_eq!(
            Sealer::random()
                .unwrap()
                .open::<u32>(&text, &alice(), "cursor"),
            Err(NotSealed)
        );
    }

    #[test]
    fn a_former_key_opens_and_does_not_seal() {
        use zeroize::Zeroizing;
        let (old, new) = (Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        let minute = Duration::from_secs(60);
        let before = Sealer::of(&old, &[]);
        let after = Sealer::of(&new, std::slice::from_ref(&old));
        let text = before.seal(&7_u32, &alice(), "p", minute).unwrap();
        assert_eq!(after.open::<u32>(&text.into_string(), &alice(), "p"), Ok(7));
        let text = after.seal(&7_u32, &alice(), "p", minute).unwrap();
        let text = text.into_string();
        assert_eq!(before.open::<u32>(&text, &alice(), "p"), Err(NotSealed));
        assert_eq!(Sealer::of(&new, &[]).open(&text, &alice(), "p"), Ok(7_u32));
    }

    #[test]
    fn a_changed_byte_or_a_cut_or_an_oversize_text_does_not_open() {
        let sealer = Sealer::random().unwrap();
        let text = sealer
            .seal(&"x", &alice(), "p", Duration::from_secs(60))
            .unwrap()
            .into_string();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            if changed != text {
                assert!(
                    sealer.open::<String>(&changed, &alice(), "p").is_err(),
                    "byte {at}"
                );
            }
            assert!(sealer.open::<String>(&text[..at], &alice(), "p").is_err());
        }
        assert!(
            sealer
                .open::<String>(&"A".repeat(MAX_LEN + 1), &alice(), "p")
                .is_err()
        );
    }

    /// What was used once is remembered for as long as this is good: not a second less.
    #[test]
    fn a_clock_that_is_set_back_does_not_lengthen_a_seal() {
        let sealer = Sealer::random().unwrap();
        let second = Duration::from_secs(1);
        let sealed = sealer.seal(&7_u32, &alice(), "p", second).unwrap();
        let text = sealed.into_string();
        clock::set(-3600);
        assert!(sealer.open::<u32>(&text, &alice(), "p").is_ok());
        std::thread::sleep(2 * second + second / 10);
        assert!(sealer.open::<u32>(&text, &alice(), "p").is_err());
        clock::set(0);
    }

    #[test]
    fn what_is_too_old_does_not_open() {
        let sealer = Sealer::random().unwrap();
        let mut plain = (now() - 1).to_be_bytes().to_vec();
        plain.extend(b"7");
        let aad = bind(&alice(), "p");
        let nonce = [0_u8; NONCE];
        let payload = Payload {
            msg: &plain,
            aad: &aad,
        };
        let mut out = nonce.to_vec();
        let sealed = sealer.0.current.encrypt(&XNonce::from(nonce), payload);
        out.extend(sealed.unwrap());
        assert!(
            sealer
                .open::<u32>(&URL_SAFE_NO_PAD.encode(out), &alice(), "p")
                .is_err()
        );
    }
}
