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
        not(feature = "redis"),
        allow(dead_code, reason = "memory needs nothing")
    )]
    &'a mut Opening,
);

impl<'a> Starting<'a> {
    pub(crate) fn of(opening: &'a mut Opening) -> Self {
        Self(opening)
    }

    #[cfg(feature = "redis")]
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
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the store is full",
            Self::Unreachable => "the store cannot be reached",
        })
    }
}

impl std::error::Error for StoreError {}

/// A store in the memory of this process, with a cap. A live entry is never evicted: when
/// full it refuses, so a flood cannot make it forget.
pub struct MemoryStore {
    entries: Mutex<HashMap<String, Instant>>,
    cap: usize,
}

impl MemoryStore {
    /// A store for at most `cap` live entries.
    pub fn new(cap: usize) -> Self {
        Self {
            entries: Mutex::default(),
            cap,
        }
    }
}

impl Store for MemoryStore {
    fn insert_new<'a>(
        &'a self,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match entries.get(key) {
            Some(deadline) if *deadline > now => Ok(false),
            _ => {
                if entries.len() >= self.cap {
                    entries.retain(|_, deadline| *deadline > now);
                }
                if entries.len() >= self.cap {
                    Err(StoreError::Full)
                } else {
                    entries.insert(key.to_owned(), now + ttl);
                    Ok(true)
                }
            }
        };
        Box::pin(std::future::ready(answer))
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
}
