//! The file that keys are kept in, read with suspicion and replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ApiKey, entry::check_all};
use crate::{
    Error, Result,
    kept_file::{KeptFile, Kind},
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u8,
    keys: Vec<ApiKey>,
}

/// The file, in its folder.
pub(super) struct Folder {
    file: KeptFile,
    path: PathBuf,
}

impl Folder {
    /// The folder must be ours and writable by nobody else: who can write the folder can replace
    /// the file, and who can replace the file has a key. A server reads it again and again, in
    /// its sandbox as well.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::of(KeptFile::open(KIND, path)?, path)
    }

    /// The same; the folder is made if it is not there.
    pub(super) fn make(path: &Path) -> Result<Self> {
        Self::of(KeptFile::make(KIND, path)?, path)
    }

    fn of(file: KeptFile, path: &Path) -> Result<Self> {
        Ok(Self {
            file: file.narrow()?,
            path: path.to_owned(),
        })
    }

    pub(super) fn read_all(&self) -> Result<Vec<ApiKey>> {
        let keys = self.read()?;
        keys.ok_or_else(|| {
            fail(&self.path, "is not there")
                .help("make it and a first key with `mcp-secure keys add --file …`")
        })
    }

    /// Reads, changes and replaces, while nobody else does.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<ApiKey>) -> Result<T>,
    ) -> Result<T> {
        self.file.lock()?;
        let mut keys = self.read()?.unwrap_or_default();
        let done = change(&mut keys)?;
        self.file.replace(&print(&self.path, keys)?)?;
        Ok(done)
    }

    fn read(&self) -> Result<Option<Vec<ApiKey>>> {
        let Some(bytes) = self.file.read(MAX)? else {
            return Ok(None);
        };
        if bytes.len() > MAX {
            return Err(fail(&self.path, "is larger than any file of keys"));
        }
        parse(&self.path, &bytes).map(Some)
    }
}

fn fail(path: &Path, what: impl std::fmt::Display) -> Error {
    KIND.fail(path, what)
}

/// The path with the links of its folder followed, and the folder.
#[cfg_attr(not(feature = "http"), allow(dead_code))]
pub(super) fn settled(path: &Path) -> Result<(PathBuf, PathBuf)> {
    let wrong = |what: String| {
        fail(path, what).help("make it and a first key with `mcp-secure keys add --file …`")
    };
    let absolute = std::path::absolute(path).map_err(|e| wrong(format!("has no path: {e}")))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(fail(path, "is not a file name"));
    };
    let folder = folder
        .canonicalize()
        .map_err(|e| wrong(format!("cannot be reached: {e}")))?;
    Ok((folder.join(name), folder))
}

/// What the bytes say. Nothing of them is repeated: what is in a wrong place may be a key.
fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<ApiKey>> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        fail(path, format!("is not as it should be at line {line}, column {column}"))
            .help("`mcp-secure keys` writes it; a field may be unknown, missing, twice or no value of its kind")
    })?;
    if document.version != VERSION {
        return Err(fail(path, format!("is of version {}", document.version))
            .help(format!("this program knows version {VERSION}")));
    }
    check_all(&document.keys).map_err(|e| e.before(&format!("`{}`: ", path.display())))?;
    Ok(document.keys)
}

fn print(path: &Path, keys: Vec<ApiKey>) -> Result<Vec<u8>> {
    check_all(&keys)?;
    let document = Document {
        version: VERSION,
        keys,
    };
    let mut bytes = serde_json::to_vec_pretty(&document)
        .map_err(|e| fail(path, format!("cannot be written: {e}")))?;
    bytes.push(b'\n');
    if bytes.len() > MAX {
        return Err(fail(path, "would be too large")
            .help("forget keys that are over with `mcp-secure keys prune`"));
    }
    Ok(bytes)
}

const VERSION: u8 = 1;
const MAX: usize = 4 * 1024 * 1024;
const KIND: Kind = Kind {
    what: "the file of API keys",
    draft: ".keys-draft.",
};
