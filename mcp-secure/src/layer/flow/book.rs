//! What principals have read whose requests stand alone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::pipeline::Taint;

/// The taint of each principal, for the 2026-07-28 revision over HTTP, which has no sessions.
///
/// Bounded: [`MOST`] principals, each for [`AN_HOUR`] after its last request. A principal for
/// whom there is no room is taken for one that has read everything.
#[derive(Default)]
pub(crate) struct TaintBook(Mutex<HashMap<String, Entry>>);

struct Entry {
    taint: Taint,
    last: Instant,
}

impl TaintBook {
    /// Adds to `taint` what this principal has read before.
    pub(crate) fn recall(&self, principal: &str, taint: &Taint) {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match book.get(principal) {
            Some(entry) if entry.last.elapsed() < AN_HOUR => taint.add_all_of(&entry.taint),
            Some(_) => {}
            None if book.len() < MOST => {}
            None => taint.add_everything(),
        }
    }

    /// Keeps what this principal has read by now. A clean one takes no room.
    pub(super) fn remember(&self, principal: String, taint: &Taint) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taint.is_clean() {
            return;
        }
        if book.len() >= MOST && !book.contains_key(&principal) {
            book.retain(|_, entry| entry.last.elapsed() < AN_HOUR);
            if book.len() >= MOST {
                return;
            }
        }
        let entry = book.entry(principal).or_insert_with(|| Entry {
            taint: Taint::default(),
            last: Instant::now(),
        });
        entry.taint.add_all_of(taint);
        entry.last = Instant::now();
    }
}

/// Principals that are remembered at once.
const MOST: usize = 16_384;

const AN_HOUR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_principal_has_read_is_its_own() {
        let book = TaintBook::default();
        let read = Taint::default();
        read.add_private();
        book.remember("a".into(), &read);
        let (a, b) = (Taint::default(), Taint::default());
        book.recall("a", &a);
        book.recall("b", &b);
        assert!(a.has_read_private());
        assert!(b.is_clean());
    }

    #[test]
    fn without_room_a_principal_counts_as_one_that_has_read_everything() {
        let book = TaintBook::default();
        let read = Taint::default();
        read.add_private();
        for n in 0..=MOST {
            book.remember(n.to_string(), &read);
        }
        assert_eq!(book.0.lock().unwrap().len(), MOST);
        let stranger = Taint::default();
        book.recall("stranger", &stranger);
        assert!(stranger.has_read_private());
    }
}
