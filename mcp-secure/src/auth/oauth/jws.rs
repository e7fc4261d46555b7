//! The form of a signed token (RFC 7515 section 7.1), read strictly and once: what was parsed
//! is what is verified is what is used.
//!
//! `jsonwebtoken` computes the signatures and does nothing else here. Its own decoder ignores
//! `crit`, takes an array for an issuer, and passes claims that are malformed or not there.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Algorithm, json};

/// A token whose signature has not been checked.
pub(super) struct Jws<'a> {
    pub(super) header: Map<String, Value>,
    /// Header and payload as they were signed.
    signed: &'a [u8],
    payload: &'a str,
    signature: Vec<u8>,
}

/// What a token is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Not three parts of base64url, or its header is no object.
    Form,
    /// It wants something that is not done here: `crit`, `b64`, `zip`, `enc`.
    Extension,
    /// It brings the key, or says where to fetch one.
    Key,
}

/// Header parameters by which a token would choose the key that it is checked with: a
/// signature by the attacker's key is a good signature (CVE-2018-0114).
const OF_KEYS: [&str; 4] = ["jku", "x5u", "x5c", "jwk"];

/// What changes how a token is read. RFC 7515 section 4.1.11: whoever does not understand what
/// `crit` lists must refuse, and nothing that can be listed is understood here.
const OF_EXTENSIONS: [&str; 4] = ["crit", "b64", "zip", "enc"];

impl<'a> Jws<'a> {
    /// Reads the form and the header. `brings_key` admits `jwk`, for proofs.
    pub(super) fn read(token: &'a str, brings_key: bool) -> Result<Self, Malformed> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::Form);
        };
        let decoded = decode(header).ok_or(Malformed::Form)?;
        let object = json::object(&decoded).ok_or(Malformed::Form)?;
        if OF_EXTENSIONS.iter().any(|name| object.contains_key(*name)) {
            return Err(Malformed::Extension);
        }
        if OF_KEYS
            .iter()
            .any(|name| object.contains_key(*name) && !(brings_key && *name == "jwk"))
        {
            return Err(Malformed::Key);
        }
        let signature = decode(signature).ok_or(Malformed::Form)?;
        if signature.is_empty() {
            return Err(Malformed::Form);
        }
        let signed = header.len() + 1 + payload.len();
        Ok(Self {
            header: object,
            signed: token.as_bytes().get(..signed).ok_or(Malformed::Form)?,
            payload,
            signature,
        })
    }

    /// A header parameter that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// The algorithm, if it is one that can be trusted at all.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::parse(self.text("alg")?)
    }

    /// The type without the prefix that RFC 7515 section 4.1.9 lets a sender leave out.
    pub(super) fn media_type(&self) -> Option<String> {
        let typ = self.text("typ")?.to_ascii_lowercase();
        Some(match typ.strip_prefix("application/") {
            Some(rest) => rest.to_owned(),
            None => typ,
        })
    }

    pub(super) fn signed(&self) -> &[u8] {
        self.signed
    }

    pub(super) fn signature(&self) -> &Vec<u8> {
        &self.signature
    }

    /// The claims, as the signature covers them.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Malformed> {
        decode(self.payload)
            .and_then(|payload| json::object(&payload))
            .ok_or(Malformed::Form)
    }
}

/// Base64url without padding, in the one spelling of each value (RFC 7515 section 2): a second
/// spelling of one token would be a second entry wherever tokens are remembered.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The same for what has exactly 32 bytes.
pub(super) fn decode_digest(text: &str) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}

pub(in crate::auth) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jws(header: &str) -> String {
        format!(
            "{}.{}.{}",
            encode(header.as_bytes()),
            encode(b"{}"),
            encode(b"s")
        )
    }

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(decode("AA"), Some(vec![0]));
        for other in ["AB", "AA==", "AA=", "A", "A A", "AA\n", "+A", "/w"] {
            assert_eq!(decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_token_that_brings_its_key_or_an_extension_is_refused_before_any_crypto() {
        let read = |header: &str, proof| Jws::read(&jws(header), proof).err();
        assert_eq!(read(r#"{"alg":"ES256"}"#, false), None);
        for name in ["jku", "x5u", "x5c"] {
            let header = format!(r#"{{"alg":"ES256","{name}":"x"}}"#);
            assert_eq!(read(&header, false), Some(Malformed::Key));
            assert_eq!(read(&header, true), Some(Malformed::Key));
        }
        let jwk = r#"{"alg":"ES256","jwk":{}}"#;
        assert_eq!(read(jwk, false), Some(Malformed::Key));
        assert_eq!(read(jwk, true), None);
        for name in ["crit", "b64", "zip", "enc"] {
            let header = format!(r#"{{"alg":"ES256","{name}":null}}"#);
            assert_eq!(read(&header, true), Some(Malformed::Extension));
        }
    }
}
