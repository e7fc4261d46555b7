//! The files of a log, behind a trait: the tests have a disk that loses what was not synced,
//! writes half and breaks.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::super::chain::SLOT;

/// What a writer needs of a disk. "Durably" means: when it returns, a loss of power does not
/// undo it.
pub(super) trait Disk: Send + 'static {
    /// Appends to the active segment; may write less.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes what was appended durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Fails if readers who open the path of the log find another file, or none.
    fn is_in_place(&mut self) -> io::Result<()>;

    /// The length of the active segment.
    fn len(&mut self) -> io::Result<u64>;

    /// The active segment from here on.
    fn read(&mut self, from: u64) -> io::Result<Vec<u8>>;

    /// Copies the end of the active segment into a file, durably, and returns its name.
    fn set_aside(&mut self, from: u64, name: &str) -> io::Result<String>;

    /// Takes the end of the active segment away, durably.
    fn cut(&mut self, from: u64) -> io::Result<()>;

    /// Empties the active segment, durably.
    fn clear(&mut self) -> io::Result<()>;

    fn read_slots(&mut self) -> io::Result<[Vec<u8>; 2]>;

    /// Writes one of the two slots of the state, durably.
    fn write_slot(&mut self, slot: usize, bytes: &[u8]) -> io::Result<()>;

    /// Overwrites a slot: what was in it was a key.
    fn wipe_slot(&mut self, slot: usize) -> io::Result<()>;

    /// Copies the active segment to the segments that are kept, durably.
    fn keep(&mut self, segment: u64) -> io::Result<()>;

    /// The segments that are kept, the oldest first.
    fn kept(&mut self) -> io::Result<Vec<Kept>>;

    fn drop_kept(&mut self, segment: u64) -> io::Result<()>;
}

/// A segment that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) segment: u64,
    pub(super) len: u64,
    pub(super) since: SystemTime,
}

/// The real one.
pub(super) struct Files {
    path: PathBuf,
    log: File,
    state: File,
    folder: PathBuf,
    /// To make a rename in it durable; opened while everything may still be opened.
    #[cfg_attr(
        not(unix),
        allow(dead_code, reason = "elsewhere folders are not synced")
    )]
    folder_file: Option<File>,
}

impl Files {
    /// Opens the log, takes it for this process alone, and opens what lies beside it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let log = open(path, Writes::AtTheEnd)?;
        match log.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        let state = open(&beside(path, "state"), Writes::InPlace)?;
        let folder = beside(path, "segments");
        private_folder(&folder)?;
        let folder_file = File::open(&folder).ok();
        let mut files = Self {
            path: path.to_owned(),
            log,
            state,
            folder,
            folder_file,
        };
        // That the files are there at all must be durable before a line in them counts.
        files.sync_folder_of_log()?;
        // What a rotation left behind that did not come to its end.
        for entry in std::fs::read_dir(&files.folder)? {
            let entry = entry?.path();
            if entry.extension().is_some_and(|ext| ext == "tmp") {
                std::fs::remove_file(entry)?;
            }
        }
        files.is_in_place()?;
        Ok(files)
    }

    /// Writes a file that is new, durably.
    pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    #[cfg(unix)]
    fn sync_folder_of_log(&self) -> io::Result<()> {
        let parent = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_folder_of_log(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn sync_folder(&self) -> io::Result<()> {
        self.folder_file.as_ref().map_or(Ok(()), File::sync_all)
    }

    #[cfg(not(unix))]
    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn reader(&self) -> io::Result<File> {
        // Of the descriptor, not of the path: the path may be another file by now. A duplicate
        // shares the position, which appending does not look at.
        self.log.try_clone()
    }
}

impl Disk for Files {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.log.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        #[cfg(feature = "__bench")]
        match SLOWER.load(std::sync::atomic::Ordering::Relaxed) {
            0 => {}
            micros => std::thread::sleep(std::time::Duration::from_micros(micros)),
        }
        self.log.sync_data()
    }

    #[cfg(unix)]
    fn is_in_place(&mut self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let ours = self.log.metadata()?;
        let there = std::fs::symlink_metadata(&self.path)
            .map_err(|error| io::Error::other(format!("it is not at its path: {error}")))?;
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Err(io::Error::other("another file is at its path"));
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn is_in_place(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.log.metadata()?.len())
    }

    fn read(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let mut file = self.reader()?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn set_aside(&mut self, from: u64, name: &str) -> io::Result<String> {
        let bytes = self.read(from)?;
        let named = beside(&self.path, name);
        match Self::write_new(&named, &bytes, 0o600) {
            // A start before this one came so far; its name has the digest of what is in it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_file(&named)?;
                Self::write_new(&named, &bytes, 0o600)?;
            }
            done => done?,
        }
        self.sync_folder_of_log()?;
        Ok(named
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned())
    }

    fn cut(&mut self, from: u64) -> io::Result<()> {
        self.log.set_len(from)?;
        self.log.sync_all()
    }

    fn clear(&mut self) -> io::Result<()> {
        self.log.set_len(0)?;
        self.log.sync_all()
    }

    fn read_slots(&mut self) -> io::Result<[Vec<u8>; 2]> {
        self.state.seek(SeekFrom::Start(0))?;
        let mut all = Vec::new();
        (&self.state)
            .take(2 * SLOT as u64 + 1)
            .read_to_end(&mut all)?;
        if all.len() > 2 * SLOT {
            return Err(io::Error::other("it is longer than a state"));
        }
        let second = all.split_off(SLOT.min(all.len()));
        Ok([all, second])
    }

    fn write_slot(&mut self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        write_at(&self.state, (slot * SLOT) as u64, bytes)?;
        self.state.sync_data()
    }

    fn wipe_slot(&mut self, slot: usize) -> io::Result<()> {
        write_at(&self.state, (slot * SLOT) as u64, &[b' '; SLOT])
    }

    fn keep(&mut self, segment: u64) -> io::Result<()> {
        let new = self.folder.join(format!("{segment:06}.tmp"));
        let _ = std::fs::remove_file(&new);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut copy = options.open(&new)?;
        let copied = (|| {
            let mut from = self.reader()?;
            from.seek(SeekFrom::Start(0))?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                let read = from.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                copy.write_all(buffer.get(..read).unwrap_or_default())?;
            }
            copy.sync_all()?;
            std::fs::rename(&new, self.folder.join(segment_name(segment)))
        })();
        if copied.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        copied?;
        self.sync_folder()
    }

    fn kept(&mut self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(segment) = segment_number(&entry.path()) {
                let meta = entry.metadata()?;
                kept.push(Kept {
                    segment,
                    len: meta.len(),
                    since: meta.modified()?,
                });
            }
        }
        kept.sort_by_key(|kept| kept.segment);
        Ok(kept)
    }

    fn drop_kept(&mut self, segment: u64) -> io::Result<()> {
        std::fs::remove_file(self.folder.join(segment_name(segment)))?;
        self.sync_folder()
    }
}

/// A disk that takes longer, in microseconds.
#[cfg(feature = "__bench")]
pub(in crate::audit) static SLOWER: std::sync::atomic::AtomicU64 =
    std::sync::atomic::AtomicU64::new(0);

/// `audit.jsonl` → `audit.jsonl.state`
pub(crate) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// Where the older segments of a log are; made if it is not there, as a start makes it.
///
/// # Errors
///
/// When it is not a folder that only its owner can write.
#[cfg(feature = "sandbox")]
pub(crate) fn segments_folder(path: &Path) -> crate::Result<PathBuf> {
    let folder = beside(path, "segments");
    private_folder(&folder)
        .map_err(|error| crate::Error::new(format!("`{}`: {error}", folder.display())))?;
    Ok(folder)
}

fn segment_name(segment: u64) -> String {
    format!("{segment:06}.jsonl")
}

/// The number of a file that is named as a segment is.
pub(in crate::audit) fn segment_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let number = name.strip_suffix(".jsonl")?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

fn write_at(mut file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(unix)]
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() || meta.uid() != crate::auth::current_uid() || meta.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "`{}` is not a folder of its own that only its owner can write",
            path.display()
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Where what is written to a file goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// By the kernel, whoever else writes.
    AtTheEnd,
    InPlace,
}

/// A file that only its owner can read, made if it is not there.
#[cfg(unix)]
pub(super) fn open(path: &Path, writes: Writes) -> io::Result<File> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .write(true)
        .append(writes == Writes::AtTheEnd)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    is_private(&file)?;
    Ok(file)
}

/// That an open file is one, its owner's, and nobody else can read it.
#[cfg(unix)]
pub(in crate::audit) fn is_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if meta.uid() != crate::auth::current_uid() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "others can read it: run `chmod 600` on it",
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn open(path: &Path, writes: Writes) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::options()
        .read(true)
        .write(true)
        .append(writes == Writes::AtTheEnd)
        .create(true)
        .truncate(false)
        .open(path)
}
