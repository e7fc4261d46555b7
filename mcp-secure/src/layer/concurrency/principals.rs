//! How many requests of one principal run: nobody takes the whole server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts only who is running something, so it holds at most as many as the server runs.
#[derive(Clone)]
pub(super) struct Principals(Arc<Inner>);

struct Inner {
    most: usize,
    running: Mutex<HashMap<String, usize>>,
}

/// One request while it runs.
pub(super) struct Running {
    principals: Principals,
    key: String,
}

impl Principals {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner {
            most: most.max(1),
            running: Mutex::default(),
        }))
    }

    /// `None` if as many are running as may.
    pub(super) fn begin(&self, key: String) -> Option<Running> {
        let mut running = self.running();
        match running.get_mut(&key) {
            Some(count) if *count >= self.0.most => return None,
            Some(count) => *count += 1,
            None => {
                running.insert(key.clone(), 1);
            }
        }
        drop(running);
        Some(Running {
            principals: self.clone(),
            key,
        })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.principals.running();
        if let Some(count) = running.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_its_share_and_another_one_too_and_nothing_is_kept() {
        let principals = Principals::new(2);
        let begin = |who: &str| principals.begin(who.to_owned());
        let (first, second) = (begin("a"), begin("a"));
        assert!(first.is_some() && second.is_some() && begin("a").is_none());
        let other = begin("b");
        assert!(other.is_some());
        drop(first);
        let third = begin("a");
        assert!(third.is_some());
        drop((second, third, other));
        assert!(principals.running().is_empty());
    }
}
