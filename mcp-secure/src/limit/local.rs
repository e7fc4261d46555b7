//! Takes charges from buckets in the memory of this process: all of a request, or none.
//!
//! They are taken one after the other, each under the lock of its set alone, and given back when
//! a later one is refused. Nobody ever gets more than is there by that. In the microseconds
//! between, another request of the same principal may be refused that would have fitted.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    Charge, Denied, Measure, Whose,
    table::{Key, Keys, Table},
};

/// How many keys each table is for.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Of each table that is kept.
    pub(crate) keys: usize,
    /// Networks are counted.
    pub(crate) networks: bool,
    /// Tools have rates of their own.
    pub(crate) tools: bool,
    /// So many tools have a rate for all callers together.
    pub(crate) totals: usize,
    /// Repetitions are counted.
    pub(crate) repeats: bool,
    /// Something has a quota for the day.
    pub(crate) days: bool,
}

/// All buckets of this process.
pub(crate) struct Local {
    keys: Keys,
    start: Instant,
    /// The latest day that was seen: a wall clock that is set back gives no day again.
    day: AtomicU64,
    callers: Table,
    /// Apart, so that a flood from many networks shuts out no principal who is known.
    networks: Table,
    tools: Table,
    /// One for each, and room enough that none finds its set full: nobody makes up tools.
    totals: Table,
    /// Keys with a digest of arguments, which callers make up: apart, so that a flood of them
    /// leaves room for what principals and tools have used.
    repeats: Table,
    days: Table,
}

impl Local {
    /// Allocates all that it will ever take.
    pub(crate) fn new(sizes: Sizes) -> Self {
        let table = |is| Table::new(if is { sizes.keys } else { 0 });
        Self {
            keys: Keys::new(),
            start: Instant::now(),
            day: AtomicU64::new(0),
            callers: table(true),
            networks: table(sizes.networks),
            tools: table(sizes.tools),
            totals: Table::new(sizes.totals * 16),
            repeats: table(sizes.repeats),
            days: table(sizes.days),
        }
    }

    /// Takes all of these, or nothing.
    pub(crate) fn take(&self, charges: &[Charge<'_>]) -> Result<(), Denied> {
        self.take_at(charges, self.now())
    }

    fn take_at(&self, charges: &[Charge<'_>], now: Now) -> Result<(), Denied> {
        for (index, charge) in charges.iter().enumerate() {
            if let Err(refused) = self.take_one(charge, now) {
                for taken in charges.iter().take(index) {
                    self.give_back(taken, now);
                }
                return Err(match refused {
                    Some(wait) => Denied::Limit(index, wait),
                    None => Denied::Full(index),
                });
            }
        }
        Ok(())
    }

    /// Takes what has been used already, beyond what is there if need be.
    pub(crate) fn add(&self, charge: &Charge<'_>) {
        let now = self.now();
        let Measure::Day(_) = charge.measure else {
            return;
        };
        self.table(charge.whose)
            .with(self.key(charge), now.floor(), |bucket| {
                if let Some(bucket) = bucket {
                    *bucket = now.floor() + (*bucket - now.floor() + charge.cost).min(USED);
                }
            });
    }

    /// `Err(None)` where there is no room for a new key.
    fn take_one(&self, charge: &Charge<'_>, now: Now) -> Result<(), Option<Duration>> {
        let table = self.table(charge.whose);
        match charge.measure {
            Measure::Rate(rate) => table.with(self.key(charge), now.nanos, |bucket| {
                let bucket = bucket.ok_or(None)?;
                let cost = rate.step().saturating_mul(charge.cost);
                let full_at = (*bucket).max(now.nanos).saturating_add(cost);
                let ahead = full_at - now.nanos;
                if ahead > rate.tolerance() {
                    return Err(Some(Duration::from_nanos(ahead - rate.tolerance())));
                }
                *bucket = full_at;
                Ok(())
            }),
            Measure::Day(most) => table.with(self.key(charge), now.floor(), |bucket| {
                let bucket = bucket.ok_or(None)?;
                let used = *bucket - now.floor();
                // With nothing to take, something must be left.
                if used.saturating_add(charge.cost.max(1)) > most.min(USED) {
                    return Err(Some(now.until_midnight));
                }
                *bucket += charge.cost;
                Ok(())
            }),
        }
    }

    fn give_back(&self, charge: &Charge<'_>, now: Now) {
        let (floor, cost) = match charge.measure {
            Measure::Rate(rate) => (now.nanos, rate.step().saturating_mul(charge.cost)),
            Measure::Day(_) => (now.floor(), charge.cost),
        };
        self.table(charge.whose)
            .with(self.key(charge), floor, |bucket| {
                if let Some(bucket) = bucket {
                    *bucket = bucket.saturating_sub(cost).max(floor);
                }
            });
    }

    fn table(&self, whose: Whose) -> &Table {
        match whose {
            Whose::Principal | Whose::Client => &self.callers,
            Whose::Address => &self.networks,
            Whose::Tool => &self.tools,
            Whose::Total => &self.totals,
            Whose::Repeat => &self.repeats,
            Whose::Quota | Whose::Bytes => &self.days,
        }
    }

    fn key(&self, charge: &Charge<'_>) -> Key {
        let parts = charge.parts.iter().map(AsRef::as_ref);
        self.keys
            .key(std::iter::once(charge.whose.as_str()).chain(parts))
    }

    fn now(&self) -> Now {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let today = wall / DAY;
        let seen = self.day.fetch_max(today, Ordering::Relaxed);
        Now {
            nanos,
            day: today.max(seen),
            until_midnight: Duration::from_secs(DAY - wall % DAY),
        }
    }
}

/// One moment, for all charges of a request.
#[derive(Clone, Copy)]
struct Now {
    /// Since the start, by a clock that nobody sets.
    nanos: u64,
    /// Since 1970.
    day: u64,
    until_midnight: Duration,
}

impl Now {
    /// Where the count of today begins: all of yesterday's lie behind it.
    fn floor(self) -> u64 {
        self.day << USED.count_ones()
    }
}

const DAY: u64 = 24 * 3600;

/// What is used in a day takes the low 48 bits of a bucket; the day the others.
const USED: u64 = (1 << 48) - 1;

/// What the benchmarks measure.
#[cfg(feature = "__bench")]
pub(super) mod bench {
    use super::*;
    use crate::limit::Rate;

    /// One bucket a key, behind the same code as in a server.
    pub struct BenchTable(Local, Rate);

    impl BenchTable {
        /// For so many keys.
        pub fn new(keys: usize, rate: Rate) -> Self {
            let sizes = Sizes {
                keys,
                networks: false,
                tools: false,
                totals: 0,
                repeats: false,
                days: false,
            };
            Self(Local::new(sizes), rate)
        }

        /// Whether this key may.
        pub fn take(&self, key: &str) -> bool {
            let charge = Charge {
                control: "rate/principal",
                whose: Whose::Principal,
                parts: [key.into(), "".into(), "".into()],
                measure: Measure::Rate(self.1),
                cost: 1,
            };
            self.0.take(std::slice::from_ref(&charge)).is_ok()
        }

        /// Bytes of the table.
        pub fn bytes(&self) -> usize {
            self.0.callers.bytes()
        }
    }
}

#[cfg(test)]
mod tests;
