//! Refusals before anybody was identified, added up: a flood of them becomes a few lines.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::Audit;

/// Counts refusals by control and peer and writes the sums.
pub(crate) struct Tally {
    audit: Arc<Audit>,
    counts: Mutex<HashMap<(&'static str, String), u64>>,
}

/// Different peers that are told apart between two writes; the rest is one row.
const MOST: usize = 1024;

impl Tally {
    pub(crate) fn new(audit: Arc<Audit>) -> Arc<Self> {
        Arc::new(Self {
            audit,
            counts: Mutex::default(),
        })
    }

    /// One more refusal. The first of its kind is written at once, so that an attack is seen
    /// when it begins; what follows is added up.
    pub(crate) fn count(&self, control: &'static str, peer: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = if counts.len() >= MOST {
            "(others)"
        } else {
            peer
        };
        match counts.get_mut(&(control, peer.to_owned())) {
            Some(count) => *count += 1,
            None => {
                counts.insert((control, peer.to_owned()), 0);
                drop(counts);
                self.audit.refused(control, peer, 1);
            }
        }
    }

    /// Writes what has been added up, and starts anew.
    pub(crate) fn flush(&self) {
        let counts =
            std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        for ((control, peer), count) in counts {
            if count > 0 {
                self.audit.refused(control, &peer, count);
            }
        }
    }

    /// Flushes now and then, until the server ends.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut pace = tokio::time::interval(Duration::from_secs(10));
        loop {
            pace.tick().await;
            self.flush();
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.flush();
    }
}
