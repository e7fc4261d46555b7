//! That one record is in a log, for somebody who is not shown the others (C2SP `tlog-proof`), and
//! that a log has only grown since a checkpoint.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{files, head, read_public};
use crate::{
    Error, Result,
    audit::chain::{
        Checkpoint, Content, Frontier, Hash, PublicKey, consistency, decode32, inclusion,
        is_checkpoint, is_consistent, leaf, root_from, split,
    },
};

/// The proof that record `seq` is in the log at `path`: the record itself, its path through the
/// tree, and a signed checkpoint.
///
/// # Errors
///
/// When the log cannot be read, has no such record, or no signature covers it yet.
pub fn prove(path: &Path, public: &Path, seq: u64) -> Result<String> {
    let public = read_public(public)?;
    let mut record = None;
    let mut sealed: Option<Checkpoint> = None;
    let (base, leaves) = leaves(path, |parts, whole| {
        if is_checkpoint(parts.content) && parts.seq > seq {
            let value: Value = serde_json::from_slice(whole).unwrap_or_default();
            let note = value["note"].as_str().unwrap_or_default();
            if let Ok(checkpoint) = Checkpoint::open(note, &public)
                && checkpoint.size() == parts.seq
            {
                sealed = Some(checkpoint);
            }
        }
        if parts.seq == seq {
            record = Some(parts.content.to_vec());
        }
    })?;
    let record = record.ok_or_else(|| Error::new(format!("there is no record {seq}")))?;
    let sealed = sealed.ok_or_else(|| {
        Error::new(format!("no good signature covers record {seq} yet"))
            .help("wait for the next checkpoint, or name the right key with `--pub`")
    })?;
    let path = inclusion(seq, sealed.size(), &base, &leaves)
        .ok_or_else(|| Error::new(format!("the path of record {seq} cannot be made")))?;
    let root = root_from(leaf(&record), seq, sealed.size(), &path);
    if root.as_ref() != Some(sealed.root()) {
        return Err(Error::new("the log does not give the root that was signed")
            .help("look with `mcp-secure audit verify PATH`"));
    }
    let mut proof = format!("{HEAD}\nextra {}\nindex {seq}\n", STANDARD.encode(record));
    for node in path {
        let _ = writeln!(proof, "{}", STANDARD.encode(node));
    }
    Ok(proof + "\n" + sealed.note())
}

/// The proof that the log at `path` is at the checkpoint in the file `new` what it was at the one in
/// `old`, and more: nothing that `old` covers was changed since. Who checks it needs no record.
///
/// # Errors
///
/// When the log cannot be read, or does not give one of the two roots.
pub fn prove_consistency(path: &Path, public: &Path, old: &Path, new: &Path) -> Result<String> {
    let public = read_public(public)?;
    let (old, new) = (newest(old, &public)?, newest(new, &public)?);
    if old.size() > new.size() {
        return Err(Error::new(format!(
            "the old checkpoint is of {} records, and the new one of {}",
            old.size(),
            new.size()
        ))
        .help("name them the other way round"));
    }
    let (base, leaves) = leaves(path, |_, _| {})?;
    let path = (new.size() <= base.size() + leaves.len() as u64)
        .then(|| consistency(old.size(), new.size(), &base, &leaves))
        .flatten()
        .ok_or_else(|| {
            Error::new("the proof cannot be made of what is there of the log")
                .help("segments that were deleted, or a log that is older than the checkpoint")
        })?;
    // A path may leave the old tree out as a whole: whether the log still gives its root is looked at
    // here.
    let mut tree = base.clone();
    let mut gives = |one: &Checkpoint| {
        let have = tree.size();
        for leaf in leaves.iter().skip(index(have - base.size())) {
            if tree.size() >= one.size() {
                break;
            }
            tree.push(*leaf);
        }
        tree.size() > one.size() || tree.root() == *one.root()
    };
    let is_there = gives(&old) && gives(&new);
    let (was, is) = ((old.size(), old.root()), (new.size(), new.root()));
    if !is_there || !is_consistent(was, is, &path) {
        return Err(
            Error::new("the log does not give the roots that were signed")
                .help("look with `mcp-secure audit verify PATH --head FILE`"),
        );
    }
    let mut proof = format!("{CONSISTENCY}\nold {}\n", old.size());
    for node in path {
        let _ = writeln!(proof, "{}", STANDARD.encode(node));
    }
    Ok(proof + "\n" + new.note())
}

fn index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Checks such a proof against a checkpoint that the reader has kept. Returns how many records the
/// log had then, and has at the checkpoint that the proof brings along.
///
/// # Errors
///
/// When it proves nothing.
pub fn verify_consistency(proof: &str, public: &Path, old: &Path) -> Result<(u64, u64)> {
    let public = read_public(public)?;
    let malformed = || Error::new("it is no proof that a log has only grown");
    let (head, note) = proof.split_once("\n\n").ok_or_else(malformed)?;
    let mut lines = head.lines();
    if lines.next() != Some(CONSISTENCY) {
        return Err(malformed());
    }
    let size: u64 = lines
        .next()
        .and_then(|line| line.strip_prefix("old ")?.parse().ok())
        .ok_or_else(malformed)?;
    let path: Option<Vec<Hash>> = lines
        .map(|line| STANDARD.decode(line).ok()?.try_into().ok())
        .collect();
    let path = path.ok_or_else(malformed)?;
    let old = kept(old, &public)?
        .into_iter()
        .find(|old| old.size() == size)
        .ok_or_else(|| {
            Error::new(format!(
                "the proof is about a checkpoint of {size} records, and none that was kept is"
            ))
        })?;
    let new = Checkpoint::open(note, &public)
        .map_err(|why| Error::new(format!("its checkpoint {why}")))?;
    if !is_consistent((size, old.root()), (new.size(), new.root()), &path) {
        return Err(Error::new(
            "the log is not what it was when the checkpoint was kept",
        ));
    }
    Ok((size, new.size()))
}

/// Checkpoints of a file, all of this log.
fn kept(file: &Path, public: &PublicKey) -> Result<Vec<Checkpoint>> {
    let notes = head::read(file)?;
    let opened = notes.iter().map(|note| {
        Checkpoint::open(note, public)
            .map_err(|why| Error::new(format!("a checkpoint of `{}` {why}", file.display())))
    });
    opened.collect()
}

fn newest(file: &Path, public: &PublicKey) -> Result<Checkpoint> {
    let all = kept(file, public)?;
    all.into_iter()
        .max_by_key(Checkpoint::size)
        .ok_or_else(|| Error::new(format!("`{}` has no checkpoint in it", file.display())))
}

/// The leaves of what is there of a log, and the tree of what was before that.
fn leaves(path: &Path, mut each: impl FnMut(&Content<'_>, &[u8])) -> Result<(Frontier, Vec<Hash>)> {
    let mut base = None;
    let mut leaves: Vec<Hash> = Vec::new();
    for file in files::find(path)? {
        let wrong = |e| Error::new(format!("`{}` cannot be read: {e}", file.path.display()));
        let mut reader = BufReader::new(File::open(&file.path).map_err(wrong)?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(wrong)? > 0 {
            let Some(whole) = line.strip_suffix(b"\n") else {
                break;
            };
            let Some(parts) = split(whole) else {
                break;
            };
            let base = base.get_or_insert_with(|| begin(whole));
            if parts.seq != base.size() + leaves.len() as u64 {
                return Err(Error::new(format!(
                    "the log is not whole before record {}",
                    parts.seq
                ))
                .help("look with `mcp-secure audit verify PATH`"));
            }
            each(&parts, whole);
            leaves.push(leaf(parts.content));
            line.clear();
        }
    }
    Ok((base.unwrap_or_default(), leaves))
}

/// Checks a proof, and gives the record that it is about: the JSON object up to its keyed hash.
///
/// # Errors
///
/// When it proves nothing.
pub fn verify_proof(proof: &str, public: &Path) -> Result<String> {
    let public = read_public(public)?;
    let malformed = || Error::new("it is no proof of a log");
    let (head, note) = proof.split_once("\n\n").ok_or_else(malformed)?;
    let mut lines = head.lines();
    if lines.next() != Some(HEAD) {
        return Err(malformed());
    }
    let record = lines
        .next()
        .and_then(|line| STANDARD.decode(line.strip_prefix("extra ")?).ok())
        .ok_or_else(malformed)?;
    let index: u64 = lines
        .next()
        .and_then(|line| line.strip_prefix("index ")?.parse().ok())
        .ok_or_else(malformed)?;
    let path: Option<Vec<Hash>> = lines
        .map(|line| STANDARD.decode(line).ok()?.try_into().ok())
        .collect();
    let sealed = Checkpoint::open(note, &public)
        .map_err(|why| Error::new(format!("its checkpoint {why}")))?;
    let root = root_from(
        leaf(&record),
        index,
        sealed.size(),
        &path.ok_or_else(malformed)?,
    );
    if root.as_ref() != Some(sealed.root()) {
        return Err(Error::new("the record is not in the log that was signed"));
    }
    String::from_utf8(record).map_err(|_| malformed())
}

/// What the first line that is there says of the lines before it.
fn begin(line: &[u8]) -> Frontier {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    let seq = value["seq"].as_u64().unwrap_or_default();
    let nodes = value["frontier"].as_array().map(|nodes| {
        let nodes = nodes.iter().filter_map(|node| decode32(node.as_str()?));
        nodes.collect()
    });
    Frontier::of(seq, nodes.unwrap_or_default()).unwrap_or_default()
}

const HEAD: &str = "c2sp.org/tlog-proof@v1";
const CONSISTENCY: &str = "mcp-secure audit consistency 1";
