//! How this server says who it is when it asks the issuer: a secret, or a key of its own.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use jsonwebtoken::{EncodingKey, crypto::aws_lc};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Algorithm, jws::encode};
use crate::{
    capability::Opening,
    error::{Error, Result},
    secret_file::secret_file,
};

/// How this server proves who it is.
pub(super) enum Credential {
    Secret(PathBuf),
    Key(PathBuf, Algorithm, Option<String>),
    /// By its name in the vault of the server.
    #[cfg(feature = "vault")]
    Kept(&'static str),
}

impl Credential {
    /// As [`read`](Self::read), for what is asked at this URL: what lies in the vault is for the
    /// hosts that it was stored for.
    pub(super) fn read_for(
        &self,
        client: &str,
        url: &str,
        opening: &mut Opening,
    ) -> Result<(Option<HeaderValue>, Option<ClientKey>)> {
        #[cfg(feature = "vault")]
        if let Self::Kept(name) = self {
            let secret = crate::vault::secret_for(name, url, opening)?;
            return Ok((Some(basic(client, &secret)?), None));
        }
        #[cfg(not(feature = "vault"))]
        let _ = url;
        self.read(client, opening)
    }

    /// What is sent in the header, and the key for what is sent in the form.
    pub(super) fn read(
        &self,
        client: &str,
        opening: &mut Opening,
    ) -> Result<(Option<HeaderValue>, Option<ClientKey>)> {
        let path = match self {
            Self::Secret(path) | Self::Key(path, ..) => path,
            #[cfg(feature = "vault")]
            Self::Kept(name) => {
                return Err(Error::new(format!(
                    "the secret `{name}` of the vault is not for this"
                )));
            }
        };
        opening
            .secrets
            .push(("the secret of the server at its issuer", path.clone()));
        match self {
            #[cfg(feature = "vault")]
            Self::Kept(_) => Ok((None, None)),
            Self::Secret(path) => {
                let secret = secret_file(path)?;
                Ok((Some(basic(client, &secret)?), None))
            }
            Self::Key(path, algorithm, kid) => {
                let key = ClientKey::read(path, *algorithm, kid.clone())?;
                Ok((None, Some(key)))
            }
        }
    }
}

/// What `client_secret_basic` sends (RFC 6749 section 2.3.1: both halves form-encoded, or a
/// `:` in one would move the border).
fn basic(client: &str, secret: &str) -> Result<HeaderValue> {
    let form =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = Zeroizing::new(format!("{}:{}", form(client), form(secret)));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| Error::new("the secret of the client cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A private key, and what it is called.
pub(super) struct ClientKey {
    key: EncodingKey,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// Seconds that an assertion lives.
const LIFETIME: u64 = 60;

impl ClientKey {
    /// Reads a key in PEM form: PKCS #8 for elliptic curves, PKCS #1 for RSA, which is what the
    /// cryptographic library takes.
    pub(super) fn read(path: &Path, algorithm: Algorithm, kid: Option<String>) -> Result<Self> {
        use Algorithm::{ES256, ES384, EdDSA};

        let pem = secret_file(path)?;
        let wrong = |what: &str| Error::new(format!("the key in `{}` {what}", path.display()));
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| wrong("is no private key in PEM form"))?;
        let key = match (&der, algorithm) {
            (PrivateKeyDer::Pkcs8(der), ES256 | ES384) => {
                EncodingKey::from_ec_der(der.secret_pkcs8_der())
            }
            (PrivateKeyDer::Pkcs8(der), EdDSA) => EncodingKey::from_ed_der(der.secret_pkcs8_der()),
            (PrivateKeyDer::Pkcs1(der), _) if !matches!(algorithm, ES256 | ES384 | EdDSA) => {
                EncodingKey::from_rsa_der(der.secret_pkcs1_der())
            }
            _ => {
                return Err(wrong("is of another form than its algorithm needs").help(
                    "write PKCS #8 (`BEGIN PRIVATE KEY`) for an elliptic curve, PKCS #1 \
                     (`BEGIN RSA PRIVATE KEY`) for RSA",
                ));
            }
        };
        let key = Self {
            key,
            algorithm,
            kid,
        };
        match key.sign(b"") {
            Some(_) => Ok(key),
            None => Err(wrong(&format!("cannot sign by {algorithm}"))
                .help("name the algorithm that the key is for")),
        }
    }

    /// `private_key_jwt` (RFC 7523 section 2.2). The audience is the issuer and nothing else:
    /// an endpoint as audience lets one issuer use the assertion at another
    /// (draft-ietf-oauth-rfc7523bis).
    pub(super) fn assertion(&self, client: &str, issuer: &str, now: u64) -> Option<String> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let mut header = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        if let Some(kid) = &self.kid {
            header.as_object_mut()?.insert("kid".to_owned(), json!(kid));
        }
        let claims = json!({
            "iss": client, "sub": client, "aud": issuer, "jti": encode(&id),
            "iat": now, "exp": now + LIFETIME,
        });
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = self.sign(signed.as_bytes())?;
        Some(format!("{signed}.{}", encode(&signature)))
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = self.algorithm.of_crate();
        let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&algorithm, &self.key).ok()?;
        signer.try_sign(message).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_with_a_colon_stays_a_secret() {
        let value = basic("a:b", "c d:é").unwrap();
        assert!(value.is_sensitive());
        let sent = STANDARD.decode(&value.as_bytes()[6..]).unwrap();
        assert_eq!(sent, b"a%3Ab:c+d%3A%C3%A9");
    }
}
