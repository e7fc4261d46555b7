//! The three things that are done with a key: derive, seal, and authenticate.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::format::{NONCE, Stretch};
use crate::{Error, Result};

/// A key. It has no `Debug`, `Clone` or `Serialize`, and is wiped when it goes.
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    pub(super) fn random() -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// From the bytes of one.
    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(Error::new("a key has the wrong length"));
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// As a key file has one.
    pub(super) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(crate::hex::hex(self.0.as_slice()))
    }

    /// Its bytes, to seal them.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// From what is random already: a key file.
    pub(super) fn from_random(text: &[u8], vault: &[u8]) -> Result<Self> {
        Self::expand(text, vault, b"mcp-secure vault kek v1")
    }

    /// From what a person can remember (RFC 9106).
    pub(super) fn from_passphrase(text: &[u8], stretch: &Stretch) -> Result<Self> {
        let wrong = |_| Error::new("a passphrase cannot be stretched with these parameters");
        let params = Params::new(stretch.memory, stretch.passes, stretch.lanes, Some(32));
        let params = params.map_err(wrong)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(text, &stretch.salt, key.as_mut_slice())
            .map_err(wrong)?;
        Ok(Self(key))
    }

    /// One for another purpose.
    pub(super) fn derive(&self, vault: &[u8], purpose: &[u8]) -> Result<Self> {
        Self::expand(self.0.as_slice(), vault, purpose)
    }

    fn expand(from: &[u8], salt: &[u8], purpose: &[u8]) -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), from)
            .expand(purpose, key.as_mut_slice())
            .map_err(|_| Error::new("a key cannot be derived"))?;
        Ok(Self(key))
    }

    /// Nonces of 192 random bits: no counter that two processes or a restored backup could use
    /// twice.
    pub(super) fn seal(&self, plain: &[u8], aad: &[u8]) -> Result<([u8; NONCE], Vec<u8>)> {
        let mut nonce = [0; NONCE];
        fill(&mut nonce)?;
        let sealed = XChaCha20Poly1305::new(&(*self.0).into())
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
            .map_err(|_| Error::new("a secret cannot be sealed"))?;
        Ok((nonce, sealed))
    }

    /// `None`: not sealed by this key, or not with these words around it.
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE],
        sealed: &[u8],
        aad: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        XChaCha20Poly1305::new(&(*self.0).into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad })
            .ok()
            .map(Zeroizing::new)
    }

    /// This key, sealed under another.
    pub(super) fn wrap(&self, with: &Self, aad: &[u8]) -> Result<([u8; NONCE], Vec<u8>)> {
        with.seal(self.0.as_slice(), aad)
    }

    pub(super) fn unwrap(
        with: &Self,
        nonce: &[u8; NONCE],
        wrapped: &[u8],
        aad: &[u8],
    ) -> Option<Self> {
        let plain = with.open(nonce, wrapped, aad)?;
        Self::of(&plain).ok()
    }

    pub(super) fn mac(&self, body: &[u8]) -> Result<[u8; 32]> {
        Ok(self.hmac(body)?.finalize().into_bytes().into())
    }

    /// In constant time.
    pub(super) fn is_mac(&self, body: &[u8], mac: &[u8]) -> bool {
        self.hmac(body)
            .is_ok_and(|hmac| hmac.verify_slice(mac).is_ok())
    }

    fn hmac(&self, body: &[u8]) -> Result<Hmac<Sha256>> {
        let mut hmac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.0.as_slice())
            .map_err(|_| Error::new("a key has the wrong length"))?;
        hmac.update(body);
        Ok(hmac)
    }
}

pub(super) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| Error::new(format!("the system has no randomness: {e}")))
}
