//! The one place where a folder meets the kernel: two backends with the same contract.
//!
//! Neither follows a symbolic link, ever: not on the way, not at the end. What a link leads
//! to is worked out above ([`ops`](super::ops)), so that the policy sees the names that are
//! really opened. Neither crosses a mount, unless told to.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::SystemTime,
};

#[cfg(target_os = "linux")]
#[path = "sys_linux.rs"]
mod linux;
#[path = "sys_cap.rs"]
mod portable;

use super::RelPath;

pub(super) type Result<T> = std::result::Result<T, Trouble>;

/// What went wrong below.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A symbolic link is in the way.
    Link,
    /// A mount begins on the way.
    Boundary,
    /// It cannot be opened because of its kind (a socket, say).
    #[cfg_attr(not(unix), allow(dead_code, reason = "an error number of Unix"))]
    Special,
    /// Anything else.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        #[cfg(unix)]
        match error
            .raw_os_error()
            .map(rustix::io::Errno::from_raw_os_error)
        {
            Some(rustix::io::Errno::LOOP) => return Self::Link,
            // The answer for a socket, and for a device without a driver.
            Some(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => return Self::Special,
            _ => {}
        }
        match error.kind() {
            io::ErrorKind::CrossesDevices => Self::Boundary,
            _ => Self::Io(error),
        }
    }
}

#[cfg(unix)]
impl From<rustix::io::Errno> for Trouble {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Dir,
    Link,
    Other,
}

/// What the kernel says of an inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) kind: Kind,
    pub(super) len: u64,
    pub(super) names: u64,
    /// Permission bits; `None` where there are none.
    pub(super) mode: Option<u32>,
    pub(super) modified: Option<SystemTime>,
}

/// How a root is opened.
#[derive(Clone, Copy)]
pub(super) struct Options {
    /// Paths may cross into mounts below.
    pub(super) mounts: bool,
    /// Use the portable backend although the kernel's own is there.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "there is no other")
    )]
    pub(super) portable: bool,
}

/// An open folder.
pub(super) enum Dir {
    /// `openat2` does the walking.
    #[cfg(target_os = "linux")]
    Kernel(linux::Dir),
    /// The walking is done here, one name at a time.
    Portable(portable::Dir),
}

macro_rules! each {
    ($self:expr, $dir:ident => $do:expr) => {
        match $self {
            #[cfg(target_os = "linux")]
            Dir::Kernel($dir) => $do,
            Dir::Portable($dir) => $do,
        }
    };
}

impl Dir {
    /// Opens a folder of the host, by its canonical path.
    pub(super) fn open_ambient(path: &Path, options: Options) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if !options.portable
            && let Some(dir) = linux::Dir::open_ambient(path, options.mounts)?
        {
            return Ok(Self::Kernel(dir));
        }
        portable::Dir::open_ambient(path, options.mounts).map(Self::Portable)
    }

    /// Whether this is the portable backend.
    pub(super) fn is_portable(&self) -> bool {
        matches!(self, Self::Portable(_))
    }

    /// What the folder itself is.
    pub(super) fn own_stat(&self) -> Result<Stat> {
        each!(self, dir => dir.own_stat())
    }

    /// Opens a folder below.
    pub(super) fn open_dir(&self, path: &RelPath) -> Result<Self> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(dir) => dir.open_dir(path).map(Self::Kernel),
            Self::Portable(dir) => dir.open_dir(path).map(Self::Portable),
        }
    }

    /// Opens something below for reading, without waiting for anything, and says what it is.
    pub(super) fn open_file(&self, path: &RelPath) -> Result<(File, Stat)> {
        each!(self, dir => dir.open_file(path))
    }

    /// Opens a regular file below for appending, likewise.
    pub(super) fn open_append(&self, path: &RelPath) -> Result<(File, Stat)> {
        each!(self, dir => dir.open_append(path))
    }

    /// What is below under this path; a link is reported as one.
    pub(super) fn stat(&self, path: &RelPath) -> Result<Stat> {
        each!(self, dir => dir.stat(path))
    }

    /// Where a link below leads.
    pub(super) fn read_link(&self, path: &RelPath) -> Result<PathBuf> {
        each!(self, dir => dir.read_link(path))
    }

    /// Calls `each` with every name in this folder except `.` and `..`, and the kind if the
    /// kernel tells it for free.
    pub(super) fn list(
        &self,
        each: &mut dyn FnMut(&OsStr, Option<Kind>) -> ControlFlow<()>,
    ) -> Result<()> {
        each!(self, dir => dir.list(each))
    }

    /// The folder once more, for another process.
    #[cfg(all(feature = "exec", target_os = "linux"))]
    pub(super) fn descriptor(&self) -> Result<std::os::fd::OwnedFd> {
        each!(self, dir => dir.descriptor())
    }

    /// What is in this folder under one name; a link is reported as one.
    pub(super) fn stat_name(&self, name: &str) -> Result<Stat> {
        each!(self, dir => dir.stat_name(name))
    }

    /// Creates a file that nobody else can read, under a name that is not taken.
    pub(super) fn create_new(&self, name: &str) -> Result<File> {
        each!(self, dir => dir.create_new(name))
    }

    /// Creates a folder that nobody else can read.
    pub(super) fn create_dir(&self, name: &str) -> Result<()> {
        each!(self, dir => dir.create_dir(name))
    }

    /// Removes the name of something that is not a folder.
    pub(super) fn remove_file(&self, name: &str) -> Result<()> {
        each!(self, dir => dir.remove_file(name))
    }

    /// Removes an empty folder.
    pub(super) fn remove_dir(&self, name: &str) -> Result<()> {
        each!(self, dir => dir.remove_dir(name))
    }

    /// Gives something another name, in this or another folder of the same root.
    pub(super) fn rename(&self, from: &str, folder: &Self, to: &str, taken: Taken) -> Result<()> {
        match (self, folder) {
            #[cfg(target_os = "linux")]
            (Self::Kernel(dir), Self::Kernel(folder)) => dir.rename(from, folder, to, taken),
            (Self::Portable(dir), Self::Portable(folder)) => dir.rename(from, folder, to, taken),
            // A root and what was opened from it share a backend.
            #[cfg(target_os = "linux")]
            _ => Err(Trouble::Boundary),
        }
    }
}

/// What becomes of what the new name stood for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is replaced.
    Replace,
    /// It stays, and the rename is an error.
    Keep,
}

/// Gives a file its permission bits, as far as the system knows them.
pub(super) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(mode & 0o777))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, mode);
        Ok(())
    }
}
