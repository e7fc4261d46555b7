//! Characters written as numbers or names: HTML entities, percent encoding, escapes.

use super::map::{Builder, Map};
use super::{ceil, floor};
use crate::report::View;

pub(super) const VIEWS: [View; 3] = [View::Entities, View::Percent, View::Escapes];

/// Decodes what starts the bytes; how many it took.
type Decoder = fn(&[u8], &mut String) -> usize;

/// So many bytes around what was encoded are read with it.
const AROUND: usize = 128;

/// Whether something encoded starts `bytes`.
pub(super) fn starts_at(bytes: &[u8]) -> bool {
    let mut out = String::new();
    match bytes.first() {
        Some(b'&') => entity(bytes, &mut out) > 0,
        Some(b'%') => percent(bytes, &mut out) > 0,
        Some(b'\\') => escape(bytes, &mut out) > 0,
        _ => false,
    }
}

/// The encoded places of `text`, decoded, with what stands around them.
pub(super) fn decode(text: &str, view: View) -> Option<(String, Map)> {
    let (marker, one): (u8, Decoder) = match view {
        View::Entities => (b'&', entity),
        View::Percent => (b'%', percent),
        View::Escapes => (b'\\', escape),
        _ => return None,
    };
    let bytes = text.as_bytes();
    let mut out = Builder::of(text.len());
    let mut decoded = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let Some(ahead) = rest.iter().position(|&b| b == marker) else {
            break;
        };
        at += ahead;
        decoded.clear();
        let taken = one(bytes.get(at..).unwrap_or_default(), &mut decoded);
        if taken == 0 {
            at += 1;
            continue;
        }
        if out.text.is_empty() || at - done > 2 * AROUND {
            if !out.text.is_empty() {
                let end = ceil(text, (done + AROUND).min(at));
                out.copy(done, text.get(done..end).unwrap_or_default());
                out.put(end, 0, '\n');
                done = end;
            }
            done = done.max(floor(text, at.saturating_sub(AROUND)));
        }
        out.copy(done, text.get(done..at).unwrap_or_default());
        let start = out.text.len();
        out.text.push_str(&decoded);
        out.made(start, at, taken);
        at += taken;
        done = at;
    }
    if out.text.is_empty() {
        return None;
    }
    let end = ceil(text, (done + AROUND).min(text.len()));
    out.copy(done, text.get(done..end).unwrap_or_default());
    Some(out.finish())
}

/// `&#105;`, `&#x69;` and the names people use; how many bytes it took.
fn entity(bytes: &[u8], out: &mut String) -> usize {
    let Some(rest) = bytes.get(1..bytes.len().min(18)) else {
        return 0;
    };
    if let [b'#', number @ ..] = rest {
        let (digits, radix, head) = match number {
            [b'x' | b'X', digits @ ..] => (digits, 16, 3),
            digits => (digits, 10, 2),
        };
        let count = digits
            .iter()
            .take_while(|b| char::from(**b).is_digit(radix))
            .count();
        let Some(c) = digits
            .get(..count)
            .and_then(|digits| number_char(digits, radix))
        else {
            return 0;
        };
        out.push(c);
        return head + count + usize::from(digits.get(count) == Some(&b';'));
    }
    let count = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if rest.get(count) != Some(&b';') {
        return 0;
    }
    let name = rest.get(..count).and_then(|name| str::from_utf8(name).ok());
    match name.and_then(named) {
        Some(c) => {
            out.push(c);
            count + 2
        }
        None => 0,
    }
}

fn number_char(digits: &[u8], radix: u32) -> Option<char> {
    let digits = str::from_utf8(digits).ok()?;
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" | "AMP" => '&',
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "quot" | "QUOT" | "ldquo" | "rdquo" => '"',
        "apos" | "lsquo" | "rsquo" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" | "Tab" => ' ',
        "NewLine" => '\n',
        "shy" | "zwj" | "zwnj" | "ZeroWidthSpace" | "NoBreak" => '\u{200B}',
        "excl" => '!',
        "num" => '#',
        "dollar" => '$',
        "percnt" => '%',
        "lpar" => '(',
        "rpar" => ')',
        "ast" | "midast" => '*',
        "plus" => '+',
        "comma" => ',',
        "hyphen" | "dash" | "ndash" | "mdash" => '-',
        "period" => '.',
        "sol" => '/',
        "colon" => ':',
        "semi" => ';',
        "equals" => '=',
        "quest" => '?',
        "commat" => '@',
        "lsqb" | "lbrack" => '[',
        "bsol" => '\\',
        "rsqb" | "rbrack" => ']',
        "Hat" => '^',
        "lowbar" => '_',
        "grave" => '`',
        "lcub" | "lbrace" => '{',
        "verbar" | "vert" => '|',
        "rcub" | "rbrace" => '}',
        "fjlig" => 'f',
        _ => return None,
    })
}

/// One character as `%69`, or `%u0069`.
fn percent(bytes: &[u8], out: &mut String) -> usize {
    if let Some(b'u' | b'U') = bytes.get(1) {
        return bytes
            .get(2..6)
            .and_then(|digits| number_char(digits, 16))
            .map_or(0, |c| {
                out.push(c);
                6
            });
    }
    utf8(bytes, out, |bytes| match bytes {
        [b'%', high, low, ..] => Some((hex_byte(*high, *low)?, 3)),
        _ => None,
    })
}

/// `\u0069`, `\u{69}`, `\U00000069`, `\x69`, `\x{69}`, `\151`.
fn escape(bytes: &[u8], out: &mut String) -> usize {
    match bytes {
        [b'\\', b'u' | b'U' | b'x', b'{', digits @ ..] => {
            let count = digits
                .iter()
                .take(6)
                .take_while(|b| b.is_ascii_hexdigit())
                .count();
            match digits
                .get(..count)
                .and_then(|digits| number_char(digits, 16))
            {
                Some(c) if digits.get(count) == Some(&b'}') => {
                    out.push(c);
                    count + 4
                }
                _ => 0,
            }
        }
        [b'\\', b'u', ..] => unicode_escape(bytes, out),
        [b'\\', b'U', digits @ ..] => match digits.get(..8).and_then(|d| number_char(d, 16)) {
            Some(c) => {
                out.push(c);
                10
            }
            None => 0,
        },
        _ => utf8(bytes, out, |bytes| match bytes {
            [b'\\', b'x', high, low, ..] => Some((hex_byte(*high, *low)?, 4)),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                Some(((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), 4))
            }
            _ => None,
        }),
    }
}

fn unicode_escape(bytes: &[u8], out: &mut String) -> usize {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 4)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    };
    let Some(first) = unit(2) else {
        return 0;
    };
    // A tag has five digits, and many write it so.
    if (0xE000..=0xE00F).contains(&first)
        && let Some(c) = bytes.get(2..7).and_then(|digits| number_char(digits, 16))
    {
        out.push(c);
        return 7;
    }
    if let Some(c) = char::from_u32(first) {
        out.push(c);
        return 6;
    }
    if bytes.get(6..8) == Some(b"\\u")
        && let Some(second) = unit(8)
        && let Some(Ok(c)) = char::decode_utf16([first, second].map(|unit| unit as u16)).next()
    {
        out.push(c);
        return 12;
    }
    0
}

/// One character of UTF-8 whose bytes `one` decodes; how many bytes it took.
fn utf8(bytes: &[u8], out: &mut String, one: impl Fn(&[u8]) -> Option<(u8, usize)>) -> usize {
    let mut utf8 = Vec::with_capacity(4);
    let mut taken = 0;
    while utf8.len() < 4 {
        let Some((byte, length)) = one(bytes.get(taken..).unwrap_or_default()) else {
            return 0;
        };
        utf8.push(byte);
        taken += length;
        match str::from_utf8(&utf8) {
            Ok(c) => {
                out.push_str(c);
                return taken;
            }
            Err(error) if error.error_len().is_some() => return 0,
            Err(_) => {}
        }
    }
    0
}

pub(super) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}
