//! The places that questions of this process take, and when each is given up. Whatever is done
//! here costs the logarithm of how many there are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::time::Instant;

use super::{Bounds, Matter, Person};

/// What this process asked, and has heard no answer to.
#[derive(Default)]
pub(super) struct Places {
    /// By the name of the question.
    held: HashMap<Arc<str>, Place>,
    /// In the order in which they run out. The number keeps two of one moment apart.
    by_time: BTreeMap<(Instant, u64), Arc<str>>,
    /// How many each caller has.
    of: HashMap<String, usize>,
    next: u64,
}

struct Place {
    whose: String,
    until: (Instant, u64),
    matter: Arc<Matter>,
}

impl Places {
    /// Takes one. `false` if there is none for this caller, or for anybody.
    pub(super) fn take(
        &mut self,
        id: &str,
        matter: &Arc<Matter>,
        bounds: &Bounds,
        now: Instant,
    ) -> bool {
        let whose = whose(&matter.caller);
        let of_one = self.of.get(&whose).copied().unwrap_or(0);
        if self.held.len() >= bounds.of_all || of_one >= bounds.of_one {
            return false;
        }
        let id: Arc<str> = id.into();
        let until = (now + bounds.time, self.next);
        self.next += 1;
        self.by_time.insert(until, Arc::clone(&id));
        *self.of.entry(whose.clone()).or_default() += 1;
        let place = Place {
            whose,
            until,
            matter: Arc::clone(matter),
        };
        self.held.insert(id, place);
        true
    }

    /// Gives one up.
    pub(super) fn leave(&mut self, id: &str) -> Option<Arc<Matter>> {
        let place = self.held.remove(id)?;
        self.by_time.remove(&place.until);
        if let Some(count) = self.of.get_mut(&place.whose) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&place.whose);
            }
        }
        Some(place.matter)
    }

    /// When the next one runs out.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.by_time.first_key_value().map(|((until, _), _)| *until)
    }

    /// Gives up one that has run out by then.
    pub(super) fn over(&mut self, then: Instant) -> Option<(Arc<str>, Arc<Matter>)> {
        let (until, id) = self.by_time.first_key_value()?;
        if until.0 > then {
            return None;
        }
        let id = Arc::clone(id);
        let matter = self.leave(&id)?;
        Some((id, matter))
    }

    /// Gives up the one that would run out first.
    pub(super) fn first(&mut self) -> Option<(Arc<str>, Arc<Matter>)> {
        let (_, id) = self.by_time.first_key_value()?;
        let id = Arc::clone(id);
        let matter = self.leave(&id)?;
        Some((id, matter))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.held.len(), self.by_time.len());
        assert_eq!(self.held.len(), self.of.values().sum::<usize>());
        self.held.len()
    }
}

/// No two persons are written alike.
pub(super) fn whose(person: &Person) -> String {
    let Person { issuer, subject } = person;
    format!("{}:{issuer}{subject}", issuer.len())
}
