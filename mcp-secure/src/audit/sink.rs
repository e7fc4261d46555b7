//! Where records go: one JSON line each.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use crate::{Error, Result};

/// Where audit records go.
pub struct AuditSink {
    out: Mutex<Out>,
}

struct Out {
    target: Target,
    /// Reused for every line.
    line: Vec<u8>,
}

enum Target {
    File(File),
    #[cfg(feature = "testing")]
    Memory(MemoryLog),
    Stderr,
}

impl AuditSink {
    /// Appends to a file that only its owner can read (0600). A file of another owner, a
    /// symbolic link or anything that is not a regular file is refused.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or not safely.
    pub fn file(path: &Path) -> Result<Self> {
        let file = open(path).map_err(|error| {
            Error::new(format!(
                "the audit log `{}` cannot be opened: {error}",
                path.display()
            ))
            .help(
                "name a file in a folder that you own with `--audit PATH`, or say `--audit stderr`",
            )
        })?;
        Ok(Self::to(Target::File(file)))
    }

    /// Writes to standard error, for a supervisor that keeps it.
    pub fn stderr() -> Self {
        Self::to(Target::Stderr)
    }

    /// Keeps the records in memory, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn memory(log: MemoryLog) -> Self {
        Self::to(Target::Memory(log))
    }

    fn to(target: Target) -> Self {
        Self {
            out: Mutex::new(Out {
                target,
                line: Vec::with_capacity(512),
            }),
        }
    }

    /// Where the log of a server lies unless the operator says otherwise.
    pub(crate) fn default_path(server: &str) -> Option<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| {
                std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"))
            })?;
        Some(
            state
                .join("mcp-secure")
                .join(format!("{server}.audit.jsonl")),
        )
    }

    pub(crate) fn write(&self, record: &impl Serialize) -> io::Result<()> {
        self.append(record, false)
    }

    /// Returns when the record is on disk.
    pub(crate) fn write_durably(&self, record: &impl Serialize) -> io::Result<()> {
        self.append(record, true)
    }

    fn append(&self, record: &impl Serialize, durably: bool) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Out { target, line } = &mut *out;
        line.clear();
        serde_json::to_writer(&mut *line, record)?;
        line.push(b'\n');
        match target {
            // One write of one line: with O_APPEND, lines of several processes do not mix.
            Target::File(file) => {
                file.write_all(line)?;
                if durably { file.sync_data() } else { Ok(()) }
            }
            #[cfg(feature = "testing")]
            Target::Memory(log) => {
                log.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(line);
                Ok(())
            }
            Target::Stderr => io::stderr().write_all(line),
        }
    }
}

/// Records in memory, for tests.
#[cfg(feature = "testing")]
#[derive(Clone, Default)]
pub(crate) struct MemoryLog(std::sync::Arc<Mutex<Vec<u8>>>);

#[cfg(feature = "testing")]
impl MemoryLog {
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
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
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
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
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::options().append(true).create(true).open(path)
}
