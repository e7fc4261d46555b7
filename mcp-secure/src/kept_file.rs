//! A file that this user alone keeps: read with suspicion, and replaced whole.

use std::path::Path;

use crate::Error;

/// What such a file is, for messages, and what its drafts are called.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// As in: the vault `v` is torn.
    pub(crate) what: &'static str,
    /// How the names of files begin that are to take its place.
    pub(crate) draft: &'static str,
}

impl Kind {
    pub(crate) fn fail(self, path: &Path, what: impl std::fmt::Display) -> Error {
        Error::new(format!("{} `{}` {what}", self.what, path.display()))
    }
}

#[cfg(unix)]
pub(crate) use unix::KeptFile;

#[cfg(not(unix))]
pub(crate) struct KeptFile;

#[cfg(not(unix))]
impl KeptFile {
    pub(crate) fn open(kind: Kind, path: &Path) -> crate::Result<Self> {
        Err(kind
            .fail(path, "cannot be protected on this system")
            .help("it needs Unix file permissions in this version"))
    }

    pub(crate) fn make(kind: Kind, path: &Path) -> crate::Result<Self> {
        Self::open(kind, path)
    }

    pub(crate) fn narrow(self) -> crate::Result<Self> {
        Ok(self)
    }

    pub(crate) fn lock(&self) -> crate::Result<()> {
        Err(Error::new("it needs Unix file permissions"))
    }

    pub(crate) fn read(&self, _: usize) -> crate::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub(crate) fn replace(&self, _: &[u8]) -> crate::Result<()> {
        self.lock()
    }

    #[cfg(feature = "vault")]
    pub(crate) fn remove(&self) -> crate::Result<()> {
        self.lock()
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        ffi::OsString,
        fs::{DirBuilder, File},
        io::{Read as _, Write as _},
        os::{
            fd::OwnedFd,
            unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
        },
        path::{Component, Path, PathBuf},
        time::Duration,
    };

    use rustix::{
        fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat},
        io::Errno,
    };

    use super::Kind;
    use crate::{Error, Result};

    /// The folder, which is where the file is: nothing is looked up twice.
    pub(crate) struct KeptFile {
        folder: OwnedFd,
        name: OsString,
        path: PathBuf,
        kind: Kind,
    }

    impl KeptFile {
        /// The folder, which must be ours and writable by nobody else: who can write it can put
        /// another file into the place of this one.
        pub(crate) fn open(kind: Kind, path: &Path) -> Result<Self> {
            let path = std::path::absolute(path)
                .map_err(|e| kind.fail(path, format!("has no path: {e}")))?;
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(kind.fail(&path, "is not a file name"));
            };
            let wrong = |what: String| {
                kind.fail(
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
            Ok(Self {
                folder,
                name: name.to_owned(),
                path: path.clone(),
                kind,
            })
        }

        /// The same, in a folder that a server may go on reading in its sandbox: one with little
        /// else in it.
        pub(crate) fn narrow(self) -> Result<Self> {
            let parent = self.path.parent().unwrap_or(Path::new("/"));
            let real = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
            let depth = real
                .components()
                .filter(|c| matches!(c, Component::Normal(_)))
                .count();
            let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
            if depth < 2 || home.is_some_and(|home| home.starts_with(&real)) {
                let lies = format!(
                    "lies in `{}`, which holds much else, and stays readable to the server",
                    parent.display()
                );
                return Err(self
                    .kind
                    .fail(&self.path, lies)
                    .help("give it a folder of its own, with mode 700"));
            }
            Ok(self)
        }

        /// The same; the folder is made if it is not there.
        pub(crate) fn make(kind: Kind, path: &Path) -> Result<Self> {
            if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent)
                    .map_err(|e| kind.fail(path, format!("has no folder: {e}")))?;
            }
            Self::open(kind, path)
        }

        /// Held until this is dropped. Of the folder: the file is another one after each change.
        pub(crate) fn lock(&self) -> Result<()> {
            for _ in 0..1500 {
                match rustix::fs::flock(&self.folder, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        self.sweep();
                        return Ok(());
                    }
                    Err(Errno::WOULDBLOCK | Errno::INTR) => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    Err(e) => {
                        return Err(self.kind.fail(&self.path, format!("cannot be locked: {e}")));
                    }
                }
            }
            Err(self
                .kind
                .fail(&self.path, "is being changed by somebody else")
                .help("try again"))
        }

        /// The content, or `None` if there is no file.
        pub(crate) fn read(&self, max: usize) -> Result<Option<Vec<u8>>> {
            let fail = |what: String| self.kind.fail(&self.path, what);
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
            // None is fine: it was replaced since it was opened.
            if stat.st_nlink > 1 {
                return Err(fail(
                    "has another name in the file system, by which it can be kept".into(),
                )
                .help("remove the hard link, or copy the file and take the copy"));
            }
            let mut bytes = Vec::new();
            File::from(file)
                .take(max as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| fail(format!("cannot be read: {e}")))?;
            Ok(Some(bytes))
        }

        /// The file is the old one or the new one at each moment, after a power cut as well.
        pub(crate) fn replace(&self, bytes: &[u8]) -> Result<()> {
            let fail = |e: &dyn std::fmt::Display| {
                self.kind
                    .fail(&self.path, format!("cannot be written: {e}"))
            };
            let mut random = [0_u8; 8];
            getrandom::fill(&mut random)
                .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
            let draft = format!("{}{:016x}", self.kind.draft, u64::from_ne_bytes(random));
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

        /// Takes the file away, if it is there.
        #[cfg(feature = "vault")]
        pub(crate) fn remove(&self) -> Result<()> {
            match rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty()) {
                Ok(()) => rustix::fs::fsync(&self.folder),
                Err(Errno::NOENT) => Ok(()),
                Err(e) => Err(e),
            }
            .map_err(|e| {
                self.kind
                    .fail(&self.path, format!("cannot be removed: {e}"))
            })
        }

        /// Drafts of who was killed. Under the lock they are nobody's.
        fn sweep(&self) {
            let Ok(entries) = Dir::read_from(&self.folder) else {
                return;
            };
            for entry in entries.flatten() {
                if entry
                    .file_name()
                    .to_bytes()
                    .starts_with(self.kind.draft.as_bytes())
                {
                    let name = std::ffi::OsStr::from_bytes(entry.file_name().to_bytes());
                    let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
                }
            }
        }
    }

    fn ours(stat: &Stat) -> bool {
        stat.st_uid == rustix::process::geteuid().as_raw()
    }
}
