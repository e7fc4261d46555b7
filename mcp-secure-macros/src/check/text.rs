//! Texts and names that a model reads.

use mcp_secure_text::{Field, check_name, inspect};

use crate::{errors::Errors, model::Text};

/// Nothing in it is hidden from a person who reviews it.
pub(crate) fn visible(text: &Text, field: Field, errors: &mut Errors) {
    let mut reported = Vec::new();
    for finding in inspect(&text.value, field).findings {
        let line = text
            .value
            .get(..finding.span.start)
            .map_or(0, |before| before.matches('\n').count());
        // One error for each line is enough: the author will look at all of it.
        if !reported.contains(&line) {
            reported.push(line);
            errors.at(
                text.span_at(finding.span.start),
                format_args!("this text has a hidden character: {finding}"),
            );
        }
    }
}

/// A name in the grammar of MCP; `derived` from an identifier, or given as `name = "…"`.
pub(crate) fn name(name: &Text, derived: bool, errors: &mut Errors) {
    if let Err(error) = check_name(&name.value) {
        let help = if derived {
            "; give another with `name = \"…\"`"
        } else {
            ""
        };
        errors.at(name.span(), format_args!("{error}{help}"));
    }
}

/// `type/subtype`, perhaps with parameters (RFC 6838, section 4.2).
pub(crate) fn media_type(mime: &Text, errors: &mut Errors) {
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
    }
}
