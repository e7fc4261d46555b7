//! Text inside Base64, Base32 and hexadecimal.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::escapes::hex_byte;
use crate::report::View;

/// The shortest blob of each kind, in characters.
const MIN_BASE64: usize = 16;
const MIN_BASE32: usize = 24;
const MIN_HEX: usize = 16;

/// The fewest bytes that stand one by one.
const MIN_BYTES: usize = 5;

/// The most bytes that are decoded of one blob.
pub(super) const MAX_DECODED: usize = 8 * 1024;

/// A model does not mind missing padding or bits left over.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Whether `bytes` start with what may be a blob with text in it.
pub(super) fn starts_at(bytes: &[u8]) -> bool {
    let start = |length: usize| bytes.get(..length).unwrap_or_default();
    let readable = |bytes: Option<Vec<u8>>| bytes.is_some_and(|bytes| is_text(&bytes, true));
    readable(base64(start(MIN_BASE64)))
        || readable(hex(start(MIN_HEX)))
        || readable(base32(start(MIN_BASE32)))
}

/// Whether bytes in hexadecimal stand one by one in `bytes`.
pub(super) fn has_bytes(bytes: &[u8]) -> bool {
    let mut found = false;
    spaced(bytes, |_, decoded| found |= is_text(&decoded, true));
    found
}

/// Gives each blob of `text` with text in it to `each`, until that has enough.
pub(super) fn decode(text: &str, each: &mut dyn FnMut(View, Range<usize>, String) -> bool) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(ahead) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|&b| is_token(b)))
    {
        let start = at + ahead;
        let end = run_end(bytes, start);
        at = end;
        if end - start < MIN_HEX {
            continue;
        }
        // A blob that was broken into lines.
        let whole = wrapped_end(bytes, start, end);
        if whole > end
            && let Some((view, decoded)) = one(bytes.get(start..whole).unwrap_or_default())
        {
            at = whole;
            if !each(view, start..whole, decoded) {
                return;
            }
            continue;
        }
        let run = bytes.get(start..end).unwrap_or_default();
        if let Some((view, decoded)) = one(run) {
            if !each(view, start..end, decoded) {
                return;
            }
            continue;
        }
        // A path, or words around the blob.
        let mut part_start = start;
        for part in run.split(|b| !b.is_ascii_alphanumeric()) {
            let part_end = part_start + part.len();
            if part.len() >= MIN_HEX
                && part.len() < run.len()
                && let Some((view, decoded)) = one(part)
                && !each(view, part_start..part_end, decoded)
            {
                return;
            }
            part_start = part_end + 1;
        }
    }
}

/// Gives the text in bytes that stand one by one to `each`, until that has enough.
pub(super) fn decode_bytes(text: &str, each: &mut dyn FnMut(View, Range<usize>, String) -> bool) {
    let mut more = true;
    spaced(text.as_bytes(), |span, decoded| {
        if more && let Some(decoded) = readable(decoded) {
            more = each(View::Hex, span, decoded);
        }
    });
}

fn one(run: &[u8]) -> Option<(View, String)> {
    let hex = || Some((View::Hex, readable(hex(run)?)?));
    let base32 = || Some((View::Base32, readable(base32(run)?)?));
    let base64 = || Some((View::Base64, readable(base64(run)?)?));
    hex().or_else(base32).or_else(base64)
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
}

fn run_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|b| is_token(**b)).count()
}

/// Where the lines end that go on with the run at `start`: all but the last are of one length.
fn wrapped_end(bytes: &[u8], start: usize, end: usize) -> usize {
    let length = end - start;
    let mut end = end;
    while end - start < 2 * MAX_DECODED {
        let rest = bytes.get(end..).unwrap_or_default();
        let gap = rest
            .iter()
            .take(16)
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        if !rest.iter().take(gap).any(|&b| b == b'\n') {
            break;
        }
        let next = run_end(bytes, end + gap);
        let line = next - end - gap;
        if line == 0 || line > length {
            break;
        }
        end = next;
        if line < length {
            break;
        }
    }
    end
}

fn base64(run: &[u8]) -> Option<Vec<u8>> {
    let mut run: Vec<u8> = run
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .take(MAX_DECODED / 3 * 4)
        .collect();
    if run.len() < MIN_BASE64 {
        return None;
    }
    // One character alone holds no byte.
    if run.len() % 4 == 1 {
        run.pop();
    }
    let url = run.iter().any(|b| matches!(b, b'-' | b'_'));
    let engine = if url { &BASE64_URL } else { &BASE64 };
    engine.decode(&run).ok()
}

fn base32(run: &[u8]) -> Option<Vec<u8>> {
    let run: Vec<u8> = run
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    if run.len() < MIN_BASE32 {
        return None;
    }
    let mut decoded = Vec::with_capacity(run.len() / 8 * 5);
    let mut bits = 0_u32;
    let mut count = 0;
    for b in run.iter().take(MAX_DECODED / 5 * 8) {
        let five = match b.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(five);
        count += 5;
        if count >= 8 {
            count -= 8;
            decoded.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    Some(decoded)
}

fn hex(run: &[u8]) -> Option<Vec<u8>> {
    let run: Vec<u8> = run
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let run = run.strip_prefix(b"0x").unwrap_or(&run);
    let (pairs, rest) = run.as_chunks::<2>();
    if run.len() + 2 < MIN_HEX || !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .take(MAX_DECODED)
        .map(|[high, low]| hex_byte(*high, *low))
        .collect()
}

/// Pairs of hexadecimal digits, with `0x` or without, and up to two signs between them.
fn spaced(bytes: &[u8], mut each: impl FnMut(Range<usize>, Vec<u8>)) {
    let mut span = 0..0;
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(ahead) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(u8::is_ascii_alphanumeric))
    {
        let start = at + ahead;
        let rest = bytes.get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric())
            .count();
        at = start + length;
        let byte = match rest.get(..length) {
            Some([high, low]) => hex_byte(*high, *low),
            Some([b'0', b'x' | b'X', high, low]) => hex_byte(*high, *low),
            _ => None,
        };
        if byte.is_none() || start - span.end > 2 || decoded.len() == MAX_DECODED {
            if decoded.len() >= MIN_BYTES {
                each(span.clone(), std::mem::take(&mut decoded));
            }
            decoded.clear();
            span = start..at;
        }
        if let Some(byte) = byte {
            if decoded.is_empty() {
                span.start = start;
            }
            decoded.push(byte);
            span.end = at;
        }
    }
    if decoded.len() >= MIN_BYTES {
        each(span, decoded);
    }
}

/// `bytes` as text, if they are.
pub(super) fn readable(mut bytes: Vec<u8>) -> Option<String> {
    if !is_text(&bytes, false) {
        return None;
    }
    if let Err(error) = str::from_utf8(&bytes) {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.is_empty())
}

/// Whether `bytes` are UTF-8 up to where they were cut, and nine in ten characters are printable;
/// of a `start`, one in two.
fn is_text(bytes: &[u8], start: bool) -> bool {
    let valid = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| str::from_utf8(valid).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    let count = valid.chars().count();
    let odd = valid
        .chars()
        .filter(|c| c.is_control() && !c.is_whitespace())
        .count();
    count > 0 && odd * if start { 2 } else { 10 } <= count
}
