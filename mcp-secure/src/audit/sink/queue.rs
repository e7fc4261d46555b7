//! Records on their way to the one who writes them.
//!
//! Whoever has a record copies it into a buffer that is taken as a whole. Nobody wakes the writer
//! for it while the writer is awake: it looks every [`TICK`] as long as records come, because to
//! wake a thread costs more than to write a line. Who waits for the disk wakes it at once, and
//! shares one sync with all who wait at that moment.

use std::{
    cell::RefCell,
    io,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::sync::oneshot;

use super::{OnFull, disk::Disk, writer::Writer};

pub(super) type Done = oneshot::Sender<io::Result<()>>;

pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    /// Bytes that wait; read without the lock.
    filled: AtomicUsize,
    /// The last attempt to write failed.
    troubled: AtomicBool,
    /// What is written does not get to where the log is read.
    gone: AtomicBool,
    /// Nobody has taken a checkpoint for longer than the operator allows.
    late: AtomicBool,
    most: usize,
    on_full: OnFull,
}

#[derive(Default)]
struct Inner {
    batch: Batch,
    /// The writer waits to be woken by the next record.
    asleep: bool,
    closed: bool,
    lost: u64,
    refused: u64,
}

#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    ends: Vec<usize>,
    waiting: Vec<Done>,
}

impl Queue {
    pub(super) fn new(most: usize, on_full: OnFull) -> Self {
        Self {
            inner: Mutex::default(),
            wake: Condvar::new(),
            filled: AtomicUsize::new(0),
            troubled: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            late: AtomicBool::new(false),
            most,
            on_full,
        }
    }

    /// Whether there is room for the records of one more request. Half of the room is kept for
    /// those that are running.
    pub(super) fn admits(&self) -> bool {
        // The operator asked for it by name, so that no gap is made of it.
        if self.late.load(Ordering::Relaxed) {
            self.lock().refused += 1;
            return false;
        }
        let has_room = self.filled.load(Ordering::Relaxed) < self.most / 2;
        if (has_room && !self.gone.load(Ordering::Relaxed)) || self.on_full == OnFull::Gap {
            return true;
        }
        self.lock().refused += 1;
        false
    }

    #[cfg(feature = "net")]
    pub(super) fn late(&self, is: bool) {
        self.late.store(is, Ordering::Relaxed);
    }

    /// Whether what is written gets to the disk.
    pub(super) fn is_well(&self) -> bool {
        !self.troubled.load(Ordering::Relaxed)
            && self.filled.load(Ordering::Relaxed) < self.most / 2
    }

    pub(super) fn push(&self, record: &impl Serialize, done: Option<Done>) -> io::Result<()> {
        SCRATCH.with_borrow_mut(|line| {
            line.clear();
            serde_json::to_writer(&mut *line, record)?;
            let pushed = self.push_line(line, done);
            // One long record does not keep its buffer in each thread.
            if line.capacity() > 64 * 1024 {
                *line = Vec::new();
            }
            pushed
        })
    }

    fn push_line(&self, line: &[u8], done: Option<Done>) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(io::Error::other("the audit log is closed"));
        }
        let filled = inner.batch.lines.len() + line.len();
        if filled > self.most {
            inner.lost += u64::from(done.is_none());
            return Err(io::Error::other("too many records wait for the disk"));
        }
        inner.batch.lines.extend_from_slice(line);
        inner.batch.ends.push(filled);
        let must_wake = done.is_some() || inner.asleep;
        inner.batch.waiting.extend(done);
        inner.asleep = false;
        self.filled.store(filled, Ordering::Relaxed);
        drop(inner);
        if must_wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Writes until it is closed.
    pub(super) fn run<D: Disk>(&self, writer: &mut Writer<D>) {
        let mut batch = Batch::default();
        let mut quiet = 0;
        loop {
            let closed = self.wait(quiet, writer);
            if !writer.pending.is_empty()
                && let Err(error) = writer.commit(false)
                && !writer.pending.is_empty()
            {
                // What waits stays where the bound counts it; who cannot wait hears of it.
                let waiting = std::mem::take(&mut self.lock().batch.waiting);
                self.tell(&Err(error), waiting, false);
                if closed {
                    return;
                }
                continue;
            }
            let (lost, refused) = self.take(&mut batch);
            quiet = match batch.ends.is_empty() {
                true => quiet + 1,
                false => 0,
            };
            if lost + refused > 0 {
                writer.gap(lost, refused);
            }
            let mut from = 0;
            for end in batch.ends.drain(..) {
                writer.record(batch.lines.get(from..end).unwrap_or_default());
                from = end;
            }
            batch.lines.clear();
            // One burst does not keep its room for ever.
            if batch.lines.capacity() > 1 << 20 {
                batch.lines = Vec::new();
            }
            writer.seal_if_due();
            let waiting = std::mem::take(&mut batch.waiting);
            let written = match closed {
                true => writer.close(),
                false => writer.commit(!waiting.is_empty()),
            };
            self.tell(&written, waiting, writer.pending.is_empty());
            if closed {
                return;
            }
            writer.rotate_if_due();
        }
    }

    /// Waits for something to do. Whether it is the last.
    fn wait<D: Disk>(&self, quiet: u32, writer: &Writer<D>) -> bool {
        let mut inner = self.lock();
        if inner.closed || !inner.batch.waiting.is_empty() {
            return inner.closed;
        }
        let may_sleep = quiet >= QUIET && inner.batch.ends.is_empty();
        let most = match (writer.is_behind(), may_sleep) {
            (true, _) => RETRY,
            (_, true) => writer.seal_due_in().unwrap_or(SLEEP).max(TICK),
            _ => TICK,
        };
        inner.asleep = may_sleep;
        (inner, _) = self
            .wake
            .wait_timeout(inner, most)
            .unwrap_or_else(PoisonError::into_inner);
        inner.asleep = false;
        inner.closed
    }

    /// Takes what there is, and how many are missing.
    fn take(&self, batch: &mut Batch) -> (u64, u64) {
        let mut inner = self.lock();
        std::mem::swap(&mut inner.batch, batch);
        self.filled.store(0, Ordering::Relaxed);
        let lost = std::mem::take(&mut inner.lost);
        (lost, std::mem::take(&mut inner.refused))
    }

    /// Tells who waits; and the operator once that nothing is written, and once that it is again.
    fn tell(&self, written: &io::Result<()>, waiting: Vec<Done>, is_written: bool) {
        let was = self.troubled.swap(written.is_err(), Ordering::Relaxed);
        // It went into a file, and that is not the log any more, or the disk lost it.
        self.gone
            .store(written.is_err() && is_written, Ordering::Relaxed);
        match written {
            Err(error) if !was => tracing::error!(%error, "an audit record could not be written"),
            Ok(()) if was => tracing::warn!("audit records are written again"),
            _ => {}
        }
        for done in waiting {
            // Who waited may be gone.
            let _ = done.send(match written {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// Records are written into it before the lock is taken.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How long a record waits at most before it is written, on a machine that has time.
const TICK: Duration = Duration::from_millis(10);

/// So many looks without a record, and the writer sleeps until it is woken.
const QUIET: u32 = 2;

const SLEEP: Duration = Duration::from_secs(60);

/// How soon it is tried again to write what could not be written.
const RETRY: Duration = Duration::from_millis(200);
