//! Reading folders: sorted, filtered by the policy, bounded.

use std::{ops::ControlFlow, time::SystemTime};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Access, FsError, RelPath,
    ops::{Core, live},
    sys::{Dir, Kind, Stat, Trouble},
};
use crate::capability::Lease;

type Result<T> = std::result::Result<T, FsError>;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link. Reading follows it if it stays in the folder.
    Symlink,
    /// A pipe, socket or device; it cannot be opened.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirEntry {
    name: String,
    kind: FileKind,
    size: u64,
}

impl DirEntry {
    /// The name.
    pub fn file_name(&self) -> &str {
        &self.name
    }

    /// What it stands for.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Bytes of a file; 0 for everything else.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }
}

/// What there is to know of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    kind: FileKind,
    len: u64,
    modified: Option<SystemTime>,
}

impl Metadata {
    /// What it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Bytes of a file; 0 for everything else.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When it was last changed, where that is known.
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }
}

impl From<Stat> for Metadata {
    fn from(stat: Stat) -> Self {
        Self {
            kind: stat.kind.into(),
            len: size(&stat),
            modified: stat.modified,
        }
    }
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Dir => Self::Directory,
            Kind::Link => Self::Symlink,
            Kind::Other => Self::Other,
        }
    }
}

/// How far a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkLimits {
    /// Levels below the start; 1 is the folder alone.
    pub depth: usize,
    /// Entries that are returned. The grant's own limit holds as well.
    pub entries: usize,
}

impl Default for WalkLimits {
    fn default() -> Self {
        Self {
            depth: 16,
            entries: 10_000,
        }
    }
}

/// What a walk found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Walk {
    /// The entries, each folder before what is in it, names in order.
    pub entries: Vec<WalkEntry>,
    /// Whether a limit left something out.
    pub truncated: bool,
}

/// One entry of a walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WalkEntry {
    path: RelPath,
    kind: FileKind,
    size: u64,
}

impl WalkEntry {
    /// The path, relative to the handle.
    pub fn path(&self) -> &RelPath {
        &self.path
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// What it stands for.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Bytes of a file; 0 for everything else.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }
}

impl Core {
    pub(super) fn read_dir(&self, path: &RelPath, lease: &Lease) -> Result<Vec<DirEntry>> {
        live(lease)?;
        self.policy.check(path, Access::Read)?;
        let dir = self.follow(path, Dir::open_dir)?;
        let limit = self.limits.max_entries;
        let (entries, complete) = self.entries(path, &dir, limit, lease)?;
        if !complete {
            return Err(FsError::TooLarge {
                path: path.clone(),
                limit: limit as u64,
            });
        }
        live(lease)?;
        Ok(entries)
    }

    /// Goes down without following links. The walk is over paths, not open folders: each
    /// folder is opened from the root again, so its depth costs no descriptors.
    pub(super) fn walk(&self, path: &RelPath, limits: WalkLimits, lease: &Lease) -> Result<Walk> {
        live(lease)?;
        self.policy.check(path, Access::Read)?;
        let start = self.follow(path, Dir::open_dir)?;
        let most = limits.entries.min(self.limits.max_entries);
        let mut walk = Walk {
            entries: Vec::new(),
            truncated: false,
        };
        // Every name costs, listed or not.
        let mut room = self.limits.max_entries;
        let mut ahead = vec![(RelPath::root(), None::<WalkEntry>, 0)];
        while let Some((at, entry, depth)) = ahead.pop() {
            if let Some(entry) = entry {
                let kind = entry.kind;
                if walk.entries.len() == most {
                    walk.truncated = true;
                    break;
                }
                walk.entries.push(entry);
                if kind != FileKind::Directory {
                    continue;
                }
            }
            if depth >= limits.depth {
                walk.truncated = true;
                continue;
            }
            live(lease)?;
            let dir = match start.open_dir(&at) {
                Ok(dir) => dir,
                // Gone, swapped, not ours or another mount: not part of the tree.
                Err(_) if depth > 0 => continue,
                Err(trouble) => return Err(FsError::at(path, trouble)),
            };
            let (entries, complete) = self.entries(path, &dir, room, lease)?;
            walk.truncated |= !complete;
            room = room.saturating_sub(entries.len());
            for entry in entries.into_iter().rev() {
                // A path that grew too long cannot be named.
                let Ok(below) = RelPath::parse(&entry.name).and_then(|name| at.join(&name)) else {
                    walk.truncated = true;
                    continue;
                };
                let Ok(shown) = path.join(&below) else {
                    continue;
                };
                let entry = WalkEntry {
                    path: shown,
                    kind: entry.kind,
                    size: entry.size,
                };
                ahead.push((below, Some(entry), depth + 1));
            }
        }
        live(lease)?;
        Ok(walk)
    }

    /// What is in a folder and may be named; whether that is all.
    fn entries(
        &self,
        path: &RelPath,
        dir: &Dir,
        limit: usize,
        lease: &Lease,
    ) -> Result<(Vec<DirEntry>, bool)> {
        let mut names = Vec::new();
        let (mut seen, mut complete) = (0, true);
        dir.list(&mut |name, kind| {
            // Names that are left out count, or a folder full of them would cost forever.
            if seen >= limit || !lease.is_live() {
                complete = false;
                return ControlFlow::Break(());
            }
            seen += 1;
            if let Some(name) = name.to_str()
                && RelPath::parse(name).is_ok_and(|path| !path.is_root())
                && self.policy.check_name(name, Access::Read).is_ok()
            {
                names.push((name.to_owned(), kind));
            }
            ControlFlow::Continue(())
        })
        .map_err(|e| FsError::at(path, e))?;
        live(lease)?;
        names.sort_unstable();
        let mut entries = Vec::with_capacity(names.len());
        for (name, kind) in names {
            let stat = match kind {
                Some(kind @ (Kind::Dir | Kind::Link | Kind::Other)) => (kind, 0),
                Some(Kind::File) | None => match dir.stat_name(&name) {
                    Ok(stat) => (stat.kind, size(&stat)),
                    // It went away between two looks.
                    Err(Trouble::Io(_)) => continue,
                    Err(trouble) => return Err(FsError::at(path, trouble)),
                },
            };
            entries.push(DirEntry {
                name,
                kind: stat.0.into(),
                size: stat.1,
            });
        }
        Ok((entries, complete))
    }
}

fn size(stat: &Stat) -> u64 {
    if stat.kind == Kind::File { stat.len } else { 0 }
}
