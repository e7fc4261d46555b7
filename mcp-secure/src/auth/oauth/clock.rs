//! What time it is, for everything here that runs out.

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use std::time::Instant;

/// The clocks of the machine. Tests move them; nothing waits for one.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// Seconds.
    #[cfg(test)]
    ahead: Arc<AtomicU64>,
}

impl Clock {
    /// Seconds since 1970: what tokens are written in.
    pub(super) fn unix(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // Before 1970 nothing can be believed: at the end of time every token has run out.
        now.map_or(u64::MAX, |now| (now + self.ahead()).as_secs())
    }

    /// For our own deadlines, which nobody should move by setting the date.
    pub(super) fn instant(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.ahead()).unwrap_or(now)
    }

    #[cfg(not(test))]
    fn ahead(&self) -> Duration {
        Duration::ZERO
    }

    #[cfg(test)]
    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(super) fn advance(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }
}
