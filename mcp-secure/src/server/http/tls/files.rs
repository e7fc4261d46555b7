//! The files, read with suspicion: who can write one decides who the server is, and who can
//! read the key can be the server.

use std::path::{Path, PathBuf};

#[cfg(not(unix))]
use zeroize::Zeroizing;

use crate::Error;
#[cfg(not(unix))]
use crate::Result;

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chain,
    Key,
    Authorities,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Chain => "the certificate file",
            Self::Key => "the private key file",
            Self::Authorities => "the file of the clients' authorities",
        }
    }

    pub(super) fn fail(self, path: &Path, what: impl std::fmt::Display) -> Error {
        Error::new(format!("{} `{}` {what}", self.name(), path.display()))
    }
}

/// The folders that a renewal happens in: that of the name, and that of what it leads to.
/// (certbot's `live/…/cert.pem` is a link into `archive/…`, which changes.)
pub(super) fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for path in [path.to_owned(), path.canonicalize().unwrap_or_default()] {
        if let Some(folder) = path.parent().and_then(|f| f.canonicalize().ok())
            && !folders.contains(&folder)
        {
            folders.push(folder);
        }
    }
    folders
}

#[cfg(unix)]
pub(super) use unix::read;

#[cfg(not(unix))]
pub(super) fn read(path: &Path, kind: Kind) -> Result<Zeroizing<Vec<u8>>> {
    Err(kind
        .fail(path, "cannot be protected on this system")
        .help("TLS needs Unix file permissions in this version"))
}

#[cfg(unix)]
mod unix {
    use std::{
        fs::File,
        io::Read as _,
        path::{Component, Path},
    };

    use rustix::fs::{FileType, Mode, OFlags, Stat};
    use zeroize::Zeroizing;

    use super::{Kind, folders};
    use crate::{Error, Result};

    /// The content, if nobody but root and the user could have written it, and nobody else
    /// could have read the key.
    pub(in super::super) fn read(path: &Path, kind: Kind) -> Result<Zeroizing<Vec<u8>>> {
        for folder in folders(path) {
            guarded(&folder, path, kind)?;
        }
        // Without NONBLOCK a FIFO with this name would hold up the start.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| {
            kind.fail(path, format!("cannot be opened: {e}"))
                .help("name it with `Tls::files(chain, key)`, and let this user read it")
        })?;
        let stat = rustix::fs::fstat(&file)
            .map_err(|e| kind.fail(path, format!("cannot be examined: {e}")))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(kind
                .fail(path, "is not a regular file")
                .help("name a file in PEM form"));
        }
        if !ours(&stat) {
            return Err(kind.fail(path, "belongs to another user").help(format!(
                "make it yours, or root's: `chown $(id -u) '{}'`",
                path.display()
            )));
        }
        if stat.st_mode & 0o022 != 0 {
            return Err(kind
                .fail(path, "can be written by other users")
                .help(format!("run `chmod go-w '{}'`", path.display())));
        }
        // A key of root's may be lent to a group, as Debian's `ssl-cert` is; a user's own not.
        let closed = if stat.st_uid == 0 { 0o007 } else { 0o077 };
        if kind == Kind::Key && stat.st_mode & closed != 0 {
            return Err(kind
                .fail(
                    path,
                    "can be read by other users, so it is no secret any more",
                )
                .help(format!(
                    "make a new key and certificate, then `chmod 600 '{}'`",
                    path.display()
                )));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX));
        File::from(file)
            .take(MAX as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| kind.fail(path, format!("cannot be read: {e}")))?;
        if bytes.len() >= MAX {
            return Err(kind.fail(path, "is larger than any certificate or key"));
        }
        Ok(bytes)
    }

    /// The folder stays readable to the process and decides what the file is.
    fn guarded(folder: &Path, path: &Path, kind: Kind) -> Result<()> {
        let fail = |what: &str| -> Error {
            kind.fail(
                path,
                format!("lies in `{}`, which {what}", folder.display()),
            )
            .help("give certificate and key a folder of their own, with mode 700")
        };
        let depth = folder
            .components()
            .filter(|c| matches!(c, Component::Normal(_)))
            .count();
        let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
        if depth < 2 || home.is_some_and(|home| home.starts_with(folder)) {
            return Err(fail("holds much else, and stays readable to the server"));
        }
        let stat =
            rustix::fs::stat(folder).map_err(|e| fail(&format!("cannot be examined: {e}")))?;
        if !ours(&stat) {
            return Err(fail("belongs to another user"));
        }
        if stat.st_mode & 0o022 != 0 {
            return Err(fail("can be written by other users"));
        }
        Ok(())
    }

    fn ours(stat: &Stat) -> bool {
        stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
    }

    const MAX: usize = 256 * 1024;
}
