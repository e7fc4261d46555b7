//! The limiter beside `governor`'s keyed one and `tower_governor`, at a million live keys and under
//! a flood; one question to Redis; and a server that is asked ten times what it can do.
//!
//! `live`, `flood`, `redis` or `overload` on the command line chooses one of them.
//!
//! The machine is noisy, so each round times both one after the other, in turning order, and the
//! printed ratio is the median of the rounds' own ratios. Keys are hit at random: in order, the
//! processor would have the next one ready.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing
)]

mod overload;
mod shared;

use std::{
    hint::black_box,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use governor::{Quota, RateLimiter};
use http::Request;
use mcp_secure::{BenchTable, Rate};
use tower_governor::{GovernorError, governor::GovernorConfigBuilder, key_extractor::KeyExtractor};

const ROUNDS: usize = 15;
const HITS: usize = 200_000;
const FLOOD: u64 = 10_000_000;

fn main() {
    if let Ok(folder) = std::env::var("BENCH_OVERLOAD") {
        let queue = std::env::var("BENCH_QUEUE").unwrap().parse().unwrap();
        overload::serve(&folder, queue).unwrap();
        return;
    }
    let chosen = std::env::args().nth(1);
    let is = |name: &str| chosen.as_deref().is_none_or(|chosen| chosen == name);
    if is("live") {
        for keys in [1_000, 100_000, 1_000_000] {
            live(keys);
        }
    }
    if is("flood") {
        flood();
    }
    if is("redis") {
        shared::measure();
    }
    if is("overload") {
        overload::measure();
    }
}

/// Every key has something used up all the time, and is asked for again at random.
fn live(keys: usize) {
    // Millions a second, so that what is measured is an answer of yes; a day's burst keeps it live.
    let burst = 1_000_000;
    let rate = Rate::new(burst, Duration::from_secs(24 * 3600)).burst(burst);
    let ours = BenchTable::new(keys * 2, rate);
    let quota = Quota::with_period(Duration::from_micros(86_400))
        .unwrap()
        .allow_burst(NonZeroU32::new(burst).unwrap());
    let theirs = RateLimiter::keyed(quota);
    let names: Vec<String> = (0..keys)
        .map(|n| format!("https://issuer.example|user-{n}"))
        .collect();
    // What its layer does: the key of the request, and the limiter that it was built with. The layer
    // itself wants a web framework's body around it.
    let mut config = GovernorConfigBuilder::default().key_extractor(ByName);
    let config = config
        .period(Duration::from_micros(86_400))
        .burst_size(burst)
        .finish()
        .unwrap();
    let through = |name: &String| {
        let mut request = Request::new(());
        request.extensions_mut().insert(name.clone());
        let key = ByName.extract(&request).unwrap();
        config.limiter().check_key(&key).is_ok()
    };
    let mut refused = 0;
    for name in &names {
        refused += usize::from(!ours.take(name));
        theirs.check_key(name).unwrap();
        assert!(through(name));
    }
    let mut random = Random(7);
    let mut ratios = Vec::new();
    let mut times = (Vec::new(), Vec::new());
    let mut layers = Vec::new();
    for round in 0..ROUNDS {
        let hits: Vec<&String> = (0..HITS).map(|_| &names[random.below(keys)]).collect();
        let mine = || time(&hits, |name| black_box(ours.take(name)));
        layers.push(time(&hits, |name| black_box(through(name))));
        let other = || time(&hits, |name| black_box(theirs.check_key(name).is_ok()));
        let (a, b) = if round % 2 == 0 {
            let a = mine();
            (a, other())
        } else {
            let b = other();
            (mine(), b)
        };
        times.0.push(a);
        times.1.push(b);
        ratios.push(a / b);
    }
    println!(
        "{keys:>9} live keys: ours {:.0} ns, governor {:.0} ns, ratio {:.2}; tower_governor {:.0} ns; {} MiB; {refused} without room",
        median(&mut times.0),
        median(&mut times.1),
        median(&mut ratios),
        median(&mut layers),
        ours.bytes() >> 20,
    );
}

/// Ten million keys that are made up, and one caller who also asks in its own name.
fn flood() {
    let rate = Rate::new(10, Duration::from_secs(1)).burst(20);
    let ours = BenchTable::new(65_536, rate);
    let bytes = ours.bytes();
    let before = resident();
    let begun = Instant::now();
    let mut admitted = 0;
    for n in 0..FLOOD {
        black_box(ours.take(&n.to_string()));
        if n % 100 == 0 && ours.take("attacker") {
            admitted += 1;
        }
    }
    let took = begun.elapsed();
    let allowance = 20.0 + 10.0 * took.as_secs_f64();
    let grown = resident().saturating_sub(before);
    println!(
        "{FLOOD} made-up keys in {took:.1?}: the table has {bytes} bytes, the process grew by {grown} KiB; \
         the caller had {admitted} of {allowance:.0}"
    );
    assert_eq!(ours.bytes(), bytes);
    assert!(grown < 8 * 1024, "{grown} KiB");
    assert!(
        f64::from(admitted) <= allowance * 1.01 + 1.0,
        "{admitted} of {allowance}"
    );
}

/// Keys that are names, as a caller's subject is.
#[derive(Clone)]
struct ByName;

impl KeyExtractor for ByName {
    type Key = String;

    fn extract<T>(&self, request: &Request<T>) -> Result<String, GovernorError> {
        let name = request.extensions().get::<String>();
        name.cloned().ok_or(GovernorError::UnableToExtractKey)
    }
}

fn time(hits: &[&String], mut take: impl FnMut(&String) -> bool) -> f64 {
    let begun = Instant::now();
    for name in hits {
        take(name);
    }
    begun.elapsed().as_secs_f64() * 1e9 / hits.len() as f64
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// In KiB, as the kernel counts.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}
