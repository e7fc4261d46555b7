//! Proof of possession (RFC 9449): the request carries a fresh signature by the key that the
//! token was issued for, so a token that leaked is of no use.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use jsonwebtoken::{EncodingKey, crypto::aws_lc};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use zeroize::Zeroizing;

use super::{
    Algorithm,
    cache::Digest,
    error::{Checked, TokenError, TokenErrorKind, invalid_proof, unavailable},
    jws::{Jws, decode_digest, encode},
    key::Key,
    resource::Resource,
};
use crate::{
    error::{Error, Result},
    state::{Store, StoreError},
};

/// Whether tokens may be, or must be, bound to a key of the client (RFC 9449).
///
/// A token that is bound is never taken as a bearer token, whatever is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dpop {
    /// Tokens may be bound.
    Accepted,
    /// Tokens that are not bound are refused.
    Required,
}

/// How proofs are checked.
pub(super) struct Proofs {
    pub(super) url: String,
    pub(super) algorithms: Vec<Algorithm>,
    /// Seconds, as for tokens.
    pub(super) leeway: u64,
    pub(super) nonces: Option<Nonces>,
    pub(super) store: Arc<dyn Store>,
}

/// What a proof is held against.
pub(super) struct Request<'a> {
    pub(super) proof: &'a str,
    pub(super) method: &'a str,
    /// Of the access token.
    pub(super) token: &'a Digest,
    /// The key that the token is bound to.
    pub(super) key: &'a [u8; 32],
}

/// A proof that is good, and has been used or not.
pub(super) struct Once(String);

const MAX_PROOF: usize = 8 * 1024;
const MAX_JTI: usize = 256;
const MAX_URL: usize = 2048;
/// How old a proof may be, in seconds. Within that time its `jti` is remembered.
const WINDOW: u64 = 60;
/// Proofs that are remembered at once by this process: about 500 a second.
pub(super) const REMEMBERED: usize = 65_536;

/// The one `DPoP` header (RFC 9449 section 4.3, check 1).
pub(super) fn proof(headers: &HeaderMap) -> Checked<&str> {
    let mut values = headers.get_all("dpop").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused("there is not exactly one proof"));
    };
    match value.to_str() {
        Ok(proof) if proof.len() <= MAX_PROOF => Ok(proof),
        _ => Err(refused("the proof is too long or no text")),
    }
}

impl Proofs {
    pub(super) fn url(resource: &Resource) -> String {
        normal(resource.url()).unwrap_or_default()
    }

    /// Everything but whether it was seen before, in the order of the costs.
    pub(super) fn check(&self, request: &Request<'_>, now: u64) -> Checked<Once> {
        let jws = Jws::read(request.proof, true).map_err(|_| refused("it is no signed JWT"))?;
        if jws.text("typ") != Some("dpop+jwt") {
            return Err(refused("the proof is of another type"));
        }
        let algorithm = jws
            .algorithm()
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(refused("the algorithm of the proof is not accepted"))?;
        let claims = jws.claims().map_err(|_| refused("it is no signed JWT"))?;
        let text = |name: &str| claims.get(name).and_then(serde_json::Value::as_str);
        if text("htm") != Some(request.method) {
            return Err(refused("the proof is for another method"));
        }
        let url = text("htu").filter(|url| url.len() <= MAX_URL);
        if url.and_then(normal).as_deref() != Some(self.url.as_str()) {
            return Err(refused("the proof is for another URL"));
        }
        let issued = claims.get("iat").and_then(serde_json::Value::as_f64);
        #[allow(clippy::cast_precision_loss, reason = "seconds, not nanoseconds")]
        let (oldest, newest) = (
            now.saturating_sub(WINDOW + self.leeway) as f64,
            now.saturating_add(self.leeway) as f64,
        );
        if !issued.is_some_and(|issued| (oldest..=newest).contains(&issued)) {
            return Err(refused("the proof is not fresh"));
        }
        if let Some(nonces) = &self.nonces
            && !text("nonce").is_some_and(|nonce| nonces.knows(nonce, now))
        {
            return Err(TokenError {
                control: "oauth/dpop-nonce",
                kind: TokenErrorKind::UseDpopNonce {
                    nonce: nonces.at(now)?,
                },
            });
        }
        // By digest, so that the length is part of the comparison.
        if text("ath").and_then(decode_digest).as_ref() != Some(request.token) {
            return Err(refused("the proof is for another token"));
        }
        let jti = text("jti")
            .filter(|jti| !jti.is_empty() && jti.len() <= MAX_JTI)
            .ok_or(refused("the proof has no short name of its own"))?;
        let jwk = jws.header.get("jwk").and_then(serde_json::Value::as_object);
        // A private key in the header is refused there, too.
        let key = jwk
            .and_then(|jwk| Key::read(jwk).ok())
            .ok_or(refused("the proof has no public key that could be used"))?;
        // RFC 9449 section 6.1: the binding. Without it any key would do.
        if key.thumbprint() != *request.key {
            return Err(invalid_proof(
                "oauth/dpop-key",
                "the token is bound to another key",
            ));
        }
        if !key.signed(&jws, algorithm) {
            return Err(refused("the signature of the proof is not good"));
        }
        let mut seen = Sha256::new();
        seen.update(request.key);
        seen.update(jti.as_bytes());
        Ok(Once(format!("dpop:{}", encode(&seen.finalize()))))
    }

    /// Uses the proof up. Whoever sees a request on its way cannot send it again, to this
    /// replica or to another that shares the store.
    pub(super) async fn spend(&self, once: Once) -> Checked<()> {
        let for_ = Duration::from_secs(WINDOW + 2 * self.leeway + 1);
        match self.store.insert_new(&once.0, for_).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(invalid_proof(
                "oauth/dpop-replay",
                "the proof was used before",
            )),
            // Room comes as proofs run out; a store that is away may be back sooner.
            Err(StoreError::Full) => Err(unavailable("oauth/dpop-store", for_)),
            Err(_) => Err(unavailable("oauth/dpop-store", Duration::from_secs(5))),
        }
    }
}

/// Nonces that nobody has to remember: the minute, under a key (RFC 9449 section 9). With one
/// a client cannot make proofs for later.
pub(super) struct Nonces(Zeroizing<Vec<u8>>);

const MINUTE: u64 = 60;

impl Nonces {
    pub(super) fn random() -> Result<Self> {
        let mut key = Zeroizing::new(vec![0; 32]);
        getrandom::fill(&mut key)
            .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
        Ok(Self(key))
    }

    /// Replicas with the same secret know each other's nonces.
    pub(super) fn shared(secret: &[u8]) -> Self {
        let mut key = Sha256::new();
        key.update(b"mcp-secure dpop nonce\0");
        key.update(secret);
        Self(Zeroizing::new(key.finalize().to_vec()))
    }

    /// The one to be used now.
    pub(super) fn at(&self, now: u64) -> Checked<String> {
        self.of(now / MINUTE)
            .ok_or(unavailable("oauth/dpop-nonce", Duration::from_secs(5)))
    }

    /// Whether it is that of this minute or the last one.
    fn knows(&self, nonce: &str, now: u64) -> bool {
        let minute = now / MINUTE;
        [minute, minute.saturating_sub(1)].iter().any(|minute| {
            self.of(*minute)
                .is_some_and(|ours| ours.as_bytes().ct_eq(nonce.as_bytes()).into())
        })
    }

    fn of(&self, minute: u64) -> Option<String> {
        let key = EncodingKey::from_secret(&self.0);
        let hmac = jsonwebtoken::Algorithm::HS256;
        let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&hmac, &key).ok()?;
        let code = signer.try_sign(&minute.to_be_bytes()).ok()?;
        Some(encode(code.get(..16)?))
    }
}

/// A URL without query and fragment, in one spelling (RFC 9449 section 4.3, check 9).
fn normal(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    if !url.username().is_empty() || url.password().is_some() || !url.has_host() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

fn refused(description: &'static str) -> TokenError {
    invalid_proof("oauth/dpop", description)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_nonce_is_good_for_one_to_two_minutes_and_only_here() {
        let (ours, theirs) = (Nonces::random().unwrap(), Nonces::random().unwrap());
        let now = 60 * 1000;
        let nonce = ours.at(now).unwrap();
        assert_eq!(nonce.len(), 22);
        assert!(ours.knows(&nonce, now) && ours.knows(&nonce, now + 119));
        assert!(!ours.knows(&nonce, now + 120));
        assert!(!ours.knows(&nonce, now - 1), "not before its time");
        assert!(!theirs.knows(&nonce, now));
        assert!(!ours.knows("", now) && !ours.knows(&nonce[..21], now));
        let shared = Nonces::shared(b"secret").at(now).unwrap();
        assert!(Nonces::shared(b"secret").knows(&shared, now));
        assert!(!Nonces::shared(b"Secret").knows(&shared, now));
    }

    #[test]
    fn a_url_has_one_spelling() {
        for same in [
            "https://mcp.example/mcp",
            "HTTPS://MCP.example:443/mcp",
            "https://mcp.example/mcp?x=1#y",
            "https://mcp.example/a/../mcp",
        ] {
            assert_eq!(normal(same).unwrap(), "https://mcp.example/mcp");
        }
        for other in [
            "http://mcp.example/mcp",
            "https://mcp.example/mcp/",
            "https://mcp.example/MCP",
            "https://mcp.example:8443/mcp",
        ] {
            assert_ne!(normal(other).unwrap(), "https://mcp.example/mcp");
        }
        assert_eq!(normal("https://x@mcp.example/mcp"), None);
        assert_eq!(normal("urn:x"), None);
    }
}
