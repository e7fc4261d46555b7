//! Opaque tokens: the issuer is asked what they are (RFC 7662).
//!
//! One question for each token at a time, an answer is remembered for half a minute at most, and
//! without an answer nobody gets in.

use std::{
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, Shared};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::{
    Algorithm,
    cache::{Cache, Digest},
    client_auth::{ClientKey, Credential},
    discovery::said,
    error::{Checked, TokenError, TokenErrorKind, invalid, unavailable},
    flights::Flights,
    json,
};
use crate::{
    auth::Principal,
    capability::{Opening, net::fetch::Client},
    error::Result,
};

/// How opaque tokens are checked: by asking the issuer (RFC 7662), as a client of its.
///
/// ```
/// use mcp_secure::auth::{Introspection, ResourceServer};
///
/// ResourceServer::new("https://auth.example", "https://mcp.example/mcp")
///     .introspection(Introspection::with_secret("notes-server", "/run/secrets/notes-server"));
/// ```
pub struct Introspection {
    pub(super) client: String,
    pub(super) credential: Credential,
    pub(super) endpoint: Option<String>,
    pub(super) every: bool,
}

impl Introspection {
    /// This server is a client of the issuer, with a secret in a file
    /// (`client_secret_basic`). The file must not be readable by every user.
    pub fn with_secret(client_id: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self {
            client: client_id.into(),
            credential: Credential::Secret(file.into()),
            endpoint: None,
            every: false,
        }
    }

    /// The same with a private key in a PEM file (`private_key_jwt`): PKCS #8 for ES256, ES384
    /// and EdDSA, PKCS #1 for RSA. `kid` is what the issuer calls it.
    pub fn with_private_key(
        client_id: impl Into<String>,
        file: impl Into<PathBuf>,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Self {
        Self {
            client: client_id.into(),
            credential: Credential::Key(file.into(), algorithm, kid.map(str::to_owned)),
            endpoint: None,
            every: false,
        }
    }

    /// Where to ask, if the metadata do not say or it is at another origin.
    #[must_use]
    pub fn at(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Asks for every token, also for JWTs: one that was revoked is refused within half a
    /// minute. No keys are fetched then.
    #[must_use]
    pub fn every_token(mut self) -> Self {
        self.every = true;
        self
    }

    /// What is sent in the header, and the key for what is sent in the form.
    pub(super) fn credential(
        &self,
        opening: &mut Opening,
    ) -> Result<(Option<HeaderValue>, Option<ClientKey>)> {
        self.credential.read(&self.client, opening)
    }
}

/// Asks the issuer.
pub(super) struct Introspector {
    pub(super) client: Client,
    /// Path and query at the client's origin; set when it is known.
    pub(super) path: OnceLock<String>,
    pub(super) client_id: String,
    pub(super) key: Option<ClientKey>,
    pub(super) issuer: String,
    pub(super) every: bool,
    pub(super) good: Option<Cache<Principal>>,
    pub(super) bad: Option<Cache<TokenError>>,
    pub(super) flights: Flights<Checked<Principal>>,
    pub(super) complained: Mutex<Option<Instant>>,
}

pub(super) type Answer = BoxFuture<'static, Checked<Principal>>;

/// How long an answer is remembered: so long a revoked token is still taken.
pub(super) const GOOD: Duration = Duration::from_secs(30);
/// How long a refusal is. Short, because a token may be shown before the issuer knows it.
pub(super) const BAD: Duration = Duration::from_secs(10);
/// Refusals that are remembered. A flood of made-up tokens moves out its own.
pub(super) const REFUSALS: usize = 4096;
const RETRY: Duration = Duration::from_secs(5);
const COMPLAIN: Duration = Duration::from_secs(30);

impl Introspector {
    /// The question that is under way for this token, or this one.
    pub(super) fn join(
        &self,
        digest: &Digest,
        ask: impl FnOnce() -> Answer,
    ) -> Checked<Shared<Answer>> {
        let flight = self.flights.join(digest, ask);
        flight.ok_or(unavailable("oauth/introspection", RETRY))
    }

    pub(super) fn landed(&self, digest: &Digest) {
        self.flights.landed(digest);
    }

    /// What the issuer says of the token, if it is active.
    pub(super) async fn ask(&self, token: &str, now: u64) -> Checked<Map<String, Value>> {
        let away = || unavailable("oauth/introspection", RETRY);
        let path = self.path.get().ok_or_else(away)?;
        let assertion = match &self.key {
            None => None,
            Some(key) => Some(
                key.assertion(&self.client_id, &self.issuer, now)
                    .ok_or_else(away)?,
            ),
        };
        let mut form = vec![("token", token), ("token_type_hint", "access_token")];
        if let Some(assertion) = &assertion {
            form.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ));
            form.push(("client_assertion", assertion));
            form.push(("client_id", &self.client_id));
        }
        let fetched = self.client.post_form(path, &form).await.map_err(|error| {
            self.complain(&said(&error));
            away()
        })?;
        if fetched.status != StatusCode::OK {
            // 401 means that this server's own credential is wrong.
            self.complain(&format!("the answer has the status {}", fetched.status));
            return Err(away());
        }
        let Some(claims) = json::object(&fetched.body) else {
            self.complain("the answer is no JSON object");
            return Err(away());
        };
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => {
                return Err(invalid("oauth/introspection", "the token is not active"));
            }
            _ => return Err(away()),
        }
        let is_dpop = claims
            .get("token_type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"));
        if is_dpop && !claims.contains_key("cnf") {
            return Err(invalid(
                "oauth/binding",
                "it is not said what the token is bound to",
            ));
        }
        Ok(claims)
    }
}

impl Introspector {
    /// Tells the operator, but not once for each request of a flood.
    fn complain(&self, trouble: &str) {
        let mut last = self
            .complained
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.is_none_or(|last| now.duration_since(last) >= COMPLAIN) {
            *last = Some(now);
            tracing::warn!(trouble, "the issuer does not say what a token is");
        }
    }
}

/// Whether a refusal is one of the token and not of the moment.
pub(super) fn is_lasting(error: &TokenError) -> bool {
    matches!(error.kind, TokenErrorKind::Invalid { .. })
}
