//! `[tools.NAME]`: what the operator lowers of one tool.

use super::{Config, Unit};
use crate::{
    Limits, Rate, Result,
    manifest::{CallLimits, Entry, RateRow, size},
    server::suggest,
};

/// One key of `[tools.NAME]`, and what it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Bound {
    /// Calls of one caller in a time.
    Rate(Rate),
    /// Calls of all callers in a time.
    TotalRate(Rate),
    /// Calls of one caller in a day.
    Quota(u64),
    /// Bytes of answers to one caller in a day.
    OutputQuota(u64),
    /// Milliseconds that a call may take.
    Timeout(u64),
    /// Calls at once.
    Concurrency(u64),
    /// Bytes of one answer.
    MaxOutput(u64),
    /// What one call takes of the caller's rate. More is tighter.
    Cost(u64),
    /// How often the same call may come again.
    Repeat(u64),
}

/// Why a bound is refused: what it is to be, what the code says, and which of the two is less.
struct Wider {
    wanted: String,
    code: String,
    is_floor: bool,
}

/// How an amount is written, and which bound it is.
type Amount = (Unit, fn(u64) -> Bound);

type Lowered = std::result::Result<(), Wider>;

impl Bound {
    pub(in crate::server) const KEYS: [&str; 9] = [
        "rate",
        "total_rate",
        "quota",
        "output_quota",
        "timeout",
        "concurrency",
        "max_output",
        "cost",
        "repeat",
    ];

    /// The keys that are an amount, and not so much in a time.
    pub(in crate::server) fn amount(key: &str) -> Option<Amount> {
        match key {
            "timeout" => Some((Unit::Time, Self::Timeout)),
            "concurrency" => Some((Unit::Count, Self::Concurrency)),
            "max_output" => Some((Unit::Size, Self::MaxOutput)),
            "cost" => Some((Unit::Count, Self::Cost)),
            "repeat" => Some((Unit::Count, Self::Repeat)),
            _ => None,
        }
    }

    /// What `key = "text"` means, or what was wanted instead.
    pub(in crate::server) fn read(
        key: &str,
        text: &str,
        bytes: impl Fn(&str) -> Option<u64>,
    ) -> std::result::Result<Self, &'static str> {
        let rate = Rate::read(text);
        let daily = text.strip_suffix("/day");
        match key {
            "rate" => rate.map(Self::Rate).ok_or(RATE),
            "total_rate" => rate.map(Self::TotalRate).ok_or(RATE),
            "quota" => daily
                .and_then(|count| count.parse().ok())
                .filter(|count| *count > 0)
                .map(Self::Quota)
                .ok_or("a number of calls in a day, such as `\"100/day\"`"),
            _ => daily
                .and_then(bytes)
                .filter(|bytes| *bytes > 0)
                .map(Self::OutputQuota)
                .ok_or("a size in a day, such as `\"50 MiB/day\"`"),
        }
    }

    fn key(self) -> &'static str {
        let [
            rate,
            total,
            quota,
            output,
            timeout,
            concurrency,
            max_output,
            cost,
            repeat,
        ] = Self::KEYS;
        match self {
            Self::Rate(_) => rate,
            Self::TotalRate(_) => total,
            Self::Quota(_) => quota,
            Self::OutputQuota(_) => output,
            Self::Timeout(_) => timeout,
            Self::Concurrency(_) => concurrency,
            Self::MaxOutput(_) => max_output,
            Self::Cost(_) => cost,
            Self::Repeat(_) => repeat,
        }
    }

    /// Lowers what the tool says of itself, or what the server says of all tools; or says what that
    /// is, where it is less.
    fn lower(self, limits: &mut CallLimits, server: &Limits) -> Lowered {
        match self {
            Self::Rate(rate) => lower_rate(rate, &mut limits.rate),
            Self::TotalRate(rate) => lower_rate(rate, &mut limits.total_rate),
            Self::Quota(most) => lower_day(most, &mut limits.quota, |n| format!("{n}/day")),
            Self::OutputQuota(most) => lower_day(most, &mut limits.output_quota, |bytes| {
                format!("{}/day", size(bytes))
            }),
            Self::Timeout(wanted) => lower_amount(wanted, &mut limits.timeout_ms, Unit::Time),
            Self::Concurrency(wanted) => match &mut limits.concurrency {
                Some(most) => lower_amount(wanted, most, Unit::Count),
                none => {
                    *none = Some(wanted);
                    Ok(())
                }
            },
            Self::MaxOutput(wanted) => lower_amount(wanted, &mut limits.max_output, Unit::Size),
            Self::Cost(wanted) => {
                let least = limits.cost.unwrap_or(1);
                if wanted < least {
                    return Err(Wider {
                        wanted: wanted.to_string(),
                        code: least.to_string(),
                        is_floor: true,
                    });
                }
                limits.cost = Some(wanted);
                Ok(())
            }
            Self::Repeat(wanted) => {
                let says = limits.repeat.unwrap_or(server.repeats_per_minute as u64);
                // Zero is any number: of that, each is less.
                let mut most = if says == 0 { u64::MAX } else { says };
                lower_amount(wanted, &mut most, Unit::Count)?;
                limits.repeat = Some(most);
                Ok(())
            }
        }
    }
}

impl Config {
    /// The limits of each tool, lowered by this file.
    ///
    /// # Errors
    ///
    /// When one would be raised, or when there is no such tool: what is misspelled would limit
    /// nothing.
    pub(in crate::server) fn narrow_tools(
        &self,
        tools: &mut [Entry],
        limits: &Limits,
    ) -> Result<()> {
        for (name, bound) in &self.tools {
            let Some(tool) = tools.iter_mut().find(|tool| tool.name == name.value) else {
                let known = tools.iter().map(|tool| tool.name.as_str());
                return Err(self
                    .error(
                        name,
                        format!("`tools.{}` limits what is no tool", name.value),
                    )
                    .help(suggest::help(&name.value, "tools", known)));
            };
            bound
                .value
                .lower(&mut tool.limits, limits)
                .map_err(|wider| {
                    let (bar, help) = match wider.is_floor {
                        false => (
                            "above the ceiling",
                            "the operator can lower a limit, never raise it",
                        ),
                        true => (
                            "below the floor",
                            "the operator can let a call cost more, never less",
                        ),
                    };
                    let what = format!(
                        "`tools.{}.{}` is {}, {bar} of {} that the code sets",
                        name.value,
                        bound.value.key(),
                        wider.wanted,
                        wider.code
                    );
                    self.error(bound, what).help(help)
                })?;
        }
        Ok(())
    }
}

/// How many come at once, the code says where it does.
fn lower_rate(rate: Rate, limit: &mut Option<RateRow>) -> Lowered {
    let mut wanted = RateRow::from(rate);
    if let Some(most) = limit {
        wanted.burst = wanted.burst.min(most.burst);
        if !wanted.is_within(most) {
            return Err(Wider {
                wanted: rate.to_string(),
                code: most.to_string(),
                is_floor: false,
            });
        }
    }
    *limit = Some(wanted);
    Ok(())
}

fn lower_amount(wanted: u64, limit: &mut u64, unit: Unit) -> Lowered {
    if wanted > *limit {
        return Err(Wider {
            wanted: unit.show(wanted),
            code: unit.show(*limit),
            is_floor: false,
        });
    }
    *limit = wanted;
    Ok(())
}

fn lower_day(wanted: u64, limit: &mut Option<u64>, shown: impl Fn(u64) -> String) -> Lowered {
    match *limit {
        Some(most) if wanted > most => Err(Wider {
            wanted: shown(wanted),
            code: shown(most),
            is_floor: false,
        }),
        _ => {
            *limit = Some(wanted);
            Ok(())
        }
    }
}

const RATE: &str = "a number above zero in a time, such as `\"10/min\"`";
