//! What is remembered for a while, and no more of it than has room.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Things under random names.
pub(super) struct Shelf<T> {
    things: Mutex<HashMap<String, (Instant, T)>>,
    ttl: Duration,
}

/// More than a developer needs, and little memory.
const MOST: usize = 1024;

impl<T> Shelf<T> {
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            things: Mutex::default(),
            ttl,
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, (Instant, T)>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts it there; `None` if there is no room.
    pub(super) fn put(&self, name: String, thing: T) -> Option<()> {
        let mut things = self.open();
        if things.len() >= MOST {
            let now = Instant::now();
            things.retain(|_, (until, _)| *until > now);
        }
        (things.len() < MOST).then(|| {
            things.insert(name, (Instant::now() + self.ttl, thing));
        })
    }

    /// Takes it away: what is named once is named for the last time.
    pub(super) fn take(&self, name: &str) -> Option<T> {
        let (until, thing) = self.open().remove(name)?;
        (until > Instant::now()).then_some(thing)
    }

    /// Looks at it.
    pub(super) fn get(&self, name: &str) -> Option<T>
    where
        T: Clone,
    {
        let things = self.open();
        let (until, thing) = things.get(name)?;
        (*until > Instant::now()).then(|| thing.clone())
    }

    /// Takes away all of which this is true.
    pub(super) fn forget(&self, which: impl Fn(&T) -> bool) {
        self.open().retain(|_, (_, thing)| !which(thing));
    }
}
