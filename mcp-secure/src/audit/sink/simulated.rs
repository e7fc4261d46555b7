//! A disk that loses what was not synced, writes half, is full, and breaks. On it, a log loses no
//! record that was acknowledged, and what is left verifies.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use super::{
    About, Settings,
    disk::{Disk, Kept},
    open::{FirstKeys, open},
    writer::Writer,
};
use crate::audit::{
    chain::{SLOT, State},
    verify::Walker,
};

/// What is on the disk, and what a loss of power would leave of it.
#[derive(Clone, Default)]
struct Platters {
    log: Vec<u8>,
    /// So much of it cannot be lost.
    synced: usize,
    slots: [Vec<u8>; 2],
    kept: BTreeMap<u64, Vec<u8>>,
    aside: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone)]
struct Sim {
    platters: Arc<Mutex<Platters>>,
    dice: Arc<Mutex<Dice>>,
    /// One in so many operations goes wrong.
    faults: u64,
    /// Power is lost after so many operations.
    left: Arc<Mutex<u64>>,
}

/// Numbers that a round can be repeated with (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }
}

impl Sim {
    fn new(seed: u64, faults: u64) -> Self {
        Self {
            platters: Arc::default(),
            dice: Arc::new(Mutex::new(Dice(seed))),
            faults,
            left: Arc::new(Mutex::new(u64::MAX)),
        }
    }

    fn roll(&self, below: u64) -> u64 {
        self.dice.lock().unwrap().next(below)
    }

    /// Each operation may be the one at which the power is lost, or the disk has an error.
    fn step(&self) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            return Err(io::Error::other("no power"));
        }
        *left -= 1;
        if self.faults > 0 && self.roll(self.faults) == 0 {
            return Err(match self.roll(2) {
                0 => io::ErrorKind::StorageFull.into(),
                _ => io::Error::from_raw_os_error(5),
            });
        }
        Ok(())
    }

    /// Of what was not synced, some is there: a piece of the beginning, then perhaps zeros where
    /// later pages were written before earlier ones.
    fn lose_power(&self) {
        let mut disk = self.platters.lock().unwrap();
        let unsynced = disk.log.len() - disk.synced;
        let keep = disk.synced + usize::try_from(self.roll(unsynced as u64 + 1)).unwrap();
        let end = disk.log.len();
        let synced = disk.synced;
        match self.roll(3) {
            0 => disk.log.truncate(synced),
            1 => disk.log.truncate(keep),
            _ => {
                let hole = keep..(keep + usize::try_from(self.roll(300)).unwrap()).min(end);
                disk.log[hole].fill(0);
            }
        }
        disk.synced = disk.log.len();
        *self.left.lock().unwrap() = u64::MAX;
    }
}

impl Disk for Sim {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.step()?;
        let short = usize::try_from(self.roll(bytes.len() as u64)).unwrap();
        let count = if self.faults > 0 && self.roll(4) == 0 {
            short.max(1)
        } else {
            bytes.len()
        };
        let mut disk = self.platters.lock().unwrap();
        disk.log.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        let mut disk = self.platters.lock().unwrap();
        disk.synced = disk.log.len();
        Ok(())
    }

    fn is_in_place(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.platters.lock().unwrap().log.len() as u64)
    }

    fn read(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let from = usize::try_from(from).unwrap();
        Ok(self.platters.lock().unwrap().log[from..].to_vec())
    }

    fn set_aside(&mut self, from: u64, name: &str) -> io::Result<String> {
        self.step()?;
        let mut disk = self.platters.lock().unwrap();
        let torn = disk.log[usize::try_from(from).unwrap()..].to_vec();
        disk.aside.insert(name.to_owned(), torn);
        Ok(name.to_owned())
    }

    fn cut(&mut self, from: u64) -> io::Result<()> {
        self.step()?;
        let mut disk = self.platters.lock().unwrap();
        disk.log.truncate(usize::try_from(from).unwrap());
        disk.synced = disk.log.len();
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.step()?;
        let mut disk = self.platters.lock().unwrap();
        disk.log.clear();
        disk.synced = 0;
        Ok(())
    }

    fn read_slots(&mut self) -> io::Result<[Vec<u8>; 2]> {
        Ok(self.platters.lock().unwrap().slots.clone())
    }

    fn write_slot(&mut self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        let done = self.step();
        let half = usize::try_from(self.roll(bytes.len() as u64)).unwrap();
        let mut disk = self.platters.lock().unwrap();
        let there = &mut disk.slots[slot];
        there.resize(SLOT, b' ');
        let count = if done.is_ok() { bytes.len() } else { half };
        there[..count].copy_from_slice(&bytes[..count]);
        done
    }

    fn wipe_slot(&mut self, slot: usize) -> io::Result<()> {
        self.step()?;
        self.platters.lock().unwrap().slots[slot].fill(b' ');
        Ok(())
    }

    fn keep(&mut self, segment: u64) -> io::Result<()> {
        self.step()?;
        let mut disk = self.platters.lock().unwrap();
        let copy = disk.log.clone();
        disk.kept.insert(segment, copy);
        Ok(())
    }

    fn kept(&mut self) -> io::Result<Vec<Kept>> {
        let disk = self.platters.lock().unwrap();
        Ok(disk
            .kept
            .iter()
            .map(|(segment, bytes)| Kept {
                segment: *segment,
                len: bytes.len() as u64,
                since: SystemTime::now(),
            })
            .collect())
    }

    fn drop_kept(&mut self, segment: u64) -> io::Result<()> {
        self.step()?;
        self.platters.lock().unwrap().kept.remove(&segment);
        Ok(())
    }
}

/// Remembers the keys that a log was begun with.
#[derive(Default)]
struct First(std::cell::RefCell<Option<State>>);

impl FirstKeys for First {
    fn make(&self) -> crate::Result<State> {
        State::new()
    }

    fn keep(&self, state: &State) -> crate::Result<()> {
        *self.0.borrow_mut() = Some(state.clone());
        Ok(())
    }
}

struct NoSecond;

impl FirstKeys for NoSecond {
    fn make(&self) -> crate::Result<State> {
        panic!("a second log")
    }

    fn keep(&self, _: &State) -> crate::Result<()> {
        Ok(())
    }
}

/// One life of a log: starts, load, losses of power. Returns how many records were acknowledged,
/// and how many starts found a torn end.
fn round(seed: u64, faults: u64, settings: &Settings) -> (usize, usize) {
    let sim = Sim::new(seed, faults);
    let first = First::default();
    let mut acknowledged = Vec::new();
    let (mut count, mut torn) = (0, 0);
    for _life in 0..4 {
        let about = About::default();
        // The disk may break while a server starts: it does not, and is started again.
        let opened = (0..200).find_map(|_| open(sim.clone(), settings, &about, &first).ok());
        let mut writer: Writer<Sim> = opened.expect("a log that cannot be opened any more");
        *sim.left.lock().unwrap() = sim.roll(60);
        let mut failed = 0;
        loop {
            let batch: Vec<String> = (0..=sim.roll(6))
                .map(|_| {
                    count += 1;
                    let pad = "x".repeat(usize::try_from(sim.roll(300)).unwrap());
                    format!("{{\"v\":1,\"event\":\"test\",\"n\":{count},\"pad\":\"{pad}\"}}")
                })
                .collect();
            for record in &batch {
                writer.record(record.as_bytes());
            }
            if sim.roll(5) == 0 {
                writer.seal();
            }
            if writer.commit(true).is_ok() {
                acknowledged.extend(batch);
                failed = 0;
            } else {
                failed += 1;
            }
            writer.rotate_if_due();
            // Who may not go on after an error asks the disk for nothing more.
            if *sim.left.lock().unwrap() == 0 || failed > 50 {
                break;
            }
        }
        drop(writer);
        sim.lose_power();
    }
    // A start on a disk that works, and an orderly end.
    let whole = Sim {
        faults: 0,
        ..sim.clone()
    };
    let mut writer = open(whole, settings, &About::default(), &NoSecond)
        .unwrap_or_else(|error| panic!("round {seed}: {error}"));
    writer.close().unwrap();

    let disk = sim.platters.lock().unwrap();
    torn += disk.aside.len();
    let mut files: Vec<Vec<u8>> = disk.kept.values().cloned().collect();
    files.push(disk.log.clone());
    let first = first.0.into_inner().unwrap();
    let seen = Walker::new(&first).walk(&files);
    assert!(
        seen.findings.is_empty(),
        "round {seed}: {:?}",
        seen.findings
    );
    let all = String::from_utf8(files.concat()).unwrap();
    // However often a start broke on its way: what was set aside is said.
    let mut repairs = 0;
    for line in all
        .lines()
        .filter(|line| line.contains("\"event\":\"repair\""))
    {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let there = &disk.aside[record["file"].as_str().unwrap()];
        assert_eq!(record["bytes"], there.len(), "round {seed}: {record}");
        repairs += 1 + record["more"].as_u64().unwrap_or(0);
    }
    assert_eq!(repairs, torn as u64, "round {seed}");
    let mut found: BTreeMap<&str, u32> = BTreeMap::new();
    for (record, _) in all.lines().filter_map(|line| line.split_once(",\"seq\":")) {
        *found.entry(record).or_default() += 1;
    }
    for record in &acknowledged {
        let start = record.strip_suffix('}').unwrap();
        assert_eq!(found.get(start), Some(&1), "round {seed}: {record}");
    }
    (acknowledged.len(), torn)
}

fn rounds(count: u64, faults: u64, settings: &Settings) {
    let (mut acknowledged, mut torn) = (0, 0);
    for seed in 0..count {
        let (some, ends) = round(seed, faults, settings);
        acknowledged += some;
        torn += ends;
    }
    // The test would prove nothing if nothing happened.
    assert!(acknowledged > 1000 && torn > 20, "{acknowledged} {torn}");
}

fn settings() -> Settings {
    Settings {
        checkpoint_records: 7,
        ..Settings::default()
    }
}

#[test]
fn a_disk_that_forgets_what_was_not_synced_loses_no_acknowledged_record() {
    rounds(200, 0, &settings());
}

#[test]
fn a_disk_that_writes_half_is_full_and_has_errors_loses_no_acknowledged_record() {
    rounds(200, 25, &settings());
}

#[test]
fn power_that_is_lost_during_a_rotation_loses_no_segment() {
    let settings = Settings {
        segment_bytes: 4096,
        ..settings()
    };
    rounds(200, 0, &settings);
    rounds(200, 40, &settings);
}

#[test]
fn a_log_that_was_changed_while_nobody_wrote_it_stops_the_start() {
    let sim = Sim::new(1, 0);
    let settings = settings();
    let about = About::default();
    let mut writer = open(sim.clone(), &settings, &about, &First::default()).unwrap();
    writer.close().unwrap();
    let mut writer = open(sim.clone(), &settings, &about, &First::default()).unwrap();
    writer.record(b"{\"v\":1,\"n\":1}");
    writer.record(b"{\"v\":1,\"n\":2}");
    writer.commit(true).unwrap();
    drop(writer);
    let whole = sim.platters.lock().unwrap().clone();
    let refused = |change: &dyn Fn(&mut Platters)| {
        let mut changed = whole.clone();
        change(&mut changed);
        *sim.platters.lock().unwrap() = changed;
        match open(sim.clone(), &settings, &about, &First::default()) {
            Ok(_) => panic!("it was opened"),
            Err(error) => error.to_string(),
        }
    };
    let edit = |disk: &mut Platters| {
        let text = String::from_utf8(disk.log.clone()).unwrap();
        disk.log = text.replace("\"n\":1", "\"n\":7").into_bytes();
    };
    assert!(refused(&edit).contains("was changed"));
    assert!(refused(&|disk| disk.log.truncate(40)).contains("taken away"));
    assert!(refused(&|disk| disk.log.clear()).contains("taken away"));
    let forget = |disk: &mut Platters| disk.slots = Default::default();
    assert!(refused(&forget).contains("no state"));
    let spoil = |disk: &mut Platters| disk.slots.iter_mut().for_each(|slot| slot[90] ^= 1);
    assert!(refused(&spoil).contains("damaged"));
}

#[test]
fn the_key_of_before_is_not_on_the_disk_any_more() {
    let sim = Sim::new(1, 0);
    let first = First::default();
    let mut writer = open(sim.clone(), &settings(), &About::default(), &first).unwrap();
    let old = crate::audit::chain::encode(&*first.0.into_inner().unwrap().key);
    let on_disk = || {
        let disk = sim.platters.lock().unwrap();
        String::from_utf8_lossy(&disk.slots.concat()).contains(&old)
    };
    assert!(on_disk());
    writer.seal();
    writer.commit(true).unwrap();
    assert!(!on_disk());
}
