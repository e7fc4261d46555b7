//! Where a folder of the host becomes a grant: checked once, opened once.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    FsPolicy, grant_check,
    ops::Core,
    policy::Compiled,
    sys::{self, Dir},
};
use crate::error::{Error, Result};

/// How much one operation, and one call, may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsLimits {
    /// Bytes of a file that is read. 10 MiB.
    pub max_read: u64,
    /// Bytes of a file that is written, after the write. 10 MiB.
    pub max_write: u64,
    /// Bytes that one call may write in all; a folder and the smallest file count as 4096.
    /// 100 MiB.
    pub max_written: u64,
    /// Names in a folder that is listed, or below one that is walked. 10 000.
    pub max_entries: usize,
}

impl Default for FsLimits {
    fn default() -> Self {
        Self {
            max_read: 10 << 20,
            max_write: 10 << 20,
            max_written: 100 << 20,
            max_entries: 10_000,
        }
    }
}

impl FsLimits {
    /// The stricter of both, limit by limit: an operator can only narrow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            max_read: self.max_read.min(other.max_read),
            max_write: self.max_write.min(other.max_write),
            max_written: self.max_written.min(other.max_written),
            max_entries: self.max_entries.min(other.max_entries),
        }
    }
}

/// A folder of the host, checked and opened: what the operator's `--grant name=path`
/// becomes. Handles are lent from it; its path is looked up once, here.
pub struct OpenRoot {
    pub(super) core: Arc<Core>,
    path: PathBuf,
}

impl OpenRoot {
    /// Opens a folder for lending. The path may be relative or lead through symbolic
    /// links; where it leads is worked out once, shown by [`path`](Self::path), and what
    /// is checked there is what is opened.
    ///
    /// # Errors
    ///
    /// If there is no such folder; if it is too wide or too sensitive to lend (`/`, `$HOME`
    /// itself, `/etc`, `/proc`, …), or inside something that holds secrets (`~/.ssh`); if
    /// everyone may write in it. The message says what to grant instead.
    pub fn open(path: impl AsRef<Path>, policy: FsPolicy, limits: FsLimits) -> Result<Self> {
        Self::open_with(path.as_ref(), policy, limits, false)
    }

    /// The same through the backend for systems without `openat2`.
    #[cfg(any(feature = "testing", feature = "__bench"))]
    #[doc(hidden)]
    pub fn __open_portable(
        path: impl AsRef<Path>,
        policy: FsPolicy,
        limits: FsLimits,
    ) -> Result<Self> {
        Self::open_with(path.as_ref(), policy, limits, true)
    }

    /// Where the folder is, canonical. For the operator and the sandbox only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether paths are resolved by the kernel in one step (`openat2`), or name by name.
    pub fn resolves_in_kernel(&self) -> bool {
        !self.core.dir.is_portable()
    }

    /// The limits of the grant.
    pub fn limits(&self) -> FsLimits {
        self.core.limits
    }

    /// The policy of the grant.
    pub fn policy(&self) -> &FsPolicy {
        self.core.policy.policy()
    }

    fn open_with(given: &Path, policy: FsPolicy, limits: FsLimits, portable: bool) -> Result<Self> {
        let shown = given.display();
        let path = given.canonicalize().map_err(|e| {
            Error::new(format!("cannot grant `{shown}`: {}", e.kind()))
                .help("create the folder, or grant another one")
        })?;
        grant_check::path(given, &path)?;
        let options = sys::Options {
            mounts: policy.mounts,
            portable,
        };
        let dir = Dir::open_ambient(&path, options).map_err(|e| {
            Error::new(format!("cannot open `{}`: {}", path.display(), e.kind()))
                .help("grant a folder that the server's user may enter, and that nothing replaces meanwhile")
        })?;
        let stat = dir
            .own_stat()
            .map_err(|_| Error::new(format!("cannot look at `{}`", path.display())))?;
        grant_check::folder(&path, &stat)?;
        let policy = Arc::new(Compiled::new(policy));
        Ok(Self {
            core: Arc::new(Core {
                dir,
                policy,
                limits,
            }),
            path,
        })
    }
}

impl fmt::Debug for OpenRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The host's path is for `path` alone.
        f.debug_struct("OpenRoot")
            .field("limits", &self.core.limits)
            .finish_non_exhaustive()
    }
}
