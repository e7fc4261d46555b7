//! Whether a connection is doing something: the one clock against peers that connect,
//! and then send nothing, or a byte at a time (slowloris).
//!
//! Counting instead of timing each head costs a request two additions, and it also covers
//! what hyper's own head timer does not: the HTTP/2 preface and idle HTTP/2 connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What one connection has done so far.
#[derive(Default)]
pub(crate) struct Activity {
    started: AtomicUsize,
    running: AtomicUsize,
}

/// A request that has begun and not ended; its body holds this.
pub(crate) struct InFlight(Arc<Activity>);

impl Activity {
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.started.fetch_add(1, Relaxed);
        self.running.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    /// How many requests have begun.
    pub(crate) fn started(&self) -> usize {
        self.started.load(Relaxed)
    }

    /// Whether nothing runs and nothing has begun since `seen` were counted.
    pub(crate) fn quiet_since(&self, seen: usize) -> bool {
        self.running.load(Relaxed) == 0 && self.started() == seen
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_quiet_only_without_running_and_without_new_requests() {
        let activity = Arc::new(Activity::default());
        assert!(activity.quiet_since(0));
        let request = activity.begin();
        assert!(!activity.quiet_since(activity.started()), "one runs");
        drop(request);
        assert!(!activity.quiet_since(0), "one came since");
        assert!(activity.quiet_since(1));
    }
}
