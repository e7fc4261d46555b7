//! One question for one thing at a time: who asks the same meanwhile waits for its answer.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::{BoxFuture, FutureExt as _, Shared, WeakShared};

use super::cache::Digest;

/// Questions that are under way, by what they are about.
pub(super) struct Flights<T: Clone>(Mutex<Table<T>>);

type Table<T> = HashMap<Digest, WeakShared<BoxFuture<'static, T>>>;

const MOST: usize = 256;

impl<T: Clone> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// The question that is under way for this, or this one. `None` where too many are.
    pub(super) fn join(
        &self,
        digest: &Digest,
        ask: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Option<Shared<BoxFuture<'static, T>>> {
        let mut flights = self.table();
        if let Some(flight) = flights.get(digest).and_then(WeakShared::upgrade) {
            return Some(flight);
        }
        if flights.len() >= MOST {
            // Those that nobody waits for any more.
            flights.retain(|_, flight| flight.upgrade().is_some());
        }
        if flights.len() >= MOST {
            return None;
        }
        let flight = ask().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(*digest, weak);
        }
        Some(flight)
    }

    pub(super) fn landed(&self, digest: &Digest) {
        self.table().remove(digest);
    }

    fn table(&self) -> MutexGuard<'_, Table<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
