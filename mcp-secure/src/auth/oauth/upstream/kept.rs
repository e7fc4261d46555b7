//! What of a grant lies in the vault, among the credentials of its caller.

use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Error, Result, auth::oauth::issuer::Given, call::nonce};

/// A grant of a caller's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// Of this grant and no other, so that replicas can speak of it.
    pub(super) grant: String,
    /// How often it was renewed.
    pub(super) generation: u32,
    pub(super) issuer: String,
    pub(super) client: String,
    access: String,
    refresh: Option<String>,
    /// Seconds since 1970.
    until: u64,
    /// The issuer refused it. There is no token left.
    pub(super) refused: bool,
    /// It came for one that the endpoint had refused.
    #[serde(default)]
    pub(super) doubted: bool,
}

impl Kept {
    pub(super) fn first(issuer: &str, client: &str, given: &Given) -> Result<Self> {
        Ok(Self {
            grant: nonce().ok_or_else(|| Error::new("the system has no randomness"))?,
            generation: 0,
            issuer: issuer.to_owned(),
            client: client.to_owned(),
            access: given.access.to_string(),
            refresh: given.refresh.as_ref().map(|token| token.to_string()),
            until: until(given.lasts),
            refused: false,
            doubted: false,
        })
    }

    /// The same grant with the tokens that came for those it had. An issuer that gives no new
    /// refresh token means the old one to be used on (RFC 6749 section 6).
    pub(super) fn next(&self, given: &Given, doubted: bool) -> Self {
        let fresh = given.refresh.as_ref().map(|token| token.to_string());
        Self {
            grant: self.grant.clone(),
            generation: self.generation.saturating_add(1),
            issuer: self.issuer.clone(),
            client: self.client.clone(),
            access: given.access.to_string(),
            refresh: fresh.or_else(|| self.refresh.clone()),
            until: until(given.lasts),
            refused: false,
            doubted,
        }
    }

    /// What is left when the issuer has refused it: that there was one.
    pub(super) fn without_tokens(&self) -> Self {
        Self {
            grant: self.grant.clone(),
            generation: self.generation.saturating_add(1),
            issuer: self.issuer.clone(),
            client: self.client.clone(),
            access: String::new(),
            refresh: None,
            until: 0,
            refused: true,
            doubted: false,
        }
    }

    pub(super) fn read(secret: &[u8]) -> Result<Self> {
        // Not the reader's words, which would quote a token.
        serde_json::from_slice(secret)
            .map_err(|_| Error::new("what the vault has of the account is not what was kept"))
    }

    pub(super) fn write(&self) -> Result<SecretString> {
        let text = serde_json::to_string(self);
        text.map(SecretString::from)
            .map_err(|_| Error::new("the grant cannot be kept"))
    }

    /// The access token, if it is good for a while yet.
    pub(super) fn fresh(&self) -> Option<&str> {
        let is_fresh = !self.refused && now().saturating_add(EARLY) < self.until;
        is_fresh.then_some(self.access.as_str())
    }

    pub(super) fn refresh(&self) -> Option<Zeroizing<String>> {
        self.refresh.clone().map(Zeroizing::new)
    }

    pub(super) fn access(&self) -> &str {
        &self.access
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Where an issuer does not say how long, it is renewed after a quarter of an hour.
fn until(lasts: Option<Duration>) -> u64 {
    now().saturating_add(lasts.unwrap_or(UNSAID).as_secs())
}

/// A token is not used in its last moments: a request takes a while to arrive.
const EARLY: u64 = 10;
const UNSAID: Duration = Duration::from_secs(15 * 60);
