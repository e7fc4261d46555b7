//! JSON Web Tokens, RFC 7519, signed (RFC 7515), encrypted (RFC 7516) or neither.

use super::check;
use super::class::{self, BASE64URL};
use super::scan::{Hit, Tail, View};

/// As much of a header is decoded as this many characters say.
const HEADER: usize = 512;

/// A token whose `eyJ`, which is `{"` in base64url, has its `y` at `at`.
pub(super) fn find(view: &View<'_>, at: usize) -> Option<Hit> {
    let start = at.checked_sub(1)?;
    if !view.starts(start) {
        return None;
    }
    from(view, start, start)
}

/// A token with its header at `header` that is part of a secret from `start` on.
pub(super) fn from(view: &View<'_>, start: usize, header: usize) -> Option<Hit> {
    if view.slice(header, header + 3)? != b"eyJ" {
        return None;
    }
    let end = view.run(header, HEADER, BASE64URL);
    if end < header + 16 {
        return None;
    }
    // A header that is longer (it may hold certificates) is judged by its beginning.
    let whole = end < header + HEADER;
    if whole
        && !(view.at(end) == Some(b'.')
            && view
                .at(end + 1)
                .is_some_and(|b| b == b'.' || class::is(b, BASE64URL)))
    {
        return None;
    }
    // The token of jwt.io and of many manuals, in which the subject is 1234567890.
    if view.slice(end + 1, end + 26) == Some(b"eyJzdWIiOiIxMjM0NTY3ODkwI") {
        return None;
    }
    let json = || check::base64(view.slice(header, end).unwrap_or_default());
    if !has_key(json(), b"\"alg\"") || (whole && json().last() != Some(b'}')) {
        return None;
    }
    let dots = if has_key(json(), b"\"enc\"") { 4 } else { 2 };
    Some(Hit {
        tail: Some(Tail::Jwt { dots }),
        ..Hit::new("secret/jwt", start, end)
    })
}

/// Goes on in a token that may have `dots` more dots.
pub(super) fn follow(bytes: &[u8], mut at: usize, dots: &mut u8, eof: bool) -> (usize, bool) {
    loop {
        match bytes.get(at) {
            Some(&b) if class::is(b, BASE64URL) => at += 1,
            Some(b'.') if *dots > 0 => match bytes.get(at + 1) {
                None if !eof => return (at, false),
                // The key of an encrypted token may be empty.
                Some(&b) if class::is(b, BASE64URL) || (b == b'.' && *dots > 1) => {
                    *dots -= 1;
                    at += 1;
                }
                _ => return (at, true),
            },
            Some(_) => return (at, true),
            None => return (at, eof),
        }
    }
}

/// Whether a member of that name, quotes included, is in an object of printable JSON.
fn has_key(json: impl Iterator<Item = u8>, name: &[u8; 5]) -> bool {
    let mut last = [0_u8; 5];
    let mut found = false;
    for b in json {
        if b < b' ' && !matches!(b, b'\n' | b'\r' | b'\t') {
            return false;
        }
        last.rotate_left(1);
        if let Some(end) = last.last_mut() {
            *end = b;
        }
        found |= last == *name;
    }
    found
}
