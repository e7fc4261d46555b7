//! A key in the Secret Service of the user's session, by way of `keyring-core`.

use std::sync::Arc;

use keyring_core::{Entry, Error as KeyringError, api::CredentialStoreApi as _};
use zbus_secret_service_keyring_store::Store;
use zeroize::Zeroizing;

use crate::{Error, Result};

pub(super) fn read(name: &str) -> Result<Zeroizing<String>> {
    let bytes = entry(name)?
        .get_secret()
        .map_err(|error| said(name, &error))?;
    super::text(&Zeroizing::new(bytes))
}

/// `false`: there is one already.
pub(super) fn make(name: &str, text: &Zeroizing<String>) -> Result<bool> {
    let entry = entry(name)?;
    match entry.get_secret() {
        Ok(there) => {
            drop(Zeroizing::new(there));
            return Ok(false);
        }
        Err(KeyringError::NoEntry) => {}
        Err(error) => return Err(said(name, &error)),
    }
    entry
        .set_secret(text.as_bytes())
        .map_err(|error| said(name, &error))?;
    Ok(true)
}

fn entry(name: &str) -> Result<Entry> {
    let store: Arc<Store> = Store::new().map_err(|error| {
        Error::new(format!("there is no Secret Service: {error}")).help(
            "it needs the bus of a session (`DBUS_SESSION_BUS_ADDRESS`, kept with \
             `Sandbox::keep_env`) and a keyring on it; on a machine without, name a key file",
        )
    })?;
    store
        .build(SERVICE, name, None)
        .map_err(|error| said(name, &error))
}

fn said(name: &str, error: &KeyringError) -> Error {
    match error {
        KeyringError::NoEntry => Error::new(format!("the Secret Service has no key `{name}`"))
            .help("`mcp-secure vault init --key-keyring NAME` makes one"),
        KeyringError::NoStorageAccess(why) => Error::new(format!(
            "the Secret Service does not give the key `{name}`: it is locked, or somebody said no: \
             {why}"
        ))
        .help("unlock the keyring before the server starts; no other source is tried"),
        KeyringError::Ambiguous(_) => {
            Error::new(format!("the Secret Service has several keys `{name}`"))
                .help("remove all but the right one")
        }
        // Nothing of a secret is in the others, and their words are the service's own.
        other => Error::new(format!(
            "the Secret Service, asked for the key `{name}`: {other}"
        )),
    }
}

/// What the entries of this library are filed under.
const SERVICE: &str = "mcp-secure";
