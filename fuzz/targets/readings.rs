//! No reading of a text is larger than is allowed, and all of its parts stand in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure_fuzz::text_of;
use mcp_secure_text::fuzzing::{each_reading, fold};

/// What decoded blobs may add: 64 KiB, each decoded and read in some ways.
const DECODED: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let text = text_of(data);
    let mut total = 0;
    let mut count = 0;
    each_reading(&text, &mut |view, reading, source| {
        total += reading.len();
        count += 1;
        let whole = source(0..reading.len());
        assert!(text.get(whole.clone()).is_some(), "{view:?}: {whole:?}");
        // A few words of it, and all of its ends.
        let step = 1 + reading.len() / 64;
        let mut at = 0;
        while at < reading.len() {
            let part = source(at..(at + step).min(reading.len()));
            assert!(text.get(part.clone()).is_some(), "{view:?}: {part:?}");
            assert!(
                whole.start <= part.start && part.end <= whole.end,
                "{view:?}: {part:?} is outside of {whole:?}"
            );
            at += step;
        }
    });
    // Compatibility forms grow: the longest is one character of three bytes that becomes 33.
    assert!(
        total <= 64 * 12 * (text.len() + DECODED),
        "{total} of {}",
        text.len()
    );
    assert!(count <= 1 + 64 * 16, "{count}");

    let once = fold(&text);
    assert_eq!(fold(&once), once, "folded twice: {text:?}");
});
