//! So many in a time, and so many at once.

use std::{fmt, time::Duration};

/// So many in a time, and so many at once after a pause: `10/min`.
///
/// What it admits is GCRA's (ITU-T I.371): a leaky bucket that needs one number for each key.
///
/// ```
/// use std::time::Duration;
/// use mcp_secure::Rate;
///
/// let rate = Rate::new(10, Duration::from_secs(60)).burst(3);
/// assert_eq!(rate.to_string(), "10/min, 3 at once");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
    burst: u32,
}

impl Rate {
    /// As many at once as in the whole period, unless [`burst`](Self::burst) says less. Zero
    /// of either is taken for one.
    pub const fn new(count: u32, period: Duration) -> Self {
        let count = if count == 0 { 1 } else { count };
        Self {
            count,
            period,
            burst: count,
        }
    }

    /// At most so many at once.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = if burst == 0 { 1 } else { burst };
        self
    }

    /// How many in one period.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many at once after a pause.
    pub const fn most_at_once(&self) -> u32 {
        self.burst
    }

    /// `10/min`, `5/s`, `100/h` or `1000/day`, as for a tool.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "day" => 24 * 3600,
            _ => return None,
        };
        let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        let count = digits.then(|| count.parse().ok()).flatten();
        let count = count.filter(|count| *count > 0)?;
        Some(Self::new(count, Duration::from_secs(seconds)))
    }

    /// The part of one replica among so many.
    pub(crate) fn divided_by(self, replicas: u32) -> Self {
        let replicas = replicas.max(1);
        Self {
            // The time grows and not the count shrinks: 1/min by three is 1 in three minutes.
            period: self.period.saturating_mul(replicas),
            burst: (self.burst / replicas).max(1),
            count: self.count,
        }
    }

    /// Nanoseconds that one costs. Rounded up, so that no rounding admits more.
    pub(crate) fn step(&self) -> u64 {
        let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        period.div_ceil(u64::from(self.count)).max(1)
    }

    /// How far ahead of the clock a bucket may be.
    pub(crate) fn tolerance(&self) -> u64 {
        self.step().saturating_mul(u64::from(self.burst))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.count)?;
        let ms = self.period.as_millis();
        let units = [
            (86_400_000, "day"),
            (3_600_000, "h"),
            (60_000, "min"),
            (1000, "s"),
            (1, "ms"),
        ];
        let unit = units
            .iter()
            .find(|(of, _)| ms > 0 && ms.is_multiple_of(*of));
        match unit.map(|(of, name)| (ms / of, name)) {
            Some((1, name)) => f.write_str(name)?,
            Some((many, name)) => write!(f, "{many}{name}")?,
            None => write!(f, "{:?}", self.period)?,
        }
        if self.burst != self.count {
            write!(f, ", {} at once", self.burst)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rounding_admits_more_than_was_said() {
        for count in [1, 3, 7, 9, 1000, 999_999_937] {
            let rate = Rate::new(count, Duration::from_secs(1));
            assert!(rate.step() * u64::from(count) >= 1_000_000_000, "{count}");
        }
        assert_eq!(Rate::new(10, Duration::from_secs(60)).step(), 6_000_000_000);
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        let shown = |seconds, burst| {
            let rate = Rate::new(10, Duration::from_secs(seconds));
            rate.burst(burst).to_string()
        };
        assert_eq!(shown(60, 10), "10/min");
        assert_eq!(shown(7200, 3), "10/2h, 3 at once");
        assert_eq!(shown(86_400, 10), "10/day");
        assert_eq!(shown(90, 10), "10/90s");
    }

    #[test]
    fn it_is_read_as_it_is_shown() {
        for text in ["10/min", "1/s", "7/h", "1000/day"] {
            let read = Rate::read(text).map(|rate| rate.to_string());
            assert_eq!(read.as_deref(), Some(text));
        }
        for bad in [
            "",
            "10",
            "/min",
            "0/min",
            "+1/s",
            "10/week",
            "10 / min",
            "4294967296/s",
        ] {
            assert_eq!(Rate::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn replicas_together_have_no_more_than_one_server() {
        let rate = Rate::new(10, Duration::from_secs(60)).burst(7);
        let part = rate.divided_by(3);
        assert_eq!(part.step(), 3 * rate.step());
        assert_eq!(part.most_at_once(), 2);
        assert_eq!(rate.divided_by(100).most_at_once(), 1, "a call is whole");
    }
}
