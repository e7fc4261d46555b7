//! Secrets stand in the text and apart from one another, redacting comes to an end, and a text that comes in pieces is redacted as the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure_fuzz::{Chunks, text_of};
use mcp_secure_text::secret::{HOLD_BACK, Kinds, Redactor, find, redact};

fuzz_target!(|data: &[u8]| {
    let Some((&seed, rest)) = data.split_first() else {
        return;
    };
    let text = text_of(rest);
    let kinds = if seed & 1 == 0 {
        Kinds::ALL
    } else {
        Kinds::CREDENTIALS
    };
    let mut end = 0;
    let mut count = 0;
    for secret in find(&text, kinds) {
        assert!(
            secret.span.start >= end && secret.span.end > secret.span.start,
            "{secret:?}"
        );
        assert!(text.get(secret.span.clone()).is_some(), "{secret:?}");
        end = secret.span.end;
        count += 1;
    }
    let once = redact(&*text, kinds);
    assert_eq!(once.counts().total(), count);
    assert_eq!(count == 0, once.as_str() == text);
    // What stands around a secret may say that it is none, and go with another one: a second run
    // can find more, but a third cannot.
    let twice = redact(once.as_str(), kinds);
    let thrice = redact(twice.as_str(), kinds);
    assert_eq!(thrice.as_str(), twice.as_str(), "{text:?}");

    let mut redactor = Redactor::new(kinds);
    let mut out = String::new();
    let mut given = 0;
    for chunk in Chunks::new(&text, seed) {
        redactor.push(chunk, &mut out);
        given += chunk.len();
        if count == 0 {
            assert!(
                given - out.len() <= HOLD_BACK,
                "{} held back",
                given - out.len()
            );
        }
    }
    let counts = redactor.finish(&mut out);
    assert_eq!(out, once.as_str(), "{text:?}");
    assert_eq!(&counts, once.counts());
});
