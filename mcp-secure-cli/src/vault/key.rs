//! The key, as the command line names it: always a place, never the key.

use std::path::PathBuf;

use clap::Args;
use mcp_secure::{
    Result,
    vault::{VaultFile, VaultKey},
};

use super::input;

/// What opens the vault.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct KeyArgs {
    /// A file with a random key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A credential of the systemd service that this runs in
    #[arg(long, value_name = "NAME")]
    key_credential: Option<String>,
    /// An open descriptor that gives a random key
    #[arg(long, value_name = "NUMBER")]
    key_fd: Option<u32>,
    /// A file with a passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Ask for a passphrase at the terminal
    #[arg(long)]
    passphrase: bool,
    /// A program that prints a random key: its absolute path, and its arguments, with spaces between
    #[arg(long, value_name = "PROGRAM")]
    key_command: Option<String>,
    /// A key of this name in the Secret Service
    #[cfg(feature = "keyring")]
    #[arg(long, value_name = "NAME")]
    key_keyring: Option<String>,
    /// A key of this name in the session keyring of the kernel
    #[cfg(feature = "keyring")]
    #[arg(long, value_name = "NAME")]
    key_kernel_keyring: Option<String>,
}

impl KeyArgs {
    pub(super) fn key(&self) -> Result<VaultKey> {
        self.read(false)
    }

    /// A key that is new: a passphrase is asked for twice.
    pub(super) fn new_key(&self) -> Result<VaultKey> {
        self.read(true)
    }

    /// Makes the key if it is one that can be made and is not there: what was made.
    pub(super) fn make(&self) -> Result<Option<String>> {
        if let Some(path) = &self.key_file {
            let is_new = VaultKey::file(path).make()?;
            return Ok(is_new.then(|| path.display().to_string()));
        }
        #[cfg(feature = "keyring")]
        if let Some((name, key)) = self.keyring() {
            return Ok(key.make()?.then(|| name.to_owned()));
        }
        Ok(None)
    }

    #[cfg(feature = "keyring")]
    fn keyring(&self) -> Option<(&str, VaultKey)> {
        let service = self.key_keyring.as_deref();
        let kernel = self.key_kernel_keyring.as_deref();
        service
            .map(|name| (name, VaultKey::secret_service(name)))
            .or_else(|| kernel.map(|name| (name, VaultKey::kernel_keyring(name))))
    }

    fn read(&self, is_new: bool) -> Result<VaultKey> {
        #[cfg(feature = "keyring")]
        if let Some((_, key)) = self.keyring() {
            return Ok(key);
        }
        Ok(if let Some(path) = &self.key_file {
            VaultKey::file(path)
        } else if let Some(name) = &self.key_credential {
            VaultKey::systemd(name)
        } else if let Some(number) = self.key_fd {
            VaultKey::descriptor(number)
        } else if let Some(line) = &self.key_command {
            let mut words = line.split_whitespace();
            VaultKey::command(words.next().unwrap_or_default(), words)
        } else if let Some(path) = &self.passphrase_file {
            VaultKey::passphrase_file(path)
        } else if is_new {
            VaultKey::passphrase(input::new_passphrase()?)
        } else {
            VaultKey::passphrase(input::passphrase("passphrase: ")?)
        })
    }
}

/// What is to open it.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct NewKeyArgs {
    /// A file with a random key; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    /// A credential of the systemd service that this runs in
    #[arg(long, value_name = "NAME")]
    new_key_credential: Option<String>,
    /// A file with a passphrase
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Ask for a passphrase at the terminal
    #[arg(long)]
    new_passphrase: bool,
}

impl NewKeyArgs {
    pub(super) fn key(&self) -> Result<VaultKey> {
        Ok(if let Some(path) = &self.new_key_file {
            if !path.exists() {
                VaultFile::make_key(path)?;
                eprintln!("made the key `{}`", path.display());
            }
            VaultKey::file(path)
        } else if let Some(name) = &self.new_key_credential {
            VaultKey::systemd(name)
        } else if let Some(path) = &self.new_passphrase_file {
            VaultKey::passphrase_file(path)
        } else {
            VaultKey::passphrase(input::new_passphrase()?)
        })
    }
}
