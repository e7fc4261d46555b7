//! The file that keys are kept in, read with suspicion and replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ApiKey, entry::check_all};
use crate::{Error, Result};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u8,
    keys: Vec<ApiKey>,
}

#[cfg(unix)]
pub(super) use unix::Folder;

fn fail(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(format!("the file of API keys `{}` {what}", path.display()))
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

#[cfg(not(unix))]
pub(super) struct Folder;

#[cfg(not(unix))]
impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Err(fail(path, "cannot be protected on this system")
            .help("API keys need Unix file permissions in this version"))
    }

    pub(super) fn make(path: &Path) -> Result<Self> {
        Self::open(path)
    }

    pub(super) fn read_all(&self) -> Result<Vec<ApiKey>> {
        Ok(Vec::new())
    }

    pub(super) fn change<T>(&self, _: impl FnOnce(&mut Vec<ApiKey>) -> Result<T>) -> Result<T> {
        Err(Error::new(
            "API keys need Unix file permissions in this version",
        ))
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        ffi::OsString,
        fs::{DirBuilder, File},
        io::{Read as _, Write as _},
        os::{fd::OwnedFd, unix::fs::DirBuilderExt as _},
        path::{Component, Path, PathBuf},
        time::Duration,
    };

    use rustix::{
        fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat},
        io::Errno,
    };

    use super::{ApiKey, MAX, fail, parse, print};
    use crate::{Error, Result};

    /// The folder of a file of keys, which is where the file is: nothing is looked up twice.
    pub(in super::super) struct Folder {
        folder: OwnedFd,
        name: OsString,
        path: PathBuf,
    }

    impl Folder {
        /// The folder, which must be ours and writable by nobody else: who can write the folder
        /// can replace the file, and who can replace the file has a key.
        pub(in super::super) fn open(path: &Path) -> Result<Self> {
            let path =
                std::path::absolute(path).map_err(|e| fail(path, format!("has no path: {e}")))?;
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(fail(&path, "is not a file name"));
            };
            let wrong = |what: String| {
                fail(
                    &path,
                    format!("lies in `{}`, which {what}", parent.display()),
                )
                .help("give it a folder of its own, with mode 700")
            };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = rustix::fs::open(parent, flags, Mode::empty())
                .map_err(|e| wrong(format!("cannot be opened: {e}")))?;
            let stat = rustix::fs::fstat(&folder)
                .map_err(|e| wrong(format!("cannot be examined: {e}")))?;
            if !ours(&stat) {
                return Err(wrong("belongs to another user".into()));
            }
            if stat.st_mode & 0o022 != 0 {
                return Err(wrong("can be written by other users".into()));
            }
            // A server reads it again and again, in its sandbox as well.
            let real = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
            let depth = real
                .components()
                .filter(|c| matches!(c, Component::Normal(_)))
                .count();
            let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
            if depth < 2 || home.is_some_and(|home| home.starts_with(&real)) {
                return Err(wrong(
                    "holds much else, and stays readable to the server".into(),
                ));
            }
            Ok(Self {
                folder,
                name: name.to_owned(),
                path: path.clone(),
            })
        }

        /// The same; the folder is made if it is not there.
        pub(in super::super) fn make(path: &Path) -> Result<Self> {
            if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent)
                    .map_err(|e| fail(path, format!("has no folder: {e}")))?;
            }
            Self::open(path)
        }

        pub(in super::super) fn read_all(&self) -> Result<Vec<ApiKey>> {
            let bytes = self.read()?.ok_or_else(|| {
                fail(&self.path, "is not there")
                    .help("make it and a first key with `mcp-secure keys add --file …`")
            })?;
            parse(&self.path, &bytes)
        }

        /// Reads, changes and replaces, while nobody else does.
        pub(in super::super) fn change<T>(
            &self,
            change: impl FnOnce(&mut Vec<ApiKey>) -> Result<T>,
        ) -> Result<T> {
            self.lock()?;
            let mut keys = match self.read()? {
                Some(bytes) => parse(&self.path, &bytes)?,
                None => Vec::new(),
            };
            let done = change(&mut keys)?;
            self.replace(&print(&self.path, keys)?)?;
            Ok(done)
        }

        /// Held until this is dropped. Of the folder: the file is another one after each change.
        fn lock(&self) -> Result<()> {
            for _ in 0..100 {
                match rustix::fs::flock(&self.folder, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => return Ok(()),
                    Err(Errno::WOULDBLOCK | Errno::INTR) => {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                    Err(e) => return Err(fail(&self.path, format!("cannot be locked: {e}"))),
                }
            }
            Err(fail(&self.path, "is being changed by somebody else").help("try again"))
        }

        /// The content, or `None` if there is no file.
        fn read(&self) -> Result<Option<Vec<u8>>> {
            let fail = |what: String| fail(&self.path, what);
            // Without NONBLOCK a FIFO with this name would hold up the start.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty()) {
                Ok(file) => file,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP) => {
                    return Err(fail("is a symbolic link".into()).help("name the file itself"));
                }
                Err(e) => return Err(fail(format!("cannot be opened: {e}"))),
            };
            let stat =
                rustix::fs::fstat(&file).map_err(|e| fail(format!("cannot be examined: {e}")))?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Err(fail("is not a regular file".into()));
            }
            if !ours(&stat) {
                return Err(fail("belongs to another user".into()).help(format!(
                    "make it yours: `chown $(id -u) '{}'`",
                    self.path.display()
                )));
            }
            if stat.st_mode & 0o177 != 0 {
                return Err(fail("is open to other users".into())
                    .help(format!("run `chmod 600 '{}'`", self.path.display())));
            }
            let mut bytes = Vec::new();
            File::from(file)
                .take(MAX as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| fail(format!("cannot be read: {e}")))?;
            if bytes.len() > MAX {
                return Err(fail("is larger than any file of keys".into()));
            }
            Ok(Some(bytes))
        }

        /// The file is the old one or the new one at each moment, after a power cut as well.
        fn replace(&self, bytes: &[u8]) -> Result<()> {
            let fail =
                |e: &dyn std::fmt::Display| fail(&self.path, format!("cannot be written: {e}"));
            let mut random = [0_u8; 8];
            getrandom::fill(&mut random)
                .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
            let draft = format!(".keys.{:016x}.new", u64::from_ne_bytes(random));
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR;
            let file =
                rustix::fs::openat(&self.folder, &draft, flags, mode).map_err(|e| fail(&e))?;
            let mut file = File::from(file);
            let done = file
                .write_all(bytes)
                .and_then(|()| file.sync_all())
                .map_err(|e| fail(&e))
                .and_then(|()| {
                    rustix::fs::renameat(&self.folder, &draft, &self.folder, &self.name)
                        .map_err(|e| fail(&e))
                });
            if done.is_err() {
                let _ = rustix::fs::unlinkat(&self.folder, &draft, AtFlags::empty());
                return done;
            }
            rustix::fs::fsync(&self.folder).map_err(|e| fail(&e))
        }
    }

    fn ours(stat: &Stat) -> bool {
        stat.st_uid == rustix::process::geteuid().as_raw()
    }
}
