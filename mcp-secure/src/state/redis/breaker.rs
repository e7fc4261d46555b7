//! When to ask a server that does not answer: not at every request, and one at a time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Closed: everybody asks. Open: nobody does, until a time. Then one does, and what becomes of
/// that decides for all.
#[derive(Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    /// In a row, while it is closed.
    failures: u32,
    open: Option<Open>,
}

struct Open {
    until: Instant,
    /// The last time that it stayed open.
    wait: Duration,
    /// Somebody is asking.
    tried: bool,
}

/// The right to ask once. To drop it says nothing of the server.
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    is_trial: bool,
}

/// What an outcome changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened,
    Closed,
}

impl Breaker {
    /// `None` while it is open.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Option<Pass> {
        let mut state = self.state();
        let is_trial = match &mut state.open {
            None => false,
            Some(open) if open.tried || now < open.until => return None,
            Some(open) => {
                open.tried = true;
                true
            }
        };
        Some(Pass {
            breaker: Arc::clone(self),
            is_trial,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    pub(super) fn good(self) -> Change {
        let mut state = self.breaker.state();
        state.failures = 0;
        // An answer that was still on its way when it opened says nothing of now.
        if self.is_trial && state.open.take().is_some() {
            return Change::Closed;
        }
        Change::None
    }

    /// `jitter` is between 0 and 255: replicas do not come back all at once.
    pub(super) fn bad(self, now: Instant, jitter: u8) -> Change {
        let mut state = self.breaker.state();
        let spread = |wait: Duration| wait + wait * u32::from(jitter) / 1024;
        match &mut state.open {
            Some(open) if self.is_trial => {
                open.wait = (open.wait * 2).min(LONGEST);
                open.until = now + spread(open.wait);
                open.tried = false;
                Change::None
            }
            Some(_) => Change::None,
            None => {
                state.failures += 1;
                if state.failures < IN_A_ROW {
                    return Change::None;
                }
                state.open = Some(Open {
                    until: now + spread(SHORTEST),
                    wait: SHORTEST,
                    tried: false,
                });
                Change::Opened
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_trial
            && let Some(open) = &mut self.breaker.state().open
        {
            open.tried = false;
        }
    }
}

/// Failures in a row that open it.
const IN_A_ROW: u32 = 3;
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn opened(now: Instant) -> Arc<Breaker> {
        let breaker = Arc::new(Breaker::default());
        for _ in 1..IN_A_ROW {
            assert_eq!(breaker.enter(now).unwrap().bad(now, 0), Change::None);
        }
        assert_eq!(breaker.enter(now).unwrap().bad(now, 0), Change::Opened);
        breaker
    }

    #[test]
    fn after_failures_in_a_row_nobody_asks_and_then_one_does() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.enter(now).is_none());
        let later = now + SHORTEST;
        let trial = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_none(), "one at a time");
        assert_eq!(trial.good(), Change::Closed);
        assert!(breaker.enter(later).is_some() && breaker.enter(later).is_some());
    }

    #[test]
    fn the_wait_doubles_to_a_bound() {
        let mut now = Instant::now();
        let breaker = opened(now);
        let mut wait = SHORTEST;
        for _ in 0..12 {
            assert!(
                breaker
                    .enter(now + wait - Duration::from_millis(1))
                    .is_none()
            );
            now += wait;
            breaker.enter(now).unwrap().bad(now, 0);
            wait = (wait * 2).min(LONGEST);
        }
        assert_eq!(wait, LONGEST);
        breaker.enter(now + LONGEST).unwrap().bad(now, 255);
        assert!(breaker.enter(now + LONGEST).is_none(), "spread");
        assert!(breaker.enter(now + LONGEST * 5 / 4).is_some());
    }

    #[test]
    fn what_was_on_its_way_neither_closes_it_nor_makes_it_wait_longer() {
        let now = Instant::now();
        let breaker = Arc::new(Breaker::default());
        let (slow, late) = (breaker.enter(now).unwrap(), breaker.enter(now).unwrap());
        for _ in 0..IN_A_ROW {
            breaker.enter(now).unwrap().bad(now, 0);
        }
        assert_eq!(slow.good(), Change::None);
        assert_eq!(late.bad(now, 0), Change::None);
        assert!(breaker.enter(now).is_none());
        assert!(breaker.enter(now + SHORTEST).is_some());
    }

    #[test]
    fn a_trial_that_is_given_up_lets_the_next_one_try() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.enter(now + SHORTEST).unwrap());
        assert!(breaker.enter(now + SHORTEST).is_some());
    }

    #[test]
    fn a_failure_now_and_then_opens_nothing() {
        let now = Instant::now();
        let breaker = Arc::new(Breaker::default());
        for _ in 0..100 {
            breaker.enter(now).unwrap().bad(now, 0);
            breaker.enter(now).unwrap().good();
        }
        assert!(breaker.enter(now).is_some());
    }
}
