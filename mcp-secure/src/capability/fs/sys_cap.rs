//! Everywhere else, and where `openat2` is missing: `cap-std`, one name at a time.
//!
//! Each step opens a single name below an open folder and refuses a link there, so the
//! walk cannot be led away by a swap between two steps. A mount is noticed by the device
//! number of what was opened and, where Linux tells it (5.8), by the mount's own number;
//! without that, a bind mount of the same file system passes.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::{
    ambient_authority,
    fs::{self as cap, OpenOptions},
};

use super::{Kind, Result, Stat, Taken, Trouble};
use crate::capability::fs::RelPath;

/// An open folder.
pub(in super::super) struct Dir {
    dir: cap::Dir,
    /// The mount that may not be left; `None` if it may.
    mount: Option<Mount>,
}

impl Dir {
    /// Opens a folder by its canonical path.
    pub(super) fn open_ambient(path: &Path, mounts: bool) -> io::Result<Self> {
        let dir = cap::Dir::open_ambient_dir(path, ambient_authority())?;
        // What was checked under this path must be what was opened.
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let opened = dir.dir_metadata()?;
            let named = std::fs::symlink_metadata(path)?;
            use cap_std::fs::MetadataExt as _;
            if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
                return Err(io::Error::other(
                    "the folder was replaced while it was opened",
                ));
            }
        }
        let mount = if mounts {
            None
        } else {
            Some(Mount::of_dir(&dir)?)
        };
        Ok(Self { dir, mount })
    }

    pub(super) fn own_stat(&self) -> Result<Stat> {
        Ok(stat(&self.dir.dir_metadata()?))
    }

    #[cfg(all(feature = "exec", target_os = "linux"))]
    pub(super) fn descriptor(&self) -> Result<std::os::fd::OwnedFd> {
        Ok(self.dir.try_clone()?.into())
    }

    pub(super) fn open_dir(&self, path: &RelPath) -> Result<Self> {
        let mut names = path.components();
        let mut dir = match names.next() {
            Some(name) => self.step(&self.dir, name)?,
            None => self.dir.try_clone()?,
        };
        for name in names {
            dir = self.step(&dir, name)?;
        }
        Ok(Self {
            dir,
            mount: self.mount,
        })
    }

    pub(super) fn open_file(&self, path: &RelPath) -> Result<(File, Stat)> {
        self.open(path, OpenOptions::new().read(true))
    }

    pub(super) fn open_append(&self, path: &RelPath) -> Result<(File, Stat)> {
        self.open(path, OpenOptions::new().append(true))
    }

    pub(super) fn stat(&self, path: &RelPath) -> Result<Stat> {
        let Some((parent, name)) = path.split_last() else {
            return self.own_stat();
        };
        let stat = self.open_dir(&parent)?.stat_name(name)?;
        if stat.kind == Kind::Dir {
            // Only an open folder tells its mount.
            self.open_dir(path)?;
        }
        Ok(stat)
    }

    pub(super) fn read_link(&self, path: &RelPath) -> Result<PathBuf> {
        let Some((parent, name)) = path.split_last() else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        };
        Ok(self.open_dir(&parent)?.dir.read_link_contents(name)?)
    }

    pub(super) fn list(
        &self,
        each: &mut dyn FnMut(&OsStr, Option<Kind>) -> ControlFlow<()>,
    ) -> Result<()> {
        for entry in self.dir.entries()? {
            let entry = entry?;
            let known = entry.file_type().ok().map(kind);
            if each(&entry.file_name(), known).is_break() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn stat_name(&self, name: &str) -> Result<Stat> {
        Ok(stat(&self.dir.symlink_metadata(name)?))
    }

    pub(super) fn create_new(&self, name: &str) -> Result<File> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .follow(FollowSymlinks::No);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        Ok(self.dir.open_with(name, &options)?.into_std())
    }

    pub(super) fn create_dir(&self, name: &str) -> Result<()> {
        #[cfg(unix)]
        let builder = {
            use cap_std::fs::DirBuilderExt;
            let mut builder = cap::DirBuilder::new();
            builder.mode(0o700);
            builder
        };
        #[cfg(not(unix))]
        let builder = cap::DirBuilder::new();
        Ok(self.dir.create_dir_with(name, &builder)?)
    }

    pub(super) fn remove_file(&self, name: &str) -> Result<()> {
        Ok(self.dir.remove_file(name)?)
    }

    pub(super) fn remove_dir(&self, name: &str) -> Result<()> {
        Ok(self.dir.remove_dir(name)?)
    }

    pub(super) fn rename(&self, from: &str, folder: &Self, to: &str, taken: Taken) -> Result<()> {
        let (here, there) = (&self.dir, &folder.dir);
        if taken == Taken::Replace {
            return Ok(here.rename(from, there, to)?);
        }
        if self.stat_name(from)?.kind == Kind::Dir {
            // Between the two steps only an empty folder could be replaced.
            return match folder.stat_name(to) {
                Ok(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists).into()),
                Err(_) => Ok(here.rename(from, there, to)?),
            };
        }
        // A second name, then one less: the kernel refuses the first if the name is taken.
        here.hard_link(from, there, to)?;
        Ok(here.remove_file(from)?)
    }

    fn open(&self, path: &RelPath, options: &mut OpenOptions) -> Result<(File, Stat)> {
        let Some((parent, name)) = path.split_last() else {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        };
        options.follow(FollowSymlinks::No).nonblock(true);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            let flags = rustix::fs::OFlags::NOCTTY.bits();
            options.custom_flags(flags.cast_signed());
        }
        // The folder is only borrowed when the file is right in it.
        let opened;
        let dir = if parent.is_root() {
            &self.dir
        } else {
            opened = self.open_dir(&parent)?;
            &opened.dir
        };
        let file = match dir.open_with(name, options) {
            // Systems disagree on the error for a link; ask.
            Err(_) if is_link(dir, name) => return Err(Trouble::Link),
            file => file?,
        };
        if let Some(mount) = self.mount
            && mount != Mount::of_file(&file)?
        {
            return Err(Trouble::Boundary);
        }
        let stat = stat(&file.metadata()?);
        Ok((file.into_std(), stat))
    }

    /// One step down.
    fn step(&self, dir: &cap::Dir, name: &str) -> Result<cap::Dir> {
        let next = match dir.open_dir_nofollow(name) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory && is_link(dir, name) => {
                return Err(Trouble::Link);
            }
            next => next?,
        };
        match self.mount {
            Some(mount) if mount != Mount::of_dir(&next)? => Err(Trouble::Boundary),
            _ => Ok(next),
        }
    }
}

fn is_link(dir: &cap::Dir, name: &str) -> bool {
    dir.symlink_metadata(name)
        .is_ok_and(|metadata| metadata.is_symlink())
}

/// What tells one mount from another, as far as the system says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mount {
    device: u64,
    id: Option<u64>,
}

impl Mount {
    fn of_dir(dir: &cap::Dir) -> io::Result<Self> {
        match Self::told(dir) {
            Some(mount) => Ok(mount),
            None => Ok(Self {
                device: device(&dir.dir_metadata()?),
                id: None,
            }),
        }
    }

    fn of_file(file: &cap::File) -> io::Result<Self> {
        match Self::told(file) {
            Some(mount) => Ok(mount),
            None => Ok(Self {
                device: device(&file.metadata()?),
                id: None,
            }),
        }
    }

    #[cfg(target_os = "linux")]
    fn told(fd: &impl std::os::fd::AsFd) -> Option<Self> {
        use rustix::fs::{AtFlags, StatxFlags, makedev, statx};
        let stat = statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
        let device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
        let told = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        told.then_some(Self {
            device,
            id: Some(stat.stx_mnt_id),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn told<T>(_: &T) -> Option<Self> {
        None
    }
}

fn device(metadata: &cap::Metadata) -> u64 {
    #[cfg(unix)]
    {
        use cap_std::fs::MetadataExt;
        metadata.dev()
    }
    // Elsewhere a mount is a reparse point, which no step follows.
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

fn stat(metadata: &cap::Metadata) -> Stat {
    #[cfg(unix)]
    let (names, mode) = {
        use cap_std::fs::MetadataExt;
        (metadata.nlink(), Some(metadata.mode()))
    };
    // The count of names is not in the stable API of Windows.
    #[cfg(not(unix))]
    let (names, mode) = (1, None);
    Stat {
        kind: kind(metadata.file_type()),
        len: metadata.len(),
        names,
        mode,
        modified: metadata
            .modified()
            .ok()
            .map(cap_std::time::SystemTime::into_std),
    }
}

fn kind(kind: cap::FileType) -> Kind {
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Dir
    } else if kind.is_symlink() {
        Kind::Link
    } else {
        Kind::Other
    }
}
