//! Texts and names that a model reads.

use std::collections::BTreeMap;

use mcp_secure_text::{Evidence, Field, Finding, Severity, check_name, inspect};

use crate::{
    errors::Errors,
    model::{Exceptions, Text},
};

/// Nothing in it is hidden from a person who reviews it, and nothing in it speaks to the model
/// behind that person's back.
///
/// `mcp-secure` inspects the same text as the same [`Field`] when a server starts: keep
/// `manifest/texts.rs` there in step.
pub(crate) fn visible(text: &Text, field: Field, exceptions: &mut Exceptions, errors: &mut Errors) {
    for finding in judge(text, field, exceptions, errors) {
        let span = text.span_at(finding.span.start);
        // Words may be right where they stand; what nobody sees is taken out.
        let (what, help) = match finding.evidence {
            Evidence::Characters { .. } => ("this text has a hidden character", ""),
            _ => (
                "this text does not pass",
                "; a reviewer can set it aside with `allow_text`",
            ),
        };
        // A stable compiler marks whole literals only, so the words point at the character.
        let what = match text.place_of(finding.span.start) {
            Some((line, column)) => format!("{what} in line {line}, column {column}"),
            None => what.to_owned(),
        };
        let message = format_args!("{what}: {finding}{help}");
        if refuses(&finding) {
            errors.at(span, message);
        } else {
            errors.warn(span, message);
        }
    }
}

/// What nobody sees has no place in a text of one's own, even where it is a warning in others'.
fn refuses(finding: &Finding) -> bool {
    finding.severity_of_ones_own() == Severity::Deny
}

/// The worse of two, for the line that tells one.
fn rank(finding: &Finding) -> (bool, Severity) {
    (refuses(finding), finding.severity)
}

/// What is left of the findings: one for each line, the worst of it. The author will look at
/// all of the line.
fn judge(
    text: &Text,
    field: Field,
    exceptions: &mut Exceptions,
    errors: &mut Errors,
) -> Vec<Finding> {
    let mut report = inspect(&text.value, field);
    let omitted = report.omitted;
    let all = report.findings.len() + omitted;
    if !exceptions.is_empty() {
        for finding in &report.findings {
            exceptions.spend(finding.rule);
        }
        report = report.without(&exceptions.rules());
    }
    // What is not in the report cannot be excused either.
    if omitted > 0 && !report.findings.iter().any(refuses) {
        errors.at(
            text.span(),
            format_args!("this text has {all} findings, more than can be told one by one"),
        );
    }
    let mut worst: BTreeMap<usize, Finding> = BTreeMap::new();
    for finding in report.findings {
        let line = text
            .value
            .get(..finding.span.start)
            .map_or(0, |before| before.matches('\n').count());
        match worst.get(&line) {
            Some(other) if rank(other) >= rank(&finding) => {}
            _ => {
                worst.insert(line, finding);
            }
        }
    }
    worst.into_values().collect()
}

/// The reasons of the exceptions themselves. They excuse each other, and do not count as what
/// is excused.
pub(crate) fn reasons(exceptions: &Exceptions, errors: &mut Errors) {
    let rules = exceptions.rules();
    for exception in &exceptions.0 {
        let report = inspect(&exception.reason.value, Field::Annotation).without(&rules);
        let worst = report
            .findings
            .iter()
            .rev()
            .max_by_key(|finding| finding.severity);
        if let Some(finding) = worst {
            let (span, what) = (exception.reason.span(), "this reason does not pass");
            let message = format_args!("{what}: {finding}");
            if refuses(finding) {
                errors.at(span, message);
            } else {
                errors.warn(span, message);
            }
        }
    }
}

/// An exception is there for a text that needs it.
pub(crate) fn unspent(exceptions: &Exceptions, owner: &str, errors: &mut Errors) {
    for exception in exceptions.unspent() {
        errors.at(
            exception.span,
            format_args!(
                "`allow_text` has nothing to excuse: no text of `{owner}` breaks `{}`; remove it",
                exception.rule
            ),
        );
    }
}

/// A name in the grammar of MCP; `derived` from an identifier, or given as `name = "…"`.
pub(crate) fn name(name: &Text, derived: bool, exceptions: &mut Exceptions, errors: &mut Errors) {
    if let Err(error) = check_name(&name.value) {
        let help = if derived {
            "; give another with `name = \"…\"`"
        } else {
            ""
        };
        errors.at(name.span(), format_args!("{error}{help}"));
        return;
    }
    visible(name, Field::Name, exceptions, errors);
}

/// `type/subtype`, perhaps with parameters (RFC 6838, section 4.2).
pub(crate) fn media_type(mime: &Text, exceptions: &mut Exceptions, errors: &mut Errors) {
    let essence = mime.value.split(';').next().unwrap_or_default().trim_end();
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let well_formed = essence
        .split_once('/')
        .is_some_and(|(a, b)| is_name(a) && is_name(b));
    if !well_formed || !mime.value.bytes().all(|b| matches!(b, 0x20..=0x7E)) {
        errors.at(
            mime.span(),
            format_args!(
                "`{}` is no media type: write one such as `text/plain`",
                mime.value.escape_debug()
            ),
        );
        return;
    }
    visible(mime, Field::Annotation, exceptions, errors);
}
