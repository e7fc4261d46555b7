//! Line by line through the segments.
//!
//! After something is found, the walk goes on as well as it can, so that one change is one
//! finding and a second change is a second one.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde_json::Value;

use super::{Finding, Kind, Verification, files::Segment};
use crate::{
    Error, Result,
    audit::chain::{
        Checkpoint, Frontier, Hash, Key, PublicKey, Ratchet, WitnessKey, commitment, decode32,
        encode, is_checkpoint, leaf, split,
    },
};

pub(super) struct Walk {
    key: Option<Key>,
    ratchet: Option<Ratchet>,
    public: Option<PublicKey>,
    /// Notes that were kept elsewhere.
    pub(super) heads: Vec<String>,
    /// Who must have cosigned them.
    pub(super) witness: Option<WitnessKey>,
    /// The same, opened, by their sizes.
    opened: Option<BTreeMap<u64, Hash>>,
    next_head: Option<u64>,

    tree: Frontier,
    /// The tree is that of the lines that were written. Not after a line is gone.
    is_tree: bool,
    /// The number of the next line.
    expected: u64,
    /// The keyed hash of the line before, as it stands there, and as it should be.
    previous: [Hash; 2],
    /// The line before is not the one that was written before this one.
    is_broken: bool,
    /// Something was found, so the key may have moved on unseen.
    is_lost: bool,
    /// What the tree is made of is not what was written: the next root cannot be right.
    is_tainted: bool,
    /// Lines just before that are none of the log's: perhaps records that were changed.
    foreign: u64,
    /// The key is not the one that the first line names.
    doubts: bool,
    unsealed: u64,
    every: Option<u64>,
    segment: Option<u64>,
    tombstones: Vec<(u64, u64)>,
    /// The oldest segment that is there, if it is not the first.
    begins_with: Option<u64>,

    at: (String, u64),
    seen: Verification,
}

impl Walk {
    pub(super) fn new(key: Option<Key>, public: Option<PublicKey>, notes: Vec<String>) -> Self {
        Self {
            ratchet: key.as_ref().map(|key| Ratchet::at(key, 0)),
            key,
            public,
            heads: Vec::new(),
            witness: None,
            opened: None,
            next_head: None,
            tree: Frontier::default(),
            is_tree: true,
            expected: 0,
            previous: [[0; 32]; 2],
            is_broken: false,
            is_lost: false,
            is_tainted: false,
            foreign: 0,
            doubts: false,
            unsealed: 0,
            every: None,
            segment: None,
            tombstones: Vec::new(),
            begins_with: None,
            at: (String::new(), 0),
            seen: Verification {
                notes,
                ..Verification::default()
            },
        }
    }

    pub(super) fn file(&mut self, segment: &Segment) -> Result<()> {
        let wrong = |error: std::io::Error| {
            Error::new(format!(
                "`{}` cannot be read: {error}",
                segment.path.display()
            ))
        };
        let name = segment.path.file_name().unwrap_or_default();
        self.at = (name.to_string_lossy().into_owned(), 0);
        let file = File::open(&segment.path).map_err(wrong)?;
        self.lines(BufReader::with_capacity(1 << 18, file), segment.number)
            .map_err(wrong)
    }

    /// The lines of one segment.
    pub(super) fn lines(
        &mut self,
        mut reader: impl BufRead,
        number: Option<u64>,
    ) -> std::io::Result<()> {
        self.seen.segments += 1;
        self.at.1 = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            self.at.1 += 1;
            let Some(whole) = line.strip_suffix(b"\n") else {
                // A line that a crash tore has nothing after its end.
                let cut = line.split_last().map_or(&[][..], |(_, rest)| rest);
                if number.is_some() || split(cut).is_some() {
                    self.find(Kind::Foreign, None, "the line has no end");
                } else {
                    let note = "the last line has no end: it is being written, or a crash tore it";
                    self.seen.notes.push(note.to_owned());
                }
                break;
            };
            if self.at.1 == 1 {
                self.first_line(whole, number);
            }
            self.line(whole);
        }
        if self.at.1 == 0 && number.is_some() {
            self.find(Kind::Segment, None, "the segment is empty");
        }
        Ok(())
    }

    /// What a segment says of itself.
    fn first_line(&mut self, line: &[u8], named: Option<u64>) {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let event = value["event"].as_str().unwrap_or_default();
        let number = match event {
            "genesis" => Some(1),
            "segment" => value["segment"].as_u64(),
            _ => None,
        };
        let Some(number) = number else {
            let follows = self.segment.map_or(1, |segment| segment + 1);
            self.segment = Some(named.unwrap_or(follows));
            self.find(
                Kind::Segment,
                None,
                "the file does not begin as a segment does",
            );
            return;
        };
        if let Some(log) = value["log"].as_str()
            && self.seen.log.is_empty()
        {
            log.clone_into(&mut self.seen.log);
        }
        if named.is_some_and(|named| named != number) {
            let what = format!("the file holds segment {number}");
            self.find(Kind::Segment, None, &what);
        }
        let before = self.segment.replace(number);
        if event == "genesis" {
            self.genesis(&value);
            if before.is_some() {
                self.find(Kind::Segment, None, "the first segment is not the first");
            }
            return;
        }
        match before {
            Some(before) if before + 1 == number => {
                // What was found in the segment before does not hide what is in this one.
                if self.is_tainted {
                    self.take_tree(&value);
                }
                return;
            }
            Some(before) => {
                let what = format!("segment {number} follows segment {before}");
                self.find(Kind::Segment, None, &what);
            }
            None => self.begins_with = Some(number),
        }
        self.resume(&value);
    }

    fn genesis(&mut self, value: &Value) {
        self.every = value["every"].as_u64();
        if let (Some(key), Some(named)) = (&self.key, value["key"].as_str()) {
            self.doubts = encode(&commitment(key)) != named;
        }
        let named = value["public"].as_str().and_then(PublicKey::parse);
        match &self.public {
            Some(public) if named.as_ref() != Some(public) => {
                let what = "the first line names another public key";
                self.find(Kind::Key, Some(0), what);
            }
            Some(_) => {}
            None => {
                let note = "the public key is the one that the first line names";
                self.seen.notes.push(note.to_owned());
                self.public = named;
            }
        }
        self.open_heads();
    }

    /// Goes on in the middle, with what the first line of a segment says of all lines before. A
    /// wrong word here leads to a root that nobody signed, and to keyed hashes that are wrong.
    fn resume(&mut self, value: &Value) {
        self.take_tree(value);
        self.expected = value["seq"].as_u64().unwrap_or_default();
        self.foreign = 0;
        self.is_broken = false;
        self.unsealed = 0;
        if let Some(previous) = value["prev"].as_str().and_then(decode32) {
            self.previous = [previous; 2];
        }
        if let (Some(key), Some(epoch)) = (&self.key, value["epoch"].as_u64()) {
            let mut ratchet = Ratchet::at(key, 0);
            // A number that somebody made up does not keep the one who verifies busy.
            for _ in 0..epoch.min(MOST_EPOCHS) {
                ratchet.advance();
            }
            self.ratchet = Some(ratchet);
        }
        self.open_heads();
    }

    /// The tree as the first line of a segment says that it was.
    fn take_tree(&mut self, value: &Value) {
        let nodes = value["frontier"].as_array().map(|nodes| {
            let nodes = nodes.iter().filter_map(|node| decode32(node.as_str()?));
            nodes.collect::<Vec<Hash>>()
        });
        let seq = value["seq"].as_u64().unwrap_or_default();
        let tree = nodes.and_then(|nodes| Frontier::of(seq, nodes));
        self.is_tree = tree.is_some();
        self.is_tainted = false;
        self.tree = tree.unwrap_or_default();
    }

    fn open_heads(&mut self) {
        if self.opened.is_some() || self.heads.is_empty() {
            return;
        }
        let Some(public) = self.public.clone() else {
            let note = "the heads were not looked at: there is no public key";
            self.seen.notes.push(note.to_owned());
            return;
        };
        let mut opened = BTreeMap::new();
        for note in std::mem::take(&mut self.heads) {
            if let Some(witness) = &self.witness {
                match witness.check(&note) {
                    Ok(_) => self.seen.witnessed += 1,
                    Err(why) => {
                        let what = format!("a head {why} `{}`", witness.name());
                        self.find(Kind::Signature, None, &what);
                        continue;
                    }
                }
            }
            match Checkpoint::open(&note, &public) {
                Ok(head) => {
                    if opened
                        .insert(head.size(), *head.root())
                        .is_some_and(|root| root != *head.root())
                    {
                        let what =
                            format!("two different heads of size {} are signed", head.size());
                        self.find(Kind::Replaced, None, &what);
                    }
                }
                Err(why) => self.find(Kind::Signature, None, &format!("a head {why}")),
            }
        }
        self.seen.heads = opened.len() as u64;
        self.next_head = opened.keys().find(|size| **size >= self.expected).copied();
        self.opened = Some(opened);
    }

    fn line(&mut self, line: &[u8]) {
        self.meet_head();
        self.seen.records += 1;
        let Some(parts) = split(line) else {
            self.find(Kind::Foreign, None, "the line is none of this log's");
            self.foreign += 1;
            self.is_tree = false;
            return;
        };
        let (seq, leaf) = (parts.seq, leaf(parts.content));
        let foreign = std::mem::take(&mut self.foreign);
        if seq < self.expected {
            let what = format!(
                "record {seq} stands where record {} belongs: moved, repeated or made up",
                self.expected
            );
            self.find(Kind::Misplaced, Some(seq), &what);
            self.is_tree = false;
            self.is_broken = true;
            return;
        }
        if seq > self.expected {
            // A line that is none of the log's, just before, was this record.
            if seq != self.expected + foreign {
                let last = seq - 1;
                let what = match last == self.expected {
                    true => format!("record {last} is missing before it"),
                    false => format!("records {} to {last} are missing before it", self.expected),
                };
                self.find(Kind::Missing, Some(seq), &what);
                // A signature may be among them.
                self.unsealed = 0;
            }
            self.is_tree = false;
            self.is_broken = true;
        }
        self.expected = seq.saturating_add(1);
        let is_good = self.keyed(seq, &leaf, parts.mac);
        let is_checkpoint = is_checkpoint(parts.content);
        if is_checkpoint {
            self.checkpoint(seq, line);
        } else {
            self.own(line, is_good);
            self.unsealed += 1;
            if self.every.is_some_and(|every| self.unsealed == every + 1) {
                let what = "there are more records without a signature than the log says";
                self.find(Kind::Signature, Some(seq), what);
            }
        }
        if self.is_tree {
            self.tree.push(leaf);
        }
        if is_checkpoint && let Some(ratchet) = &mut self.ratchet {
            ratchet.advance();
        }
    }

    /// Checks the keyed hash of a line.
    fn keyed(&mut self, seq: u64, leaf: &Hash, mac: &[u8]) -> bool {
        let claimed = std::str::from_utf8(mac).ok().and_then(decode32);
        let Some(ratchet) = &mut self.ratchet else {
            self.previous = [claimed.unwrap_or_default(); 2];
            return false;
        };
        let fits = |ratchet: &Ratchet, previous: &[Hash; 2]| {
            previous.iter().find_map(|previous| {
                let should = ratchet.mac(previous, leaf);
                (encode(&should).as_bytes() == mac).then_some(should)
            })
        };
        let mut good = fits(ratchet, &self.previous);
        if good.is_none() && self.is_lost {
            // A checkpoint may be among what is gone: the key has moved on unseen.
            let mut ahead = Ratchet::at(&ratchet.key(), ratchet.epoch());
            for _ in 0..LOST_EPOCHS {
                ahead.advance();
                good = fits(&ahead, &self.previous);
                if good.is_some() {
                    *ratchet = ahead;
                    break;
                }
            }
        }
        let should = good.unwrap_or_else(|| ratchet.mac(&self.previous[0], leaf));
        self.previous = [claimed.unwrap_or(should), should];
        let was_broken = std::mem::replace(&mut self.is_broken, false);
        match good {
            Some(_) => {
                self.is_lost = false;
                self.doubts &= seq == 0;
                true
            }
            // It cannot be told: the line before is not there.
            None if was_broken => false,
            None if self.doubts && seq == 1 => {
                self.wrong_key();
                false
            }
            None => {
                self.find(Kind::Edited, Some(seq), "the record was changed");
                false
            }
        }
    }

    fn wrong_key(&mut self) {
        self.seen
            .findings
            .retain(|one| one.seq != Some(0) || one.kind != Kind::Edited);
        self.doubts = false;
        self.ratchet = None;
        self.key = None;
        self.find(
            Kind::Key,
            None,
            "the verification key is that of another log: no keyed hash was checked",
        );
    }

    fn checkpoint(&mut self, seq: u64, line: &[u8]) {
        self.unsealed = 0;
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let Some(public) = &self.public else { return };
        let note = value["note"].as_str().unwrap_or_default();
        let checkpoint = match Checkpoint::open(note, public) {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                let what = format!("the checkpoint {why}");
                self.find(Kind::Signature, Some(seq), &what);
                return;
            }
        };
        if checkpoint.size() != seq {
            let what = format!("the checkpoint is for {} records", checkpoint.size());
            self.find(Kind::Misplaced, Some(seq), &what);
            return;
        }
        if self.is_tree && self.tree.root() != *checkpoint.root() {
            let what = format!(
                "the records {} to {} do not give the root that was signed",
                self.seen.signed,
                seq.saturating_sub(1)
            );
            // What was changed is named already.
            if !self.is_tainted {
                self.find(Kind::Root, Some(seq), &what);
            }
            self.is_tree = false;
        }
        self.seen.checkpoints += 1;
        self.seen.signed = seq;
    }

    /// Lines of the log's own that say how to read it.
    fn own(&mut self, line: &[u8], is_good: bool) {
        let begins =
            |event: &str| line.starts_with(format!("{{\"v\":1,\"event\":\"{event}\",").as_bytes());
        // Cheap to look at, and rare.
        if line.get(16..18) == Some(b"op") && begins("opened") {
            if is_good || self.ratchet.is_none() {
                let value: Value = serde_json::from_slice(line).unwrap_or_default();
                self.every = value["every"].as_u64();
            }
        } else if line.get(16..18) == Some(b"to") && begins("tombstone") {
            let value: Value = serde_json::from_slice(line).unwrap_or_default();
            if let (Some(from), Some(to)) = (value["from"].as_u64(), value["to"].as_u64()) {
                self.tombstones.push((from, to));
            }
        }
    }

    /// Compares with a head that was kept elsewhere, at its size.
    fn meet_head(&mut self) {
        if self.next_head != Some(self.expected) {
            return;
        }
        let heads = self.opened.as_ref();
        let kept = heads.and_then(|heads| heads.get(&self.expected)).copied();
        let next = heads.and_then(|heads| heads.range(self.expected + 1..).next());
        self.next_head = next.map(|(size, _)| *size);
        if self.is_tree && kept.is_some_and(|root| root != self.tree.root()) {
            let what = format!(
                "the first {} records are not those of a checkpoint that was kept elsewhere",
                self.expected
            );
            self.find(Kind::Replaced, None, &what);
        }
    }

    pub(super) fn end(mut self, path: &Path) -> Verification {
        self.meet_head();
        self.at = (
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            0,
        );
        if self.doubts {
            self.wrong_key();
        }
        if let Some(most) = self.opened.as_ref().and_then(|heads| heads.keys().last())
            && *most > self.expected
        {
            let what = format!(
                "the log has {} records, and had {most} when a checkpoint was kept elsewhere",
                self.expected
            );
            self.find(Kind::Truncated, None, &what);
        }
        if let Some(first) = self.begins_with {
            let mut gone = 1;
            let mut stones = std::mem::take(&mut self.tombstones);
            stones.sort_unstable();
            for (from, to) in stones {
                if from <= gone {
                    gone = gone.max(to + 1);
                }
            }
            if gone < first {
                let what = format!(
                    "the segments {gone} to {} are missing, and no record says that they were \
                     deleted",
                    first - 1
                );
                self.find(Kind::Segment, None, &what);
            }
        }
        if self.seen.records == 0 {
            self.find(Kind::Segment, None, "the log is empty");
        } else if self.public.is_none() {
            self.find(
                Kind::Signature,
                None,
                "there is no public key to check signatures with",
            );
        } else if self.seen.checkpoints == 0 {
            self.find(Kind::Signature, None, "no good signature is in the log");
        }
        self.seen.keyed = self.ratchet.is_some();
        let open = self.expected.saturating_sub(self.seen.signed + 1);
        if !self.seen.keyed && open > 0 {
            self.seen.notes.push(format!(
                "no signature covers the last {open} records yet, and without the verification \
                 key they prove nothing"
            ));
        }
        self.seen
    }

    fn find(&mut self, kind: Kind, seq: Option<u64>, reason: &str) {
        self.is_lost = true;
        self.is_tainted |= matches!(
            kind,
            Kind::Edited | Kind::Missing | Kind::Misplaced | Kind::Foreign | Kind::Segment
        );
        if self.seen.findings.len() < MOST_FINDINGS {
            self.seen.findings.push(Finding {
                kind,
                seq,
                file: self.at.0.clone(),
                line: self.at.1,
                reason: reason.to_owned(),
            });
        }
    }
}

const MOST_FINDINGS: usize = 1000;

/// Checkpoints that may be gone with what is missing; more are not looked for.
const LOST_EPOCHS: u32 = 64;

/// More than a century of checkpoints, one a second.
const MOST_EPOCHS: u64 = 1 << 32;
