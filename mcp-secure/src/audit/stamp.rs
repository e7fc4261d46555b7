//! When a record was made.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};

/// A moment in UTC, to the nanosecond, written as RFC 3339 has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp(SystemTime);

impl Stamp {
    pub(crate) fn now() -> Self {
        Self(SystemTime::now())
    }
}

impl Serialize for Stamp {
    /// The calendar is asked once a second: many records are of the same one, and only what is
    /// behind the point differs.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        thread_local! {
            static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
        }
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != since.as_secs() || text.is_empty() {
                *second = since.as_secs();
                let moment = i64::try_from(*second).ok();
                let moment = moment.and_then(|second| chrono::DateTime::from_timestamp(second, 0));
                *text = moment
                    .unwrap_or_default()
                    .format("%Y-%m-%dT%H:%M:%S.")
                    .to_string();
            }
            let whole = text.len();
            let mut rest = since.subsec_nanos();
            let mut digits = *b"000000000Z";
            for digit in digits.iter_mut().take(9).rev() {
                *digit += u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
            text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
            let done = serializer.serialize_str(text);
            text.truncate(whole);
            done
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_moment_is_written_as_the_calendar_has_it() {
        for (seconds, nanos) in [
            (0, 0),
            (1_767_225_599, 999_999_999),
            (1_767_225_600, 1),
            (1_767_225_600, 120_000_000),
            (1_709_164_800, 7),
            (4_107_542_399, 100),
        ] {
            let stamp = Stamp(UNIX_EPOCH + Duration::new(seconds, nanos));
            let moment = chrono::DateTime::from_timestamp(seconds.cast_signed(), nanos).unwrap();
            let expected = moment.format("\"%Y-%m-%dT%H:%M:%S.%9fZ\"").to_string();
            assert_eq!(serde_json::to_string(&stamp).unwrap(), expected);
            assert_eq!(serde_json::to_string(&stamp).unwrap(), expected, "again");
        }
    }
}
