//! Checkpoints with a second signature.

use std::{
    io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{beside, disk::Files};
use crate::{Error, Result, audit::chain::CosigningKey, secret_file::secret_file};

/// A second key for the checkpoints of a log: C2SP `cosignature/v1`.
///
/// The signing key of a log lies beside it, in its state. Who takes that can sign another log of
/// the same name; a reader who asks for this key as well (`mcp-secure audit verify --head FILE
/// --witness KEY`) does not take its heads. It has to lie elsewhere: a file of another owner
/// that is read before the server gives its rights away, another machine that
/// [`cosign`](Self::cosign)s what is posted to it.
pub struct Cosigner(CosigningKey);

impl Cosigner {
    /// Makes a new key, and beside it `FILE.pub` for who checks its signatures.
    ///
    /// # Errors
    ///
    /// When the name has a space or a plus, or a file is there already.
    pub fn make(name: &str, file: &Path) -> Result<()> {
        let mut seed = zeroize::Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut())
            .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
        let key = CosigningKey::new(name, &seed).ok_or_else(|| {
            Error::new(format!("`{name}` is no name of a witness"))
                .help("write printable ASCII without spaces and `+`, such as `witness.example/1`")
        })?;
        let wrong = |file: &Path, error: io::Error| {
            Error::new(format!("`{}` cannot be written: {error}", file.display()))
        };
        let text = zeroize::Zeroizing::new(format!("{}\n", &*key.text()));
        Files::write_new(file, text.as_bytes(), 0o600).map_err(|error| wrong(file, error))?;
        let public = beside(file, "pub");
        Files::write_new(&public, (key.public().text() + "\n").as_bytes(), 0o644)
            .map_err(|error| wrong(&public, error))
    }

    /// Reads the key.
    ///
    /// # Errors
    ///
    /// When it is none, or every user can read it.
    pub fn open(file: &Path) -> Result<Self> {
        let text = secret_file(file)?;
        CosigningKey::parse(&text).map(Self).ok_or_else(|| {
            Error::new(format!("`{}` is no key of a witness", file.display()))
                .help("make one with `mcp-secure audit witness NAME --key FILE`")
        })
    }

    /// The checkpoint with this key's signature of now behind those that it has. Whether the
    /// checkpoint is one of the log, and whether the log has only grown, is for who calls to know.
    ///
    /// # Errors
    ///
    /// When it is no checkpoint.
    pub fn cosign(&self, note: &str) -> Result<String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.0
            .cosign(note, now.as_secs())
            .ok_or_else(|| Error::new("what is to be cosigned is no checkpoint"))
    }
}
