//! What tools keep between the calls of one session, where nobody else's call can reach it.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The state of one session, one value for each type that tools keep.
///
/// It is dropped with the session, and each value with it: one that holds secrets wipes itself.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shelf {
    pub(crate) fn of<T: Default + Send + 'static>(&self) -> Arc<Mutex<T>> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(Mutex::new(T::default())));
        // It cannot be of another type: the type is its key.
        Arc::clone(value).downcast().unwrap_or_default()
    }
}

/// The shelves of those whose requests stand alone (2026-07-28 over HTTP), by issuer, subject
/// and client.
///
/// Bounded: [`MOST`] of them, each until [`IDLE`] after its last use. A live one is never
/// given up for a new one.
#[derive(Default)]
pub(crate) struct Shelves(Mutex<Book>);

struct Book {
    by_principal: HashMap<String, Entry>,
    swept: Instant,
}

struct Entry {
    shelf: Arc<Shelf>,
    last: Instant,
}

/// There is no room for one more.
#[derive(Debug)]
pub(crate) struct Full;

impl Default for Book {
    fn default() -> Self {
        Self {
            by_principal: HashMap::new(),
            swept: Instant::now(),
        }
    }
}

impl Shelves {
    pub(crate) fn of(&self, principal: &str, now: Instant) -> Result<Arc<Shelf>, Full> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody uses any more is not kept until somebody needs its room.
        if now.saturating_duration_since(book.swept) >= SWEEP {
            book.sweep(now);
        }
        if let Some(entry) = book.by_principal.get_mut(principal) {
            if now.saturating_duration_since(entry.last) >= IDLE {
                entry.shelf = Arc::default();
            }
            entry.last = now;
            return Ok(Arc::clone(&entry.shelf));
        }
        if book.by_principal.len() >= MOST {
            return Err(Full);
        }
        let shelf = Arc::<Shelf>::default();
        let entry = Entry {
            shelf: Arc::clone(&shelf),
            last: now,
        };
        book.by_principal.insert(principal.to_owned(), entry);
        Ok(shelf)
    }
}

impl Book {
    fn sweep(&mut self, now: Instant) {
        self.by_principal
            .retain(|_, entry| now.saturating_duration_since(entry.last) < IDLE);
        self.swept = now;
    }
}

/// Principals whose state is kept at once.
const MOST: usize = 16_384;

/// How long after the last request.
const IDLE: Duration = Duration::from_secs(3600);

const SWEEP: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_one_keeps_no_other_one_and_no_other_type_finds() {
        let (shelves, now) = (Shelves::default(), Instant::now());
        let alice = shelves.of("alice", now).unwrap();
        *alice.of::<u32>().lock().unwrap() = 7;
        assert_eq!(*alice.of::<u32>().lock().unwrap(), 7);
        assert_eq!(*alice.of::<u64>().lock().unwrap(), 0);
        let bob = shelves.of("bob", now).unwrap();
        assert_eq!(*bob.of::<u32>().lock().unwrap(), 0);
        let again = shelves.of("alice", now).unwrap();
        assert_eq!(*again.of::<u32>().lock().unwrap(), 7);
    }

    #[test]
    fn an_idle_one_is_dropped_though_nobody_asks_for_it() {
        struct Counted(Arc<()>);
        static ALIVE: Mutex<Option<Arc<()>>> = Mutex::new(None);
        impl Default for Counted {
            fn default() -> Self {
                Self(Arc::clone(ALIVE.lock().unwrap().get_or_insert_default()))
            }
        }
        let alive = || Arc::strong_count(ALIVE.lock().unwrap().as_ref().unwrap()) - 1;
        let (shelves, now) = (Shelves::default(), Instant::now());
        let kept = shelves.of("alice", now).unwrap().of::<Counted>();
        assert_eq!(Arc::strong_count(&kept.lock().unwrap().0), 2);
        drop(kept);
        shelves.of("bob", now + IDLE / 2).unwrap();
        assert_eq!(alive(), 1);
        shelves.of("bob", now + IDLE).unwrap();
        assert_eq!(alive(), 0);
    }

    #[test]
    fn without_room_a_new_one_is_refused_and_a_live_one_stays() {
        let (shelves, now) = (Shelves::default(), Instant::now());
        *shelves.of("0", now).unwrap().of::<u32>().lock().unwrap() = 7;
        for n in 1..MOST {
            shelves.of(&n.to_string(), now).unwrap();
        }
        assert!(shelves.of("stranger", now + IDLE / 2).is_err());
        let kept = shelves.of("0", now + IDLE / 2).unwrap();
        assert_eq!(*kept.of::<u32>().lock().unwrap(), 7);
        assert!(shelves.of("stranger", now + IDLE).is_ok());
    }
}
