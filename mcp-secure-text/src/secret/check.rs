//! Checksums, encodings, and what tells a secret from a word.

use super::class::{self, DIGIT, LOWER, UPPER};

/// CRC-32 as in ISO 3309 and zlib.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut i = 0_usize;
        while i < 16 {
            // `i` is below 16.
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0xEDB8_8320
                } else {
                    crc >> 1
                };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    let nibble = |crc: u32| {
        let index = usize::try_from(crc & 15).unwrap_or(0);
        TABLE.get(index).copied().unwrap_or(0) ^ (crc >> 4)
    };
    !bytes
        .iter()
        .fold(!0, |crc, &b| nibble(nibble(crc ^ u32::from(b))))
}

/// Whether `digits` is `number` in base 62 (`0-9A-Za-z`, most significant digit first).
pub(super) fn is_base62(digits: &[u8], number: u32) -> bool {
    is_number(digits, number, 62, |b| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'Z' => Some(b - b'A' + 10),
        b'a'..=b'z' => Some(b - b'a' + 36),
        _ => None,
    })
}

/// Whether `digits` is `number` in base 36 (`0-9a-z`).
pub(super) fn is_base36(digits: &[u8], number: u32) -> bool {
    is_number(digits, number, 36, |b| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'z' => Some(b - b'a' + 10),
        _ => None,
    })
}

fn is_number(digits: &[u8], number: u32, base: u64, value: fn(u8) -> Option<u8>) -> bool {
    digits.len() <= 8
        && digits
            .iter()
            .try_fold(0_u64, |n, &b| Some(n * base + u64::from(value(b)?)))
            == Some(u64::from(number))
}

/// Whether `data` ends with the right checksum of bech32 (BIP 173) for the human-readable part
/// `prefix`, which is lower case.
pub(super) fn is_bech32(prefix: &[u8], data: impl Iterator<Item = u8>) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    fn step(sum: u32, value: u8) -> u32 {
        const GENERATOR: [u32; 5] = [
            0x3B6A_57B2,
            0x2650_8E6D,
            0x1EA1_19FA,
            0x3D42_33DD,
            0x2A14_62B3,
        ];
        let top = sum >> 25;
        let sum = ((sum & 0x1FF_FFFF) << 5) ^ u32::from(value);
        GENERATOR.iter().enumerate().fold(
            sum,
            |sum, (i, g)| {
                if (top >> i) & 1 == 1 { sum ^ g } else { sum }
            },
        )
    }
    let mut sum = prefix.iter().fold(1, |sum, b| step(sum, b >> 5));
    sum = step(sum, 0);
    sum = prefix.iter().fold(sum, |sum, b| step(sum, b & 31));
    for b in data {
        match ALPHABET.iter().position(|&a| a == b.to_ascii_lowercase()) {
            Some(value) => sum = step(sum, u8::try_from(value).unwrap_or(0)),
            None => return false,
        }
    }
    sum == 1
}

/// The Luhn checksum, ISO/IEC 7812-1, over digits as numbers.
pub(super) fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| match (i % 2, u32::from(d)) {
            (0, d) => d,
            (_, d) if d > 4 => 2 * d - 9,
            (_, d) => 2 * d,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The bytes of `text` in base64 of either alphabet, padding aside. Other bytes are left out, so
/// check the alphabet first.
pub(super) fn base64(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut bits = 0_u32;
    let mut have = 0_u32;
    text.iter().filter_map(move |&b| {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        have += 6;
        (have >= 8).then(|| {
            have -= 8;
            // The cast keeps the eight bits that are complete.
            (bits >> have) as u8
        })
    })
}

/// How many different bytes there are.
pub(super) fn distinct(bytes: &[u8]) -> u32 {
    let seen = bytes
        .iter()
        .fold(0_u128, |seen, b| seen | (1 << (u32::from(*b) & 127)));
    seen.count_ones()
}

/// Whether a token is one of a manual: it says so, counts up, or repeats itself.
///
/// A random token is taken for one of these once in ten thousand times at most.
pub(super) fn is_documented(token: &[u8]) -> bool {
    if distinct(token) < 8 {
        return true;
    }
    let mut last = 0_u8;
    let (mut same, mut rising) = (0_u32, 0_u32);
    for &b in token {
        same = if b == last { same + 1 } else { 1 };
        rising = if b == last.wrapping_add(1) {
            rising + 1
        } else {
            1
        };
        if same >= 6 || rising >= 7 {
            return true;
        }
        last = b;
    }
    let start = token
        .iter()
        .position(|&b| b != b'-' && b != b'_')
        .and_then(|at| token.get(at..at + 4));
    start.is_some_and(|word| word.eq_ignore_ascii_case(b"your"))
        || contains_any(token, &[b"example"])
}

/// Whether one of `words`, which are lower case, is in `text` in any case.
pub(super) fn contains_any(text: &[u8], words: &[&[u8]]) -> bool {
    super::steps(text.len());
    (0..text.len()).any(|at| {
        let rest = text.get(at..).unwrap_or_default();
        words.iter().any(|word| {
            rest.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        })
    })
}

/// What a value is made of.
#[derive(Default)]
pub(super) struct Shape {
    pub(super) lower: u32,
    pub(super) upper: u32,
    pub(super) digit: u32,
    pub(super) other: u32,
    /// How often letters of one case or digits are followed by those of another kind, whatever
    /// stands between. In words this is rare, in random text it is every other character.
    pub(super) changes: u32,
}

impl Shape {
    pub(super) fn of(value: &[u8]) -> Self {
        super::steps(value.len());
        let mut shape = Self::default();
        let mut last = 0;
        for &b in value {
            let (count, kind) = if class::is(b, LOWER) {
                (&mut shape.lower, LOWER)
            } else if class::is(b, UPPER) {
                (&mut shape.upper, UPPER)
            } else if class::is(b, DIGIT) {
                (&mut shape.digit, DIGIT)
            } else {
                shape.other += 1;
                continue;
            };
            *count += 1;
            shape.changes += u32::from(last != 0 && last != kind);
            last = kind;
        }
        shape
    }

    /// How many kinds of characters there are, of four.
    pub(super) fn kinds(&self) -> u32 {
        [self.lower, self.upper, self.digit, self.other]
            .iter()
            .map(|&n| u32::from(n > 0))
            .sum()
    }

    /// Whether a machine made this, not a person who names things.
    pub(super) fn is_random(&self) -> bool {
        let length = self.lower + self.upper + self.digit + self.other;
        let letters = self.lower + self.upper;
        letters >= 2
            && ((self.digit >= 2 && self.changes * 5 >= length)
                || (self.digit >= 1 && self.changes * 3 >= length))
    }
}
