//! The key that tokens are signed with, made at the start.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::{
    auth::oauth::encode,
    error::{Error, Result},
};

/// A key pair on P-256.
pub(super) struct Key {
    pair: EcdsaKeyPair,
    kid: String,
    random: SystemRandom,
}

impl Key {
    pub(super) fn new() -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| Error::new("cannot make a key"))?;
        Ok(Self {
            pair,
            kid: random()?,
            random: SystemRandom::new(),
        })
    }

    /// The public half, as its issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        // Uncompressed: a byte that says so, and two coordinates (SEC 1).
        let point = self.pair.public_key().as_ref();
        let half = |range| encode(point.get(range).unwrap_or_default());
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
            "x": half(1..33), "y": half(33..65),
        })
    }

    /// An access token by RFC 9068.
    pub(super) fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid });
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = self
            .pair
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| Error::new("cannot sign"))?;
        Ok(format!("{signed}.{}", encode(signature.as_ref())))
    }
}

/// 256 random bits as text.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Error::new("the system gives no random bytes"))?;
    Ok(encode(&bytes))
}
