//! Numbers and addresses of people.

use super::class::{self, ALNUM, DASH, DIGIT, DOT, EMAIL_LOCAL, UPPER, WORD};
use super::scan::{Hit, View};
use super::{Kinds, assign, check};

/// A number that starts at `at`: a card's, or a social security number.
pub(super) fn number(view: &View<'_>, at: usize, kinds: Kinds) -> Option<Hit> {
    if at.checked_sub(1).and_then(|i| view.at(i)).is_some_and(|b| {
        class::is(b, WORD | DASH | DOT) || matches!(b, b'/' | b'#' | b'+' | b'$' | b'%' | b'@')
    }) && !view_escape(view, at)
    {
        return None;
    }
    if kinds.contains(Kinds::CARDS)
        && let Some(end) = card(view, at)
    {
        return Some(Hit::new("personal/card-number", at, end));
    }
    if kinds.contains(Kinds::US_SSN)
        && let Some(end) = ssn(view, at)
    {
        return Some(Hit::new("personal/us-ssn", at, end));
    }
    None
}

/// Whether `at` is behind an escape, as in `\n4`.
fn view_escape(view: &View<'_>, at: usize) -> bool {
    at >= 2 && view.at(at - 2) == Some(b'\\') && matches!(view.at(at - 1), Some(b'n' | b'r' | b't'))
}

/// Whether a number may end at `end`: it does not go on, as digits, a fraction or a word.
fn number_ends(view: &View<'_>, end: usize) -> bool {
    match view.at(end) {
        Some(b'-' | b'.' | b'/') => !view.at(end + 1).is_some_and(|b| class::is(b, ALNUM)),
        // A table of numbers goes on with a group of four. Unless that is the next card: what is
        // replaced behind this number must not be what it was not seen for.
        Some(b' ') => !is_group(view, end + 1) || card_shape(view, end + 1).is_some(),
        _ => view.ends(end, ALNUM),
    }
}

/// Whether there are four digits, alone: not the beginning of a word, an address or another number.
fn is_group(view: &View<'_>, at: usize) -> bool {
    let goes_on = match view.at(at + 4) {
        Some(b'.' | b'-') => view.at(at + 5).is_some_and(|b| class::is(b, ALNUM)),
        Some(b) => class::is(b, EMAIL_LOCAL | WORD) || matches!(b, b'@' | b':'),
        None => false,
    };
    view.run(at, 5, DIGIT) == at + 4 && !goes_on
}

/// The end of a card's number: the ranges of ISO/IEC 7812 that are in use, grouped as they are
/// printed or not at all, with a right Luhn digit.
fn card(view: &View<'_>, at: usize) -> Option<usize> {
    card_shape(view, at).filter(|end| number_ends(view, *end))
}

/// The same, whatever stands behind it.
fn card_shape(view: &View<'_>, at: usize) -> Option<usize> {
    const GROUPS: [&[usize]; 4] = [&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3]];
    let mut digits = [0_u8; 19];
    let mut count = 0;
    let mut end = view.run(at, 20, DIGIT);
    if end - at == 4 {
        let separator = view.at(end).filter(|b| matches!(b, b' ' | b'-'))?;
        let groups = GROUPS.iter().rev().find_map(|groups| {
            let mut from = at;
            for (i, &length) in groups.iter().enumerate() {
                from += usize::from(i > 0);
                if i > 0 && view.at(from - 1) != Some(separator) {
                    return None;
                }
                if view.run(from, length + 1, DIGIT) != from + length {
                    return None;
                }
                from += length;
            }
            Some(from)
        })?;
        end = groups;
    }
    for &b in view.slice(at, end)? {
        if class::is(b, DIGIT) {
            *digits.get_mut(count)? = b - b'0';
            count += 1;
        }
    }
    let digits = digits.get(..count)?;
    (is_issued(digits) && check::distinct(digits) >= 2 && check::is_luhn(digits)).then_some(end)
}

/// Whether a number of this length begins with an issuer's range.
fn is_issued(digits: &[u8]) -> bool {
    let head = digits
        .iter()
        .take(4)
        .fold(0_u32, |n, &d| n * 10 + u32::from(d));
    match digits.len() {
        14 => matches!(head, 3000..=3059 | 3600..=3699 | 3800..=3999),
        15 => matches!(head, 3400..=3499 | 3700..=3799),
        16 => matches!(
            head,
            4000..=4999          // Visa
            | 5100..=5599        // Mastercard
            | 2221..=2720        // Mastercard
            | 6011 | 6440..=6599 // Discover
            | 3528..=3589        // JCB
            | 6200..=6299        // UnionPay
            | 2200..=2204        // Mir
        ),
        19 => matches!(head, 6200..=6299),
        _ => false,
    }
}

/// The end of a US social security number, written with dashes and within the ranges that are
/// given out. The three numbers of advertisements are none.
fn ssn(view: &View<'_>, at: usize) -> Option<usize> {
    let end = at + 11;
    let parts = (
        view.slice(at, at + 3)?,
        view.slice(at + 4, at + 6)?,
        view.slice(at + 7, end)?,
    );
    let (area, group, serial) = parts;
    let digits = |part: &[u8]| part.iter().all(|&b| class::is(b, DIGIT));
    (view.at(at + 3) == Some(b'-')
        && view.at(at + 6) == Some(b'-')
        && digits(area)
        && digits(group)
        && digits(serial)
        && area != b"000"
        && area != b"666"
        && area.first() != Some(&b'9')
        && group != b"00"
        && serial != b"0000"
        && !matches!(
            parts,
            (b"078", b"05", b"1120") | (b"219", b"09", b"9999") | (b"123", b"45", b"6789")
        )
        && number_ends(view, end))
    .then_some(end)
}

/// How long an IBAN is in each country, from the registry of ISO 13616.
pub(super) static COUNTRIES: [&([u8; 2], usize); 87] = [
    &(*b"AD", 24),
    &(*b"AE", 23),
    &(*b"AL", 28),
    &(*b"AT", 20),
    &(*b"AZ", 28),
    &(*b"BA", 20),
    &(*b"BE", 16),
    &(*b"BG", 22),
    &(*b"BH", 22),
    &(*b"BI", 27),
    &(*b"BR", 29),
    &(*b"BY", 28),
    &(*b"CH", 21),
    &(*b"CR", 22),
    &(*b"CY", 28),
    &(*b"CZ", 24),
    &(*b"DE", 22),
    &(*b"DJ", 27),
    &(*b"DK", 18),
    &(*b"DO", 28),
    &(*b"EE", 20),
    &(*b"EG", 29),
    &(*b"ES", 24),
    &(*b"FI", 18),
    &(*b"FK", 18),
    &(*b"FO", 18),
    &(*b"FR", 27),
    &(*b"GB", 22),
    &(*b"GE", 22),
    &(*b"GI", 23),
    &(*b"GL", 18),
    &(*b"GR", 27),
    &(*b"GT", 28),
    &(*b"HN", 28),
    &(*b"HR", 21),
    &(*b"HU", 28),
    &(*b"IE", 22),
    &(*b"IL", 23),
    &(*b"IQ", 23),
    &(*b"IS", 26),
    &(*b"IT", 27),
    &(*b"JO", 30),
    &(*b"KW", 30),
    &(*b"KZ", 20),
    &(*b"LB", 28),
    &(*b"LC", 32),
    &(*b"LI", 21),
    &(*b"LT", 20),
    &(*b"LU", 20),
    &(*b"LV", 21),
    &(*b"LY", 25),
    &(*b"MC", 27),
    &(*b"MD", 24),
    &(*b"ME", 22),
    &(*b"MK", 19),
    &(*b"MN", 20),
    &(*b"MR", 27),
    &(*b"MT", 31),
    &(*b"MU", 30),
    &(*b"NI", 28),
    &(*b"NL", 18),
    &(*b"NO", 15),
    &(*b"OM", 23),
    &(*b"PK", 24),
    &(*b"PL", 28),
    &(*b"PS", 29),
    &(*b"PT", 25),
    &(*b"QA", 29),
    &(*b"RO", 24),
    &(*b"RS", 22),
    &(*b"RU", 33),
    &(*b"SA", 24),
    &(*b"SC", 31),
    &(*b"SD", 18),
    &(*b"SE", 24),
    &(*b"SI", 19),
    &(*b"SK", 24),
    &(*b"SM", 27),
    &(*b"SO", 23),
    &(*b"ST", 25),
    &(*b"SV", 28),
    &(*b"TL", 23),
    &(*b"TN", 24),
    &(*b"TR", 26),
    &(*b"UA", 29),
    &(*b"VA", 22),
    &(*b"XK", 20),
];

/// An account number that starts at `at`, in groups of four or in one piece.
pub(super) fn iban(view: &View<'_>, at: usize) -> Option<Hit> {
    let country = view.slice(at, at + 2)?;
    let length = COUNTRIES.iter().find(|(code, _)| code == country)?.1;
    let checked = view.slice(at + 2, at + 4)?;
    if !checked.iter().all(|&b| class::is(b, DIGIT)) || !view.starts(at) {
        return None;
    }
    let mut characters = [0_u8; 34];
    let mut count = 0;
    let mut end = at;
    let spaced = view.at(at + 4) == Some(b' ');
    while count < length {
        if spaced && count > 0 && count % 4 == 0 {
            if view.at(end) != Some(b' ') {
                return None;
            }
            end += 1;
        }
        let b = view.at(end).filter(|&b| class::is(b, UPPER | DIGIT))?;
        *characters.get_mut(count)? = b;
        count += 1;
        end += 1;
    }
    let characters = characters.get(..count)?;
    let (head, rest) = characters.split_at_checked(4)?;
    let sum = rest.iter().chain(head).fold(0_u32, |sum, &b| match b {
        b'0'..=b'9' => (sum * 10 + u32::from(b - b'0')) % 97,
        _ => (sum * 100 + u32::from(b.wrapping_sub(b'A')) + 10) % 97,
    });
    (sum == 1 && view.ends(end, ALNUM)).then(|| Hit::new("personal/iban", at, end))
}

/// An address with its `@` at `at`: RFC 5321 without quotes, comments and address literals.
pub(super) fn email(view: &View<'_>, at: usize) -> Option<Hit> {
    let mut start = view.run_back(at, 65, EMAIL_LOCAL);
    if view_escape(view, start + 1) {
        start += 1;
    }
    while start < at && view.at(start).is_some_and(|b| !class::is(b, WORD)) {
        start += 1;
    }
    let local = view.slice(start, at)?;
    let dotted = |text: &[u8]| text.windows(2).any(|pair| pair == b"..");
    if local.is_empty() || local.len() > 64 || local.last() == Some(&b'.') || dotted(local) {
        return None;
    }
    // The address of a repository, not of a person.
    if local == b"git" {
        return None;
    }
    let end = view.run(at + 1, 254, ALNUM | DASH | DOT);
    let domain = view.slice(at + 1, end)?;
    if domain.len() > 253 {
        return None;
    }
    // What follows may be the end of the sentence, so the last label that is one counts.
    let mut kept = 0;
    let mut labels = 0;
    let mut from = 0;
    for label in domain.split(|&b| b == b'.') {
        let inner = label.first() != Some(&b'-') && label.last() != Some(&b'-');
        if label.is_empty() || label.len() > 63 || !inner {
            break;
        }
        labels += 1;
        from += label.len() + usize::from(labels > 1);
        let letters = label.iter().all(u8::is_ascii_alphabetic);
        let top = letters
            || label
                .get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"));
        if labels > 1 && label.len() >= 2 && top {
            kept = from;
        }
    }
    let host = domain.get(..kept).filter(|host| !host.is_empty())?;
    // `icon@2x.png` is a file, and documentation has addresses of its own.
    if matches!(host.get(..3), Some(b"2x." | b"3x.")) || assign::is_example_host(host) {
        return None;
    }
    Some(Hit::new("personal/email", start, at + 1 + kept))
}
