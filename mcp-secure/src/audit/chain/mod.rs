//! How a line of the log is bound to all lines before it: a keyed hash whose key moves on, a
//! tree over all lines (RFC 6962), and signed checkpoints (C2SP `tlog-checkpoint`). This room
//! knows bytes and keys, no files.
//!
//! What is hashed are the bytes that are written, never a record written a second time.

mod cosign;
mod line;
mod note;
mod ratchet;
mod state;
mod tree;

use serde::Serialize;

use super::Stamp;
pub(super) use cosign::{CosigningKey, WitnessKey};
use line::content;
pub(super) use line::{Content, decode32, encode, split};
use note::Signer;
pub(super) use note::{Checkpoint, PublicKey};
pub(super) use ratchet::{Key, Ratchet, commitment};
pub(super) use state::{SLOT, State, Torn};
pub(super) use tree::{Frontier, Hash, consistency, inclusion, is_consistent, leaf, root_from};

/// The writing end: takes records, gives lines.
pub(super) struct Chain {
    /// Names the log; random, made once.
    pub(super) log: String,
    signer: Signer,
    pub(super) ratchet: Ratchet,
    pub(super) tree: Frontier,
    pub(super) previous: Hash,
    pub(super) segment: u64,
    /// Records since the last checkpoint, other than checkpoints.
    unsealed: u64,
    /// At most so many before the next one.
    every: u64,
}

/// What a segment after the first begins with: enough to verify it without the ones before.
#[derive(Serialize)]
struct Segment<'a> {
    v: u8,
    event: &'static str,
    ts: Stamp,
    log: &'a str,
    segment: u64,
    epoch: u64,
    /// The keyed hash of the line before.
    prev: String,
    root: String,
    frontier: Vec<String>,
}

#[derive(Serialize)]
struct Sealed<'a> {
    v: u8,
    event: &'static str,
    ts: Stamp,
    /// Counts checkpoints: how often the key has moved on before this line.
    epoch: u64,
    note: &'a str,
}

impl Chain {
    /// Goes on where a state says.
    pub(super) fn resume(state: &State, every: u64) -> Self {
        Self {
            log: state.log.clone(),
            signer: Signer::new(&state.log, &state.seed),
            ratchet: Ratchet::at(&state.key, state.epoch),
            tree: state.tree.clone(),
            previous: state.previous,
            segment: state.segment,
            unsealed: state.unsealed,
            every: every.max(1),
        }
    }

    /// What has to be remembered to go on from here, `offset` bytes into the active segment.
    pub(super) fn state(&self, offset: u64) -> State {
        State {
            log: self.log.clone(),
            seed: self.signer.seed(),
            key: self.ratchet.key(),
            epoch: self.ratchet.epoch(),
            tree: self.tree.clone(),
            previous: self.previous,
            segment: self.segment,
            unsealed: self.unsealed,
            offset,
            torn: Vec::new(),
            torn_ends: 0,
        }
    }

    pub(super) fn public(&self) -> PublicKey {
        self.signer.public()
    }

    /// Appends the line of a record (one JSON object in one line). Returns a checkpoint if one
    /// was due, and then the key has moved on.
    pub(super) fn record(&mut self, record: &[u8], out: &mut Vec<u8>) -> Option<Checkpoint> {
        self.line(record, out);
        self.unsealed += 1;
        (self.unsealed >= self.every).then(|| self.seal(out))
    }

    /// Appends a line of the log's own.
    pub(super) fn own(&mut self, record: &impl Serialize, out: &mut Vec<u8>) -> Option<Checkpoint> {
        let record = serde_json::to_vec(record).unwrap_or_else(|_| b"{\"v\":1}".to_vec());
        self.record(&record, out)
    }

    /// Whether there are records that no signature covers yet.
    pub(super) fn is_unsealed(&self) -> bool {
        self.unsealed > 0
    }

    /// Whether a checkpoint should have come already: a crash took it.
    pub(super) fn is_overdue(&self) -> bool {
        self.unsealed >= self.every
    }

    /// Signs what is written so far, and lets the key move on: whoever takes the key afterwards
    /// cannot make the lines before.
    pub(super) fn seal(&mut self, out: &mut Vec<u8>) -> Checkpoint {
        let checkpoint = self.signer.sign(self.tree.size(), &self.tree.root());
        let line = Sealed {
            v: 1,
            event: "checkpoint",
            ts: Stamp::now(),
            epoch: self.ratchet.epoch(),
            note: checkpoint.note(),
        };
        let line = serde_json::to_vec(&line).unwrap_or_default();
        self.line(&line, out);
        self.ratchet.advance();
        self.unsealed = 0;
        checkpoint
    }

    /// Begins a segment after the first. The one before ends with a checkpoint.
    pub(super) fn begin_segment(&mut self, out: &mut Vec<u8>) {
        let line = Segment {
            v: 1,
            event: "segment",
            ts: Stamp::now(),
            log: &self.log.clone(),
            segment: self.segment,
            epoch: self.ratchet.epoch(),
            prev: encode(&self.previous),
            root: encode(&self.tree.root()),
            frontier: self.tree.nodes().iter().map(|node| encode(node)).collect(),
        };
        let line = serde_json::to_vec(&line).unwrap_or_default();
        self.line(&line, out);
        self.unsealed += 1;
    }

    /// Takes over a line that is in the log already, if it follows. `false`: it does not.
    pub(super) fn follow(&mut self, line: &[u8]) -> bool {
        let Some(parts) = split(line) else {
            return false;
        };
        let leaf = leaf(parts.content);
        let mac = self.ratchet.mac(&self.previous, &leaf);
        if parts.seq != self.tree.size() || !same(&encode(&mac), parts.mac) {
            return false;
        }
        self.tree.push(leaf);
        self.previous = mac;
        self.unsealed += 1;
        if is_checkpoint(parts.content) {
            self.ratchet.advance();
            self.unsealed = 0;
        }
        true
    }

    fn line(&mut self, record: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        content(record, self.tree.size(), out);
        let leaf = leaf(out.get(start..).unwrap_or_default());
        let mac = self.ratchet.mac(&self.previous, &leaf);
        line::finish(&mac, out);
        self.tree.push(leaf);
        self.previous = mac;
    }
}

/// Only lines of the log's own begin so: no record has this event.
pub(super) fn is_checkpoint(content: &[u8]) -> bool {
    content.starts_with(b"{\"v\":1,\"event\":\"checkpoint\",")
}

fn same(a: &str, b: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    a.as_bytes().ct_eq(b).into()
}

#[cfg(test)]
mod tests;
