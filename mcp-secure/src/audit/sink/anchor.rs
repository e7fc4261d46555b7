//! Where checkpoints are kept that whoever can write the log cannot write.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use super::disk;
use crate::{Error, Result};

/// Keeps the signed checkpoints of an audit log elsewhere. That the end of a log was cut off, or
/// that an older copy was put in its place, is seen only by comparing it with such a place.
///
/// Called on the writer's own thread after the checkpoint is on disk: at most once a second or for
/// as many records as a checkpoint covers. What it does should be quick; the log waits.
pub trait AuditAnchor: Send + 'static {
    /// Keeps one checkpoint: a signed note as C2SP `tlog-checkpoint` has it.
    ///
    /// # Errors
    ///
    /// When it could not be kept. The error goes to the operator's log, and the server goes on.
    fn anchor(&mut self, note: &str) -> io::Result<()>;
}

/// An append-only file with a checkpoint a line, on another disk, or one that the server can
/// only append to.
pub struct FileAnchor(File);

impl FileAnchor {
    /// Opens or makes the file.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or not safely.
    pub fn open(path: &Path) -> Result<Self> {
        disk::open(path, disk::Writes::AtTheEnd)
            .map(Self)
            .map_err(|error| {
                Error::new(format!(
                    "the anchor of the audit log `{}` cannot be opened: {error}",
                    path.display()
                ))
                .help("name a file in a folder that you own")
            })
    }
}

impl AuditAnchor for FileAnchor {
    fn anchor(&mut self, note: &str) -> io::Result<()> {
        let mut line = serde_json::to_vec(&serde_json::json!({ "note": note }))?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        self.0.sync_data()
    }
}
