//! The canonical form (RFC 8785), its digest, and the file under version control.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{FORMAT, Manifest, Text};
use crate::{Error, Result};

impl Manifest {
    /// `sha256:` and the digest of the canonical form (RFC 8785).
    pub fn digest(&self) -> String {
        digest_of(self)
    }

    /// Readable JSON with sorted keys and a final line break: the same bytes for the same
    /// manifest on every machine, for a file under version control.
    pub fn to_json(&self) -> String {
        // Through the canonical form, so that the order of keys is its order whatever features
        // the build has turned on in serde_json.
        let value: serde_json::Value =
            serde_json::from_str(&canonical(self)).unwrap_or(serde_json::Value::Null);
        let mut out = serde_json::to_string_pretty(&value).unwrap_or_default();
        out.push('\n');
        out
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// When it is not JSON, is of another format, or has keys that this version does not know:
    /// what cannot be read whole cannot be compared.
    pub fn from_json(json: &str) -> Result<Self> {
        let regenerate = "write it again with `manifest --json`";
        let value: serde_json::Value = serde_json::from_str(json)
            .map_err(|e| Error::new(format!("the manifest is not JSON: {e}")).help(regenerate))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            let found = format.map_or_else(|| "no format".to_owned(), |n| format!("format {n}"));
            return Err(Error::new(format!(
                "the manifest has {found}, and this server reads format {FORMAT}"
            ))
            .help(regenerate));
        }
        serde_json::from_value(value)
            .map_err(|e| Error::new(format!("the manifest cannot be read: {e}")).help(regenerate))
    }
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            digest: hex_digest(text.as_bytes()),
        }
    }
}

/// The digest of something in its canonical form.
pub(crate) fn digest_of(value: &impl Serialize) -> String {
    hex_digest(canonical(value).as_bytes())
}

/// RFC 8785. What has no canonical form (it cannot happen to our own types or to a parsed
/// schema) gets its own text, so that two such things never share a digest by both being empty.
fn canonical(value: &impl Serialize) -> String {
    serde_json_canonicalizer::to_string(value)
        .or_else(|_| serde_json::to_string(value))
        .unwrap_or_default()
}

pub(super) fn hex_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", crate::hex::hex(&Sha256::digest(bytes)))
}
