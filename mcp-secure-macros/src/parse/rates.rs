//! How often a tool may be called: `rate`, `burst`, `total_rate`, `cost`, `quota`, `output_quota`,
//! `repeat`.

use syn::{Expr, ExprLit, Lit};

use super::{
    literal,
    options::{Given, Options},
};
use crate::{
    errors::Errors,
    model::{Rate, Rates},
};

/// The options of this file, which only tools have.
pub(super) const RATES: [&str; 7] = [
    "rate",
    "burst",
    "total_rate",
    "cost",
    "quota",
    "output_quota",
    "repeat",
];

pub(super) fn rates(options: &mut Options, errors: &mut Errors) -> Rates {
    let rate = text(
        options,
        "rate",
        "10/min",
        "`rate` is a number above zero in a time, `s`, `min`, `h` or `day`: `rate = \"10/min\"`",
        literal::rate,
        errors,
    );
    let burst = options.integer("burst", errors);
    let burst_at = burst.as_ref().map(|given| given.key.span());
    let burst = burst.and_then(|given| small("burst", &given, errors));
    if let (None, Some(at)) = (&rate, burst_at)
        && errors.is_empty()
    {
        errors.at(
            at,
            "`burst` says how many of a rate may come at once: add `rate = \"10/min\"`",
        );
    }
    let total_rate = text(
        options,
        "total_rate",
        "100/min",
        "`total_rate` is a number above zero in a time, `s`, `min`, `h` or `day`, of all callers \
         together: `total_rate = \"100/min\"`",
        literal::rate,
        errors,
    );
    let cost = options.integer("cost", errors);
    Rates {
        total_rate: total_rate.map(|(count, period)| Rate {
            count,
            period,
            burst: count,
        }),
        rate: rate.map(|(count, period)| Rate {
            count,
            period,
            burst: burst.unwrap_or(count),
        }),
        cost: cost.and_then(|given| small("cost", &given, errors)),
        quota: text(
            options,
            "quota",
            "1000/day",
            "`quota` is a number of calls above zero in a day: `quota = \"1000/day\"`",
            literal::daily,
            errors,
        ),
        output_quota: text(
            options,
            "output_quota",
            "50 MiB/day",
            "`output_quota` is a size above zero in a day, in `B`, `KiB`, `MiB` or `GiB`: \
             `output_quota = \"50 MiB/day\"`",
            literal::daily_size,
            errors,
        ),
        repeat: repeat(options, errors),
    }
}

fn text<T>(
    options: &mut Options,
    key: &str,
    example: &str,
    wanted: &str,
    read: impl Fn(&str) -> Option<T>,
    errors: &mut Errors,
) -> Option<T> {
    let given = options.string(key, example, errors)?;
    let found = read(&given.value.value());
    if found.is_none() {
        errors.on(&given.value, wanted);
    }
    found
}

fn small(key: &str, given: &Given<u64>, errors: &mut Errors) -> Option<u32> {
    let found = u32::try_from(given.value).ok();
    let found = found.filter(|number| (1..=MOST).contains(number));
    if found.is_none() {
        errors.on(
            &given.tokens,
            format_args!("`{key}` is between 1 and {MOST}"),
        );
    }
    found
}

/// A number of times, or `false` where the same call again is what the tool is for.
fn repeat(options: &mut Options, errors: &mut Errors) -> Option<u32> {
    let given = options.value("repeat", "20", errors)?;
    let found = match &given.value {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(off),
            ..
        }) if !off.value => Some(0),
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number
            .base10_parse()
            .ok()
            .filter(|number| (1..=MOST).contains(number)),
        _ => None,
    };
    if found.is_none() {
        errors.on(
            &given.tokens,
            format_args!(
                "`repeat` is how often the same call may come again, between 1 and {MOST}, or \
                 `false` for any number: `repeat = 20`"
            ),
        );
    }
    found
}

/// More than this is a slip of the keyboard.
const MOST: u32 = 1_000_000;
