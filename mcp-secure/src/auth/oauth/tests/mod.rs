//! Attacks on the resource server, against an issuer that the test makes: HTTPS on loopback,
//! keys of its own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used
)]

mod asked;
mod declared;
mod issuer;
mod keys;
mod proofs;
mod tokens;

use http::{Request, request::Parts};
use serde_json::{Value, json};

use self::issuer::{Issuer, Signer};
use super::{ResourceServer, TokenError, TokenErrorKind, Verifier, jws::encode};
use crate::{Result, auth::Principal, capability::Opening};

const RESOURCE: &str = "https://mcp.example/mcp";

/// An issuer, its keys, and one that is not its.
struct World {
    issuer: Issuer,
    es256: Signer,
    es384: Signer,
    ed: Signer,
    rsa: Signer,
    stranger: Signer,
}

impl World {
    async fn new() -> Self {
        let world = Self {
            issuer: Issuer::start().await,
            es256: Signer::es256("es256"),
            es384: Signer::es384("es384"),
            ed: Signer::ed25519("ed"),
            rsa: Signer::rsa("rsa"),
            stranger: Signer::es256("es256"),
        };
        let mut pss = world.rsa.jwk.clone();
        pss["kid"] = json!("pss");
        pss["alg"] = json!("PS256");
        let keys = [
            &world.es256.jwk,
            &world.es384.jwk,
            &world.ed.jwk,
            &world.rsa.jwk,
            &pss,
            &json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}),
            &json!("no key"),
        ];
        world.issuer.keys(&keys);
        world
    }

    fn server(&self) -> ResourceServer {
        self.issuer.server(RESOURCE)
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": "es256"})
    }

    fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.issuer.url, "aud": RESOURCE, "sub": "alice", "client_id": "app",
            "scope": "notes:read notes:write", "iat": now, "exp": now + 600, "jti": "1",
        })
    }

    /// A token by the issuer's ES256 key, with something changed.
    fn token(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (mut header, mut claims) = (self.header(), self.claims());
        change(&mut header, &mut claims);
        self.es256.sign(&header.to_string(), &claims.to_string())
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        self.token(|_, claims| change(claims))
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        self.token(|header, _| change(header))
    }
}

fn now() -> u64 {
    super::clock::Clock::default().unix()
}

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

/// Goes as far as a server goes before it serves.
async fn open(server: ResourceServer) -> Result<Verifier> {
    let mut opening = Opening::default();
    let verifier = server.open(&mut opening)?;
    futures::future::try_join_all(opening.ready).await?;
    Ok(verifier)
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

async fn bearer(verifier: &Verifier, token: &str) -> std::result::Result<Principal, TokenError> {
    let value = format!("Bearer {token}");
    verifier.verify(&head(&[("authorization", &value)])).await
}

/// The control that refused; `in` if none did.
fn control(answer: &std::result::Result<Principal, TokenError>) -> &'static str {
    match answer {
        Ok(_) => "in",
        Err(error) => error.control,
    }
}
