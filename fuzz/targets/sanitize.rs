//! What is sanitized has nothing hidden in it, stays as it is, and is the same however the text
//! was cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure_fuzz::{Chunks, text_of};
use mcp_secure_text::{Field, Policy, Sanitizer, inspect, sanitize_field};

/// Characters that no rule lets through anywhere.
fn is_forbidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}'
        | '\u{17B4}' | '\u{17B5}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFC}' | '\u{E0000}'..='\u{E001F}'
        | '\u{E0080}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}' | '\u{F0000}'..)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

fuzz_target!(|data: &[u8]| {
    let [seed, first, rest @ ..] = data else {
        return;
    };
    let text = text_of(rest);
    let field = Field::ALL[usize::from(*first) % Field::ALL.len()];
    for policy in [Policy::Strip, Policy::Escape] {
        let clean = sanitize_field(&*text, field, policy);
        let changed = clean.changed();
        let once = clean.into_string();
        assert_eq!(changed == 0, once == text);
        assert!(!once.chars().any(is_forbidden), "{once:?}");
        let report = inspect(&once, field);
        let hidden = report
            .findings
            .iter()
            .find(|f| f.rule.starts_with("hidden/"));
        assert!(hidden.is_none(), "{hidden:?} in {once:?}");
        let twice = sanitize_field(&*once, field, policy);
        assert_eq!((twice.changed(), twice.as_str()), (0, &*once));

        let mut sanitizer = Sanitizer::new(field, policy);
        let mut out = String::new();
        let mut given = 0;
        for chunk in Chunks::new(&text, *seed) {
            sanitizer.push(chunk, &mut out);
            given += chunk.len();
            assert!(once.starts_with(&out), "{text:?}");
            if changed == 0 {
                assert!(given - out.len() <= Sanitizer::HOLD_BACK);
            }
        }
        assert_eq!(sanitizer.finish(&mut out), changed, "{text:?}");
        assert_eq!(out, once, "{text:?}");
    }
});
