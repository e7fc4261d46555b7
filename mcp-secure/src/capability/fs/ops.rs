//! The operations, synchronous: policy first, then one call into the kernel, then what the
//! kernel says of the thing that was really opened.

use std::{
    fs::File,
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Access, FsError, FsLimits, RelPath,
    policy::Compiled,
    sys::{self, Dir, Kind, Stat, Taken, Trouble},
};
use crate::capability::Lease;

type Result<T> = std::result::Result<T, FsError>;

/// One open folder with its rules: what a handle of either mode works on.
pub(super) struct Core {
    pub(super) dir: Dir,
    pub(super) policy: Arc<Compiled>,
    pub(super) limits: FsLimits,
}

impl Core {
    pub(super) fn read(&self, path: &RelPath, lease: &Lease) -> Result<Vec<u8>> {
        live(lease)?;
        self.policy.check(path, Access::Read)?;
        let (file, stat) = self.follow(path, Dir::open_file)?;
        self.regular(path, &stat)?;
        let bytes = bounded(path, file, stat.len, self.limits.max_read)?;
        live(lease)?;
        Ok(bytes)
    }

    pub(super) fn read_to_string(&self, path: &RelPath, lease: &Lease) -> Result<String> {
        String::from_utf8(self.read(path, lease)?)
            .map_err(|_| FsError::NotText { path: path.clone() })
    }

    pub(super) fn stat(&self, path: &RelPath, lease: &Lease) -> Result<Stat> {
        live(lease)?;
        self.policy.check(path, Access::Read)?;
        let stat = self.follow(path, |dir, path| match dir.stat(path)? {
            Stat {
                kind: Kind::Link, ..
            } => Err(Trouble::Link),
            stat => Ok(stat),
        })?;
        live(lease)?;
        Ok(stat)
    }

    /// Opens a folder below, as the root of a narrower handle. What is written through that
    /// is no longer checked against the names above it, so they are checked for it now.
    pub(super) fn subdir(&self, path: &RelPath, access: Access, lease: &Lease) -> Result<Self> {
        live(lease)?;
        self.policy.check(path, access)?;
        let dir = match access {
            Access::Read => self.follow(path, Dir::open_dir)?,
            Access::Write => self.dir.open_dir(path).map_err(|e| FsError::at(path, e))?,
        };
        live(lease)?;
        Ok(Self {
            dir,
            policy: Arc::clone(&self.policy),
            limits: self.limits,
        })
    }

    /// Calls `open` with a path that contains no link. The first try is the path itself;
    /// only if there is a link in it, what that leads to is worked out, checked against the
    /// policy like any other path, and opened, again without following links: whoever swaps
    /// one in meanwhile gets an error and nothing else.
    pub(super) fn follow<T>(
        &self,
        path: &RelPath,
        open: impl Fn(&Dir, &RelPath) -> sys::Result<T>,
    ) -> Result<T> {
        match open(&self.dir, path) {
            Err(Trouble::Link) if self.policy.policy().links => {}
            done => return done.map_err(|e| FsError::at(path, e)),
        }
        for _ in 0..SWAPS {
            let target = self.resolve(path)?;
            self.policy
                .check(&target, Access::Read)
                .map_err(|error| about(path, error))?;
            match open(&self.dir, &target) {
                Err(Trouble::Link) => {}
                done => return done.map_err(|e| FsError::at(path, e)),
            }
        }
        Err(FsError::Escape { path: path.clone() })
    }

    /// The path without links: what they are replaced by stays below the folder.
    fn resolve(&self, path: &RelPath) -> Result<RelPath> {
        let escape = || FsError::Escape { path: path.clone() };
        let mut ahead: Vec<String> = path.components().rev().map(str::to_owned).collect();
        let mut done = RelPath::root();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => continue,
                // `done` has no links in it, so its parent is the one in its name.
                ".." => {
                    done = done.parent().ok_or_else(escape)?;
                    continue;
                }
                _ => {}
            }
            let next = RelPath::try_from(name)
                .and_then(|n| done.join(&n))
                .map_err(|_| escape())?;
            let at = |e| FsError::at(path, e);
            if self.dir.stat(&next).map_err(at)?.kind != Kind::Link {
                done = next;
                continue;
            }
            links += 1;
            let target = self.dir.read_link(&next).map_err(at)?;
            let target = target.to_str().ok_or_else(escape)?;
            if links > LINKS || target.starts_with('/') {
                return Err(escape());
            }
            ahead.extend(target.split('/').rev().map(str::to_owned));
            if ahead.len() > LINKS * LINKS {
                return Err(escape());
            }
        }
        Ok(done)
    }

    /// Only what is certainly a file of this folder is opened: pipes wait, devices act,
    /// and a second name may be that of a file elsewhere.
    fn regular(&self, path: &RelPath, stat: &Stat) -> Result<()> {
        match stat.kind {
            Kind::File => {}
            Kind::Link => return Err(FsError::Symlink { path: path.clone() }),
            Kind::Dir | Kind::Other => return Err(FsError::NotAFile { path: path.clone() }),
        }
        if stat.names > 1 && !self.policy.policy().hard_links {
            return Err(FsError::HardLink { path: path.clone() });
        }
        Ok(())
    }
}

/// How much one call may still write.
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    fn spend(&self, path: &RelPath, bytes: u64) -> Result<()> {
        // An empty file and a folder take room as well.
        let bytes = bytes.max(BLOCK);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map(drop)
            .map_err(|_| FsError::Full { path: path.clone() })
    }
}

/// What a write needs beside its subject.
#[derive(Clone, Copy)]
pub(super) struct Permit<'a> {
    pub(super) lease: &'a Lease,
    pub(super) budget: &'a Budget,
}

impl Core {
    /// Replaces the file, or creates it: readers see the old content or the new.
    pub(super) fn write(&self, path: &RelPath, contents: &[u8], permit: Permit<'_>) -> Result<()> {
        let (folder, name) = self.writable(path, permit.lease)?;
        let folder = folder.get(self);
        let old = match folder.stat_name(name) {
            Ok(stat) => {
                self.regular(path, &stat)?;
                Some(stat)
            }
            Err(Trouble::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(trouble) => return Err(FsError::at(path, trouble)),
        };
        let temp = self.temp(path, folder, contents, permit)?;
        if let Some(mode) = old.and_then(|old| old.mode) {
            sys::set_mode(&temp.file, mode).map_err(|e| FsError::at(path, e.into()))?;
        }
        temp.become_file(path, name, Taken::Replace, permit.lease)
    }

    /// Creates a file that does not exist; it appears complete.
    pub(super) fn create_new(
        &self,
        path: &RelPath,
        contents: &[u8],
        permit: Permit<'_>,
    ) -> Result<()> {
        let (folder, name) = self.writable(path, permit.lease)?;
        let folder = folder.get(self);
        // Asked early for the sake of a cheap answer; the rename asks for good.
        if folder.stat_name(name).is_ok() {
            return Err(FsError::AlreadyExists { path: path.clone() });
        }
        let temp = self.temp(path, folder, contents, permit)?;
        temp.become_file(path, name, Taken::Keep, permit.lease)
    }

    /// Adds to a file that exists.
    pub(super) fn append(&self, path: &RelPath, contents: &[u8], permit: Permit<'_>) -> Result<()> {
        live(permit.lease)?;
        self.policy.check(path, Access::Write)?;
        let at = |e| FsError::at(path, e);
        // Opening a device for writing may already do something; look first.
        self.regular(path, &self.dir.stat(path).map_err(at)?)?;
        let (mut file, stat) = self.dir.open_append(path).map_err(at)?;
        self.regular(path, &stat)?;
        self.fits(path, stat.len.saturating_add(contents.len() as u64))?;
        permit.budget.spend(path, contents.len() as u64)?;
        live(permit.lease)?;
        file.write_all(contents)
            .and_then(|()| file.sync_all())
            .map_err(|e| FsError::at(path, e.into()))
    }

    pub(super) fn create_dir(&self, path: &RelPath, permit: Permit<'_>) -> Result<()> {
        let (folder, name) = self.writable(path, permit.lease)?;
        permit.budget.spend(path, 0)?;
        live(permit.lease)?;
        folder
            .get(self)
            .create_dir(name)
            .map_err(|e| FsError::at(path, e))
    }

    /// Creates a folder and those above it, where they do not exist.
    pub(super) fn create_dir_all(&self, path: &RelPath, permit: Permit<'_>) -> Result<()> {
        live(permit.lease)?;
        self.policy.check(path, Access::Write)?;
        let at = |e| FsError::at(path, e);
        let mut folder = self.dir.open_dir(&RelPath::root()).map_err(at)?;
        for name in path.components() {
            let step = RelPath::parse(name)?;
            folder = match folder.open_dir(&step) {
                Err(Trouble::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                    permit.budget.spend(path, 0)?;
                    live(permit.lease)?;
                    match folder.create_dir(name) {
                        // Somebody else was faster; what they made is opened like any other.
                        Err(Trouble::Io(error))
                            if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                        made => made.map_err(at)?,
                    }
                    folder.open_dir(&step).map_err(at)?
                }
                opened => opened.map_err(at)?,
            };
        }
        Ok(())
    }

    pub(super) fn remove_file(&self, path: &RelPath, lease: &Lease) -> Result<()> {
        let (folder, name) = self.writable(path, lease)?;
        let folder = folder.get(self);
        let at = |e| FsError::at(path, e);
        match folder.stat_name(name).map_err(at)?.kind {
            Kind::File => {}
            Kind::Link => return Err(FsError::Symlink { path: path.clone() }),
            Kind::Dir | Kind::Other => return Err(FsError::NotAFile { path: path.clone() }),
        }
        live(lease)?;
        folder.remove_file(name).map_err(at)
    }

    pub(super) fn remove_dir(&self, path: &RelPath, lease: &Lease) -> Result<()> {
        let (folder, name) = self.writable(path, lease)?;
        live(lease)?;
        folder
            .get(self)
            .remove_dir(name)
            .map_err(|e| FsError::at(path, e))
    }

    /// Renames a file or a folder to a name that is not taken.
    pub(super) fn rename(&self, from: &RelPath, to: &RelPath, lease: &Lease) -> Result<()> {
        let (old_folder, old_name) = self.writable(from, lease)?;
        let (new_folder, new_name) = self.writable(to, lease)?;
        let (old, new) = (old_folder.get(self), new_folder.get(self));
        let stat = old.stat_name(old_name).map_err(|e| FsError::at(from, e))?;
        if stat.kind != Kind::Dir {
            self.regular(from, &stat)?;
        }
        live(lease)?;
        old.rename(old_name, new, new_name, Taken::Keep)
            .map_err(|trouble| match trouble {
                Trouble::Io(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    FsError::NotFound { path: from.clone() }
                }
                other => FsError::at(to, other),
            })
    }

    /// The folder that a write happens in, opened, and the name in it.
    fn writable<'p>(&self, path: &'p RelPath, lease: &Lease) -> Result<(Folder, &'p str)> {
        live(lease)?;
        self.policy.check(path, Access::Write)?;
        let Some((parent, name)) = path.split_last() else {
            return Err(FsError::NotAFile { path: path.clone() });
        };
        if parent.is_root() {
            return Ok((Folder::Root, name));
        }
        let dir = self
            .dir
            .open_dir(&parent)
            .map_err(|e| FsError::at(path, e))?;
        Ok((Folder::Below(dir), name))
    }

    fn fits(&self, path: &RelPath, bytes: u64) -> Result<()> {
        if bytes > self.limits.max_write {
            return Err(FsError::TooLarge {
                path: path.clone(),
                limit: self.limits.max_write,
            });
        }
        Ok(())
    }

    /// Writes the contents to a file beside the one they are for.
    fn temp<'d>(
        &self,
        path: &RelPath,
        folder: &'d Dir,
        contents: &[u8],
        permit: Permit<'_>,
    ) -> Result<Temp<'d>> {
        let at = |e| FsError::at(path, e);
        self.fits(path, contents.len() as u64)?;
        permit.budget.spend(path, contents.len() as u64)?;
        let name = temp_name().map_err(|e| at(e.into()))?;
        let file = folder.create_new(&name).map_err(at)?;
        let mut temp = Temp {
            folder,
            name,
            file,
            kept: false,
        };
        temp.file
            .write_all(contents)
            .and_then(|()| temp.file.sync_all())
            .map_err(|e| at(e.into()))?;
        Ok(temp)
    }
}

/// The folder of a write: the root itself needs no second descriptor.
enum Folder {
    Root,
    Below(Dir),
}

impl Folder {
    fn get<'a>(&'a self, core: &'a Core) -> &'a Dir {
        match self {
            Self::Root => &core.dir,
            Self::Below(dir) => dir,
        }
    }
}

/// A file that is gone again unless it gets its real name.
struct Temp<'d> {
    folder: &'d Dir,
    name: String,
    file: File,
    kept: bool,
}

impl Temp<'_> {
    fn become_file(
        mut self,
        path: &RelPath,
        name: &str,
        taken: Taken,
        lease: &Lease,
    ) -> Result<()> {
        // The last moment: a call that was cancelled leaves nothing.
        live(lease)?;
        self.folder
            .rename(&self.name, self.folder, name, taken)
            .map_err(|e| FsError::at(path, e))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing better can be done about an error; the policy hides the name.
            let _ = self.folder.remove_file(&self.name);
        }
    }
}

/// Reads to the end, but never more than one byte beyond the limit, however the file grows.
fn bounded(path: &RelPath, mut file: File, len: u64, limit: u64) -> Result<Vec<u8>> {
    let too_large = || FsError::TooLarge {
        path: path.clone(),
        limit,
    };
    if len > limit {
        return Err(too_large());
    }
    // One byte more than it says, so that the end is seen without growing the buffer.
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0).saturating_add(1));
    let read = (&mut file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|e| FsError::at(path, e.into()))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

pub(super) fn live(lease: &Lease) -> Result<()> {
    if lease.is_live() {
        Ok(())
    } else {
        Err(FsError::Revoked)
    }
}

/// A refusal about what a link leads to, said of the path that was asked for.
fn about(path: &RelPath, error: FsError) -> FsError {
    match error {
        FsError::Denied { rule, reason, .. } => FsError::Denied {
            path: path.clone(),
            rule,
            reason,
        },
        other => other,
    }
}

fn temp_name() -> std::io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let (start, end) = TEMP_PATTERN.split_once('*').unwrap_or_default();
    Ok(format!("{start}{}{end}", crate::hex::hex(&random)))
}

/// What the names of unfinished writes look like; the policy closes them.
pub(super) const TEMP_PATTERN: &str = ".mcp-secure-*.tmp";
/// As many links in one path as Linux follows.
const LINKS: usize = 40;
/// How often somebody may swap a link in between two looks.
const SWAPS: usize = 4;
/// What the smallest file takes of the budget.
const BLOCK: u64 = 4096;
