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

/// The key of a vault out of a variable of the environment: every process of the same user reads
/// it there, and so does who gets a crash report. The variable must be kept past the start with
/// `Sandbox::keep_env`.
///
/// ```
/// use mcp_secure::{dangerous, vault::Vault};
///
/// let key = dangerous::vault_key_from_env("NOTES_VAULT_KEY");
/// let vault = Vault::file("/etc/notes/vault", key);
/// ```
#[cfg(feature = "vault")]
#[must_use]
pub fn vault_key_from_env(name: impl Into<String>) -> crate::vault::VaultKey {
    crate::vault::VaultKey::env(name.into())
}

/// Lets the credential of a grant be one that goes into the query of addresses
/// ([`Placement::Query`](crate::vault::Placement::Query)), for a server that takes it nowhere
/// else. Its logs then have it, and those of each proxy before it. Responses and what leaves are
/// cleaned of it all the same. Say which credential first.
///
/// ```
/// # use mcp_secure::{dangerous, prelude::*};
/// /// A weather service of long ago.
/// #[capability(net = "https://weather.example", credential = "weather")]
/// struct Weather;
///
/// let grant = dangerous::credential_in_query(Weather::declared());
/// # let _: mcp_secure::__private::Grant = grant.into();
/// ```
#[cfg(feature = "vault")]
#[must_use]
pub fn credential_in_query<E>(
    mut grant: crate::capability::net::NetGrant<E>,
) -> crate::capability::net::NetGrant<E> {
    grant.allow_query();
    grant
}

/// Starts without an OS ring: a dependency that calls `std::fs` or opens a socket is not
/// stopped. Why is in the audit log of every start. An operator who
/// [requires](crate::sandbox::Sandbox::require) a level has a server that does not start.
///
/// ```
/// use mcp_secure::{dangerous, sandbox::Sandbox};
///
/// let sandbox = dangerous::without_sandbox(Sandbox::new(), "under a debugger");
/// ```
#[cfg(feature = "sandbox")]
#[must_use]
pub fn without_sandbox(
    mut sandbox: crate::sandbox::Sandbox,
    why: impl Into<String>,
) -> crate::sandbox::Sandbox {
    sandbox.without = Some(why.into());
    sandbox
}

/// Lets code beside the handles use the network: a client library that dials itself. Every
/// tool, and all they call, can then send what it reads anywhere; the sandbox is `partial`.
///
/// ```
/// use mcp_secure::{dangerous, sandbox::Sandbox};
///
/// let sandbox = dangerous::ambient_network(Sandbox::new(), "the vendor's client dials itself");
/// ```
#[cfg(feature = "sandbox")]
#[must_use]
pub fn ambient_network(
    mut sandbox: crate::sandbox::Sandbox,
    why: impl Into<String>,
) -> crate::sandbox::Sandbox {
    sandbox.ambient_network = Some(why.into());
    sandbox
}

/// Lets a program be granted that runs other programs, or code that is given to it: a shell, an
/// interpreter, a launcher. Its arguments stay typed, but what they say may be a program. The
/// manifest shows the reason.
///
/// ```
/// # use mcp_secure::{dangerous, prelude::*};
/// /// Formats code.
/// #[capability(exec = "/usr/bin/python3")]
/// struct Black;
///
/// let grant = dangerous::interpreter(
///     Black::declared().leading(["-I", "-m", "black"]),
///     "black is a Python module and has no program of its own",
/// );
/// # let _: mcp_secure::__private::Grant = grant.into();
/// ```
#[cfg(feature = "exec")]
#[must_use]
pub fn interpreter<P: crate::capability::exec::Program>(
    mut grant: crate::capability::exec::ExecGrant<P>,
    why: &'static str,
) -> crate::capability::exec::ExecGrant<P> {
    grant.terms.interpreter = Some(why);
    grant
}
