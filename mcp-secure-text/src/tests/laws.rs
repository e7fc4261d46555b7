//! What holds for every text, tried on texts made of the characters the rules look at.

use std::time::{Duration, Instant};

use super::{count, hidden};
use crate::{Evidence, Field, MAX_FINDINGS, Policy, Severity, inspect, sanitize, sanitize_field};

const FIELDS: [Field; 3] = [Field::Name, Field::Title, Field::ToolOutput];

/// Characters that are someone's context, and characters that need one.
const PIECES: &[&str] = &[
    "a",
    "e",
    " ",
    "1",
    "#",
    ".",
    "\n",
    "\t",
    "\r",
    "\r\n",
    "\\",
    "[",
    "]",
    "m",
    "\u{7}",
    "\u{1B}",
    "\u{1B}[31m",
    "\u{1B}]0;",
    "\u{9B}",
    "\u{9C}",
    "\u{9D}",
    "\u{85}",
    "\0",
    "\u{AD}",
    "é",
    "\u{301}",
    "\u{301}\u{301}\u{301}\u{301}",
    "\u{34F}",
    "\u{5D0}",
    "\u{5B8}",
    "\u{627}",
    "\u{640}",
    "\u{61C}",
    "\u{200E}",
    "\u{200F}",
    "\u{200B}",
    "\u{200C}",
    "\u{200D}",
    "\u{2060}",
    "\u{FEFF}",
    "\u{2028}",
    "\u{202E}",
    "\u{2066}",
    "\u{2062}",
    "\u{206A}",
    "\u{915}",
    "\u{94D}",
    "\u{E01}",
    "\u{1100}",
    "\u{1161}",
    "\u{115F}",
    "\u{1160}",
    "\u{3164}",
    "\u{1820}",
    "\u{180B}",
    "\u{180E}",
    "\u{2800}",
    "\u{2801}",
    "\u{845B}",
    "\u{3002}",
    "\u{E0100}",
    "\u{E0101}",
    "\u{FE00}",
    "\u{FE0E}",
    "\u{FE0F}",
    "\u{20E3}",
    "\u{1F468}",
    "\u{1F3FD}",
    "\u{1F3F4}",
    "\u{2764}",
    "\u{2605}",
    "\u{1F1EB}",
    "\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
    "\u{E0061}",
    "\u{E007F}",
    "\u{E0001}",
    "\u{E000}",
    "\u{FFFE}",
    "\u{FFF9}",
    "\u{FFFC}",
    "\u{13000}",
    "\u{13430}",
    "\u{1D15E}",
    "\u{1D173}",
    "\u{600}",
];

/// Texts that are the same on every run (xorshift64*).
fn corpus() -> impl Iterator<Item = String> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below
    };
    (0..20_000).map(move |i| {
        let length = 1 + random(24);
        // Few kinds of pieces in one text make long runs of each.
        let kinds: Vec<&str> = (0..1 + i % 8)
            .map(|_| PIECES[random(PIECES.len())])
            .collect();
        (0..length).map(|_| kinds[random(kinds.len())]).collect()
    })
}

#[test]
fn sanitized_text_is_clean_and_sanitizing_it_again_changes_nothing() {
    for text in corpus() {
        for field in FIELDS {
            for policy in [Policy::Strip, Policy::Escape] {
                let once = sanitize_field(text.as_str(), field, policy);
                let report = inspect(once.as_str(), field);
                assert!(
                    report.is_clean(),
                    "{text:?} {policy:?} left {once:?}: {report:?}"
                );
                let changed = once.changed();
                let once = once.into_string();
                let twice = sanitize_field(once.as_str(), field, policy);
                assert_eq!((twice.changed(), twice.as_str()), (0, once.as_str()));
                assert_eq!(changed == 0, once == text, "{text:?}");
            }
        }
    }
}

#[test]
fn spans_hold_what_the_findings_say() {
    for text in corpus() {
        for field in FIELDS {
            let report = inspect(&text, field);
            let mut end = 0;
            for finding in report.findings.iter().filter(|f| hidden(f)) {
                let found = &text[finding.span.clone()];
                assert!(finding.span.start >= end, "{text:?}: {report:?}");
                let mut chars = found.chars();
                let first = chars.next();
                let count = chars.count() + 1;
                assert!(
                    matches!(finding.evidence, Evidence::Characters { first: f, count: n } if Some(f) == first && n == count)
                );
                end = finding.span.end;
            }
            assert_eq!(
                report.worst(),
                report.findings.iter().map(|f| f.severity).max()
            );
        }
    }
}

#[test]
fn stripping_removes_what_was_found_and_nothing_else() {
    for text in corpus() {
        let report = inspect(&text, Field::ToolOutput);
        let mut end = 0;
        let mut kept = String::new();
        for finding in report.findings.iter().filter(|f| hidden(f)) {
            kept.push_str(&text[end..finding.span.start]);
            if matches!(
                finding.rule,
                "hidden/line-separator" | "hidden/carriage-return"
            ) {
                kept.extend(std::iter::repeat_n('\n', count(finding)));
            }
            end = finding.span.end;
        }
        kept.push_str(&text[end..]);
        let clean = sanitize(text.as_str(), Policy::Strip);
        assert_eq!(clean.as_str(), kept);
        assert_eq!(
            clean.changed(),
            report
                .findings
                .iter()
                .filter(|f| hidden(f))
                .map(count)
                .sum::<usize>()
        );
    }
}

#[test]
fn a_report_is_bounded_and_still_knows_the_worst() {
    let mut text = "a \u{200B} ".repeat(1000);
    text.push('\u{202E}');
    let report = inspect(&text, Field::ToolOutput);
    assert_eq!(report.findings.len(), MAX_FINDINGS);
    assert_eq!(report.omitted, 1001 - MAX_FINDINGS);
    assert_eq!(report.findings[0].severity, Severity::Warn);
    assert_eq!(report.worst(), Some(Severity::Deny));
}

#[test]
fn a_megabyte_of_lookahead_costs_linear_time() {
    // Quadratic, each of these would take minutes.
    for piece in [
        "\u{200E}",
        "\u{1B}]",
        "\u{2800}",
        "\u{1B}[",
        "\u{9D}a",
        "\u{34F}",
        "\u{AD}",
        "\u{E0067}",
        "a\u{200E}",
        "\u{1B}P\u{1B}",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let start = Instant::now();
        let _ = sanitize(text.as_str(), Policy::Strip);
        let _ = inspect(&text, Field::ToolOutput);
        assert!(start.elapsed() < Duration::from_secs(20), "{piece:?}");
    }
}

#[test]
fn the_unicode_tables_are_of_the_stated_version() {
    assert_eq!(crate::UNICODE_VERSION, (18, 0, 0));
    assert_eq!(unicode_script::UNICODE_VERSION, crate::UNICODE_VERSION);
}
