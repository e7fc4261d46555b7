//! Letters turned by thirteen places, letters from last to first, and Braille.

use super::map::{Builder, Map};
use crate::report::View;

/// The first six letters of words that tell of an attack, under ROT13: ignore, previous,
/// instructions, system, prompt, reveal, assistant, secret, password, override, disregard, execute,
/// forget.
const ROT13: [[u8; 6]; 13] = [
    *b"vtaber", *b"cerivb", *b"vafgeh", *b"flfgrz", *b"cebzcg", *b"erirny", *b"nffvfg", *b"frperg",
    *b"cnffjb", *b"bireev", *b"qvfert", *b"rkrphg", *b"sbetrg",
];

/// The same words from last letter to first: six letters of each.
const REVERSED: [[u8; 6]; 13] = [
    *b"erongi", *b"suoive", *b"itcurt", *b"metsys", *b"tpmorp", *b"laever", *b"tnatsi", *b"terces",
    *b"drowss", *b"edirre", *b"drager", *b"etucex", *b"tegrof",
];

const HINT_BITS: u32 = 12;

/// For three letters in a row, whether they may be part of such a word.
static HINTS: [u8; 1 << HINT_BITS] = hints();

#[allow(clippy::indexing_slicing)] // Evaluated by the compiler.
const fn hints() -> [u8; 1 << HINT_BITS] {
    let mut hints = [0; 1 << HINT_BITS];
    let mut word = 0;
    while word < ROT13.len() {
        let mut at = 0;
        while at < 4 {
            let (a, b) = (&ROT13[word], &REVERSED[word]);
            hints[slot(u32::from_le_bytes([a[at], a[at + 1], a[at + 2], 0]))] = 1;
            hints[slot(u32::from_le_bytes([b[at], b[at + 1], b[at + 2], 0]))] = 1;
            at += 1;
        }
        word += 1;
    }
    hints
}

/// The slot of the first three of four bytes, whatever their case.
const fn slot(four: u32) -> usize {
    ((four & 0x001F_1F1F).wrapping_mul(0x9E37_79B1) >> (32 - HINT_BITS)) as usize
}

/// Not zero if the first three of `four` bytes may be part of a word that is turned.
#[inline(always)]
pub(super) fn hint(four: u32) -> u8 {
    HINTS.get(slot(four)).copied().unwrap_or(1)
}

/// Which way a word is turned that starts at one of the first bytes.
pub(super) fn find(bytes: &[u8]) -> Option<View> {
    bytes.windows(6).find_map(|six| {
        let six: &[u8; 6] = six.try_into().ok()?;
        let six = number(&six.map(|b| b | 0x20));
        let is = |word: &[u8; 6]| number(word) == six;
        if ROT13.iter().any(is) {
            Some(View::Rot13)
        } else if REVERSED.iter().any(is) {
            Some(View::Reversed)
        } else {
            None
        }
    })
}

/// Six letters as one number, quick to compare.
fn number(&[a, b, c, d, e, f]: &[u8; 6]) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

pub(super) fn rot13(text: &str) -> (String, Map) {
    let turn = |c: char, first: u8| {
        let place = (u32::from(c) - u32::from(first) + 13) % 26;
        char::from_u32(place + u32::from(first)).unwrap_or(c)
    };
    let turned = text
        .chars()
        .map(|c| match c {
            'a'..='z' => turn(c, b'a'),
            'A'..='Z' => turn(c, b'A'),
            _ => c,
        })
        .collect();
    (turned, Map::same(text.len()))
}

/// The whole text from last character to first: words and their order are turned.
pub(super) fn reversed(text: &str) -> (String, Map) {
    (text.chars().rev().collect(), Map::mirrored(text.len()))
}

/// The text with the letters of each word from last to first, the words in their order.
pub(super) fn reversed_words(text: &str) -> (String, Map) {
    let mut out = Builder::new(text.len());
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let letters = word.trim_end();
        if !letters.is_empty() {
            let start = out.text.len();
            out.text.extend(letters.chars().rev());
            out.made(start, at, letters.len());
        }
        out.copy(
            at + letters.len(),
            word.get(letters.len()..).unwrap_or_default(),
        );
        at += word.len();
    }
    out.finish()
}

/// So many cells in a row are words.
const MIN_CELLS: usize = 4;

/// Braille cells as the letters and signs of grade 1; the rest of the text is left out.
pub(super) fn braille(text: &str) -> Option<(String, Map)> {
    let mut out = Builder::of(text.len());
    let mut letters = 0;
    let mut number = false;
    for (at, c) in text.char_indices() {
        let dots = match c {
            '\u{2800}'..='\u{28FF}' => u32::from(c) - 0x2800,
            _ => {
                number = false;
                if out.text.ends_with(|c: char| c != ' ' && c != '\n') {
                    out.put(at, c.len_utf8(), if c == '\n' { '\n' } else { ' ' });
                }
                continue;
            }
        };
        let letter = braille_cell(dots);
        match letter {
            Some('#') => number = true,
            Some(letter) => {
                number &= matches!(letter, 'a'..='j');
                let letter = match letter {
                    'j' if number => '0',
                    _ if number => char::from_u32(u32::from(letter) - 0x30).unwrap_or(letter),
                    _ => letter,
                };
                letters += usize::from(letter.is_ascii_alphabetic());
                out.put(at, c.len_utf8(), letter);
            }
            None => {}
        }
    }
    (letters >= MIN_CELLS).then(|| out.finish())
}

fn braille_cell(dots: u32) -> Option<char> {
    const LETTERS: [u32; 26] = [
        0x01, 0x03, 0x09, 0x19, 0x11, 0x0B, 0x1B, 0x13, 0x0A, 0x1A, 0x05, 0x07, 0x0D, 0x1D, 0x15,
        0x0F, 0x1F, 0x17, 0x0E, 0x1E, 0x25, 0x27, 0x3A, 0x2D, 0x3D, 0x35,
    ];
    // Dots 7 and 8 are for capitals and underlining, in computers' Braille.
    let dots = dots & 0x3F;
    if let Some(letter) = LETTERS.iter().position(|&cell| cell == dots) {
        return char::from_u32(u32::from('a') + u32::try_from(letter).ok()?);
    }
    Some(match dots {
        0x00 => ' ',
        0x02 => ',',
        0x06 => ';',
        0x12 => ':',
        0x32 => '.',
        0x16 => '!',
        0x26 => '?',
        0x24 => '-',
        0x04 => '\'',
        0x0C => '/',
        0x3C => '#',
        _ => return None,
    })
}
