//! Times as people write them.

use std::{
    str::FromStr,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use mcp_secure::{Error, Result};

/// `90d`, `2027-01-31` or `2027-01-31T12:00:00Z`.
#[derive(Clone, Copy)]
pub(crate) enum Span {
    Length(Duration),
    Until(DateTime<Utc>),
}

impl Span {
    /// That moment.
    pub(super) fn after(self, now: SystemTime) -> Result<SystemTime> {
        match self {
            Self::Length(length) => now.checked_add(length).ok_or_else(too_long),
            Self::Until(moment) => Ok(moment.into()),
        }
    }

    /// That moment, or so long before now.
    pub(crate) fn before(self, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        match self {
            Self::Length(length) => chrono::TimeDelta::from_std(length)
                .ok()
                .and_then(|length| now.checked_sub_signed(length))
                .ok_or_else(too_long),
            Self::Until(moment) => Ok(moment),
        }
    }

    /// How long it is until then.
    pub(super) fn length(self, now: SystemTime) -> Result<Duration> {
        match self {
            Self::Length(length) => Ok(length),
            Self::Until(moment) => SystemTime::from(moment)
                .duration_since(now)
                .map_err(|_| Error::new("that time is over")),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("`{}` is not like 90d, 12h, 2027-01-31", text.escape_debug());
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::Until(day.and_time(NaiveTime::MIN).and_utc()));
        }
        if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Until(moment.into()));
        }
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(at);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(seconds)
            .map(|seconds| Self::Length(Duration::from_secs(seconds)))
            .ok_or_else(wrong)
    }
}

pub(super) fn written(moment: SystemTime) -> String {
    DateTime::<Utc>::from(moment).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn too_long() -> Error {
    Error::new("the time is too far away")
}
