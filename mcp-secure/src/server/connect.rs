//! Where callers connect accounts: beside the server's endpoint, or on loopback.

use std::sync::Arc;

use super::{persons::Persons, run::Bound};
use crate::{
    Error, Result,
    auth::oauth::upstream::{Desk, Door, accounts_of, sign_in_of},
    capability::Opening,
    layer::connect::Connecting,
};

/// What callers connect at this server, once it has its address.
///
/// # Errors
///
/// When somebody else than the caller could finish what a caller began, and nobody would notice.
pub(crate) fn open(
    opening: &mut Opening,
    server: &'static str,
    bound: &Bound,
    persons: &mut Persons,
) -> Result<Option<Connecting>> {
    let accounts = accounts_of(opening);
    let sign_in = sign_in_of(opening);
    let Some(first) = accounts.first() else {
        return Ok(None);
    };
    let name = first.capability();
    let by_device = accounts.iter().find(|account| account.is_by_device());
    let (origin, door) = match bound {
        Bound::Stdio(_) => (persons.loopback()?.origin, Door::Link),
        Bound::Http(bound) => {
            if let Some(account) = by_device {
                return Err(Error::new(format!(
                    "the grant `{}` connects by a device code, and on a network it is not known \
                     who types it",
                    account.capability()
                ))
                .help("leave `.device()` away, or serve stdio"));
            }
            let is_local = bound.token_path().is_some();
            match (sign_in, bound.local_addr()) {
                (_, None) => (persons.loopback()?.origin, Door::Link),
                (Some(sign_in), Some(_)) => (sign_in.origin(), Door::SignIn(Box::new(sign_in))),
                (None, Some(address)) if is_local => {
                    (format!("{}://{address}", bound.scheme()), Door::Link)
                }
                (None, Some(_)) => {
                    return Err(Error::new(format!(
                        "callers connect accounts to `{name}`, and it is not known who is at the \
                         browser: somebody could finish what another one began"
                    ))
                    .help(
                        "take access tokens, and add `.sign_in(CLIENT_ID, …)` to the resource server",
                    ));
                }
            }
        }
    };
    let desk = Arc::new(Desk::new(origin, door, server));
    persons.add(Arc::clone(&desk) as _);
    Ok(Some(Connecting {
        accounts: accounts.into(),
        desk,
    }))
}
