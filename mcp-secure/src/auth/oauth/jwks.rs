//! The keys of an issuer: fetched before the server serves, kept fresh in the background, and
//! believed for a bounded time when the issuer does not answer.
//!
//! A `kid` that is not known may be a new key, or a lie. One request asks the issuer, the others
//! wait for its answer, and who has asked twice in half a minute does not ask again: two
//! thousand made-up names are two fetches (checklist AUTHZ-21).

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore};

use super::{
    Algorithm,
    clock::Clock,
    discovery::said,
    error::{Checked, invalid, unavailable},
    json,
    key::Key,
};
use crate::capability::net::fetch::Client;

/// The keys of one issuer.
pub(super) struct Jwks {
    client: Arc<Client>,
    /// Path and query at the client's origin; set when it is known.
    path: OnceLock<String>,
    max_keys: usize,
    /// How long keys are believed when they should be fetched again and cannot be.
    stale: Duration,
    clock: Clock,
    current: RwLock<Option<Arc<Current>>>,
    /// Who holds it fetches; the others wait.
    fetching: Mutex<Allowance>,
    waiting: Semaphore,
}

/// What was fetched.
struct Current {
    keys: KeySet,
    /// Counts the times that something else was fetched than before.
    epoch: u64,
    /// Counts the fetches.
    fetch: u64,
    fresh_until: Instant,
}

/// Fetches that unknown names may cause.
struct Allowance {
    left: u32,
    since: Instant,
    /// The last one came to nothing, so nobody knows whether the name is one.
    failed: bool,
}

const ALLOWANCE: u32 = 2;
const REFILL: Duration = Duration::from_secs(30);
/// Requests that wait for one fetch. An issuer that answers slowly should not hold more.
const MOST_WAITING: usize = 64;
/// What `Cache-Control` may ask for, and what holds if it does not ask.
const FRESH: (Duration, Duration, Duration) = (
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
);
/// When to ask again after a failure.
const RETRY: Duration = Duration::from_secs(30);

impl Jwks {
    pub(super) fn new(client: Arc<Client>, max_keys: usize, stale: Duration, clock: Clock) -> Self {
        let since = clock.instant();
        Self {
            client,
            path: OnceLock::new(),
            max_keys,
            stale,
            clock,
            current: RwLock::default(),
            fetching: Mutex::new(Allowance {
                left: ALLOWANCE,
                since,
                failed: false,
            }),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    /// Says where they are; `None` if that is another origin.
    pub(super) fn locate(&self, url: &str) -> Option<()> {
        let path = self.client.own(url)?;
        // Set once, when the server starts.
        let _ = self.path.set(path);
        Some(())
    }

    /// Which keys these are, for what was verified with them; `None` if none may be believed
    /// any more.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.current().map(|current| current.epoch)
    }

    /// The key for a token, if it is known without asking.
    pub(super) fn known(&self, kid: Option<&str>, algorithm: Algorithm) -> Checked<Option<Known>> {
        match self.current() {
            None => Ok(None),
            Some(current) => found(&current, kid, algorithm),
        }
    }

    /// The key for a token. Asks the issuer if it is not known.
    pub(super) async fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Checked<Known> {
        let before = self.current();
        if let Some(current) = &before
            && let Some(known) = found(current, kid, algorithm)?
        {
            return Ok(known);
        }
        let seen = before.as_ref().map(|current| current.fetch);
        let away = || unavailable("oauth/keys", RETRY);
        let Ok(_waits) = self.waiting.try_acquire() else {
            return Err(away());
        };
        let mut allowance = self.fetching.lock().await;
        let newer = self
            .current()
            .is_some_and(|current| Some(current.fetch) != seen);
        if !newer {
            if self.take(&mut allowance) {
                allowance.failed = self.fetch().await.is_err();
            }
            if allowance.failed {
                return Err(away());
            }
        }
        drop(allowance);
        let current = self.current().ok_or_else(away)?;
        found(&current, kid, algorithm)?.ok_or(invalid("oauth/key", "the key is not known"))
    }

    /// Fetches them now.
    ///
    /// # Errors
    ///
    /// Why they cannot be had, for the operator. What was there stays.
    pub(super) async fn refresh(&self) -> Result<(), String> {
        let mut allowance = self.fetching.lock().await;
        let fetched = self.fetch().await;
        allowance.failed = fetched.is_err();
        fetched
    }

    /// Fetches them again and again until nobody needs them any more.
    pub(super) async fn keep_fresh(keys: Weak<Self>) {
        let mut failures = 0_u32;
        loop {
            let Some(fresh_until) = keys.upgrade().map(|keys| keys.fresh_until()) else {
                return;
            };
            let wait = match failures {
                0 => fresh_until.saturating_duration_since(Instant::now()),
                n => RETRY.saturating_mul(n.min(10)),
            };
            tokio::time::sleep(jittered(wait.max(Duration::from_secs(1)))).await;
            let Some(keys) = keys.upgrade() else {
                return;
            };
            match keys.refresh().await {
                Ok(()) => failures = 0,
                Err(trouble) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(%trouble, "the keys of the issuer could not be fetched again");
                }
            }
        }
    }

    async fn fetch(&self) -> Result<(), String> {
        let path = self.path.get().ok_or("it is not known where they are")?;
        let fetched = self.client.get(path).await.map_err(|error| said(&error))?;
        if fetched.status != StatusCode::OK {
            return Err(format!("the answer has the status {}", fetched.status));
        }
        let keys = KeySet::read(&fetched.body, self.max_keys)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (fetch, epoch) = match &*current {
            Some(old) if old.keys.digest == keys.digest => (old.fetch + 1, old.epoch),
            Some(old) => (old.fetch + 1, old.epoch + 1),
            None => (0, 0),
        };
        *current = Some(Arc::new(Current {
            keys,
            epoch,
            fetch,
            fresh_until: self.clock.instant() + fresh_for(&fetched.headers),
        }));
        Ok(())
    }

    /// What may still be believed.
    fn current(&self) -> Option<Arc<Current>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let current = current.as_ref()?;
        (self.clock.instant() < current.fresh_until + self.stale).then(|| Arc::clone(current))
    }

    fn fresh_until(&self) -> Instant {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .map_or_else(Instant::now, |current| current.fresh_until)
    }

    fn take(&self, allowance: &mut Allowance) -> bool {
        let now = self.clock.instant();
        if now.saturating_duration_since(allowance.since) >= REFILL {
            allowance.left = ALLOWANCE;
            allowance.since = now;
        }
        let may = allowance.left > 0;
        allowance.left = allowance.left.saturating_sub(1);
        may
    }
}

/// A key, and which set it is of.
pub(super) struct Known {
    pub(super) key: Arc<Key>,
    pub(super) epoch: u64,
}

fn found(current: &Current, kid: Option<&str>, algorithm: Algorithm) -> Checked<Option<Known>> {
    let key = current.keys.find(kid, algorithm)?;
    Ok(key.map(|key| Known {
        key: Arc::clone(key),
        epoch: current.epoch,
    }))
}

/// One document of keys.
#[derive(Debug)]
pub(super) struct KeySet {
    named: HashMap<String, Vec<Arc<Key>>>,
    /// The only one that can be used, if there is only one.
    single: Option<Arc<Key>>,
    digest: [u8; 32],
}

impl KeySet {
    /// Reads a document. A key that cannot be used is passed over (RFC 7517 section 5): an
    /// issuer may have keys for others, too.
    ///
    /// # Errors
    ///
    /// When it is no set of keys, has too many, or none that can be used.
    pub(super) fn read(body: &[u8], max: usize) -> Result<Self, String> {
        if body.len() > most_bytes(max) {
            return Err(format!(
                "the document has {} bytes, more than {max} keys have",
                body.len()
            ));
        }
        let document = json::object(body).ok_or("the document is no JSON object")?;
        let Some(Value::Array(written)) = document.get("keys") else {
            return Err("the document has no `keys`".to_owned());
        };
        if written.len() > max {
            return Err(format!(
                "there are {} keys, more than the {max} of `.max_keys(…)`",
                written.len()
            ));
        }
        let mut keys = Vec::new();
        let mut skipped = Vec::new();
        for jwk in written {
            match jwk.as_object().ok_or("it is no object").and_then(Key::read) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(why) => skipped.push(why),
            }
        }
        if keys.is_empty() {
            skipped.dedup();
            return Err(format!("no key can be used: {}", skipped.join(", ")));
        }
        let single = match keys.as_slice() {
            [one] => Some(Arc::clone(one)),
            _ => None,
        };
        let mut named = HashMap::<String, Vec<Arc<Key>>>::new();
        for key in keys {
            if let Some(kid) = &key.kid {
                named.entry(kid.clone()).or_default().push(key);
            }
        }
        Ok(Self {
            named,
            single,
            digest: Sha256::digest(body).into(),
        })
    }

    /// The key for a token; `None` if there is none of its name.
    ///
    /// # Errors
    ///
    /// When there is one and it is not for this algorithm, or the token names none and more
    /// than one could be meant: to try them all would let a token choose.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Checked<Option<&Arc<Key>>> {
        let mismatch = invalid("oauth/algorithm", "the key is not for this algorithm");
        let Some(kid) = kid else {
            let unclear = invalid("oauth/key", "the token does not say which key it is of");
            let key = self.single.as_ref().ok_or(unclear)?;
            return if key.agrees(algorithm) {
                Ok(Some(key))
            } else {
                Err(mismatch)
            };
        };
        match self.named.get(kid) {
            None => Ok(None),
            Some(keys) => match keys.iter().find(|key| key.agrees(algorithm)) {
                Some(key) => Ok(Some(key)),
                None => Err(mismatch),
            },
        }
    }
}

/// What a document of so many keys may have: 4 KiB are a key of RSA with 8192 bits and a chain
/// of certificates. Metadata are held to the same, so it is never little.
pub(super) fn most_bytes(keys: usize) -> usize {
    keys.max(64).saturating_mul(4096)
}

/// For how long the issuer says that its keys hold, within reason.
fn fresh_for(headers: &HeaderMap) -> Duration {
    let (least, usual, most) = FRESH;
    let mut fresh = usual;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            match directive.split_once('=') {
                Some(("max-age", age)) => {
                    if let Ok(age) = age.trim_matches('"').parse() {
                        fresh = Duration::from_secs(age);
                    }
                }
                None if directive == "no-store" || directive == "no-cache" => return least,
                _ => {}
            }
        }
    }
    fresh.clamp(least, most)
}

/// A little earlier, so that replicas do not all ask at once.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    wait.mul_f64(1.0 - f64::from(byte[0]) / 2560.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_says_how_long_its_keys_hold_within_reason() {
        for (value, seconds) in [
            ("", 600),
            ("public", 600),
            ("max-age=300", 300),
            ("public, max-age=300, must-revalidate", 300),
            ("Max-Age=\"300\"", 300),
            ("s-maxage=5", 600),
            ("max-age=0", 60),
            ("max-age=999999999", 3600),
            ("max-age=-1", 600),
            ("max-age=99999999999999999999999", 600),
            ("max-age=300, no-store", 60),
            ("no-cache", 60),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, value.parse().unwrap());
            assert_eq!(fresh_for(&headers).as_secs(), seconds, "{value}");
        }
    }
}
