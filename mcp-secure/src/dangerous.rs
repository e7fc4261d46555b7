//! What weakens a default. Everything here is named so that a reviewer finds it by searching for
//! `dangerous`.

use crate::{Secret, TextPolicy};

/// Lets this leave as it is: for a server whose purpose is to answer with it, an inbox or a
/// bank's own. What goes to logs is redacted all the same. The operator can take it back.
///
/// ```
/// use mcp_secure::{Secret, TextPolicy, dangerous};
///
/// let policy = dangerous::unredacted(TextPolicy::default(), Secret::Iban);
/// assert!(!policy.redacts(Secret::Iban) && policy.redacts(Secret::Credential));
/// ```
#[must_use]
pub fn unredacted(mut policy: TextPolicy, secret: Secret) -> TextPolicy {
    policy.set(secret, false);
    policy
}

/// Lets a grant be plain HTTP to public addresses: everybody on the way reads it and may change
/// it.
#[cfg(feature = "net")]
#[must_use]
pub fn plain_http<E>(
    mut grant: crate::capability::net::NetGrant<E>,
) -> crate::capability::net::NetGrant<E> {
    grant.allow_plain_http();
    grant
}
