//! Keys, and tokens forged with them: any header, any claims, any signature.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A key pair on P-256.
pub(crate) struct Key {
    pub(crate) kid: String,
    pair: rcgen::KeyPair,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            pair: rcgen::KeyPair::generate().unwrap(),
        }
    }

    /// What the issuer is given: it makes the JWK itself.
    pub(crate) fn for_issuer(&self) -> Value {
        json!({ "pem": self.pair.serialize_pem(), "kid": self.kid, "alg": "ES256", "use": "sig" })
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key_raw();
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": base64(&point[1..33]),
            "y": base64(&point[33..65]),
        })
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        use sha2::Digest as _;
        let jwk = self.jwk();
        let canonical = format!(
            "{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":{},\"y\":{}}}",
            jwk["x"], jwk["y"]
        );
        base64(&sha2::Sha256::digest(canonical))
    }

    pub(crate) fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    /// Signs exactly these texts.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            base64(header.as_bytes()),
            base64(claims.as_bytes())
        );
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::ES256);
        format!("{signed}.{}", signature.unwrap())
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid })
    }
}

/// Signed with a shared secret: what an attacker has who only knows public keys.
pub(crate) fn hmac(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        base64(header.to_string().as_bytes()),
        base64(claims.to_string().as_bytes())
    );
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256);
    format!("{signed}.{}", signature.unwrap())
}

/// The claims of a good token.
pub(crate) fn claims(issuer: &str, audience: &str, scope: &str) -> Value {
    json!({
        "iss": issuer,
        "sub": "alice",
        "aud": audience,
        "client_id": "native",
        "scope": scope,
        "iat": now(),
        "exp": now() + 300,
        "jti": format!("{:?}", SystemTime::now()),
    })
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
