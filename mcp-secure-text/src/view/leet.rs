//! Digits and signs read as the letters they stand for.

use super::map::Map;

/// The longest word that is looked at; identifiers and hashes are longer.
const MAX_WORD: usize = 24;

/// Whether `bytes` have two words at least that are written with digits for letters.
pub(super) fn is_leet(bytes: &[u8]) -> bool {
    bytes
        .split(|&b| !(b.is_ascii_alphanumeric() || matches!(b, b'@' | b'$' | b'!')))
        .filter(|word| is_leet_word(word))
        .take(2)
        .count()
        == 2
}

/// `r3v34l` and `1gn0r3` are; `utf8`, `v2`, `10ms`, `3f2a9b4c` and `0x1F` are not.
fn is_leet_word(word: &[u8]) -> bool {
    if !(3..=MAX_WORD).contains(&word.len()) || !word.first().is_some_and(u8::is_ascii_graphic) {
        return false;
    }
    let letters = word.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let inner = word
        .windows(3)
        .any(|three| matches!(three, [a, b, c] if a.is_ascii_alphabetic() && b.is_ascii_digit() && c.is_ascii_alphanumeric()));
    let hexadecimal = word.len() >= 8 && word.iter().all(u8::is_ascii_hexdigit);
    letters >= 1 && inner && !hexadecimal
}

/// The text with letters for digits, and `one` for what may be an i or an l.
pub(super) fn read(text: &str, one: char) -> (String, Map) {
    let mut chars = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        let inside = chars
            .peek()
            .is_some_and(|next| next.is_alphanumeric() || is_sign(*next));
        out.push(letter(c, one, inside));
    }
    (out, Map::same(text.len()))
}

/// Whether the two readings of one differ.
pub(super) fn has_one(text: &str) -> bool {
    text.contains(['1', '!', '|'])
}

fn is_sign(c: char) -> bool {
    matches!(c, '@' | '$' | '!' | '|')
}

fn letter(c: char, one: char, inside: bool) -> char {
    match c {
        '0' => 'o',
        '1' => one,
        '2' => 'z',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '6' | '9' => 'g',
        '7' => 't',
        '8' => 'b',
        '@' if inside => 'a',
        '$' if inside => 's',
        '!' | '|' if inside => one,
        _ => c,
    }
}
