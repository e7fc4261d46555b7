//! One secret in the system's keyring.

use futures::future::BoxFuture;
use secrecy::SecretString;

use super::{Provided, SecretProvider, Wanted};
use crate::{Error, Result, state::Starting, vault::keyring::Keyring};

/// A secret that the operating system keeps, read once, before the sandbox closes. What is said
/// of [`VaultKey::secret_service`](crate::vault::VaultKey::secret_service) and
/// [`VaultKey::kernel_keyring`](crate::vault::VaultKey::kernel_keyring) is true of these, too.
pub struct KeyringEntry {
    keyring: Keyring,
    name: String,
}

impl KeyringEntry {
    /// The item of this name in the Secret Service of the user's session:
    /// `secret-tool store --label github service mcp-secure username github`.
    pub fn secret_service(name: impl Into<String>) -> Self {
        Self {
            keyring: Keyring::SecretService,
            name: name.into(),
        }
    }

    /// The key `mcp-secure:NAME` in the session keyring of the kernel that the server was started
    /// in: `keyctl padd user mcp-secure:github @s`.
    pub fn kernel(name: impl Into<String>) -> Self {
        Self {
            keyring: Keyring::Kernel,
            name: name.into(),
        }
    }
}

impl SecretProvider for KeyringEntry {
    fn kind(&self) -> String {
        self.keyring.kind().to_owned()
    }

    fn start(&self, _: &Wanted<'_>, _: &mut Starting<'_>) -> Result<Option<Provided>> {
        let text = self.keyring.read(&self.name)?;
        Ok(Some(Provided::new(SecretString::from(text.as_str()))))
    }

    fn fetch(&self) -> BoxFuture<'_, Result<Provided>> {
        // The sandbox is closed, and the keyring behind it.
        Box::pin(async { Err(Error::new("a keyring is read at the start only")) })
    }
}
