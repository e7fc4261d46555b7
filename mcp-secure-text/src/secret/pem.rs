//! Private keys in the textual encoding of RFC 7468 and RFC 4880.

use super::check;
use super::class::{self, BASE64, DIGIT, EQUALS, GAP, UPPER};
use super::scan::{Hit, Tail, View};

/// Lines shorter than this are the last of a key, or none of it.
const LINE: usize = 20;

/// How far the end of a key is looked for behind one of its lines.
pub(super) const AHEAD: usize = 160;

/// A key whose `-----BEGIN` has its last dash at `at`. Found is what stands between the markers.
pub(super) fn find(view: &View<'_>, at: usize) -> Option<Hit> {
    if view.slice(at.checked_sub(4)?, at + 7)? != b"-----BEGIN " {
        return None;
    }
    let label = at + 7;
    let mut end = label;
    while end < label + 48
        && view
            .at(end)
            .is_some_and(|b| b == b' ' || class::is(b, UPPER | DIGIT))
    {
        end += 1;
    }
    let name = view.slice(label, end)?;
    if !name.ends_with(b"PRIVATE KEY") && !name.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    if view.slice(end, end + 5)? != b"-----" {
        return None;
    }
    let mut start = skip_gap(|i| view.at(i), end + 5);
    // Encrypted keys say how, PGP says who: RFC 1421 and RFC 4880 have a few such lines.
    for _ in 0..6 {
        const HEADERS: [&[u8]; 7] = [
            b"Proc-Type:",
            b"DEK-Info:",
            b"Version:",
            b"Comment:",
            b"Hash:",
            b"Charset:",
            b"MessageID:",
        ];
        let known = HEADERS
            .iter()
            .any(|header| view.slice(start, start + header.len()) == Some(header));
        if !known {
            break;
        }
        let line_end = (start..start + 120).find(|&i| matches!(view.at(i), Some(b'\n' | b'\\')))?;
        start = skip_gap(|i| view.at(i), line_end);
    }
    let end = view.run(start, 120, BASE64 | EQUALS);
    let line = view.slice(start, end)?;
    if line.len() < LINE || check::distinct(line) < 8 {
        return None;
    }
    Some(Hit {
        tail: Some(Tail::Pem),
        ..Hit::new("secret/private-key", start, end)
    })
}

/// Goes on behind a line of a key: where the key ends, and whether that is known.
pub(super) fn follow(bytes: &[u8], mut at: usize, eof: bool) -> (usize, bool) {
    let is_at = |i: usize, kind| bytes.get(i).is_some_and(|&b| class::is(b, kind));
    loop {
        while is_at(at, BASE64 | EQUALS) {
            at += 1;
        }
        if !eof && at + AHEAD > bytes.len() {
            return (at, false);
        }
        let line = skip_gap(|i| bytes.get(i).copied(), at);
        let mut end = line;
        while end < line + LINE && is_at(end, BASE64 | EQUALS) {
            end += 1;
        }
        super::steps(end - at);
        if end - line >= LINE {
            at = end;
            continue;
        }
        // A short line is the last one of the key if the marker follows it.
        let marker = skip_gap(|i| bytes.get(i).copied(), end);
        if end > line && bytes.get(marker..marker + 5) == Some(b"-----") {
            at = end;
        }
        return (at, true);
    }
}

/// Behind white space, line breaks as they are written in strings, and what joins strings.
fn skip_gap(byte: impl Fn(usize) -> Option<u8>, from: usize) -> usize {
    let mut at = from;
    while at < from + 24 {
        at += match (byte(at), byte(at + 1)) {
            (Some(b'\\'), Some(b'n' | b'r' | b't')) => 2,
            (Some(b'+'), Some(b' ' | b'\n' | b'\r')) => 1,
            (Some(b), _) if class::is(b, GAP) && b != b'+' => 1,
            _ => break,
        };
    }
    at
}
