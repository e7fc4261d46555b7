//! Where secrets are looked for: the one place that knows the engine.

use mcp_secure_text::secret::{self, Kinds};

use super::policy::{Secret, TextPolicy};
#[cfg(feature = "vault")]
use crate::vault::tripwire;

/// The text without secrets, and what kinds of them it held; nothing if it holds none.
pub(super) fn redact(
    text: &str,
    policy: &TextPolicy,
    #[cfg_attr(not(feature = "vault"), allow(unused_mut))] mut found: impl FnMut(&'static str),
) -> Option<String> {
    // First, and whatever the policy: of these it is known that they are secret.
    #[cfg(feature = "vault")]
    if let Some(text) = tripwire::redact(text, &mut found) {
        return Some(by_form(&text, policy, found).unwrap_or(text));
    }
    by_form(text, policy, found)
}

/// The same for what looks like one.
fn by_form(text: &str, policy: &TextPolicy, mut found: impl FnMut(&'static str)) -> Option<String> {
    let redacted = secret::redact(text, kinds(policy)?);
    let counts = redacted.counts();
    if counts.total() == 0 {
        return None;
    }
    for (id, count) in counts.iter() {
        (0..count).for_each(|_| found(kind(id)));
    }
    Some(redacted.into_string())
}

/// Whether a text holds any.
pub(super) fn is_in(text: &str, policy: &TextPolicy) -> bool {
    #[cfg(feature = "vault")]
    if tripwire::is_in(text) {
        return true;
    }
    kinds(policy).is_some_and(|kinds| secret::find(text, kinds).next().is_some())
}

/// What kind of secret a value is by the name of its member: a password has no form of its own.
pub(super) fn named(name: &str, value: &str, policy: &TextPolicy) -> Option<&'static str> {
    let kinds = kinds(policy)?;
    if !(4..=512).contains(&value.len()) || !is_telling(name) {
        return None;
    }
    let line = format!("\"{name}\": \"{value}\"");
    let value = line.len().checked_sub(value.len() + 1)?;
    secret::find(&line, kinds)
        .find(|secret| secret.span.start >= value)
        .map(|secret| kind(secret.id))
}

/// Whether a name may be one of those that the engine knows; it decides.
fn is_telling(name: &str) -> bool {
    const PARTS: [&[u8]; 8] = [
        b"pass", b"pwd", b"secret", b"token", b"key", b"auth", b"sig", b"conn",
    ];
    let name = name.as_bytes();
    PARTS.iter().any(|part| {
        name.windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
    })
}

/// `github-token` of `secret/github-token`, as it stands in the text.
fn kind(id: &'static str) -> &'static str {
    id.rsplit('/').next().unwrap_or(id)
}

fn kinds(policy: &TextPolicy) -> Option<Kinds> {
    Secret::ALL
        .into_iter()
        .filter(|secret| policy.redacts(*secret))
        .map(|secret| match secret {
            Secret::Credential => Kinds::CREDENTIALS,
            Secret::Card => Kinds::CARDS,
            Secret::Iban => Kinds::IBAN,
            Secret::Email => Kinds::EMAIL,
        })
        .reduce(|all, kind| all | kind)
}
