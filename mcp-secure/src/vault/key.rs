//! Where the key of a vault comes from. One source, and none behind it.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

#[cfg(feature = "keyring")]
use super::keyring::Keyring;
use super::{
    crypt::{Key, fill},
    format::{Slot, Stretch},
};
use crate::{Error, Result, secret_file::secret_file};

/// What opens a vault.
pub struct VaultKey(Source);

enum Source {
    File(PathBuf),
    Systemd(String),
    Descriptor(u32),
    Passphrase(SecretString),
    PassphraseFile(PathBuf),
    Environment(String),
    Command(PathBuf, Vec<String>),
    #[cfg(feature = "keyring")]
    Keyring(Keyring, String),
    /// Of a caller.
    Derived(Zeroizing<String>),
}

impl VaultKey {
    /// A file that not every user of the machine can read, with at least 32 random bytes as
    /// text. `mcp-secure vault init --key-file` makes one. Keep it where the backups of the
    /// vault are not: who has both has everything.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// A credential of a systemd service, by its name: `LoadCredentialEncrypted=` keeps such a
    /// text encrypted under the key of the host or of its TPM, and hands it to this one service.
    /// It is found in `$CREDENTIALS_DIRECTORY`; keep that variable with
    /// `Sandbox::keep_env("CREDENTIALS_DIRECTORY")`.
    pub fn systemd(name: impl Into<String>) -> Self {
        Self(Source::Systemd(name.into()))
    }

    /// An open descriptor of this process, which is read to its end. For commands: a server
    /// closes what it inherits.
    pub fn descriptor(number: u32) -> Self {
        Self(Source::Descriptor(number))
    }

    /// What a person remembers, made a key by Argon2id.
    pub fn passphrase(text: SecretString) -> Self {
        Self(Source::Passphrase(text))
    }

    /// A passphrase in a file.
    pub fn passphrase_file(path: impl Into<PathBuf>) -> Self {
        Self(Source::PassphraseFile(path.into()))
    }

    /// What a program prints: of a password manager, a cloud, a device. Named by its absolute path
    /// and started without a shell, once, before the sandbox closes; it has 30 seconds.
    ///
    /// ```
    /// use mcp_secure::vault::VaultKey;
    /// let key = VaultKey::command("/usr/bin/pass", ["show", "vaults/stars"]);
    /// ```
    pub fn command<A: Into<String>>(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self(Source::Command(program.into(), args))
    }

    /// A key of this name in the Secret Service of the user's session: GNOME Keyring, KWallet.
    /// Every program of this user reads it there as well, once it is unlocked. Keep
    /// `DBUS_SESSION_BUS_ADDRESS` with `Sandbox::keep_env`.
    #[cfg(feature = "keyring")]
    pub fn secret_service(name: impl Into<String>) -> Self {
        Self(Source::Keyring(Keyring::SecretService, name.into()))
    }

    /// A key of this name in the session keyring of the kernel that the server was started in: it
    /// is in no file, and gone with the session. A keyring of the user is not taken for one.
    #[cfg(feature = "keyring")]
    pub fn kernel_keyring(name: impl Into<String>) -> Self {
        Self(Source::Keyring(Keyring::Kernel, name.into()))
    }

    /// Makes a random key where this one is to be: in a file or in a keyring. `false`: there is
    /// one already, and it stays.
    ///
    /// # Errors
    ///
    /// When it cannot be made there, or this is a source in which nothing is made.
    pub fn make(&self) -> Result<bool> {
        match &self.0 {
            Source::File(path) if path.exists() => Ok(false),
            Source::File(path) => make_file(path).map(|()| true),
            #[cfg(feature = "keyring")]
            Source::Keyring(keyring, name) => keyring
                .make(name, &random_text()?)
                .map_err(|error| error.before("the key of the vault: ")),
            _ => Err(Error::new(format!("no key is made as {}", self.kind()))),
        }
    }

    /// For `dangerous::vault_key_from_env`.
    pub(crate) fn env(name: String) -> Self {
        Self(Source::Environment(name))
    }

    /// One that opens the entries of a caller.
    pub(super) fn derived(key: &Key) -> Self {
        Self(Source::Derived(key.text()))
    }

    /// Whether it opens what one caller has.
    pub(super) fn is_of_caller(&self) -> bool {
        matches!(&self.0, Source::Derived(_))
    }

    /// The file of it, which no tool may read.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match &self.0 {
            Source::File(path) | Source::PassphraseFile(path) => Some(path.clone()),
            Source::Systemd(name) => credentials().map(|folder| folder.join(name)),
            _ => None,
        }
    }

    /// For the manifest.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.0 {
            Source::File(_) => "a key file",
            Source::Systemd(_) => "a systemd credential",
            Source::Descriptor(_) => "a descriptor",
            Source::Passphrase(_) | Source::PassphraseFile(_) => "a passphrase",
            Source::Environment(_) => "the environment, which is dangerous",
            #[cfg(feature = "keyring")]
            Source::Keyring(keyring, _) => keyring.kind(),
            Source::Command(..) => "what a program prints",
            Source::Derived(_) => "the key of a caller",
        }
    }

    /// Whether people could guess it.
    fn is_passphrase(&self) -> bool {
        matches!(&self.0, Source::Passphrase(_) | Source::PassphraseFile(_))
    }

    /// A new slot's fields: how a passphrase is stretched.
    pub(super) fn new_stretch(&self) -> Result<Option<Stretch>> {
        if !self.is_passphrase() {
            return Ok(None);
        }
        let mut salt = [0; 16];
        fill(&mut salt)?;
        Ok(Some(Stretch::new(salt)))
    }

    /// The text, read once for all slots.
    pub(super) fn material(&self) -> Result<Material> {
        let text = self
            .read()
            .map_err(|error| error.before("the key of the vault: "))?;
        if !self.is_passphrase() {
            let distinct: std::collections::BTreeSet<u8> = text.bytes().collect();
            if text.len() < SHORTEST || distinct.len() < FEWEST {
                return Err(Error::new(format!(
                    "the key of the vault is shorter than {SHORTEST} bytes, or not random"
                ))
                .help("make one with `openssl rand -base64 32`, or use a passphrase"));
            }
        }
        Ok(Material {
            text,
            is_passphrase: self.is_passphrase(),
        })
    }

    fn read(&self) -> Result<Zeroizing<String>> {
        match &self.0 {
            Source::File(path) | Source::PassphraseFile(path) => secret_file(path),
            Source::Systemd(name) => {
                if name.is_empty() || name.contains('/') || name.starts_with('.') {
                    return Err(Error::new(format!(
                        "`{}` is no name of a systemd credential",
                        name.escape_debug()
                    )));
                }
                let folder = credentials().ok_or_else(|| {
                    Error::new(format!(
                        "the systemd credential `{name}` is not there: `$CREDENTIALS_DIRECTORY` is \
                         not set"
                    ))
                    .help(
                        "write `LoadCredentialEncrypted=` into the unit, and keep the variable \
                         with `Sandbox::keep_env`",
                    )
                })?;
                secret_file(&folder.join(name))
            }
            Source::Descriptor(number) => descriptor(*number),
            #[cfg(feature = "keyring")]
            Source::Keyring(keyring, name) => keyring.read(name),
            #[cfg(unix)]
            Source::Command(program, args) => super::command::read(program, args),
            #[cfg(not(unix))]
            Source::Command(..) => Err(Error::new("programs are asked on Unix only")),
            Source::Derived(text) => Ok(text.clone()),
            Source::Passphrase(text) => Ok(Zeroizing::new(text.expose_secret().to_owned())),
            Source::Environment(name) => std::env::var(name).map(Zeroizing::new).map_err(|_| {
                Error::new(format!("the variable `{}` is not set", name.escape_debug()))
            }),
        }
    }
}

/// The text of a key. Wiped when it goes.
pub(super) struct Material {
    text: Zeroizing<String>,
    is_passphrase: bool,
}

impl Material {
    /// The key that a slot of this vault is wrapped under, if it is one of this kind.
    pub(super) fn key(&self, vault: &[u8; 16], slot: &Slot) -> Result<Option<Key>> {
        match (&slot.stretch, self.is_passphrase) {
            (Some(stretch), true) => Key::from_passphrase(self.text.as_bytes(), stretch).map(Some),
            (None, false) => Key::from_random(self.text.as_bytes(), vault).map(Some),
            _ => Ok(None),
        }
    }

    /// The least that a new passphrase must be. Others were chosen when this was made.
    pub(super) fn check_new(&self) -> Result<()> {
        if self.is_passphrase && self.text.chars().count() < SHORTEST_PASSPHRASE {
            return Err(Error::new(format!(
                "the passphrase is shorter than {SHORTEST_PASSPHRASE} characters"
            ))
            .help("take five random words"));
        }
        Ok(())
    }
}

/// Makes a file with a new key; one that is there stays as it is.
pub(super) fn make_file(path: &Path) -> Result<()> {
    use std::io::Write as _;

    let wrong = |error: std::io::Error| {
        Error::new(format!(
            "the key file `{}` cannot be made: {error}",
            path.display()
        ))
    };
    let mut text = random_text()?;
    text.push('\n');
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(wrong)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(wrong)?;
    // Its name too: a vault without its key is lost.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(wrong)
}

/// 32 random bytes as text, with room for a line end.
fn random_text() -> Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0_u8; 32]);
    fill(random.as_mut_slice())?;
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(random.as_slice(), &mut text);
    Ok(text)
}

fn descriptor(number: u32) -> Result<Zeroizing<String>> {
    let wrong = |what: String| Error::new(format!("the descriptor {number} {what}"));
    let file = std::fs::File::open(format!("/dev/fd/{number}"))
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
    file.take(MAX_TEXT as u64)
        .read_to_string(&mut text)
        .map_err(|_| wrong("has no text".to_owned()))?;
    let len = text.trim_end_matches(['\r', '\n']).len();
    if len == 0 || text.len() == MAX_TEXT {
        return Err(wrong("gives nothing, or too much".to_owned()));
    }
    text.truncate(len);
    Ok(text)
}

fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

const SHORTEST: usize = 32;
/// Different bytes: 32 random ones as text have some twenty, `aaaa…` has one.
const FEWEST: usize = 8;
const SHORTEST_PASSPHRASE: usize = 12;
const MAX_TEXT: usize = 4096;
