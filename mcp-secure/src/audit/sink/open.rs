//! How a log is taken up: made, or gone on with from what its state says.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Settings, disk::Disk, writer::Writer};
use crate::{
    Error, Result,
    audit::{
        Stamp,
        chain::{Chain, State, Torn, commitment, encode, split},
        now,
    },
    hex::hex,
};

/// Who writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) server: String,
    pub(crate) version: String,
    /// The digest of the compiled manifest.
    pub(crate) manifest: String,
}

/// The first line of a log.
#[derive(Serialize)]
struct Genesis<'a> {
    v: u8,
    event: &'static str,
    ts: Stamp,
    log: &'a str,
    server: &'a str,
    version: &'a str,
    manifest: &'a str,
    /// Who signs the checkpoints.
    public: String,
    /// The digest of the verification key.
    key: String,
    /// The longest stretch without a signature.
    every: u64,
}

#[derive(Serialize)]
struct Opened<'a> {
    v: u8,
    event: &'static str,
    ts: Stamp,
    server: &'a str,
    version: &'a str,
    manifest: &'a str,
    every: u64,
}

/// Lines that a crash tore were taken away.
#[derive(Serialize)]
struct Repair<'a> {
    v: u8,
    event: &'static str,
    ts: Stamp,
    bytes: u64,
    sha256: String,
    /// Where they are.
    file: &'a str,
    /// Others before, that could not be said when they were taken away.
    #[serde(skip_serializing_if = "is_zero")]
    more: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The keys of a log that is new.
pub(super) trait FirstKeys {
    /// Makes them.
    fn make(&self) -> Result<State>;

    /// Writes them where others find them, when they are in the state, or goes on with that.
    fn keep(&self, state: &State) -> Result<()>;
}

/// Goes on with the log on a disk.
pub(super) fn open<D: Disk>(
    mut disk: D,
    settings: &Settings,
    about: &About,
    keys: &impl FirstKeys,
) -> Result<Writer<D>> {
    let broken = |what: &str, error: std::io::Error| Error::new(format!("{what}: {error}"));
    let slots = disk
        .read_slots()
        .map_err(|e| broken("its state cannot be read", e))?;
    let len = disk.len().map_err(|e| broken("it cannot be read", e))?;
    let mut newest: Option<(usize, State)> = None;
    for (slot, bytes) in slots.iter().enumerate() {
        if let Some(state) = State::of_slot(bytes)
            && newest.as_ref().is_none_or(|(_, one)| state.is_after(one))
        {
            newest = Some((slot, state));
        }
    }
    let has_state = slots.iter().flatten().any(|byte| !matches!(byte, b' ' | 0));
    let (mut slot, mut state) = match newest {
        Some((slot, state)) => (slot, state),
        None if has_state && len > 0 => {
            return Err(Error::new("its state is damaged").help(MOVE));
        }
        None if len > 0 => {
            return Err(Error::new("it has lines, and there is no state beside it").help(MOVE));
        }
        None => {
            let state = keys.make()?;
            disk.write_slot(0, &state.to_slot())
                .map_err(|e| broken("its state cannot be written", e))?;
            (0, state)
        }
    };
    // Before there is a line that only they verify. The state first: a key that is nowhere but in a
    // file would belong to no log, and a start that was killed here would be in the way of the next.
    if state.tree.size() == 0 {
        keys.keep(&state)?;
    }
    let mut chain = Chain::resume(&state, settings.checkpoint_records);
    let followed = follow(&mut disk, &mut chain, &state)?;
    // What an earlier start set aside and could not say, because it ended before.
    state
        .torn
        .retain(|torn| !followed.said.contains(&torn.file));
    if let Some(torn) = followed.torn {
        // First of all it is remembered: a start that ends at any moment from here on leaves
        // the record to the next one.
        let at = state.offset + followed.good;
        let name = torn.file.clone();
        let aside = |e| broken("its torn end cannot be set aside", e);
        let file = disk.set_aside(at, &name).map_err(aside)?;
        if state.torn.iter().all(|known| known.file != file) {
            state.remember_torn(Torn { file, ..torn });
            let next = 1 - slot;
            disk.write_slot(next, &state.to_slot()).map_err(aside)?;
            let _ = disk.wipe_slot(slot);
            slot = next;
        }
        disk.cut(at).map_err(aside)?;
    }
    let offset = disk.len().map_err(|e| broken("it cannot be read", e))?;
    let mut writer = Writer::new(disk, chain, slot, offset, settings);
    let every = settings.checkpoint_records;
    if writer.chain.is_overdue() {
        writer.seal();
    }
    let is_new = writer.chain.tree.size() == 0;
    if is_new {
        let log = writer.chain.log.clone();
        let genesis = Genesis {
            v: 1,
            event: "genesis",
            ts: now(),
            log: &log,
            server: &about.server,
            version: &about.version,
            manifest: &about.manifest,
            public: writer.chain.public().text(),
            key: encode(&commitment(&state.key)),
            every,
        };
        writer.own(&genesis);
    } else if offset == 0 {
        writer.chain.begin_segment(&mut writer.pending);
    }
    for torn in &state.torn {
        let repair = Repair {
            v: 1,
            event: "repair",
            ts: now(),
            bytes: torn.bytes,
            sha256: torn.sha256.clone(),
            file: &torn.file,
            more: torn.more,
        };
        writer.own(&repair);
        tracing::warn!(
            bytes = torn.bytes,
            file = torn.file.as_str(),
            "the audit log ended in the middle of a line; what it ended with is set aside"
        );
    }
    if !is_new {
        let opened = Opened {
            v: 1,
            event: "opened",
            ts: now(),
            server: &about.server,
            version: &about.version,
            manifest: &about.manifest,
            every,
        };
        writer.own(&opened);
    }
    writer
        .commit(true)
        .map_err(|e| broken("it cannot be written", e))?;
    Ok(writer)
}

/// What stands behind the state.
#[derive(Default)]
struct Followed {
    /// Bytes of whole lines.
    good: u64,
    /// What comes after them: half a line. It is still there.
    torn: Option<Torn>,
    /// The files of ends of which a record says that they were set aside.
    said: Vec<String>,
}

/// Takes over the lines that were written after the state was. What a crash tore is set aside;
/// what somebody changed stops the start.
fn follow(disk: &mut impl Disk, chain: &mut Chain, state: &State) -> Result<Followed> {
    let broken = |error: std::io::Error| Error::new(format!("it cannot be read: {error}"));
    let len = disk.len().map_err(broken)?;
    if len < state.offset {
        return Err(Error::new(format!(
            "it has {len} bytes, and had {} when its state was written: its end was taken away",
            state.offset
        ))
        .help(VERIFY));
    }
    let kept = disk.kept().map_err(broken)?;
    if state.offset == 0 && state.segment > 1 && len > 0 {
        // A rotation that did not come to its end: the segment is kept, and still here.
        let old = state.segment - 1;
        let is_old = first_seq(disk).map_err(broken)? != Some(state.tree.size());
        if is_old
            && kept
                .iter()
                .any(|kept| kept.segment == old && kept.len == len)
        {
            disk.clear().map_err(broken)?;
            return Ok(Followed::default());
        }
    }
    // A copy that was made for a rotation that never was.
    if kept.iter().any(|kept| kept.segment == state.segment) {
        disk.drop_kept(state.segment).map_err(broken)?;
    }
    let tail = disk.read(state.offset).map_err(broken)?;
    let mut good = 0;
    let mut said = Vec::new();
    for line in tail.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(whole) if chain.follow(whole) => {
                good += line.len();
                if whole.starts_with(REPAIR)
                    && let Ok(Said { file }) = serde_json::from_slice(whole)
                {
                    said.push(file);
                }
            }
            _ => break,
        }
    }
    let rest = tail.get(good..).unwrap_or_default();
    let good = good as u64;
    if rest.is_empty() {
        return Ok(Followed {
            good,
            torn: None,
            said,
        });
    }
    // A disk that loses what was not synced leaves half a line, or zeros: never a whole line that
    // says something else.
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = line.len() < rest.len() && split(line).is_some() && !line.contains(&0);
    if is_whole {
        return Err(Error::new(format!(
            "its line after record {} was changed, or does not belong there",
            chain.tree.size().saturating_sub(1)
        ))
        .help(VERIFY));
    }
    let sha256 = hex(&Sha256::digest(rest));
    let bytes = rest.len() as u64;
    let short = sha256.get(..8).unwrap_or_default();
    let file = format!("torn-{}-{short}", chain.tree.size());
    let torn = Torn {
        bytes,
        sha256,
        file,
        more: 0,
    };
    Ok(Followed {
        good,
        torn: Some(torn),
        said,
    })
}

/// Of a `repair` record.
#[derive(serde::Deserialize)]
struct Said {
    file: String,
}

/// Only lines of the log's own begin so.
const REPAIR: &[u8] = b"{\"v\":1,\"event\":\"repair\",";

fn first_seq(disk: &mut impl Disk) -> std::io::Result<Option<u64>> {
    let all = disk.read(0)?;
    let line = all.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(split(line).map(|line| line.seq))
}

const MOVE: &str = "keep the log and what lies beside it (`.state`, `.pub`, `.key`, `.segments`) \
                    together; to begin a new one, move them all to another folder";

const VERIFY: &str = "look with `mcp-secure audit verify PATH`; to go on with a new log, move \
                      this one and what lies beside it (`.state`, `.pub`, `.key`, `.segments`) to \
                      another folder";
