#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::limit::Rate;

const SECOND: u64 = 1_000_000_000;

fn local(keys: usize) -> Local {
    Local::new(Sizes {
        keys,
        networks: true,
        tools: true,
        totals: 4,
        repeats: true,
        days: true,
    })
}

fn at(nanos: u64) -> Now {
    Now {
        nanos,
        day: 20_000,
        until_midnight: Duration::from_secs(60),
    }
}

fn charge(whose: Whose, name: &str, measure: Measure, cost: u64) -> Charge<'_> {
    Charge {
        control: "rate/tool",
        whose,
        parts: [name.into(), "".into(), "".into()],
        measure,
        cost,
    }
}

fn rate(count: u32, burst: u32) -> Measure {
    Measure::Rate(Rate::new(count, Duration::from_secs(1)).burst(burst))
}

#[test]
fn a_key_has_its_burst_and_then_its_rate_and_is_told_when_to_ask_again() {
    let local = local(64);
    let one = charge(Whose::Tool, "a", rate(10, 5), 1);
    let admitted = |now| {
        (0..100)
            .filter(|_| local.take_at(std::slice::from_ref(&one), at(now)).is_ok())
            .count()
    };
    assert_eq!(admitted(SECOND), 5);
    assert_eq!(admitted(SECOND + SECOND / 10), 1);
    assert_eq!(
        admitted(100 * SECOND),
        5,
        "a pause gives the burst, no more"
    );
    let told = local.take_at(&[one], at(100 * SECOND));
    assert_eq!(told, Err(Denied::Limit(0, Duration::from_millis(100))));
}

/// A bucket as a person would keep it: a number of tokens, in fractions.
struct Naive {
    tokens: u128,
    last: u64,
}

/// Against a model that knows nothing of GCRA, over many rates, costs and times.
#[test]
fn it_admits_what_a_bucket_of_tokens_admits() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % most
    };
    for _ in 0..200 {
        let count = u32::try_from(next(1000)).unwrap() + 1;
        let burst = u32::try_from(next(20)).unwrap() + 1;
        let limit = Rate::new(count, Duration::from_secs(1)).burst(burst);
        let local = local(8);
        let (step, full) = (u128::from(limit.step()), u128::from(limit.tolerance()));
        let mut naive = Naive {
            tokens: full,
            last: 0,
        };
        let mut now = 1;
        for _ in 0..200 {
            now += next(limit.step() * 3);
            naive.tokens = full.min(naive.tokens + u128::from(now - naive.last));
            naive.last = now;
            let cost = next(4);
            let one = charge(Whose::Tool, "a", Measure::Rate(limit), cost);
            let wanted = step * u128::from(cost);
            let taken = local.take_at(&[one], at(now));
            if naive.tokens >= wanted {
                naive.tokens -= wanted;
                assert_eq!(taken, Ok(()), "{limit} {cost}");
            } else {
                let wait = u64::try_from(wanted - naive.tokens).unwrap();
                assert_eq!(taken, Err(Denied::Limit(0, Duration::from_nanos(wait))));
            }
        }
    }
}

#[test]
fn what_a_later_bucket_refuses_is_taken_from_none() {
    let local = local(64);
    let first = charge(Whose::Principal, "a", rate(1, 3), 1);
    let day = charge(Whose::Quota, "a", Measure::Day(5), 1);
    let last = charge(Whose::Tool, "t", rate(1, 1), 1);
    let all = [first.clone(), day.clone(), last];
    assert_eq!(local.take_at(&all, at(SECOND)), Ok(()));
    for _ in 0..100 {
        let denied = local.take_at(&all, at(SECOND));
        assert!(matches!(denied, Err(Denied::Limit(2, _))), "{denied:?}");
    }
    // Of three there are two left, of five four.
    assert_eq!(
        local.take_at(std::slice::from_ref(&first), at(SECOND)),
        Ok(())
    );
    assert_eq!(
        local.take_at(std::slice::from_ref(&first), at(SECOND)),
        Ok(())
    );
    assert!(local.take_at(&[first], at(SECOND)).is_err());
    for left in (0..4).rev() {
        assert_eq!(
            local.take_at(std::slice::from_ref(&day), at(SECOND)),
            Ok(()),
            "{left}"
        );
    }
    assert!(local.take_at(&[day], at(SECOND)).is_err());
}

#[test]
fn a_quota_is_for_the_day_and_a_clock_that_is_set_back_gives_none_again() {
    let local = local(64);
    let day = charge(Whose::Quota, "a", Measure::Day(2), 1);
    let take = |day_no| {
        local.take_at(
            std::slice::from_ref(&day),
            Now {
                day: day_no,
                ..at(1)
            },
        )
    };
    assert_eq!((take(7), take(7)), (Ok(()), Ok(())));
    let told = take(7);
    assert_eq!(told, Err(Denied::Limit(0, Duration::from_secs(60))));
    assert_eq!(take(8), Ok(()), "the next day");
    // `now` never goes back; what it does with a day that was seen.
    local.day.store(30_000_000, Ordering::Relaxed);
    assert_eq!(local.now().day, 30_000_000);
}

#[test]
fn bytes_are_counted_afterwards_and_stop_the_next_call() {
    let local = local(64);
    let day = local.now();
    let look = charge(Whose::Bytes, "a", Measure::Day(100), 0);
    assert_eq!(local.take_at(std::slice::from_ref(&look), day), Ok(()));
    local.add(&charge(Whose::Bytes, "a", Measure::Day(100), 99));
    assert_eq!(
        local.take_at(std::slice::from_ref(&look), day),
        Ok(()),
        "a byte is left"
    );
    local.add(&charge(Whose::Bytes, "a", Measure::Day(100), 1 << 60));
    let denied = local.take_at(&[look], day);
    assert!(matches!(denied, Err(Denied::Limit(0, _))), "{denied:?}");
}

/// 10 million keys in a release build; see `benches/limit`.
#[test]
fn a_flood_of_keys_takes_no_memory_and_gives_nobody_more() {
    let flood: u64 = if cfg!(debug_assertions) {
        300_000
    } else {
        10_000_000
    };
    let local = local(4096);
    let bytes = local.callers.bytes();
    let mine = charge(Whose::Principal, "attacker", rate(10, 20), 1);
    let (mut admitted, mut now) = (0, SECOND);
    // Ten seconds of flood, in which the attacker also asks in its own name, far too often.
    for n in 0..flood {
        now = SECOND + n * 10 * SECOND / flood;
        let name = n.to_string();
        let _ = local.take_at(&[charge(Whose::Principal, &name, rate(1, 20), 1)], at(now));
        if n % 100 == 0 && local.take_at(std::slice::from_ref(&mine), at(now)).is_ok() {
            admitted += 1;
        }
    }
    assert!(now > 10 * SECOND);
    let allowance = 20 + 10 * 10;
    assert!(
        admitted <= allowance + allowance / 100,
        "{admitted} of {allowance}"
    );
    assert_eq!(local.callers.bytes(), bytes);
}
