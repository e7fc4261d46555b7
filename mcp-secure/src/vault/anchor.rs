//! What remembers the newest generation, so that an older one is noticed.
//!
//! An older vault is a whole vault: its MAC is right, and nothing in it says that there was a
//! newer one. So the number of the last generation and its digest are kept in a second file.
//! What that proves is this much: who can write the vault and not the anchor cannot bring back a
//! credential that was replaced or removed. Who can write both can; so can who restores a whole
//! machine. Put it on another volume, or where another user alone can write but this one reads.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{admin::DRAFT, format::Sealed};
use crate::{
    Error, Result,
    hex::hex,
    kept_file::{KeptFile, Kind},
};

/// What an anchor says.
pub(super) struct Anchor {
    vault: [u8; 16],
    generation: u64,
    digest: [u8; 32],
}

impl Anchor {
    pub(super) fn of(sealed: &Sealed, bytes: &[u8]) -> Self {
        Self {
            vault: sealed.id,
            generation: sealed.generation,
            digest: Sha256::digest(bytes).into(),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// `None`: there is no file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = KeptFile::open(KIND, path)?.read(MAX)? else {
            return Ok(None);
        };
        Self::parse(&bytes).map(Some).ok_or_else(|| {
            Error::new(format!("the anchor `{}` is torn, or none", path.display()))
                .help("find out who wrote to it; `mcp-secure vault restore` writes a new one")
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        KeptFile::make(KIND, path)?.replace(self.print().as_bytes())
    }

    /// # Errors
    ///
    /// When the anchor has seen a newer vault, another one of this generation, or another vault.
    /// A newer vault than the anchor is one whose writer was stopped between the two.
    pub(super) fn check(&self, sealed: &Sealed, bytes: &[u8]) -> Result<()> {
        if self.vault != sealed.id {
            return Err(Error::new("is another vault than the one of the anchor")
                .help("name the anchor of this vault"));
        }
        if sealed.generation < self.generation {
            return Err(Error::new(format!(
                "was rolled back: it is generation {}, and the anchor has seen {}",
                sealed.generation, self.generation
            ))
            .help("find out who put an older file there; credentials in it may be revoked ones"));
        }
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        if sealed.generation == self.generation && digest != self.digest {
            return Err(Error::new(format!(
                "is not the generation {} that the anchor has seen",
                self.generation
            ))
            .help("two copies of the vault were changed apart from each other"));
        }
        Ok(())
    }

    fn print(&self) -> String {
        format!(
            "{HEAD} {} {} {}\n",
            hex(&self.vault),
            self.generation,
            hex(&self.digest)
        )
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let rest = text.strip_prefix(HEAD)?.strip_prefix(' ')?;
        let mut words = rest.strip_suffix('\n')?.split(' ');
        let anchor = Self {
            vault: unhex(words.next()?)?,
            generation: words.next()?.parse().ok()?,
            digest: unhex(words.next()?)?,
        };
        (words.next().is_none() && anchor.print() == text).then_some(anchor)
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if !text.is_ascii() || text.len() != 2 * N {
        return None;
    }
    for (byte, at) in out.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}

pub(super) const KIND: Kind = Kind {
    what: "the anchor",
    draft: DRAFT,
};

const HEAD: &str = "mcp-secure vault anchor v1";
const MAX: usize = 256;
