//! Keys that the operating system keeps: in the Secret Service of a desktop (GNOME Keyring,
//! KWallet), or in a session keyring of the Linux kernel. Only the key of a vault lies there, and
//! it is read once, at the start.
//!
//! What neither does: every process of the same user asks the Secret Service as well as this one
//! does, once it is unlocked. A session keyring is possessed by the processes that were started in
//! it and by no others.
//!
//! A keyring that is absent, locked or empty stops the start. Nothing else is tried.

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod reader;
#[cfg(target_os = "linux")]
mod secret_service;

use zeroize::Zeroizing;

use crate::{Error, Result};

#[cfg(target_os = "linux")]
pub(crate) use reader::{by_child, serve_as_reader};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyring {
    SecretService,
    Kernel,
}

impl Keyring {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::SecretService => "a key in the Secret Service",
            Self::Kernel => "a key in the session keyring of the kernel",
        }
    }

    /// The key of this name.
    pub(super) fn read(self, name: &str) -> Result<Zeroizing<String>> {
        check(name)?;
        #[cfg(target_os = "linux")]
        return match self {
            Self::SecretService => reader::read(name),
            Self::Kernel => kernel::read(name),
        };
        #[cfg(not(target_os = "linux"))]
        Err(nowhere())
    }

    /// Keeps a new key under this name; one that is there stays as it is, and is no error of
    /// this: `false`.
    pub(super) fn make(self, name: &str, key: &Zeroizing<String>) -> Result<bool> {
        check(name)?;
        #[cfg(target_os = "linux")]
        return match self {
            Self::SecretService => secret_service::make(name, key),
            Self::Kernel => kernel::make(name, key),
        };
        #[cfg(not(target_os = "linux"))]
        {
            let _ = key;
            Err(nowhere())
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn nowhere() -> Error {
    Error::new("keyrings are known on Linux only in this version").help("name a key file")
}

fn check(name: &str) -> Result<()> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fine) {
        return Err(Error::new(format!(
            "`{}` is no name of a key in a keyring",
            name.escape_debug()
        ))
        .help("write letters, digits, `-`, `_` and `.`, 64 at most"));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn text(bytes: &[u8]) -> Result<Zeroizing<String>> {
    std::str::from_utf8(bytes)
        .map(|text| Zeroizing::new(text.trim_end().to_owned()))
        .map_err(|_| Error::new("what the keyring has under this name is no text"))
}
