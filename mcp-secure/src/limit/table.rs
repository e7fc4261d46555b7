//! Buckets in memory of a fixed size, allocated once.
//!
//! A table of sets of eight. A bucket whose number lies behind the floor is as one that was never
//! seen, and so it is free; one that is ahead is live and is never given to somebody else. Where
//! all eight are live a *new* key has no bucket: if the oldest were evicted instead, whoever can
//! make up keys could make the table forget what they have used.
//!
//! Keys are 128 bits of SipHash under a secret of this process: nobody can choose two that share
//! a bucket or fill a set of their choice.

use std::{
    hash::Hasher as _,
    sync::{Mutex, PoisonError},
};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Which bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64, u64);

/// Makes keys.
pub(crate) struct Keys(SipHasher13);

impl Keys {
    pub(crate) fn new() -> Self {
        let mut secret = [0; 16];
        // Without randomness the rest of the server does not start; keys would only be
        // predictable, not shared.
        let _ = getrandom::fill(&mut secret);
        Self(SipHasher13::new_with_key(&secret))
    }

    pub(crate) fn key<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Key {
        let mut hasher = self.0;
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        let hash = hasher.finish128();
        Key(hash.h1, hash.h2)
    }
}

/// All buckets of one kind.
pub(crate) struct Table(Box<[Mutex<[Bucket; WAYS]>]>);

#[derive(Clone, Copy, Default)]
struct Bucket {
    tag: (u64, u64),
    value: u64,
}

impl Table {
    /// For about so many live keys at once; at least eight.
    pub(crate) fn new(keys: usize) -> Self {
        let sets = keys.div_ceil(WAYS).max(1);
        Self((0..sets).map(|_| Mutex::default()).collect())
    }

    /// The number of a bucket, the floor for one that is new; `None` where a new one has no room.
    /// What is left at the floor or below takes no room.
    pub(crate) fn with<T>(
        &self,
        key: Key,
        floor: u64,
        with: impl FnOnce(Option<&mut u64>) -> T,
    ) -> T {
        // Scales the first half to the number of sets without a division. The whole is compared.
        let place = (u128::from(key.0) * self.0.len() as u128) >> 64;
        let set = usize::try_from(place)
            .ok()
            .and_then(|place| self.0.get(place));
        let Some(set) = set else { return with(None) };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = (key.0, key.1);
        let mut free = None;
        for bucket in set.iter_mut() {
            if bucket.value > floor {
                if bucket.tag == tag {
                    return with(Some(&mut bucket.value));
                }
            } else {
                free = Some(bucket);
            }
        }
        match free {
            Some(bucket) => {
                *bucket = Bucket { tag, value: floor };
                with(Some(&mut bucket.value))
            }
            None => with(None),
        }
    }

    /// Bytes that it takes, whatever is in it.
    #[cfg(any(test, feature = "__bench"))]
    pub(crate) fn bytes(&self) -> usize {
        std::mem::size_of_val(&*self.0)
    }
}

const WAYS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_key_do_not_run_into_each_other() {
        let keys = Keys::new();
        assert_ne!(keys.key(["a", "bc"]), keys.key(["ab", "c"]));
        assert_ne!(keys.key(["a"]), keys.key(["a", ""]));
        assert_eq!(keys.key(["a", "b"]), keys.key(["a", "b"]));
        assert_ne!(keys.key(["a"]), Keys::new().key(["a"]), "under a secret");
    }

    #[test]
    fn a_live_bucket_is_never_given_to_somebody_else() {
        let keys = Keys::new();
        let table = Table::new(64);
        let put = |name: &str, value, floor| {
            table.with(keys.key([name]), floor, |bucket| {
                bucket.is_some_and(|bucket| {
                    *bucket = value;
                    true
                })
            })
        };
        assert!(put("mine", 1000, 0));
        let strangers = (0..100_000)
            .filter(|n| put(&n.to_string(), 1000, 0))
            .count();
        assert!(strangers <= 63, "{strangers}");
        table.with(keys.key(["mine"]), 0, |b| {
            assert_eq!(b.copied(), Some(1000))
        });
        // Behind the floor it is as one that was never seen.
        table.with(keys.key(["mine"]), 1000, |b| {
            assert_eq!(b.copied(), Some(1000))
        });
        assert!(put("late", 2000, 1000));
    }
}
