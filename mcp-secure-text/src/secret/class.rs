//! Kinds of bytes. One table, so that a run costs one look-up a byte.

/// A set of kinds of bytes.
pub(super) type Class = u16;

pub(super) const DIGIT: Class = 1;
const HEX_LOWER: Class = 1 << 1;
const REST_LOWER: Class = 1 << 2;
const HEX_UPPER: Class = 1 << 3;
const REST_UPPER: Class = 1 << 4;
pub(super) const DASH: Class = 1 << 5;
pub(super) const UNDERSCORE: Class = 1 << 6;
const PLUS_SLASH: Class = 1 << 7;
pub(super) const EQUALS: Class = 1 << 8;
pub(super) const DOT: Class = 1 << 9;
/// What may stand in an unquoted value: no space, quote, bracket or separator of lists.
pub(super) const VALUE: Class = 1 << 10;
/// What may stand in a quoted value besides: separators of lists.
const LIST: Class = 1 << 11;
/// What may stand between `//` and the path of a URL.
pub(super) const AUTHORITY: Class = 1 << 12;
/// What may stand in the part of an address before its `@`, letters and digits aside.
const LOCAL: Class = 1 << 13;
/// What stands between the lines of a key: white space, and what source code puts there.
pub(super) const GAP: Class = 1 << 14;
const TILDE: Class = 1 << 15;

pub(super) const LOWER: Class = HEX_LOWER | REST_LOWER;
pub(super) const UPPER: Class = HEX_UPPER | REST_UPPER;
pub(super) const HEX: Class = DIGIT | HEX_LOWER;
pub(super) const LETTER: Class = LOWER | UPPER;
pub(super) const ALNUM: Class = DIGIT | LETTER;
/// Letters, digits and the underscore: what a double click selects.
pub(super) const WORD: Class = ALNUM | UNDERSCORE;
pub(super) const BASE64: Class = ALNUM | PLUS_SLASH;
pub(super) const BASE64URL: Class = WORD | DASH;
/// The alphabet of bearer tokens, RFC 6750.
pub(super) const TOKEN68: Class = BASE64URL | PLUS_SLASH | DOT | TILDE | EQUALS;
/// Names of settings and headers.
pub(super) const NAME: Class = WORD | DASH | DOT;
pub(super) const QUOTED: Class = VALUE | LIST;
pub(super) const EMAIL_LOCAL: Class = ALNUM | LOCAL;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const TABLE: [Class; 256] = {
    let mut table = [0; 256];
    let mut i = 0_usize;
    while i < 256 {
        // `i` is below 256.
        let b = i as u8;
        let mut class = match b {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LOWER,
            b'g'..=b'z' => REST_LOWER,
            b'A'..=b'F' => HEX_UPPER,
            b'G'..=b'Z' => REST_UPPER,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            b'+' | b'/' => PLUS_SLASH,
            b'=' => EQUALS,
            b'.' => DOT,
            b'~' => TILDE,
            _ => 0,
        };
        if b > b' ' && b != 0x7F {
            if !matches!(
                b,
                b'"' | b'\'' | b'`' | b',' | b';' | b'&' | b'|' | b'\\' | b'<' | b'>'
            ) && !matches!(b, b'(' | b')' | b'[' | b']' | b'{' | b'}')
            {
                class |= VALUE;
            }
            if matches!(b, b',' | b';' | b'&' | b'|') {
                class |= LIST;
            }
            if !matches!(
                b,
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\'
            ) {
                class |= AUTHORITY;
            }
        }
        if matches!(b, b'.' | b'_' | b'%' | b'+' | b'-') {
            class |= LOCAL;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'\\' | b'"' | b'\'')
            || matches!(b, b'+' | b',' | b';' | b'.' | b'|' | b'>' | b'#' | b'*')
        {
            class |= GAP;
        }
        table[i] = class;
        i += 1;
    }
    table
};

/// Whether `b` is of one of the kinds in `class`.
#[inline]
pub(super) fn is(b: u8, class: Class) -> bool {
    TABLE
        .get(usize::from(b))
        .is_some_and(|&kinds| kinds & class != 0)
}
