//! Text for logs: of the audit log, and on standard error.

use std::borrow::Cow;

use mcp_secure_text::{Policy, sanitize};

use super::{policy::TextPolicy, secret};

/// What somebody else has written, for a log: hidden characters are shown, since a log is read
/// by who has to see what was there, and secrets are redacted whatever the policy for answers.
pub(crate) fn for_log(text: &str) -> Cow<'_, str> {
    let policy = TextPolicy::DEFAULT;
    let stripped = sanitize(text, Policy::Strip);
    if stripped.changed() > 0 && secret::is_in(stripped.as_str(), &policy) {
        let whole = stripped.into_string();
        return Cow::Owned(secret::redact(&whole, &policy, |_| {}).unwrap_or(whole));
    }
    let shown = match stripped.changed() {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(sanitize(text, Policy::Escape).into_string()),
    };
    match secret::redact(&shown, &policy, |_| {}) {
        Some(redacted) => Cow::Owned(redacted),
        None => shown,
    }
}
