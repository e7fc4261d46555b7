//! Signed checkpoints: C2SP `signed-note` and `tlog-checkpoint`, so that what is there for such
//! logs (witnesses, monitors) reads them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Hash;

/// How a log is called in its checkpoints.
fn origin(log: &str) -> String {
    format!("mcp-secure/audit/{log}")
}

/// The size and the root of the tree at one moment, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Checkpoint {
    note: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    pub(in crate::audit) fn note(&self) -> &str {
        &self.note
    }

    pub(in crate::audit) fn size(&self) -> u64 {
        self.size
    }

    pub(in crate::audit) fn root(&self) -> &Hash {
        &self.root
    }

    /// Reads a note and checks its signature.
    pub(in crate::audit) fn open(note: &str, key: &PublicKey) -> Result<Self, &'static str> {
        let (body, signatures) = note.split_once("\n\n").ok_or("has no signature")?;
        let signed = format!("{body}\n");
        let mut lines = body.split('\n');
        if lines.next() != Some(key.name.as_str()) {
            return Err("is of another log");
        }
        let size = lines.next().filter(|text| is_plain(text));
        let size = size.and_then(|text| text.parse().ok());
        let root = lines.next().and_then(|text| STANDARD.decode(text).ok());
        let (Some(size), Some(root)) = (size, root.and_then(|root| root.try_into().ok())) else {
            return Err("is not a checkpoint");
        };
        let named = format!("\u{2014} {} ", key.name);
        let ours = signatures
            .split('\n')
            .filter_map(|line| line.strip_prefix(&named))
            .filter_map(|text| STANDARD.decode(text).ok())
            .find_map(|bytes| {
                let (hash, signature) = bytes.split_first_chunk::<4>()?;
                (hash == &key.hash()).then(|| Signature::from_slice(signature).ok())?
            })
            .ok_or("has no signature of this key")?;
        // Strict: one signature for one message and key.
        key.key
            .verify_strict(signed.as_bytes(), &ours)
            .map_err(|_| "has a wrong signature")?;
        Ok(Self {
            note: note.to_owned(),
            size,
            root,
        })
    }
}

/// One way to write each number.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

pub(super) struct Signer {
    key: SigningKey,
    name: String,
}

impl Signer {
    pub(super) fn new(log: &str, seed: &[u8; 32]) -> Self {
        Self {
            key: SigningKey::from_bytes(seed),
            name: origin(log),
        }
    }

    pub(super) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    pub(super) fn sign(&self, size: u64, root: &Hash) -> Checkpoint {
        let name = &self.name;
        let body = format!("{name}\n{size}\n{}\n", STANDARD.encode(root));
        let mut signature = self.public().hash().to_vec();
        signature.extend(self.key.sign(body.as_bytes()).to_bytes());
        Checkpoint {
            note: format!("{body}\n\u{2014} {name} {}\n", STANDARD.encode(signature)),
            size,
            root: *root,
        }
    }
}

/// Whoever has it can check the signatures of a log, and make none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct PublicKey {
    name: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// The text of a key file: `name+hash+key`, as C2SP writes it.
    pub(in crate::audit) fn text(&self) -> String {
        let hash = crate::hex::hex(&self.hash());
        let mut key = vec![ED25519];
        key.extend(self.key.as_bytes());
        format!("{}+{hash}+{}", self.name, STANDARD.encode(key))
    }

    pub(in crate::audit) fn parse(text: &str) -> Option<Self> {
        // Base64 may have a `+`, a name and a hash may not.
        let mut parts = text.trim().splitn(3, '+');
        let (name, _, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = STANDARD.decode(key).ok()?;
        let (kind, key) = key.split_first()?;
        let parsed = Self {
            name: name.to_owned(),
            key: VerifyingKey::from_bytes(key.try_into().ok()?).ok()?,
        };
        (*kind == ED25519 && parsed.text() == text.trim()).then_some(parsed)
    }

    fn hash(&self) -> [u8; 4] {
        let digest: Hash = Sha256::new_with_prefix(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize()
            .into();
        let [a, b, c, d, ..] = digest;
        [a, b, c, d]
    }
}

const ED25519: u8 = 1;
