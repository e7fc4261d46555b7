//! What holds for every text, tried on texts made of secrets, their parts, and what stands
//! between them.

use std::string::{String, ToString};

use super::super::{DETECTORS, HOLD_BACK, Kinds, Redactor, find, redact};
use super::{STEPS, all};

/// Beginnings, names, separators, and pieces that are almost something.
const PIECES: &[&str] = &[
    "a",
    "Z",
    "7",
    "_",
    "-",
    ".",
    "/",
    "+",
    "=",
    ":",
    "@",
    " ",
    "\n",
    "\\n",
    "\\",
    "\"",
    "'",
    ",",
    ";",
    "&",
    "%20",
    "%3D",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "$",
    "*",
    "é",
    "漢",
    "\u{1F468}",
    "password",
    "password=",
    "\"password\": \"",
    "api_key: ",
    "token",
    "secret_",
    "Authorization: ",
    "Bearer ",
    "Basic ",
    "://",
    "https://",
    "u:",
    "@host",
    "host.dev",
    "sig=",
    "AccountKey=",
    "AKIA",
    "ghp_",
    "ghs_",
    "glpat-",
    "xoxb-",
    "sk-",
    "sk-ant-",
    "T3BlbkFJ",
    "eyJ",
    "dapi",
    "cio",
    "SG.",
    "hvs.",
    "dp.st.",
    "AA",
    "AC",
    "-----",
    "BEGIN ",
    "PRIVATE KEY",
    "-----BEGIN ",
    "-----END PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED\n",
    "[redacted: jwt]",
    "4111",
    "1234567890",
    "DE89",
    "jo",
    "7hX-q0Zr2m",
    "Kq3vT9xLw2Rb8NzY",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "MIIEvQIBADANBgkqhkiG9w0B",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJlbmMiOiJ4IiwiYWxnIjoiZGlyIn0",
    "..",
];

/// Numbers that are the same on every run (xorshift64*).
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ seed;
    move |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below
    }
}

fn corpus(count: usize) -> impl Iterator<Item = String> {
    let mut pieces: Vec<String> = PIECES.iter().map(ToString::to_string).collect();
    for detector in DETECTORS {
        pieces.push(detector.positive.into());
        pieces.push(detector.negative.into());
        let half = detector.positive.len() / 2;
        pieces.push(detector.positive[..half].into());
        pieces.push(detector.positive[half..].into());
    }
    let mut random = random(0);
    (0..count).map(move |i| {
        let length = 1 + random(16);
        // Few kinds of pieces in one text make long runs of each.
        let kinds: Vec<usize> = (0..1 + i % 8)
            .map(|_| match random(2) {
                0 => random(PIECES.len()),
                _ => random(pieces.len()),
            })
            .collect();
        (0..length)
            .map(|_| pieces[kinds[random(kinds.len())]].as_str())
            .collect()
    })
}

#[test]
fn redacting_twice_changes_nothing() {
    for text in corpus(10_000) {
        for kinds in [Kinds::CREDENTIALS, Kinds::ALL] {
            let once = redact(text.as_str(), kinds).into_string();
            let twice = redact(once.as_str(), kinds);
            assert_eq!(twice.as_str(), once, "{text:?}");
            assert_eq!(twice.counts().total(), 0, "{text:?}");
        }
    }
}

#[test]
fn numbers_side_by_side_are_found_together() {
    let card = "4111 1111 1111 1111";
    for (text, found) in [
        (format!("{card} {card}"), 2),
        (format!("{card} {card} {card}"), 3),
        // A table of groups, and one behind a card.
        (format!("{card} 2222 3333"), 0),
        (format!("{card} {card} 2222."), 1),
        // What begins with four digits and is another secret.
        (format!("{card} 2222.x@mailhost.io"), 2),
        (format!("{card} 4111-1111-1111-1111"), 2),
        (
            format!("1111 1111 1111 1111{card} 1111 1111 1111  {card}"),
            1,
        ),
    ] {
        let once = redact(text.as_str(), Kinds::ALL);
        assert_eq!(once.counts().total(), found, "{text}");
        let again = redact(once.as_str(), Kinds::ALL);
        assert_eq!(again.counts().total(), 0, "{text}");
    }
}

#[test]
fn spans_are_on_boundaries_in_order_and_not_empty() {
    for text in corpus(5_000) {
        let mut end = 0;
        let mut count = 0;
        for secret in find(&text, Kinds::ALL) {
            assert!(
                secret.span.start >= end && secret.span.start < secret.span.end,
                "{text:?}"
            );
            assert!(text.get(secret.span.clone()).is_some(), "{text:?}");
            assert!(DETECTORS.iter().any(|d| d.id == secret.id), "{}", secret.id);
            end = secret.span.end;
            count += 1;
        }
        let redacted = redact(text.as_str(), Kinds::ALL);
        assert_eq!(redacted.counts().total(), count);
    }
}

#[test]
fn a_stream_is_redacted_like_the_whole_however_it_is_cut() {
    let mut random = random(1);
    let check = |text: &str, kinds, lengths: &mut dyn FnMut() -> usize| {
        let mut redactor = Redactor::new(kinds);
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let length = lengths().min(rest.len());
            let cut = (length..).find(|&i| rest.is_char_boundary(i)).unwrap();
            redactor.push(&rest[..cut], &mut out);
            rest = &rest[cut..];
            assert!(redactor.held.len() - redactor.done <= HOLD_BACK, "{text:?}");
            let whole = redact(text, kinds);
            assert!(whole.as_str().starts_with(&out), "{text:?}: {out:?}");
        }
        let counts = redactor.finish(&mut out);
        let whole = redact(text, kinds);
        assert_eq!(out, whole.as_str(), "{text:?}");
        assert_eq!(&counts, whole.counts(), "{text:?}");
    };
    for text in corpus(1_000) {
        check(&text, Kinds::ALL, &mut || 1 + random(40));
    }
    // Texts that are longer than what is held back, so that much of them is forgotten on the way.
    let texts: Vec<String> = corpus(800).collect();
    for texts in texts.chunks(40) {
        let text = texts.concat();
        check(&text, Kinds::ALL, &mut || 1 + random(700));
        check(&text, Kinds::CREDENTIALS, &mut || 1 + random(5000));
    }
}

#[test]
fn a_secret_longer_than_what_is_held_back_is_dropped_whole() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7Kq3vT9xLw2Rb\n";
    let pem = format!(
        "-----BEGIN {}-----\n{}Kq3v\n-----END {}-----",
        "PRIVATE KEY",
        line.repeat(200),
        "PRIVATE KEY"
    );
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", "Kq3vT9xLw2Rb".repeat(2000));
    let pypi = format!(
        "pypi-{}{}",
        "AgEIcHlwaS5vcmc",
        "Kq3vT9xLw2Rb8NzY".repeat(1000)
    );
    let text = format!("a {pem} b {jwt} c {pypi} d");
    for size in [1, 7, 64, 1000, 4096] {
        let mut redactor = Redactor::new(Kinds::CREDENTIALS);
        let mut out = String::new();
        let mut behind = 0;
        for chunk in text.as_bytes().chunks(size) {
            redactor.push(std::str::from_utf8(chunk).unwrap(), &mut out);
            behind = behind.max(redactor.held.capacity());
        }
        let counts = redactor.finish(&mut out);
        assert_eq!(
            out,
            format!(
                "a -----BEGIN {0}-----\n[redacted: private-key]\n-----END {0}----- b \
                 [redacted: jwt] c [redacted: pypi-token] d",
                "PRIVATE KEY"
            )
        );
        assert_eq!(counts.total(), 3);
        assert!(behind <= 4 * HOLD_BACK + 2 * size, "{behind}");
    }
}

#[test]
fn clean_text_is_moved_and_not_copied() {
    let text = String::from("nothing to see: 12 files, 3 errors");
    let place = text.as_ptr();
    let clean = redact(text, Kinds::ALL).into_string();
    assert_eq!(clean.as_ptr(), place);
    // What was borrowed stays borrowed, so nothing can have been allocated.
    let text = "nothing";
    assert_eq!(redact(text, Kinds::ALL).as_str().as_ptr(), text.as_ptr());
}

#[test]
fn each_byte_is_looked_at_a_bounded_number_of_times() {
    let cost = |text: &str| {
        STEPS.with(|steps| steps.set(0));
        let _ = find(text, Kinds::ALL).count();
        STEPS.with(std::cell::Cell::get)
    };
    let mut worst = (0, String::new());
    let mut consider = |piece: String| {
        // Twice the text costs twice the steps, for what repeats and for what is nested.
        let small = piece.repeat(1 + 3_000 / piece.len());
        let large = small.repeat(2);
        let (a, b) = (cost(&small), cost(&large));
        assert!(b <= 2 * a + a / 8 + 60_000, "{a} {b} {piece:?}");
        let each = b / large.len();
        if each > worst.0 {
            worst = (each, piece);
        }
    };
    for piece in PIECES {
        consider(piece.to_string());
        // A third of the pairs is enough for a build without optimisation.
        for other in PIECES {
            if cfg!(debug_assertions) && (piece.len() + other.len()) % 3 > 0 {
                continue;
            }
            consider(format!("{piece}{other}"));
        }
    }
    for text in corpus(100) {
        consider(text);
    }
    assert!(worst.0 <= 160, "{worst:?}");
}

#[test]
fn every_detector_finds_its_example_and_nothing_in_its_opposite() {
    for detector in DETECTORS {
        let found = all(detector.positive, detector.kinds);
        assert!(
            found.iter().any(|f| f.0 == detector.id),
            "{detector:?} {found:?}"
        );
        assert_eq!(all(detector.negative, detector.kinds), [], "{detector:?}");
        let others = DETECTORS.iter().filter(|d| d.id == detector.id).count();
        assert_eq!(others, 1, "{}", detector.id);
    }
}

#[test]
fn every_detector_finds_its_example_wherever_it_stands() {
    let around = [
        ("", ""),
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("(", ")"),
        ("<", ">"),
        ("[", "]"),
        ("{\"k\": \"", "\"}"),
        ("line\n", "\nline"),
        ("a ", " b"),
        ("see ", "."),
        ("see ", ","),
        ("x=", ";"),
        ("k: ", "\r\n"),
        ("{\\\"k\\\":\\\"", "\\\"}"),
        ("line\\n", "\\nline"),
        ("漢", "漢"),
        ("\n-", "\n"),
        ("\n+", "\n"),
        ("|", "|"),
        ("?x=", "&y=1"),
        (">", "</a>"),
    ];
    for detector in DETECTORS {
        let alone = all(detector.positive, detector.kinds);
        for (before, after) in around {
            // Some of these are part of the secret where they stand without quotes.
            let id = detector.id;
            if (id == "secret/password" && after == "漢")
                || (id == "secret/bearer-token" && after == ".")
                || (id == "personal/email" && after == "\\nline")
                || (id.starts_with("personal/") && before.starts_with("\n"))
            {
                continue;
            }
            let text = format!("{before}{}{after}", detector.positive);
            assert_eq!(all(&text, detector.kinds), alone, "{text:?}");
        }
    }
}
