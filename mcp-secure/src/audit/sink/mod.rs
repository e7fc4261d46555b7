//! Where records go: one JSON line each, in a file bound to all lines before it.

mod anchor;
mod cosigner;
mod disk;
mod open;
#[cfg(feature = "net")]
mod post;
mod queue;
#[cfg(test)]
mod simulated;
mod writer;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::oneshot;

pub use anchor::{AuditAnchor, FileAnchor};
pub use cosigner::Cosigner;
pub(crate) use disk::beside;
#[cfg(unix)]
pub(super) use disk::is_private;
pub(super) use disk::segment_number;
#[cfg(feature = "sandbox")]
pub(crate) use disk::segments_folder;
pub(crate) use open::About;
#[cfg(feature = "net")]
use post::PostAnchor;

use self::{disk::Files, queue::Queue, writer::Writer};
use super::chain::{State, encode};
use crate::{Error, Result};

/// Where audit records go. Clones are the same place.
#[derive(Clone)]
pub struct AuditSink(Target);

#[derive(Clone)]
enum Target {
    File(Arc<Log>),
    #[cfg(feature = "testing")]
    Memory(MemoryLog),
    Stderr,
    #[cfg(feature = "__bench")]
    Nowhere,
}

#[cfg(feature = "__bench")]
pub(in crate::audit) use disk::SLOWER;

struct Log {
    path: PathBuf,
    queue: Arc<Queue>,
    /// Until the thread starts that has it.
    writer: Mutex<Option<Writer<Files>>>,
    /// Says that the last line is written.
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

/// What the operator can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// A signature after so many records …
    pub(crate) checkpoint_records: u64,
    /// … or after this time.
    pub(crate) checkpoint_every: Duration,
    /// A new segment when one is this large …
    pub(crate) segment_bytes: u64,
    /// … or this old.
    pub(crate) segment_age: Option<Duration>,
    /// Older ones are deleted.
    pub(crate) keep_segments: Option<usize>,
    pub(crate) keep_for: Option<Duration>,
    /// Bytes of records that wait for the disk.
    pub(crate) queue_bytes: usize,
    pub(crate) on_full: OnFull,
    /// Where checkpoints are kept as well.
    pub(crate) anchor: Option<PathBuf>,
    /// A second key that signs what is kept elsewhere.
    pub(crate) cosigner: Option<PathBuf>,
    /// Where they are posted.
    #[cfg(feature = "net")]
    pub(crate) post_anchor: Option<PostAnchor>,
}

/// What happens to a request when so many records wait that its own may find no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFull {
    /// It is refused.
    Refuse,
    /// It goes on, and a record says how many records are missing.
    Gap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            checkpoint_records: 16_384,
            checkpoint_every: Duration::from_secs(1),
            segment_bytes: 64 << 20,
            segment_age: None,
            keep_segments: None,
            keep_for: None,
            queue_bytes: 8 << 20,
            on_full: OnFull::Refuse,
            anchor: None,
            cosigner: None,
            #[cfg(feature = "net")]
            post_anchor: None,
        }
    }
}

impl AuditSink {
    /// Appends to a file that only its owner can read (0600). A file of another owner, a
    /// symbolic link, anything that is not a regular file, and a log that another process writes
    /// are refused. What lies beside it (`.state`, `.pub`, `.key`, `.segments`) belongs to it.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or not safely, or is not as it was left.
    pub fn file(path: &Path) -> Result<Self> {
        let sink = Self::open(path, &Settings::default(), &About::default())?;
        sink.start()?;
        Ok(sink)
    }

    /// Opens the files, while they may still be opened. Nothing more is written until
    /// [`start`](Self::start).
    pub(crate) fn open(path: &Path, settings: &Settings, about: &About) -> Result<Self> {
        let wrong = |error: Error| error.before(&format!("the audit log `{}`: ", path.display()));
        let files = Self::take(path).map_err(|error| {
            let what = format!("the audit log `{}` cannot be opened: ", path.display());
            match error.kind() {
                io::ErrorKind::WouldBlock => Error::new(format!("{what}another server writes it"))
                    .help("give each server a log of its own with `--audit PATH`"),
                _ => Error::new(format!("{what}{error}")).help(
                    "name a file in a folder that you own with `--audit PATH`, or say `--audit \
                     stderr`",
                ),
            }
        })?;
        let mut writer = open::open(files, settings, about, &Keys(path)).map_err(wrong)?;
        if let Some(anchor) = &settings.anchor {
            writer.anchors.push(Box::new(FileAnchor::open(anchor)?));
        }
        if let Some(key) = &settings.cosigner {
            let key =
                Cosigner::open(key).map_err(|e| e.before("the second key of the audit log: "))?;
            writer.cosigner = Some(key);
        }
        Ok(Self(Target::File(Arc::new(Log {
            path: path.to_owned(),
            queue: Arc::new(Queue::new(settings.queue_bytes, settings.on_full)),
            writer: Mutex::new(Some(writer)),
            ended: Mutex::new(None),
        }))))
    }

    /// Waits a little for a log that the server before this one is about to leave.
    fn take(path: &Path) -> io::Result<Files> {
        let begun = Instant::now();
        loop {
            match Files::open(path) {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && begun.elapsed() < HANDOVER =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                taken => return taken,
            }
        }
    }

    /// Keeps checkpoints there, too. Before it starts.
    pub(crate) fn anchor(&self, anchor: Box<dyn AuditAnchor>) -> Result<()> {
        let Target::File(log) = &self.0 else {
            return Err(
                Error::new("an audit log that is no file has no checkpoints")
                    .help("name a file with `--audit PATH`, or leave the anchor away"),
            );
        };
        let mut writer = log.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.as_mut() {
            writer.anchors.push(anchor);
        }
        Ok(())
    }

    /// Begins to write. After the sandbox is closed, so that it binds the thread that writes.
    pub(crate) fn start(&self) -> Result<()> {
        let Target::File(log) = &self.0 else {
            return Ok(());
        };
        let taken = log
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut writer) = taken else {
            return Ok(());
        };
        if writer.cosigner.is_some() && writer.anchors.is_empty() {
            return Err(Error::new(
                "the audit log has a second key, and nothing keeps what that signs",
            )
            .help("name a place for checkpoints with `anchor` or `anchor_url`"));
        }
        let (says, ended) = mpsc::channel();
        *log.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        let queue = Arc::clone(&log.queue);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                queue.run(&mut writer);
                drop(says);
            })
            .map_err(|e| Error::new(format!("the audit log has no thread: {e}")))?;
        Ok(())
    }

    /// Writes to standard error, for a supervisor that keeps it. Lines only: nothing binds them
    /// to each other, and nothing is signed.
    pub fn stderr() -> Self {
        Self(Target::Stderr)
    }

    #[cfg(feature = "__bench")]
    pub(in crate::audit) fn nowhere() -> Self {
        Self(Target::Nowhere)
    }

    #[cfg(feature = "__bench")]
    pub(in crate::audit) fn is_nowhere(&self) -> bool {
        matches!(self.0, Target::Nowhere)
    }

    /// Keeps the records in memory, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn memory(log: MemoryLog) -> Self {
        Self(Target::Memory(log))
    }

    /// Where the log of a server lies unless the operator says otherwise. Several clients may
    /// each start the same server: the first free one of a few.
    pub(crate) fn default_path(server: &str) -> Option<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| {
                std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"))
            })?
            .join("mcp-secure");
        let named = |n: u32| match n {
            1 => state.join(format!("{server}.audit.jsonl")),
            n => state.join(format!("{server}.{n}.audit.jsonl")),
        };
        let is_taken = |path: &PathBuf| {
            std::fs::File::open(path)
                .is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
        };
        (1..=SERVERS)
            .map(named)
            .find(|path| !is_taken(path))
            .or(Some(named(1)))
    }

    /// What must stay within reach of the process.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        match &self.0 {
            Target::File(log) => Some(beside(&log.path, "segments")),
            _ => None,
        }
    }

    /// Takes a record. It is in the file some milliseconds later.
    pub(crate) fn write(&self, record: &impl Serialize) -> io::Result<()> {
        match &self.0 {
            Target::File(log) => log.queue.push(record, None),
            target => target.line(record),
        }
    }

    /// Takes a record, and says when it is on disk.
    pub(crate) fn write_durably(&self, record: &impl Serialize) -> Durable {
        match &self.0 {
            Target::File(log) => {
                let (done, durable) = oneshot::channel();
                Durable(log.queue.push(record, Some(done)).map(|()| Some(durable)))
            }
            target => Durable(target.line(record).map(|()| None)),
        }
    }

    /// Whether there is room for the records of one more request.
    pub(crate) fn admits(&self) -> bool {
        match &self.0 {
            Target::File(log) => log.queue.admits(),
            _ => true,
        }
    }

    /// No checkpoint was anchored for longer than the operator allows, or one was again.
    #[cfg(feature = "net")]
    pub(crate) fn late(&self, is: bool) {
        if let Target::File(log) = &self.0 {
            log.queue.late(is);
        }
    }

    /// Whether what is written gets to the disk.
    pub fn is_well(&self) -> bool {
        match &self.0 {
            Target::File(log) => log.queue.is_well(),
            _ => true,
        }
    }

    /// Writes what waits, signs it, and ends. What comes later is refused.
    pub(crate) fn close(&self) {
        let Target::File(log) = &self.0 else {
            return;
        };
        log.queue.close();
        let ended = log
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(ended) = ended {
            // A disk that hangs does not keep the process.
            let _ = ended.recv_timeout(LAST_LINES);
        }
    }

    /// Closes it at the end of a scope, however that comes.
    pub(crate) fn closing(&self) -> Closing {
        Closing(self.clone())
    }
}

/// Closes a log when it is dropped.
pub(crate) struct Closing(AuditSink);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A record on its way to the disk.
pub(crate) struct Durable(io::Result<Option<oneshot::Receiver<io::Result<()>>>>);

impl Durable {
    /// Returns when it is there.
    pub(crate) async fn wait(self) -> io::Result<()> {
        match self.0? {
            None => Ok(()),
            Some(durable) => durable
                .await
                .unwrap_or_else(|_| Err(io::Error::other("the audit log is closed"))),
        }
    }
}

impl Target {
    fn line(&self, record: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        match self {
            #[cfg(feature = "testing")]
            Self::Memory(log) => {
                log.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&line);
                Ok(())
            }
            #[cfg(feature = "__bench")]
            Self::Nowhere => Ok(()),
            _ => io::stderr().write_all(&line),
        }
    }
}

/// Where the keys of a log are kept that has no line yet.
struct Keys<'a>(&'a Path);

impl open::FirstKeys for Keys<'_> {
    fn make(&self) -> Result<State> {
        no_keys_yet(self.0, &beside(self.0, "key"))?;
        State::new()
    }

    /// The key that verifies it is left beside it, for the operator to move away, unless [`init`]
    /// wrote it elsewhere.
    fn keep(&self, state: &State) -> Result<()> {
        // It is written last.
        if beside(self.0, "pub").exists() {
            return Ok(());
        }
        keep_keys(self.0, &beside(self.0, "key"), state)
    }
}

/// Makes the keys of a log before its server first starts, so that the key that verifies it never
/// lies beside it. What ended halfway can be done again.
///
/// # Errors
///
/// When there is a log already, or a file cannot be written.
pub fn init(path: &Path, key: &Path) -> Result<()> {
    let wrong = |error: io::Error| {
        Error::new(format!(
            "the audit log `{}` cannot be made: {error}",
            path.display()
        ))
    };
    let mut files = Files::open(path).map_err(wrong)?;
    use disk::Disk as _;
    let slots = files.read_slots().map_err(wrong)?;
    let begun = slots.iter().find_map(|slot| State::of_slot(slot));
    let is_blank = slots.iter().flatten().all(|byte| matches!(byte, b' ' | 0));
    let has_lines = files.len().map_err(wrong)? > 0;
    let state = match begun {
        Some(state) if !has_lines && !beside(path, "pub").exists() => state,
        None if !has_lines && is_blank => {
            no_keys_yet(path, key)?;
            State::new()?
        }
        _ => {
            return Err(
                Error::new(format!("there is an audit log at `{}`", path.display()))
                    .help("name another path, or move that log and what lies beside it away"),
            );
        }
    };
    files.write_slot(0, &state.to_slot()).map_err(wrong)?;
    keep_keys(path, key, &state)
}

/// The keys of a new log do not replace those of another.
fn no_keys_yet(path: &Path, key: &Path) -> Result<()> {
    for file in [key, &beside(path, "pub")] {
        if file.symlink_metadata().is_ok() {
            return Err(Error::new(format!("`{}` is there already", file.display())).help(OTHER));
        }
    }
    Ok(())
}

fn keep_keys(path: &Path, key: &Path, state: &State) -> Result<()> {
    let write = |path: &Path, text: &str, mode| {
        // All of it, or half, where a start was killed while it wrote.
        if let Ok(there) = std::fs::read(path)
            && text.as_bytes().starts_with(&there)
        {
            let _ = std::fs::remove_file(path);
        }
        Files::write_new(path, text.as_bytes(), mode).map_err(|error| {
            Error::new(format!("`{}` cannot be written: {error}", path.display())).help(OTHER)
        })
    };
    let text = zeroize::Zeroizing::new(format!("{VERIFY_KEY}{}\n", encode(&*state.key)));
    // First: without it nobody could ever verify the log.
    write(key, &text, 0o600)?;
    let public = super::chain::Chain::resume(state, 1).public().text();
    write(&beside(path, "pub"), &format!("{public}\n"), 0o644)
}

const OTHER: &str = "the keys of a new log do not replace those of another: move that log and what \
                     lies beside it to another folder";

/// What the text of a verification key begins with.
pub(super) const VERIFY_KEY: &str = "mcp-secure-audit-key-1 ";

/// How long the server before this one may take to leave.
const HANDOVER: Duration = Duration::from_secs(4);

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Servers of one name that may run at once without being told where their logs are.
const SERVERS: u32 = 16;

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
