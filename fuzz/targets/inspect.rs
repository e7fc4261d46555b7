//! What is found in any text, in any field, stands in it and is told in order and in ASCII.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure_fuzz::text_of;
use mcp_secure_text::{Evidence, Field, MAX_FINDINGS, Severity, inspect, rule};

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let text = text_of(rest);
    let field = Field::ALL[usize::from(first) % Field::ALL.len()];
    let report = inspect(&text, field);

    let mut before = 0;
    let mut hidden_end = 0;
    for finding in &report.findings {
        let found = text.get(finding.span.clone());
        let found = found.unwrap_or_else(|| panic!("{finding:?} cuts a character"));
        assert!(finding.span.start >= before, "not in order: {report:?}");
        before = finding.span.start;
        assert!(finding.to_string().is_ascii(), "{finding:?}");
        if finding.rule.starts_with("hidden/") {
            assert!(finding.span.start >= hidden_end, "overlap: {report:?}");
            hidden_end = finding.span.end;
            let Evidence::Characters { first, count } = finding.evidence else {
                panic!("{finding:?}");
            };
            assert_eq!(found.chars().next(), Some(first));
            assert_eq!(found.chars().count(), count);
        }
    }
    assert_eq!(report.is_clean(), report.findings.is_empty());
    assert_eq!(report.is_clean(), report.worst().is_none());
    let seen = report.findings.iter().map(|f| f.severity).max();
    assert!(report.worst() >= seen);
    if report.omitted == 0 {
        assert_eq!(report.worst(), seen);
    } else {
        assert!(report.findings.len() >= MAX_FINDINGS);
    }

    // An exception takes away what it names and nothing else.
    let without = report.clone().without(&[]);
    assert_eq!(without, report);
    if let Some(excepted) = report.findings.first().map(|f| f.rule) {
        let without = report.clone().without(&[excepted]);
        assert!(without.worst() <= report.worst());
        assert!(without.findings.iter().all(|f| f.rule != excepted));
        let more = report.clone().without(&[excepted, rule::ZERO_WIDTH]);
        assert!(more.worst() <= without.worst());
    }
    assert!(matches!(
        report.worst(),
        None | Some(Severity::Warn | Severity::Deny)
    ));
});
