//! What has been verified, by the digest of the token: so many entries and never more.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A table of fixed size: 8 places for each digest, the least recently used is given away.
///
/// Only what an issuer vouched for gets in, so a flood of made-up tokens moves nothing out.
/// The token itself is not kept.
pub(super) struct Cache<T> {
    sets: Box<[Mutex<Set<T>>]>,
}

struct Set<T> {
    places: [Option<Entry<T>>; WAYS],
    uses: u64,
}

struct Entry<T> {
    digest: Digest,
    value: T,
    until: Instant,
    /// When it was used last, counted in uses of the set.
    used: u64,
}

/// SHA-256 of a token.
pub(super) type Digest = [u8; 32];

const WAYS: usize = 8;

impl<T: Clone> Cache<T> {
    /// A cache for about as many entries; `None` for none.
    pub(super) fn new(capacity: usize) -> Option<Self> {
        let sets = capacity.div_ceil(WAYS);
        (sets > 0).then(|| Self {
            sets: (0..sets).map(|_| Mutex::new(Set::default())).collect(),
        })
    }

    pub(super) fn get(&self, digest: &Digest, now: Instant) -> Option<T> {
        let mut set = self.set(digest)?;
        set.uses += 1;
        let uses = set.uses;
        let entry = set
            .places
            .iter_mut()
            .flatten()
            .find(|entry| entry.digest == *digest && entry.until > now)?;
        entry.used = uses;
        Some(entry.value.clone())
    }

    pub(super) fn put(&self, digest: &Digest, value: T, now: Instant, for_: Duration) {
        let Some(until) = now.checked_add(for_).filter(|until| *until > now) else {
            return;
        };
        let Some(mut set) = self.set(digest) else {
            return;
        };
        set.uses += 1;
        let used = set.uses;
        // Its own place, then a free one, then the one that was not used for the longest.
        let place = set.places.iter_mut().min_by_key(|place| match place {
            Some(entry) if entry.digest == *digest => (0, 0),
            Some(entry) if entry.until > now => (2, entry.used),
            _ => (1, 0),
        });
        if let Some(place) = place {
            *place = Some(Entry {
                digest: *digest,
                value,
                until,
                used,
            });
        }
    }

    /// It is good for nothing any more.
    pub(super) fn forget(&self, digest: &Digest) {
        if let Some(mut set) = self.set(digest) {
            let is_it = |place: &&mut Option<Entry<T>>| {
                place.as_ref().is_some_and(|entry| entry.digest == *digest)
            };
            if let Some(place) = set.places.iter_mut().find(is_it) {
                *place = None;
            }
        }
    }

    fn set(&self, digest: &Digest) -> Option<MutexGuard<'_, Set<T>>> {
        let (first, _) = digest.split_first_chunk::<8>()?;
        let index = u64::from_le_bytes(*first) % self.sets.len() as u64;
        let set = self.sets.get(usize::try_from(index).ok()?)?;
        Some(set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self {
            places: [const { None }; WAYS],
            uses: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn digest(n: usize) -> Digest {
        Sha256::digest(n.to_le_bytes()).into()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn an_entry_does_not_outlive_its_time() {
        let cache = Cache::new(8).unwrap();
        let now = Instant::now();
        cache.put(&digest(1), "a", now, HOUR);
        cache.put(&digest(2), "b", now, Duration::ZERO);
        assert_eq!(cache.get(&digest(1), now), Some("a"));
        assert_eq!(cache.get(&digest(1), now + HOUR), None);
        assert_eq!(cache.get(&digest(2), now), None);
        cache.put(&digest(1), "c", now, HOUR);
        assert_eq!(
            cache.get(&digest(1), now),
            Some("c"),
            "one entry, the new one"
        );
    }

    #[test]
    fn a_hundred_thousand_principals_take_the_room_of_the_capacity() {
        let cache = Cache::new(1024).unwrap();
        let now = Instant::now();
        for n in 0..100_000 {
            cache.put(&digest(n), n, now, HOUR);
        }
        let held = (0..100_000).filter(|n| cache.get(&digest(*n), now).is_some());
        assert_eq!(held.count(), 1024);
        assert_eq!(cache.sets.len() * WAYS, 1024);
        assert!(Cache::<()>::new(0).is_none());
    }

    #[test]
    fn who_is_in_use_stays_and_what_has_run_out_goes_first() {
        let cache = Cache::new(8).unwrap();
        let now = Instant::now();
        cache.put(&digest(0), 0, now, HOUR * 2);
        cache.put(&digest(1), 1, now, HOUR);
        for n in 2..8 {
            cache.put(&digest(n), n, now, HOUR * 2);
        }
        let later = now + HOUR;
        assert_eq!(cache.get(&digest(0), later), Some(0));
        cache.put(&digest(8), 8, later, HOUR);
        assert!((2..9).all(|n| cache.get(&digest(n), later).is_some()));
        assert_eq!(cache.get(&digest(0), later), Some(0));
        cache.put(&digest(9), 9, later, HOUR);
        assert_eq!(cache.get(&digest(2), later), None, "the longest unused");
    }
}
