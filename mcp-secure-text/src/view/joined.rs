//! Words taken apart and put together again: letter by letter, or in pieces of one length.

use super::map::{Builder, Map};

/// So many letters one by one are a word.
const MIN_SINGLES: usize = 5;

/// So many bytes further the next of them stands, the gaps between words included.
const MAX_GAP: usize = 5;

/// So many pieces of one length are no accident.
const MIN_PIECES: usize = 6;

/// The longest piece, in characters.
const MAX_PIECE: usize = 4;

/// So many letters without a break are more than one word.
const MIN_UNBROKEN: usize = 20;

/// Whether `bytes` start with letters that are more than one word.
pub(super) fn is_unbroken(bytes: &[u8]) -> bool {
    bytes.len() >= MIN_UNBROKEN && bytes.iter().take(MIN_UNBROKEN).all(u8::is_ascii_alphabetic)
}

/// Whether letters stand one by one in `bytes`.
pub(super) fn has_singles(bytes: &[u8]) -> bool {
    let mut found = false;
    singles(bytes, |run| found |= is_word(bytes, run));
    found
}

/// The letters that stand one by one, each run of them on a line.
pub(super) fn join_singles(text: &str) -> Option<(String, Map)> {
    let bytes = text.as_bytes();
    let mut out = Builder::of(text.len());
    singles(bytes, |run| {
        if is_word(bytes, run) {
            line(&mut out, run.first().copied().unwrap_or_default());
            for (index, &at) in run.iter().enumerate() {
                let from = run.get(index + 1).map_or(1, |next| next - at);
                out.put(at, from, bytes.get(at).copied().unwrap_or_default().into());
            }
        }
    });
    (!out.text.is_empty()).then(|| out.finish())
}

/// Runs of letters and digits that stand alone, not far from one another.
fn singles(bytes: &[u8], mut each: impl FnMut(&[usize])) {
    let mut run: Vec<usize> = Vec::new();
    let mut tokens = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| is_part(**b))
        .map(|(at, _)| at)
        .peekable();
    while let Some(start) = tokens.next() {
        let mut end = start;
        while let Some(next) = tokens.next_if_eq(&(end + 1)) {
            end = next;
        }
        let near = run.last().is_none_or(|last| start - last <= MAX_GAP);
        if end > start || !near {
            each(&run);
            run.clear();
        }
        if end == start {
            run.push(start);
        }
    }
    each(&run);
}

/// Letters, and letters of other scripts byte by byte, so that these are never alone.
fn is_part(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

/// Long enough, and of letters rather than numbers.
fn is_word(bytes: &[u8], run: &[usize]) -> bool {
    let letters = run
        .iter()
        .filter(|at| bytes.get(**at).is_some_and(u8::is_ascii_alphabetic))
        .count();
    run.len() >= MIN_SINGLES && letters * 2 >= run.len()
}

/// Words in a row of one length, put together, each row on a line.
pub(super) fn join_pieces(text: &str) -> Option<(String, Map)> {
    let mut out = Builder::of(text.len());
    let mut row: Vec<(usize, &str)> = Vec::new();
    let mut length = 0;
    let mut at = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let start = at;
        at += piece.len();
        if word.is_empty() {
            continue;
        }
        let count = word.chars().take(MAX_PIECE + 1).count();
        if count == length && count <= MAX_PIECE {
            row.push((start, word));
            continue;
        }
        // What is left over at the end of a row is shorter.
        if count < length {
            row.push((start, word));
        }
        join(&mut out, &row);
        row.clear();
        length = count;
        row.push((start, word));
    }
    join(&mut out, &row);
    (!out.text.is_empty()).then(|| out.finish())
}

fn join(out: &mut Builder, row: &[(usize, &str)]) {
    if row.len() >= MIN_PIECES && row.iter().any(|(_, word)| word.len() > 1) {
        line(out, row.first().map_or(0, |(at, _)| *at));
        for (at, word) in row {
            out.copy(*at, word);
        }
    }
}

/// The runs of letters that are more than one word, each on a line.
pub(super) fn unbroken(text: &str) -> Option<(String, Map)> {
    let mut out = Builder::of(text.len());
    let mut at = 0;
    for run in text.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let letters = run.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        if letters.len() >= MIN_UNBROKEN {
            line(&mut out, at);
            out.copy(at, letters);
        }
        at += run.len();
    }
    (!out.text.is_empty()).then(|| out.finish())
}

fn line(out: &mut Builder, at: usize) {
    if !out.text.is_empty() {
        out.put(at, 0, '\n');
    }
}
