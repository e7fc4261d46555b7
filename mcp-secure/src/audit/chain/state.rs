//! What a server has to remember to go on with its log: above all the key of now.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Frontier, Hash, decode32, encode, ratchet::Key};

/// Bytes of a slot. A state has at most 64 nodes of 43 bytes.
pub(in crate::audit) const SLOT: usize = 6144;

/// The chain as it was after some line of the log, which is on disk.
#[derive(Clone)]
pub(in crate::audit) struct State {
    pub(in crate::audit) log: String,
    /// Of the signing key.
    pub(in crate::audit) seed: Zeroizing<[u8; 32]>,
    /// Of the ratchet, at `epoch`.
    pub(in crate::audit) key: Key,
    pub(in crate::audit) epoch: u64,
    pub(in crate::audit) tree: Frontier,
    pub(in crate::audit) previous: Hash,
    pub(in crate::audit) segment: u64,
    /// Records since the last checkpoint.
    pub(in crate::audit) unsealed: u64,
    /// How long the active segment was.
    pub(in crate::audit) offset: u64,
    /// Ends that were set aside. A record says so; whether it is written, the lines after this
    /// state say.
    pub(in crate::audit) torn: Vec<Torn>,
    /// Counts them, so that of two states for the same line the later one is known.
    pub(in crate::audit) torn_ends: u64,
}

/// What a crash tore, and where it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::audit) struct Torn {
    pub(in crate::audit) bytes: u64,
    pub(in crate::audit) sha256: String,
    pub(in crate::audit) file: String,
    /// Others before, of which only the number is remembered.
    pub(in crate::audit) more: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    log: String,
    seed: String,
    key: String,
    epoch: u64,
    size: u64,
    frontier: Vec<String>,
    previous: String,
    segment: u64,
    unsealed: u64,
    offset: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    torn: Vec<Torn>,
    #[serde(default)]
    torn_ends: u64,
}

/// Ends that are remembered one by one: there is room for more than that in a slot.
const MOST_TORN: usize = 4;

impl State {
    /// One more end that no record names yet.
    pub(in crate::audit) fn remember_torn(&mut self, mut torn: Torn) {
        if self.torn.len() >= MOST_TORN
            && let Some(last) = self.torn.pop()
        {
            torn.more = last.more + 1;
        }
        self.torn.push(torn);
        self.torn_ends += 1;
    }

    /// A log that has no line yet, and its first key: who has that can verify all of it.
    pub(in crate::audit) fn new() -> crate::Result<Self> {
        let random = || {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            getrandom::fill(bytes.as_mut())
                .map_err(|e| crate::Error::new(format!("the system has no randomness: {e}")))?;
            Ok::<_, crate::Error>(bytes)
        };
        let name = random()?;
        let name = crate::hex::hex(name.get(..16).unwrap_or_default());
        Ok(Self {
            log: name,
            seed: random()?,
            key: random()?,
            epoch: 0,
            tree: Frontier::default(),
            previous: [0; 32],
            segment: 1,
            unsealed: 0,
            offset: 0,
            torn: Vec::new(),
            torn_ends: 0,
        })
    }

    /// The bytes of a slot: a sum, the state, spaces.
    pub(in crate::audit) fn to_slot(&self) -> Zeroizing<Vec<u8>> {
        let mut stored = Stored {
            log: self.log.clone(),
            seed: encode(&*self.seed),
            key: encode(&*self.key),
            epoch: self.epoch,
            size: self.tree.size(),
            frontier: self.tree.nodes().iter().map(|n| encode(n)).collect(),
            previous: encode(&self.previous),
            segment: self.segment,
            unsealed: self.unsealed,
            offset: self.offset,
            torn: self.torn.clone(),
            torn_ends: self.torn_ends,
        };
        let text = Zeroizing::new(serde_json::to_vec(&stored).unwrap_or_default());
        stored.seed.zeroize();
        stored.key.zeroize();
        let mut slot = Zeroizing::new(Vec::with_capacity(SLOT));
        slot.extend(encode(&Sha256::digest(&*text)).into_bytes());
        slot.push(b'\n');
        slot.extend_from_slice(&text);
        slot.push(b'\n');
        slot.resize(SLOT, b' ');
        slot
    }

    /// `None`: nothing is in it, or it was only half written.
    pub(in crate::audit) fn of_slot(slot: &[u8]) -> Option<Self> {
        let mut lines = slot.splitn(3, |byte| *byte == b'\n');
        let (sum, text, rest) = (lines.next()?, lines.next()?, lines.next()?);
        if encode(&Sha256::digest(text)).as_bytes() != sum || rest.iter().any(|b| *b != b' ') {
            return None;
        }
        let mut stored: Stored = serde_json::from_slice(text).ok()?;
        let nodes: Option<Vec<Hash>> = stored.frontier.iter().map(|n| decode32(n)).collect();
        let state = Self {
            log: std::mem::take(&mut stored.log),
            seed: Zeroizing::new(decode32(&stored.seed)?),
            key: Zeroizing::new(decode32(&stored.key)?),
            epoch: stored.epoch,
            tree: Frontier::of(stored.size, nodes?)?,
            previous: decode32(&stored.previous)?,
            segment: stored.segment,
            unsealed: stored.unsealed,
            offset: stored.offset,
            torn: std::mem::take(&mut stored.torn),
            torn_ends: stored.torn_ends,
        };
        stored.seed.zeroize();
        stored.key.zeroize();
        Some(state)
    }

    /// Which of two was written later.
    pub(in crate::audit) fn is_after(&self, other: &Self) -> bool {
        let place = |state: &Self| {
            (
                state.tree.size(),
                state.segment,
                state.epoch,
                state.torn_ends,
            )
        };
        place(self) > place(other)
    }
}
