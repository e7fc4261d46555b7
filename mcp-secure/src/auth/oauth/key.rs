//! One public key of an issuer or of a client (RFC 7517), usable for one family of algorithms.

use jsonwebtoken::{DecodingKey, crypto::aws_lc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    Algorithm,
    jws::{Jws, decode, encode},
};

/// A public key. Which algorithms it is for follows from the key, never from a token.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    shape: Shape,
    /// The one algorithm that its owner named.
    declared: Option<Algorithm>,
    decoding: DecodingKey,
    thumbprint: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl Key {
    /// Reads a JWK.
    ///
    /// # Errors
    ///
    /// Why it is not used: it is of another kind, for another purpose, too weak, or private.
    pub(super) fn read(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
            return Err("it is private");
        }
        match jwk.get("use").map(Value::as_str) {
            None | Some(Some("sig")) => {}
            _ => return Err("it is not for signatures"),
        }
        match jwk.get("key_ops") {
            None => {}
            Some(Value::Array(ops)) if ops.iter().any(|op| op == "verify") => {}
            _ => return Err("it is not for signatures"),
        }
        let declared = match jwk.get("alg") {
            None => None,
            Some(alg) => Some(
                alg.as_str()
                    .and_then(Algorithm::parse)
                    .ok_or("its algorithm is not one of ours")?,
            ),
        };
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
            Some(_) => return Err("its `kid` is no short text"),
        };
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(decode);
        let point = |name: &str, len: usize| bytes(name).filter(|bytes| bytes.len() == len);
        let wrong = "its parameters are not those of its kind";
        let (shape, decoding, canonical) = match (text("kty"), text("crv")) {
            (Some("EC"), Some(crv @ ("P-256" | "P-384"))) => {
                let (shape, len) = match crv {
                    "P-256" => (Shape::P256, 32),
                    _ => (Shape::P384, 48),
                };
                let (x, y) = point("x", len).zip(point("y", len)).ok_or(wrong)?;
                let canonical = format!(
                    r#"{{"crv":"{crv}","kty":"EC","x":"{}","y":"{}"}}"#,
                    encode(&x),
                    encode(&y)
                );
                let mut uncompressed = vec![4];
                uncompressed.extend(x);
                uncompressed.extend(y);
                (shape, DecodingKey::from_ec_der(&uncompressed), canonical)
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = point("x", 32).ok_or(wrong)?;
                let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(&x));
                (Shape::Ed25519, DecodingKey::from_ed_der(&x), canonical)
            }
            (Some("RSA"), None) => {
                let (n, e) = bytes("n").zip(bytes("e")).ok_or(wrong)?;
                let bits = n.len() * 8 - n.first().map_or(0, |b| b.leading_zeros() as usize);
                // Small keys are factored; huge ones are a denial of service (RFC 8725
                // section 3.5 and NIST SP 800-131A).
                if n.first() == Some(&0) || !(2048..=8192).contains(&bits) {
                    return Err("its modulus is not of 2048 to 8192 bits");
                }
                let exponent = e.iter().fold(0_u64, |all, b| all << 8 | u64::from(*b));
                if e.len() > 4 || e.first() == Some(&0) || exponent < 3 || exponent % 2 == 0 {
                    return Err("its exponent is not odd and of at most 32 bits");
                }
                let canonical = format!(
                    r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                    encode(&e),
                    encode(&n)
                );
                (
                    Shape::Rsa,
                    DecodingKey::from_rsa_raw_components(&n, &e),
                    canonical,
                )
            }
            _ => return Err("its kind is not one of ours"),
        };
        let key = Self {
            kid,
            shape,
            declared,
            decoding,
            thumbprint: Sha256::digest(canonical.as_bytes()).into(),
        };
        match declared {
            Some(alg) if !key.agrees(alg) => Err("its algorithm is not one of its kind"),
            _ => Ok(key),
        }
    }

    /// Whether it is for this algorithm. Checked before any signature, or a token could choose
    /// how a key is used (RFC 8725 section 3.1).
    pub(super) fn agrees(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let fits = match self.shape {
            Shape::P256 => algorithm == ES256,
            Shape::P384 => algorithm == ES384,
            Shape::Ed25519 => algorithm == EdDSA,
            Shape::Rsa => matches!(algorithm, PS256 | PS384 | PS512 | RS256 | RS384 | RS512),
        };
        fits && self.declared.is_none_or(|declared| declared == algorithm)
    }

    /// Whether the token was signed with it.
    ///
    /// The provider is named, not the process-wide one: that panics when another crate turns
    /// on a second back end of `jsonwebtoken`.
    pub(super) fn signed(&self, jws: &Jws<'_>, algorithm: Algorithm) -> bool {
        self.agrees(algorithm)
            && (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm.of_crate(), &self.decoding)
                .is_ok_and(|verifier| verifier.verify(jws.signed(), jws.signature()).is_ok())
    }

    /// SHA-256 over its canonical form (RFC 7638).
    pub(super) fn thumbprint(&self) -> [u8; 32] {
        self.thumbprint
    }
}

/// What only the owner of a key may have. A set that shows these is no set of keys: everybody
/// can sign with them.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub(super) const MAX_KID: usize = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638() {
        // The example of its section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        let key = Key::read(jwk.as_object().unwrap()).unwrap();
        assert_eq!(
            encode(&key.thumbprint()),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert!(key.agrees(Algorithm::RS256) && !key.agrees(Algorithm::PS256));
    }

    #[test]
    fn a_key_that_is_weak_private_or_for_something_else_is_not_used() {
        let x = encode(&[1; 32]);
        let good = json!({"kty": "EC", "crv": "P-256", "x": x, "y": x});
        let read = |change: Value| {
            let mut jwk = good.as_object().unwrap().clone();
            for (name, value) in change.as_object().unwrap() {
                jwk.insert(name.clone(), value.clone());
            }
            Key::read(&jwk)
        };
        assert!(read(json!({})).is_ok());
        assert!(read(json!({"use": "sig", "key_ops": ["verify"], "alg": "ES256"})).is_ok());
        for bad in [
            json!({"use": "enc"}),
            json!({"use": 1}),
            json!({"key_ops": ["encrypt"]}),
            json!({"key_ops": "verify"}),
            json!({"alg": "HS256"}),
            json!({"alg": "none"}),
            json!({"alg": "ES384"}),
            json!({"alg": 7}),
            json!({"d": "AA"}),
            json!({"k": "AA"}),
            json!({"kid": 1}),
            json!({"kid": "k".repeat(257)}),
            json!({"kty": "oct"}),
            json!({"kty": "RSA"}),
            json!({"crv": "P-521"}),
            json!({"crv": "secp256k1"}),
            json!({"crv": "P-384"}),
            json!({"x": encode(&[1; 31])}),
            json!({"y": encode(&[0; 33])}),
            json!({"y": null}),
            json!({"y": "="}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        let rsa = |n: &[u8], e: &[u8]| {
            let jwk = json!({"kty": "RSA", "n": encode(n), "e": encode(e)});
            Key::read(jwk.as_object().unwrap()).is_ok()
        };
        assert!(rsa(&[0xff; 256], &[1, 0, 1]) && rsa(&[0xff; 1024], &[3]));
        for (n, e) in [
            (vec![0xff; 128], vec![1, 0, 1]),
            (vec![0xff; 255], vec![1, 0, 1]),
            (vec![0xff; 1025], vec![1, 0, 1]),
            (vec![], vec![1, 0, 1]),
            (vec![0xff; 256], vec![1]),
            (vec![0xff; 256], vec![2]),
            (vec![0xff; 256], vec![]),
            (vec![0xff; 256], vec![1, 0, 0, 0, 1]),
        ] {
            assert!(!rsa(&n, &e), "{} {e:?}", n.len());
        }
    }
}
