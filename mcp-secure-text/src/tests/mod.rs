//! What the crate promises, read as attacks, as honest text, and as laws.

mod attacks;
mod benign;
mod laws;
mod names;

use crate::{Evidence, Field, Finding, Severity, inspect};

/// Whether a finding is about hidden characters.
fn hidden(finding: &Finding) -> bool {
    finding.rule.starts_with("hidden/")
}

/// How many hidden characters a finding is about.
fn count(finding: &Finding) -> usize {
    match finding.evidence {
        Evidence::Characters { count, .. } => count,
        _ => panic!("{finding} is about no characters"),
    }
}

/// The only finding in a description.
fn only(text: &str) -> Finding {
    let mut report = inspect(text, Field::Description);
    // What the hidden characters spell is found as well, and tested elsewhere.
    report
        .findings
        .retain(|finding| finding.rule.starts_with("hidden/"));
    assert_eq!(
        report.findings.len(),
        1,
        "{:?} in {text:?}",
        report.findings
    );
    report.findings[0].clone()
}

#[track_caller]
fn denied(text: &str, rule: &str) {
    let finding = only(text);
    assert_eq!(
        (finding.rule, finding.severity),
        (rule, Severity::Deny),
        "{text:?}"
    );
}

#[track_caller]
fn warned(text: &str, rule: &str) {
    let finding = only(text);
    assert_eq!(
        (finding.rule, finding.severity),
        (rule, Severity::Warn),
        "{text:?}"
    );
}
