//! Where a secret comes from that is not in the file of the vault: the system's keyring, a
//! program of the operator, another vault on the network. All are one trait, and the file of the
//! vault is its first implementation.
//!
//! A provider gives a secret and how long it is good for, and has no say in anything else. The
//! hosts that may get it and the place in a request are declared with it, so a provider that was
//! taken over changes what is sent and not where. What it gives is spent, looked for in all that
//! leaves, and refused when its time is over, as all credentials are.
//!
//! Nothing falls back: a provider that is down at the start stops the start, and later refuses
//! the calls that need it.

#[cfg(target_os = "linux")]
mod command;
#[cfg(feature = "keyring")]
mod entry;
mod kept;
mod openbao;

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use futures::future::BoxFuture;
use secrecy::SecretString;
use zeroize::Zeroizing;

#[cfg(target_os = "linux")]
pub use command::CredentialCommand;
#[cfg(all(target_os = "linux", feature = "sandbox"))]
pub(crate) use command::Helper;
#[cfg(feature = "keyring")]
pub use entry::KeyringEntry;
pub(crate) use kept::{Kept, made};
pub use openbao::OpenBao;

use super::NewCredential;
use crate::{Error, Result, state::Starting};

/// Gives one secret. [`Vault::provide`](super::Vault::provide) says which credential it is.
///
/// Implement it for a store that is not here. What you return is wiped when it is not needed any
/// more; what you keep is yours to wipe. Errors go to the operator's log and never to a caller:
/// still put no secret into one, and nothing of what the store answered.
pub trait SecretProvider: Send + Sync + 'static {
    /// What it is, in a few words: `the OpenBao at https://bao.example`. Never a secret.
    fn kind(&self) -> String;

    /// Called once for each credential, before the sandbox closes. What is known now, and for as long as the server
    /// runs, is returned; `None`: it is asked for when it is needed.
    ///
    /// # Errors
    ///
    /// Stops the start.
    fn start(&self, wanted: &Wanted<'_>, starting: &mut Starting<'_>) -> Result<Option<Provided>> {
        let _ = (wanted, starting);
        Ok(None)
    }

    /// The secret as it is now. Called before the server serves, and then whenever most of the time of the last one is
    /// over; by one task at a time. It has ten seconds.
    fn fetch(&self) -> BoxFuture<'_, Result<Provided>>;
}

/// What a credential is wanted for.
pub struct Wanted<'a> {
    pub(super) name: &'static str,
    pub(super) credential: &'a NewCredential,
}

impl Wanted<'_> {
    /// What grants call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The first of the hosts that may get it: scheme, and host with its port if that is said.
    pub fn host(&self) -> (&str, &str) {
        let first = self.credential.hosts.first().map_or("", String::as_str);
        let (scheme, rest) = first.split_once("://").unwrap_or(("https", first));
        (scheme, rest.split('/').next().unwrap_or_default())
    }
}

/// A secret, and how long it is good for. No `Debug`.
pub struct Provided {
    pub(super) secret: SecretString,
    pub(super) version: Option<u32>,
    pub(super) life: Option<Duration>,
}

impl Provided {
    /// A secret. Without [`lasts`](Self::lasts), one from `fetch` is good for five minutes.
    pub fn new(secret: SecretString) -> Self {
        Self {
            secret,
            version: None,
            life: None,
        }
    }

    /// What the store calls this version of it; audit records name it.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// How long it may be spent: a day at most. It is not spent for a moment longer.
    #[must_use]
    pub fn lasts(mut self, life: Duration) -> Self {
        self.life = Some(life);
        self
    }
}

/// A credential of the file, which was open at the start.
pub(super) struct Stored {
    version: u32,
    secret: Mutex<Option<Zeroizing<Vec<u8>>>>,
}

impl Stored {
    pub(super) fn new(version: u32, secret: Zeroizing<Vec<u8>>) -> Self {
        Self {
            version,
            secret: Mutex::new(Some(secret)),
        }
    }
}

impl SecretProvider for Stored {
    fn kind(&self) -> String {
        "the vault".to_owned()
    }

    /// Once: the file is closed when the grants are open.
    fn start(&self, _: &Wanted<'_>, _: &mut Starting<'_>) -> Result<Option<Provided>> {
        let mut secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = secret.take().ok_or_else(closed)?;
        let text =
            std::str::from_utf8(&secret).map_err(|_| Error::new("the credential is no text"))?;
        Ok(Some(
            Provided::new(SecretString::from(text)).version(self.version),
        ))
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Provided>> {
        Box::pin(async { Err(closed()) })
    }
}

fn closed() -> Error {
    Error::new("the vault is closed")
}
