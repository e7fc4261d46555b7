//! Values that are written as strings: durations and sizes.

use std::time::Duration;

/// `500ms`, `30s` or `2min`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "min" => Duration::from_secs(number.checked_mul(60)?),
        _ => return None,
    };
    (!duration.is_zero()).then_some(duration)
}

/// `64 KiB`, `1 MiB`, `1GiB` or `512 B`, in bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

/// `10/min`, `5/s`, `100/h` or `1000/day`: how many, and in which time.
pub(crate) fn rate(text: &str) -> Option<(u32, Duration)> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "day" => DAY,
        _ => return None,
    };
    let count = whole(count).and_then(|count| u32::try_from(count).ok())?;
    Some((count, Duration::from_secs(seconds)))
}

/// `1000/day`.
pub(crate) fn daily(text: &str) -> Option<u64> {
    whole(text.strip_suffix("/day")?)
}

/// `50 MiB/day`, in bytes.
pub(crate) fn daily_size(text: &str) -> Option<u64> {
    size(text.strip_suffix("/day")?)
}

fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|number| *number > 0)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.strip_prefix(' ').unwrap_or(unit)))
}

const DAY: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_and_never_without() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        for bad in [
            "",
            "30",
            "s",
            "0s",
            "-1s",
            "1h",
            "1  s",
            "18446744073709551615min",
            "1.5s",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates_name_a_number_and_a_time() {
        assert_eq!(rate("10/min"), Some((10, Duration::from_secs(60))));
        assert_eq!(rate("1/s"), Some((1, Duration::from_secs(1))));
        assert_eq!(daily("1000/day"), Some(1000));
        assert_eq!(daily_size("50 MiB/day"), Some(50 << 20));
        for bad in [
            "",
            "10",
            "/min",
            "0/min",
            "-1/s",
            "+1/s",
            "10/week",
            "10 / min",
            "10/min ",
            "1.5/s",
            "4294967296/s",
        ] {
            assert_eq!(rate(bad), None, "{bad}");
        }
        for bad in ["10/min", "0/day", "/day", "10"] {
            assert_eq!((daily(bad), daily_size(bad)), (None, None), "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary_and_never_empty() {
        assert_eq!(size("1 MiB"), Some(1 << 20));
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("7 B"), Some(7));
        for bad in ["", "1", "1 MB", "0 B", "99999999999 GiB", "MiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
