//! `[tools.NAME]`: what the operator lowers of one tool.

use super::Config;
use crate::{
    Rate, Result,
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
}

impl Bound {
    pub(in crate::server) const KEYS: [&str; 4] = ["rate", "total_rate", "quota", "output_quota"];

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
        let [rate, total, quota, output] = Self::KEYS;
        match self {
            Self::Rate(_) => rate,
            Self::TotalRate(_) => total,
            Self::Quota(_) => quota,
            Self::OutputQuota(_) => output,
        }
    }

    /// Lowers what the tool says of itself, or says what it is where that is less.
    fn lower(self, limits: &mut CallLimits) -> std::result::Result<(), (String, String)> {
        match self {
            Self::Rate(rate) => lower_rate(rate, &mut limits.rate),
            Self::TotalRate(rate) => lower_rate(rate, &mut limits.total_rate),
            Self::Quota(most) => lower_day(most, &mut limits.quota, |n| format!("{n}/day")),
            Self::OutputQuota(most) => lower_day(most, &mut limits.output_quota, |bytes| {
                format!("{}/day", size(bytes))
            }),
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
    pub(in crate::server) fn narrow_tools(&self, tools: &mut [Entry]) -> Result<()> {
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
                .lower(&mut tool.limits)
                .map_err(|(wanted, most)| {
                    self.error(
                        bound,
                        format!(
                            "`tools.{}.{}` is {wanted}, above the ceiling of {most} that the code \
                             sets",
                            name.value,
                            bound.value.key()
                        ),
                    )
                    .help("the operator can lower a limit, never raise it")
                })?;
        }
        Ok(())
    }
}

/// How many come at once, the code says where it does.
fn lower_rate(
    rate: Rate,
    limit: &mut Option<RateRow>,
) -> std::result::Result<(), (String, String)> {
    let mut wanted = RateRow::from(rate);
    if let Some(most) = limit {
        wanted.burst = wanted.burst.min(most.burst);
        if !wanted.is_within(most) {
            return Err((rate.to_string(), most.to_string()));
        }
    }
    *limit = Some(wanted);
    Ok(())
}

fn lower_day(
    wanted: u64,
    limit: &mut Option<u64>,
    shown: impl Fn(u64) -> String,
) -> std::result::Result<(), (String, String)> {
    match *limit {
        Some(most) if wanted > most => Err((shown(wanted), shown(most))),
        _ => {
            *limit = Some(wanted);
            Ok(())
        }
    }
}

const RATE: &str = "a number above zero in a time, such as `\"10/min\"`";
