//! The one who writes: frames records, writes them in batches, syncs, remembers, rotates.

use std::{
    io,
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;

use super::{Cosigner, Settings, anchor::AuditAnchor, disk::Disk};
use crate::audit::{
    Stamp,
    chain::{Chain, Checkpoint, State},
    now,
};

pub(super) struct Writer<D> {
    disk: D,
    pub(super) chain: Chain,
    /// Lines that are not in the file yet.
    pub(super) pending: Vec<u8>,
    /// How long the active segment is.
    offset: u64,
    /// The slot that holds the newest state.
    slot: usize,
    sealed: Option<Checkpoint>,
    last_seal: Instant,
    begun: Instant,
    /// Not again before.
    rotate_after: Option<Instant>,
    settings: Settings,
    pub(super) anchors: Vec<Box<dyn AuditAnchor>>,
    /// Signs what the anchors keep once more.
    pub(super) cosigner: Option<Cosigner>,
    /// A sync failed: what it was to make durable may be lost, and a second sync would not say so.
    poisoned: Option<String>,
    /// The state says that the next segment has begun, and the active file still has the last one:
    /// a line that is appended now would be in neither.
    must_clear: bool,
    /// What the state says is not known.
    stopped: bool,
}

/// Records that could not be taken, and requests that were not, because there was no room.
#[derive(Serialize)]
struct Gap {
    v: u8,
    event: &'static str,
    ts: Stamp,
    lost: u64,
    refused: u64,
}

/// Segments that are deleted because nobody wanted to keep them any longer.
#[derive(Serialize)]
struct Tombstone {
    v: u8,
    event: &'static str,
    ts: Stamp,
    from: u64,
    to: u64,
}

#[derive(Serialize)]
struct Closed {
    v: u8,
    event: &'static str,
    ts: Stamp,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(
        disk: D,
        chain: Chain,
        slot: usize,
        offset: u64,
        settings: &Settings,
    ) -> Self {
        Self {
            disk,
            chain,
            pending: Vec::new(),
            offset,
            slot,
            sealed: None,
            last_seal: Instant::now(),
            begun: Instant::now(),
            rotate_after: None,
            settings: settings.clone(),
            anchors: Vec::new(),
            cosigner: None,
            poisoned: None,
            must_clear: false,
            stopped: false,
        }
    }

    pub(super) fn record(&mut self, record: &[u8]) {
        if let Some(sealed) = self.chain.record(record, &mut self.pending) {
            self.note(sealed);
        }
    }

    pub(super) fn gap(&mut self, lost: u64, refused: u64) {
        self.own(&Gap {
            v: 1,
            event: "gap",
            ts: now(),
            lost,
            refused,
        });
    }

    /// Signs what has waited long enough.
    pub(super) fn seal_if_due(&mut self) {
        if self.chain.is_unsealed() && self.last_seal.elapsed() >= self.settings.checkpoint_every {
            self.seal();
        }
    }

    /// When it will be, if anything waits.
    pub(super) fn seal_due_in(&self) -> Option<Duration> {
        let every = self.settings.checkpoint_every;
        self.chain
            .is_unsealed()
            .then(|| every.saturating_sub(self.last_seal.elapsed()))
    }

    pub(super) fn seal(&mut self) {
        let sealed = self.chain.seal(&mut self.pending);
        self.note(sealed);
    }

    fn note(&mut self, sealed: Checkpoint) {
        self.sealed = Some(sealed);
        self.last_seal = Instant::now();
    }

    pub(super) fn own(&mut self, record: &impl Serialize) {
        if let Some(sealed) = self.chain.own(record, &mut self.pending) {
            self.note(sealed);
        }
    }

    /// Whether there is something that could not be written, or not be made durable.
    pub(super) fn is_behind(&self) -> bool {
        !self.pending.is_empty() || self.sealed.is_some()
    }

    /// Writes what is pending; with `durably`, or when a checkpoint is in it, returns when it
    /// cannot be lost any more.
    pub(super) fn commit(&mut self, durably: bool) -> io::Result<()> {
        self.write()?;
        if !durably && self.sealed.is_none() {
            return Ok(());
        }
        if let Some(why) = &self.poisoned {
            return Err(io::Error::other(why.clone()));
        }
        self.disk.is_in_place()?;
        self.guarded(D::sync)?;
        if let Some(sealed) = self.sealed.take() {
            let state = self.chain.state(self.offset);
            self.remember(&state)?;
            self.anchor(sealed.note());
        }
        Ok(())
    }

    /// Keeps a checkpoint elsewhere.
    fn anchor(&mut self, note: &str) {
        let cosigned = match self.cosigner.as_ref().map(|key| key.cosign(note)) {
            None => None,
            Some(Ok(cosigned)) => Some(cosigned),
            Some(Err(error)) => {
                tracing::error!(%error, "a checkpoint could not be anchored");
                return;
            }
        };
        let note = cosigned.as_deref().unwrap_or(note);
        for anchor in &mut self.anchors {
            if let Err(error) = anchor.anchor(note) {
                tracing::error!(%error, "a checkpoint could not be anchored");
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.stopped {
            return Err(io::Error::other(self.poisoned.clone().unwrap_or_default()));
        }
        if self.must_clear {
            self.disk.clear()?;
            self.must_clear = false;
            self.offset = 0;
        }
        let mut written = 0;
        let result = loop {
            let rest = self.pending.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.disk.append(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        // What is written stays written; the rest of the same bytes follows when it can.
        self.offset += written as u64;
        self.pending.drain(..written);
        result
    }

    /// The state first into the free slot; then the key that is over is wiped from the other.
    fn remember(&mut self, state: &State) -> io::Result<()> {
        let next = 1 - self.slot;
        self.guarded(|disk| disk.write_slot(next, &state.to_slot()))?;
        let old = std::mem::replace(&mut self.slot, next);
        // If it cannot be, the next state that is written there overwrites it.
        let _ = self.disk.wipe_slot(old);
        Ok(())
    }

    fn guarded<T>(&mut self, act: impl FnOnce(&mut D) -> io::Result<T>) -> io::Result<T> {
        let result = act(&mut self.disk);
        if let Err(error) = &result {
            self.poisoned = Some(format!("the disk lost what was written: {error}"));
        }
        result
    }

    /// Begins a new segment if this one is large or old enough.
    pub(super) fn rotate_if_due(&mut self) {
        let is_large = self.offset >= self.settings.segment_bytes;
        let age = self.settings.segment_age;
        let is_old = age.is_some_and(|age| self.begun.elapsed() >= age);
        let may = self
            .rotate_after
            .is_none_or(|after| Instant::now() >= after);
        if !(is_large || is_old) || !may || !self.pending.is_empty() || self.poisoned.is_some() {
            return;
        }
        if let Err(error) = self.rotate() {
            tracing::error!(%error, "the audit log could not begin a new segment");
            self.rotate_after = Some(Instant::now() + RETRY_ROTATION);
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.seal();
        self.commit(true)?;
        self.disk.keep(self.chain.segment)?;
        // From here on, the start of a server finishes it.
        let mut state = self.chain.state(0);
        state.segment += 1;
        if let Err(error) = self.remember(&state) {
            self.stopped = true;
            return Err(error);
        }
        self.must_clear = true;
        self.begun = Instant::now();
        self.chain.segment = state.segment;
        self.chain.begin_segment(&mut self.pending);
        self.commit(true)?;
        self.forget()
    }

    /// Deletes segments that need not be kept, once that they are is signed.
    fn forget(&mut self) -> io::Result<()> {
        if self.settings.keep_segments.is_none() && self.settings.keep_for.is_none() {
            return Ok(());
        }
        let kept = self.disk.kept()?;
        let most = self.settings.keep_segments.unwrap_or(usize::MAX);
        let excess = kept.len().saturating_sub(most);
        let is_old = |since: SystemTime| {
            let age = since.elapsed().unwrap_or_default();
            self.settings.keep_for.is_some_and(|most| age > most)
        };
        let over: Vec<u64> = kept
            .iter()
            .enumerate()
            .take_while(|(at, kept)| *at < excess || is_old(kept.since))
            .map(|(_, kept)| kept.segment)
            .collect();
        let Some(to) = over.last() else {
            return Ok(());
        };
        self.own(&Tombstone {
            v: 1,
            event: "tombstone",
            ts: now(),
            // All of them: the record that said so of the first is among what is deleted.
            from: 1,
            to: *to,
        });
        self.seal();
        self.commit(true)?;
        for segment in over {
            self.disk.drop_kept(segment)?;
        }
        Ok(())
    }

    /// The last lines.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.own(&Closed {
            v: 1,
            event: "closed",
            ts: now(),
        });
        self.seal();
        self.commit(true)
    }
}

const RETRY_ROTATION: Duration = Duration::from_secs(10);
