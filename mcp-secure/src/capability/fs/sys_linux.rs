//! Linux 5.6 and newer: `openat2` resolves a whole path in the kernel, below one
//! descriptor, without links, magic links or mounts. There is nothing to race with.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    ops::ControlFlow,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags},
    io::Errno,
};

use super::{Kind, Result, Stat, Taken};
use crate::capability::fs::RelPath;

/// An open folder.
pub(in super::super) struct Dir {
    fd: OwnedFd,
    resolve: ResolveFlags,
}

/// A folder is only a place to resolve from; reading its names opens it again.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
/// A pipe or a device must not make the open wait, nor a terminal become ours.
const QUIET: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

impl Dir {
    /// Opens a folder by its canonical path: no link may have appeared in it since.
    /// `None` if there is no `openat2` here, or a sandbox forbids it.
    pub(super) fn open_ambient(path: &Path, mounts: bool) -> io::Result<Option<Self>> {
        let links = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let fd = match open(CWD, path, FOLDER, links) {
            // An old kernel; or a filter that knows `open` but not `openat2`, as in old
            // container runtimes.
            Err(Errno::NOSYS | Errno::PERM) => return Ok(None),
            opened => opened?,
        };
        let mut resolve = links | ResolveFlags::BENEATH;
        if !mounts {
            resolve |= ResolveFlags::NO_XDEV;
        }
        Ok(Some(Self { fd, resolve }))
    }

    pub(super) fn own_stat(&self) -> Result<Stat> {
        Ok(stat(&rustix::fs::fstat(&self.fd)?))
    }

    #[cfg(feature = "exec")]
    pub(super) fn descriptor(&self) -> Result<OwnedFd> {
        Ok(rustix::io::fcntl_dupfd_cloexec(&self.fd, 3)?)
    }

    pub(super) fn open_dir(&self, path: &RelPath) -> Result<Self> {
        let fd = self.open(path.as_str(), FOLDER)?;
        Ok(Self {
            fd,
            resolve: self.resolve,
        })
    }

    pub(super) fn open_file(&self, path: &RelPath) -> Result<(File, Stat)> {
        let fd = self.open(path.as_str(), OFlags::RDONLY | QUIET)?;
        let stat = stat(&rustix::fs::fstat(&fd)?);
        Ok((File::from(fd), stat))
    }

    pub(super) fn open_append(&self, path: &RelPath) -> Result<(File, Stat)> {
        let fd = self.open(path.as_str(), OFlags::WRONLY | OFlags::APPEND | QUIET)?;
        let stat = stat(&rustix::fs::fstat(&fd)?);
        Ok((File::from(fd), stat))
    }

    pub(super) fn stat(&self, path: &RelPath) -> Result<Stat> {
        // With `O_PATH | O_NOFOLLOW` a link at the end is opened itself.
        let fd = self.open(path.as_str(), OFlags::PATH | OFlags::NOFOLLOW)?;
        Ok(stat(&rustix::fs::fstat(&fd)?))
    }

    pub(super) fn read_link(&self, path: &RelPath) -> Result<PathBuf> {
        let fd = self.open(path.as_str(), OFlags::PATH | OFlags::NOFOLLOW)?;
        let target = rustix::fs::readlinkat(&fd, "", Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    pub(super) fn list(
        &self,
        each: &mut dyn FnMut(&OsStr, Option<Kind>) -> ControlFlow<()>,
    ) -> Result<()> {
        let fd = self.open(".", OFlags::RDONLY | OFlags::DIRECTORY)?;
        for entry in rustix::fs::Dir::new(fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let known = match entry.file_type() {
                FileType::Unknown => None,
                other => Some(kind(other)),
            };
            if each(OsStr::from_bytes(name), known).is_break() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn stat_name(&self, name: &str) -> Result<Stat> {
        Ok(stat(&rustix::fs::statat(
            &self.fd,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
        )?))
    }

    pub(super) fn create_new(&self, name: &str) -> Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(fd))
    }

    pub(super) fn create_dir(&self, name: &str) -> Result<()> {
        Ok(rustix::fs::mkdirat(&self.fd, name, Mode::RWXU)?)
    }

    pub(super) fn remove_file(&self, name: &str) -> Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    pub(super) fn remove_dir(&self, name: &str) -> Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    pub(super) fn rename(&self, from: &str, folder: &Self, to: &str, taken: Taken) -> Result<()> {
        let (here, there) = (&self.fd, &folder.fd);
        match taken {
            Taken::Replace => Ok(rustix::fs::renameat(here, from, there, to)?),
            Taken::Keep => {
                let flags = RenameFlags::NOREPLACE;
                match rustix::fs::renameat_with(here, from, there, to, flags) {
                    // Some file systems (old NFS, some FUSE) do not know the flag. A second
                    // name does the same for a file; folders have to be asked about first.
                    Err(Errno::INVAL | Errno::NOSYS) => {
                        if self.stat_name(from)?.kind == Kind::Dir {
                            return match folder.stat_name(to) {
                                Ok(_) => Err(Errno::EXIST.into()),
                                Err(_) => Ok(rustix::fs::renameat(here, from, there, to)?),
                            };
                        }
                        rustix::fs::linkat(here, from, there, to, AtFlags::empty())?;
                        Ok(rustix::fs::unlinkat(here, from, AtFlags::empty())?)
                    }
                    done => Ok(done?),
                }
            }
        }
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        Ok(open(&self.fd, path, flags, self.resolve)?)
    }
}

fn open<P: rustix::path::Arg + Copy>(
    from: impl std::os::fd::AsFd,
    path: P,
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    for _ in 0..RETRIES {
        match rustix::fs::openat2(&from, path, flags, Mode::empty(), resolve) {
            // A rename somewhere made the kernel unsure of its walk, or a signal came.
            Err(Errno::AGAIN | Errno::INTR) => {}
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

fn stat(stat: &rustix::fs::Stat) -> Stat {
    let modified = u64::try_from(stat.st_mtime)
        .ok()
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    Stat {
        kind: kind(FileType::from_raw_mode(stat.st_mode)),
        len: u64::try_from(stat.st_size).unwrap_or(0),
        #[allow(
            clippy::unnecessary_cast,
            clippy::useless_conversion,
            reason = "its width differs by target"
        )]
        names: u64::from(stat.st_nlink),
        mode: Some(stat.st_mode),
        modified,
    }
}

fn kind(kind: FileType) -> Kind {
    match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

const RETRIES: usize = 32;
