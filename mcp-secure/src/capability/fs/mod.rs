//! Files below one folder, and nothing else.
//!
//! An [`Fs`] handle stands for a folder that the operator granted, lent to one call. Paths
//! are [`RelPath`]s, which cannot say "up" or "elsewhere". They are resolved by the kernel
//! below an open descriptor, without following links, so there is no moment between a
//! check and a use (a `canonicalize` and `starts_with` check loses that race in a
//! millisecond). Only regular files with one name are opened; an [`FsPolicy`] keeps names
//! closed that hold secrets or that an agent, an editor or a shell would obey.
//!
//! This room knows the kernel and the lease of a call; it knows nothing of transports,
//! layers or macros.
//!
//! ```text
//! path         RelPath, the argument            policy, rules, fold   which names are closed
//! root, grant_check   the operator's grant      ops, list             the operations, synchronous
//! sys, sys_linux, sys_cap   two backends        error                 what is said on refusal
//! ```
//!
//! What it does not cover: who may see that a file was read (access times, inotify), torn
//! reads of files that others write in place, and what text in a file says.

mod error;
mod fold;
mod grant;
mod grant_check;
mod list;
mod ops;
mod path;
mod policy;
mod root;
mod rules;
mod sys;

use std::{fmt, marker::PhantomData, sync::Arc};

pub use super::mode::{Mode, ReadOnly, ReadWrite};
pub use error::FsError;
pub use grant::FsGrant;
pub use list::{DirEntry, FileKind, Metadata, Walk, WalkEntry, WalkLimits};
pub use path::RelPath;
pub use policy::{Access, FsPolicy, Rule};
pub use root::{FsLimits, OpenRoot};

use self::ops::{Budget, Core, Permit};
use super::{Capability, Facts, Handle, Lease, Step, Trail, mode::access, sealed::Sealed};
use crate::{
    call::Call,
    error::{ToolError, ToolResult},
};

/// A folder that a server needs, declared with `#[capability(fs)]`.
pub trait FsRoot: Capability {}

/// A folder lent to one call.
///
/// Methods have the names of `std::fs` and `tokio::fs`. They never block the runtime, and
/// they work on the thread pool for blocking calls, so a hanging network file system stops
/// no other call. When the call ends, so does the handle: everything then answers
/// [`FsError::Revoked`], and a write that is under way stops before it becomes visible.
///
/// There is no way to create a symbolic or a hard link, or to change permissions.
///
/// ```
/// use mcp_secure::{capability::fs::{Fs, FsRoot, ReadOnly, RelPath}, ToolResult};
///
/// async fn first_line<R: FsRoot>(notes: Fs<R, ReadOnly>, name: RelPath) -> ToolResult<String> {
///     let text = notes.read_to_string(&name).await?;
///     Ok(text.lines().next().unwrap_or_default().to_owned())
/// }
/// ```
pub struct Fs<R, M> {
    core: Arc<Core>,
    budget: Arc<Budget>,
    lease: Lease,
    trail: Trail,
    of: PhantomData<fn() -> (R, M)>,
}

/// Whether a folder may be lent at all: it is not too wide, not the system's, and none that
/// holds secrets. For grants of other kinds that come down to a folder.
#[cfg(feature = "sqlite")]
pub(crate) fn lendable(folder: &std::path::Path) -> crate::Result<()> {
    grant_check::path(folder, folder)
}

/// The result of a file operation.
type Result<T> = std::result::Result<T, FsError>;

impl<R: FsRoot, M: Mode> Fs<R, M> {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Besides the path, policy and lease errors that every method has: [`FsError::NotAFile`],
    /// [`FsError::HardLink`], [`FsError::TooLarge`], and [`FsError::Escape`] for a link that
    /// leads out.
    pub async fn read(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.run(Act::of("read"), path, Core::read).await
    }

    /// Reads a file of UTF-8 text.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`FsError::NotText`].
    pub async fn read_to_string(&self, path: &RelPath) -> Result<String> {
        self.run(Act::of("read_to_string"), path, Core::read_to_string)
            .await
    }

    /// Lists a folder, by name. Names that the policy closes, and names that no [`RelPath`]
    /// can spell, are left out.
    ///
    /// # Errors
    ///
    /// [`FsError::NotADirectory`], and [`FsError::TooLarge`] for more names than
    /// [`FsLimits::max_entries`].
    pub async fn read_dir(&self, path: &RelPath) -> Result<Vec<DirEntry>> {
        self.run(Act::of("read_dir"), path, Core::read_dir).await
    }

    /// Lists everything below a folder, for tools that search. Links are listed and not
    /// followed; what cannot be opened is left out.
    ///
    /// # Errors
    ///
    /// [`FsError::NotADirectory`] for the folder itself. A limit is no error: it sets
    /// [`Walk::truncated`].
    pub async fn walk(&self, path: &RelPath, limits: WalkLimits) -> Result<Walk> {
        self.run(Act::of("walk"), path, move |core, path, lease| {
            core.walk(path, limits, lease)
        })
        .await
    }

    /// What a path stands for.
    ///
    /// # Errors
    ///
    /// [`FsError::NotFound`], [`FsError::Escape`].
    pub async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.run(Act::of("metadata"), path, |core, path, lease| {
            core.stat(path, lease).map(Metadata::from)
        })
        .await
    }

    /// Whether there is something under a path.
    ///
    /// # Errors
    ///
    /// Everything but [`FsError::NotFound`]: a closed path does not tell.
    pub async fn try_exists(&self, path: &RelPath) -> Result<bool> {
        self.run(Act::of("metadata"), path, |core, path, lease| {
            match core.stat(path, lease) {
                Ok(_) => Ok(true),
                Err(FsError::NotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// A handle on a folder below, and on nothing else: what is outside of it is as far
    /// away as what is outside the grant.
    ///
    /// # Errors
    ///
    /// [`FsError::NotADirectory`]. A handle that writes follows no link to get there, and
    /// what is closed for writing on the way is closed here.
    pub async fn subdir(&self, path: &RelPath) -> Result<Self> {
        let access = if M::WRITES {
            Access::Write
        } else {
            Access::Read
        };
        let core = self
            .run(Act::of("subdir"), path, move |core, path, lease| {
                core.subdir(path, access, lease)
            })
            .await?;
        Ok(Self {
            core: Arc::new(core),
            ..self.clone()
        })
    }

    /// The same folder for reading only.
    pub fn read_only(&self) -> Fs<R, ReadOnly> {
        Fs {
            core: Arc::clone(&self.core),
            budget: Arc::clone(&self.budget),
            lease: self.lease.clone(),
            trail: self.trail.clone(),
            of: PhantomData,
        }
    }

    /// The folder, for a program that will work in it.
    #[cfg(all(feature = "exec", target_os = "linux"))]
    pub(crate) fn descriptor(&self) -> Result<std::os::fd::OwnedFd> {
        ops::live(&self.lease)?;
        self.core
            .dir
            .descriptor()
            .map_err(|trouble| FsError::at(&RelPath::root(), trouble))
    }

    /// Runs an operation where it may block.
    async fn run<T: Moved + Send + 'static>(
        &self,
        act: Act,
        path: &RelPath,
        operation: impl FnOnce(&Core, &RelPath, &Lease) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        ops::live(&self.lease)?;
        // In the record before it happens: a tool that is cancelled meanwhile keeps nothing out.
        let entry = self.trail.begin(act.step::<R>(path));
        let (core, path, lease) = (Arc::clone(&self.core), path.clone(), self.lease.clone());
        let done = blocking(move || operation(&core, &path, &lease)).await;
        entry.change(|step| {
            note(step, &done);
            if let Ok(moved) = &done {
                step.bytes_in = moved.moved();
                step.bytes_out = act.written;
            }
        });
        done
    }

    fn lent(root: &OpenRoot, lease: Lease, trail: Trail) -> Self {
        Self {
            core: Arc::clone(&root.core),
            budget: Arc::new(Budget::new(root.core.limits.max_written)),
            lease,
            trail,
            of: PhantomData,
        }
    }
}

impl<R: FsRoot> Fs<R, ReadWrite> {
    /// Writes a file, replacing what it held. Whoever reads it meanwhile gets the old
    /// content or the new, never a part; a new file is readable by the server's user only,
    /// an old one keeps its permissions.
    ///
    /// # Errors
    ///
    /// [`FsError::Symlink`]: no link is followed or replaced. [`FsError::TooLarge`],
    /// [`FsError::Full`], [`FsError::NotAFile`], [`FsError::HardLink`].
    pub async fn write(&self, path: &RelPath, contents: impl AsRef<[u8]>) -> Result<()> {
        self.write_with("write", path, contents.as_ref(), Core::write)
            .await
    }

    /// Creates a file with this content; it appears complete or not at all.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and [`FsError::AlreadyExists`].
    pub async fn create_new(&self, path: &RelPath, contents: impl AsRef<[u8]>) -> Result<()> {
        self.write_with("create_new", path, contents.as_ref(), Core::create_new)
            .await
    }

    /// Adds to the end of a file that exists.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and [`FsError::NotFound`].
    pub async fn append(&self, path: &RelPath, contents: impl AsRef<[u8]>) -> Result<()> {
        self.write_with("append", path, contents.as_ref(), Core::append)
            .await
    }

    /// Creates a folder.
    ///
    /// # Errors
    ///
    /// [`FsError::AlreadyExists`]; [`FsError::NotFound`] if the folder above is missing.
    pub async fn create_dir(&self, path: &RelPath) -> Result<()> {
        self.change(Act::of("create_dir"), path, Core::create_dir)
            .await
    }

    /// Creates a folder and those above it, where they are missing.
    ///
    /// # Errors
    ///
    /// [`FsError::NotADirectory`], [`FsError::Symlink`].
    pub async fn create_dir_all(&self, path: &RelPath) -> Result<()> {
        self.change(Act::of("create_dir_all"), path, Core::create_dir_all)
            .await
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// [`FsError::NotFound`], [`FsError::NotAFile`], [`FsError::Symlink`].
    pub async fn remove_file(&self, path: &RelPath) -> Result<()> {
        self.run(Act::of("remove_file"), path, Core::remove_file)
            .await
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    ///
    /// [`FsError::NotFound`], [`FsError::NotADirectory`], [`FsError::NotEmpty`].
    pub async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.run(Act::of("remove_dir"), path, Core::remove_dir)
            .await
    }

    /// Gives a file or folder another name, which must be free. Both ends are checked by
    /// the policy.
    ///
    /// # Errors
    ///
    /// [`FsError::AlreadyExists`]; [`FsError::NotFound`] for the old name or the new
    /// folder.
    pub async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let target = to.clone();
        let renamed = self.run(Act::of("rename"), from, move |core, from, lease| {
            core.rename(from, &target, lease)
        });
        let renamed = renamed.await;
        // Both names are touched.
        let entry = self.trail.begin(Act::of("rename_to").step::<R>(to));
        entry.change(|step| note(step, &renamed));
        renamed
    }

    async fn write_with(
        &self,
        name: &'static str,
        path: &RelPath,
        contents: &[u8],
        write: impl FnOnce(&Core, &RelPath, &[u8], Permit<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        // Before the copy, which would cost as much memory again.
        let limit = self.core.limits.max_write;
        if contents.len() as u64 > limit {
            let error = Err(FsError::TooLarge {
                path: path.clone(),
                limit,
            });
            let entry = self.trail.begin(Act::of(name).step::<R>(path));
            entry.change(|step| note(step, &error));
            return error;
        }
        let act = Act {
            written: contents.len() as u64,
            ..Act::of(name)
        };
        let contents = contents.to_owned();
        self.change(act, path, move |core, path, permit| {
            write(core, path, &contents, permit)
        })
        .await
    }

    async fn change(
        &self,
        act: Act,
        path: &RelPath,
        change: impl FnOnce(&Core, &RelPath, Permit<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let budget = Arc::clone(&self.budget);
        self.run(act, path, move |core, path, lease| {
            change(
                core,
                path,
                Permit {
                    lease,
                    budget: &budget,
                },
            )
        })
        .await
    }
}

impl<R, M> Clone for Fs<R, M> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            budget: Arc::clone(&self.budget),
            lease: self.lease.clone(),
            trail: self.trail.clone(),
            of: PhantomData,
        }
    }
}

impl<R: FsRoot, M: Mode> fmt::Debug for Fs<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fs({}, {})", R::NAME, access::<M>())
    }
}

impl<R: FsRoot, M: Mode> Sealed for Fs<R, M> {}

impl<R: FsRoot, M: Mode> Handle for Fs<R, M> {
    const FACTS: &'static [Facts] = &[Facts {
        capability: R::NAME,
        access: access::<M>(),
        writes: M::WRITES,
        destructive: M::WRITES,
        private: R::PRIVATE,
        needs_approval: M::WRITES,
        ..Facts::inert("fs")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let root = call.grants.get::<R, OpenRoot>().ok_or_else(|| {
            ToolError::internal(format_args!("no grant for capability `{}`", R::NAME))
        })?;
        Ok(Self::lent(&root, call.lease.clone(), call.trail.clone()))
    }
}

/// One operation, for the record of the call.
#[derive(Clone, Copy)]
struct Act {
    name: &'static str,
    written: u64,
}

impl Act {
    fn of(name: &'static str) -> Self {
        Self { name, written: 0 }
    }

    fn step<R: FsRoot>(self, path: &RelPath) -> Step {
        Step {
            kind: "fs",
            capability: R::NAME,
            action: self.name.to_owned(),
            file: Some(path.to_string()),
            outcome: "begun",
            control: None,
            detail: None,
            bytes_in: 0,
            bytes_out: 0,
        }
    }
}

/// What became of it.
fn note<T>(step: &mut Step, done: &Result<T>) {
    let control = done.as_ref().err().and_then(FsError::control);
    step.control = control;
    step.outcome = match (done, control) {
        (Ok(_), _) => "ok",
        (Err(_), Some(_)) => "denied",
        (Err(_), None) => "failed",
    };
}

/// How many bytes an operation brings.
trait Moved {
    fn moved(&self) -> u64 {
        0
    }
}

impl Moved for Vec<u8> {
    fn moved(&self) -> u64 {
        self.len() as u64
    }
}

impl Moved for String {
    fn moved(&self) -> u64 {
        self.len() as u64
    }
}

impl Moved for () {}
impl Moved for bool {}
impl Moved for Vec<DirEntry> {}
impl Moved for Walk {}
impl Moved for Metadata {}
impl Moved for Core {}

async fn blocking<T: Send + 'static>(
    operation: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(operation).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and with it the call.
            Err(_) => Err(FsError::Revoked),
        },
    }
}

/// For `testing::TestServer`, the attack suite and the benchmark. Not part of the API.
#[cfg(any(feature = "testing", feature = "__bench"))]
#[doc(hidden)]
impl<R: FsRoot, M: Mode> Fs<R, M> {
    pub fn __for_tests(root: &OpenRoot, lease: Lease) -> Self {
        Self::lent(root, lease, Trail::default())
    }

    pub fn __read_sync(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.core.read(path, &self.lease)
    }
}

/// For the fuzz targets. Not part of the API.
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub mod __policy {
    use super::{Access, FsPolicy, policy::Compiled};

    pub struct Checker(Compiled);

    impl Default for Checker {
        fn default() -> Self {
            Self(Compiled::new(FsPolicy::default()))
        }
    }

    impl Checker {
        pub fn closes(&self, name: &str, access: Access) -> bool {
            self.0.check_name(name, access).is_err()
        }
    }

    pub fn fold(name: &str) -> String {
        super::fold::fold(name).into_owned()
    }
}

/// Leases without a server. Not part of the API.
#[cfg(any(feature = "testing", feature = "__bench"))]
#[doc(hidden)]
pub mod __lease {
    use super::Lease;

    pub fn new() -> Lease {
        Lease::new()
    }

    pub fn revoke(lease: &Lease) {
        lease.revoke();
    }
}
