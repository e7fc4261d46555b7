//! What this process remembers between requests, behind one trait so that replicas can
//! share it. Every entry has a deadline and every store a cap.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;

use crate::capability::Opening;

/// Small facts with a deadline, shared by all requests: used-up approvals, above all.
///
/// The trait has the one operation that single use needs, and it is atomic.
pub trait Store: Send + Sync + 'static {
    /// Remembers `key` for `ttl`. `Ok(true)` if it was not there before, `Ok(false)` if it
    /// was: of two callers with the same key, exactly one hears `true`.
    ///
    /// # Errors
    ///
    /// When the store is full or out of reach. The caller refuses the request: a fact that
    /// cannot be remembered cannot be relied on.
    fn insert_new<'a>(
        &'a self,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Keeps `value` under `key` for `ttl`. `Ok(true)` if nothing was there before; what is there
    /// already stays as it is: of two callers, exactly one hears `true`, and both then read the
    /// same. This is how a decision of a person is made once, whichever replica hears of it.
    ///
    /// A store without it is good for what is used once, and a page or another person's answer
    /// cannot be waited for.
    ///
    /// # Errors
    ///
    /// As [`insert_new`](Self::insert_new), and when the store keeps no values.
    fn keep<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let _ = (key, value, ttl);
        Box::pin(std::future::ready(Err(StoreError::NoValues)))
    }

    /// What was [kept](Self::keep) under `key`, if it is still there.
    ///
    /// # Errors
    ///
    /// As [`keep`](Self::keep).
    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        let _ = key;
        Box::pin(std::future::ready(Err(StoreError::NoValues)))
    }

    /// Called once for each use of the store, before the server serves and before its sandbox
    /// closes. A store that wraps another one passes it on.
    ///
    /// # Errors
    ///
    /// Stops the start.
    fn start(&self, starting: &mut Starting<'_>) -> crate::Result<()> {
        let _ = starting;
        Ok(())
    }

    /// Whether other processes see what was inserted here. A sealing key that replicas share
    /// needs a store for which this is true.
    fn is_shared(&self) -> bool {
        true
    }

    /// What is said of it in the manifest, a short line each. A store that wraps another one
    /// passes it on.
    fn terms(&self) -> Vec<String> {
        Vec::new()
    }

    /// A file with a secret of the store, which no tool may reach. A store that wraps another
    /// one passes it on.
    fn secret_path(&self) -> Option<&Path> {
        None
    }
}

/// A server that starts, as a store sees it: the stores of this crate connect by it.
pub struct Starting<'a>(
    #[cfg_attr(
        not(any(unix, feature = "redis")),
        allow(dead_code, reason = "memory needs nothing")
    )]
    &'a mut Opening,
);

impl<'a> Starting<'a> {
    pub(crate) fn of(opening: &'a mut Opening) -> Self {
        Self(opening)
    }

    #[cfg_attr(
        not(any(unix, feature = "redis")),
        allow(dead_code, reason = "memory needs nothing")
    )]
    pub(crate) fn opening(&mut self) -> &mut Opening {
        self.0
    }
}

/// The store cannot remember; the request it was asked for is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// As many live entries as it may hold.
    Full,
    /// It did not answer.
    Unreachable,
    /// It remembers keys, and keeps no values.
    NoValues,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the store is full",
            Self::Unreachable => "the store cannot be reached",
            Self::NoValues => "the store keeps no values",
        })
    }
}

impl std::error::Error for StoreError {}

/// A store in the memory of this process, with a cap. A live entry is never evicted: when
/// full it refuses, so a flood cannot make it forget.
pub struct MemoryStore {
    held: Mutex<Held>,
    cap: usize,
}

#[derive(Default)]
struct Held {
    entries: HashMap<String, Entry>,
    /// Of all values together.
    bytes: usize,
}

struct Entry {
    deadline: Instant,
    value: Box<[u8]>,
}

impl MemoryStore {
    /// A store for at most `cap` live entries, and 64 MiB of kept values.
    pub fn new(cap: usize) -> Self {
        Self {
            held: Mutex::default(),
            cap,
        }
    }

    fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError> {
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.entries.get(key) {
            Some(entry) if entry.deadline > now => return Ok(false),
            Some(entry) => {
                let freed = entry.value.len();
                held.bytes -= freed;
                held.entries.remove(key);
            }
            None => {}
        }
        let fits = |held: &Held| {
            held.entries.len() < self.cap && held.bytes.saturating_add(value.len()) <= MOST_BYTES
        };
        if !fits(&held) {
            held.entries.retain(|_, entry| entry.deadline > now);
            held.bytes = held.entries.values().map(|entry| entry.value.len()).sum();
        }
        if !fits(&held) {
            return Err(StoreError::Full);
        }
        held.bytes += value.len();
        let entry = Entry {
            deadline: now + ttl,
            value: value.into(),
        };
        held.entries.insert(key.to_owned(), entry);
        Ok(true)
    }
}

/// Of all values that one store in memory keeps.
const MOST_BYTES: usize = 64 * 1024 * 1024;

impl Store for MemoryStore {
    fn insert_new<'a>(
        &'a self,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(std::future::ready(self.put(key, &[], ttl)))
    }

    fn keep<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(std::future::ready(self.put(key, value, ttl)))
    }

    fn look<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = held.entries.get(key);
        let live = entry.filter(|entry| entry.deadline > Instant::now());
        let value = live.map(|entry| entry.value.to_vec());
        Box::pin(std::future::ready(Ok(value)))
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_new_once() {
        let store = MemoryStore::new(8);
        let hour = Duration::from_secs(3600);
        assert_eq!(store.insert_new("a", hour).await, Ok(true));
        assert_eq!(store.insert_new("a", hour).await, Ok(false));
        assert_eq!(store.insert_new("b", Duration::ZERO).await, Ok(true));
        assert_eq!(
            store.insert_new("b", hour).await,
            Ok(true),
            "the first had run out"
        );
    }

    #[tokio::test]
    async fn a_flood_cannot_make_it_forget_or_grow() {
        let store = MemoryStore::new(2);
        let hour = Duration::from_secs(3600);
        assert_eq!(store.insert_new("used", hour).await, Ok(true));
        assert_eq!(store.insert_new("x", hour).await, Ok(true));
        assert_eq!(store.insert_new("y", hour).await, Err(StoreError::Full));
        assert_eq!(store.insert_new("used", hour).await, Ok(false));
    }

    #[tokio::test]
    async fn what_is_kept_stays_as_it_was_said_first() {
        let store = MemoryStore::new(4);
        let hour = Duration::from_secs(3600);
        assert_eq!(store.look("a").await, Ok(None));
        assert_eq!(store.keep("a", b"no", hour).await, Ok(true));
        assert_eq!(store.keep("a", b"yes", hour).await, Ok(false));
        assert_eq!(store.look("a").await, Ok(Some(b"no".to_vec())));
        assert_eq!(store.keep("gone", b"x", Duration::ZERO).await, Ok(true));
        assert_eq!(store.look("gone").await, Ok(None));
        let large = vec![0; MOST_BYTES];
        assert_eq!(
            store.keep("large", &large, hour).await,
            Err(StoreError::Full)
        );
        assert_eq!(store.keep("b", &large[1..][2..], hour).await, Ok(true));
        assert_eq!(store.insert_new("c", hour).await, Ok(true));
    }
}
