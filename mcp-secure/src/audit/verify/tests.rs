//! Each way to change a log, and what is found of it.

use super::{super::chain::*, walk::Walk, *};

/// Verifies logs in memory, with all keys.
pub(in crate::audit) struct Walker {
    key: Option<Key>,
    public: PublicKey,
    heads: Vec<String>,
}

impl Walker {
    pub(in crate::audit) fn new(first: &State) -> Self {
        Self {
            key: Some(first.key.clone()),
            public: Chain::resume(first, 1).public(),
            heads: Vec::new(),
        }
    }

    pub(in crate::audit) fn walk(&self, files: &[Vec<u8>]) -> Verification {
        let mut walk = Walk::new(self.key.clone(), Some(self.public.clone()), Vec::new());
        walk.heads = self.heads.clone();
        for (at, file) in files.iter().enumerate() {
            let is_active = at + 1 == files.len();
            let header: serde_json::Value = file
                .split(|byte| *byte == b'\n')
                .next()
                .and_then(|line| serde_json::from_slice(line).ok())
                .unwrap_or_default();
            let number = header["segment"].as_u64().unwrap_or(1);
            walk.lines(&file[..], (!is_active).then_some(number))
                .unwrap();
        }
        walk.end(Path::new("log"))
    }

    fn kinds(&self, log: &[u8]) -> Vec<(Kind, Option<u64>)> {
        let seen = self.walk(&[log.to_vec()]);
        seen.findings
            .iter()
            .map(|one| (one.kind, one.seq))
            .collect()
    }
}

/// A log with a signature after every `every` records, whose lines all are signed.
fn log(records: u64, every: u64) -> (Walker, Vec<u8>, State) {
    let first = State::new().unwrap();
    let mut chain = Chain::resume(&first, every);
    let mut out = Vec::new();
    let genesis = serde_json::json!({
        "every": every, "key": encode(&commitment(&first.key)), "log": first.log,
        "public": chain.public().text(),
    });
    let rest = genesis.to_string();
    let rest = rest.strip_prefix('{').unwrap();
    let genesis = format!("{{\"v\":1,\"event\":\"genesis\",{rest}");
    chain.record(genesis.as_bytes(), &mut out);
    for n in 1..records {
        let record = format!("{{\"v\":1,\"event\":\"outcome\",\"op\":\"tools/call\",\"n\":{n}}}");
        chain.record(record.as_bytes(), &mut out);
    }
    chain.seal(&mut out);
    (Walker::new(&first), out, first)
}

fn lines(log: &[u8]) -> Vec<Vec<u8>> {
    log.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn every_bit_that_is_flipped_is_found() {
    let (walker, log, _) = log(5, 3);
    assert_eq!(walker.kinds(&log), []);
    let starts: Vec<usize> = std::iter::once(0)
        .chain(
            log.iter()
                .enumerate()
                .filter(|(_, b)| **b == b'\n')
                .map(|(at, _)| at + 1),
        )
        .collect();
    for at in 0..log.len() {
        for bit in 0..8 {
            let mut changed = log.clone();
            changed[at] ^= 1 << bit;
            let seen = walker.walk(&[changed]);
            let first = seen
                .findings
                .first()
                .unwrap_or_else(|| panic!("byte {at} bit {bit}: nothing was found"));
            // The line is named, or the one behind it when its line end is gone.
            let line = starts.iter().filter(|start| **start <= at).count() as u64;
            let near = first.line == 0 || first.line.abs_diff(line) <= 1;
            assert!(
                near,
                "byte {at} bit {bit}: {first:?} instead of line {line}"
            );
            assert!(!first.reason.is_empty());
        }
    }
}

#[test]
fn each_manipulation_of_a_big_log_is_found_and_named() {
    let (walker, log, first) = log(5000, 1024);
    assert_eq!(walker.kinds(&log), []);
    let all = lines(&log);
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = all.clone();
        change(&mut lines);
        walker.kinds(&lines.concat())
    };
    let edit = |line: &mut Vec<u8>, from: &str, to: &str| {
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.contains(from));
        *line = text.replace(from, to).into_bytes();
    };

    // Edited: in the middle, the number of a record, the keyed hash itself.
    let found = with(&|lines| edit(&mut lines[2500], "tools/call", "tools/list"));
    assert_eq!(found, [(Kind::Edited, Some(2500))]);
    let found = with(&|lines| edit(&mut lines[2500], "\"mac\":\"", "\"mac\":\"A"));
    assert_eq!(found[0].0, Kind::Foreign);
    // Deleted: one, many, a checkpoint, the first.
    let found = with(&|lines| drop(lines.remove(2500)));
    assert_eq!(found, [(Kind::Missing, Some(2501))]);
    let found = with(&|lines| drop(lines.drain(100..4000)));
    assert_eq!(found, [(Kind::Missing, Some(4000))]);
    assert!(is_checkpoint(&all[1024]));
    let found = with(&|lines| drop(lines.remove(1024)));
    assert_eq!(found, [(Kind::Missing, Some(1025))]);
    assert!(!with(&|lines| drop(lines.remove(0))).is_empty());
    // Reordered, repeated, inserted.
    let found = with(&|lines| lines.swap(2500, 2501));
    assert!(found.contains(&(Kind::Misplaced, Some(2500))), "{found:?}");
    let found = with(&|lines| lines.insert(2600, lines[2500].clone()));
    assert_eq!(found, [(Kind::Misplaced, Some(2500))]);
    let found = with(&|lines| lines.insert(2500, b"{\"v\":1,\"made\":\"up\"}\n".to_vec()));
    assert_eq!(found, [(Kind::Foreign, None)]);
    // Two changes are two findings.
    let found = with(&|lines| {
        edit(&mut lines[4000], "tools/call", "tools/list");
        edit(&mut lines[300], "tools/call", "tools/list");
    });
    assert_eq!(
        found,
        [(Kind::Edited, Some(300)), (Kind::Edited, Some(4000))]
    );
    // Written anew by who has the keys as they are at the end, and signs all of it again.
    let mut end = Chain::resume(&first, 1024);
    for line in &all {
        assert!(end.follow(line.strip_suffix(b"\n").unwrap()));
    }
    let mut thief = end.state(0);
    thief.tree = Frontier::default();
    thief.previous = [0; 32];
    let mut thief = Chain::resume(&thief, 1024);
    let mut forged = Vec::new();
    for line in &all {
        let parts = split(line.strip_suffix(b"\n").unwrap()).unwrap();
        if !is_checkpoint(parts.content) {
            let value: serde_json::Value = serde_json::from_slice(&line[..line.len() - 1]).unwrap();
            let number = format!(",\"seq\":{}", value["seq"]);
            let content = String::from_utf8(parts.content.to_vec()).unwrap();
            let record = content.strip_suffix(&number).unwrap().to_owned() + "}";
            thief.record(record.as_bytes(), &mut forged);
        }
    }
    thief.seal(&mut forged);
    assert!(!walker.kinds(&forged).is_empty());
    // … which the signatures alone do not show.
    let blind = Walker {
        key: None,
        public: walker.public.clone(),
        heads: Vec::new(),
    };
    assert_eq!(blind.kinds(&forged), []);
}

#[test]
fn without_the_verification_key_the_signatures_still_find_what_was_changed() {
    let (mut walker, log, _) = log(3000, 1024);
    walker.key = None;
    assert_eq!(walker.kinds(&log), []);
    let text = String::from_utf8(log).unwrap();
    let edited = text
        .replace("\"n\":1500}", "\"n\":1501}")
        .replace("\"n\":1500,", "\"n\":1501,");
    assert_ne!(edited, text);
    assert_eq!(walker.kinds(edited.as_bytes()), [(Kind::Root, Some(2049))]);
    // Stripped: of each checkpoint, the signature; or the checkpoints.
    let stripped = text.replace("\\n\\n\u{2014} ", "\\n\\n- ");
    let found = walker.kinds(stripped.as_bytes());
    assert!(
        found.iter().all(|(kind, _)| *kind == Kind::Signature) && found.len() > 3,
        "{found:?}"
    );
    let kept: Vec<&str> = text
        .split_inclusive('\n')
        .filter(|l| !l.contains("checkpoint"))
        .collect();
    let found = walker.kinds(kept.concat().as_bytes());
    assert!(
        found.iter().any(|(kind, _)| *kind == Kind::Signature),
        "{found:?}"
    );
}

#[test]
fn a_wrong_key_is_told_from_a_changed_log() {
    let (walker, log, _) = log(50, 10);
    let other = State::new().unwrap();
    let wrong = Walker {
        key: Some(other.key.clone()),
        public: walker.public.clone(),
        heads: Vec::new(),
    };
    assert_eq!(wrong.kinds(&log), [(Kind::Key, None)]);
    let wrong = Walker {
        key: walker.key.clone(),
        public: Chain::resume(&other, 1).public(),
        heads: Vec::new(),
    };
    assert_eq!(wrong.kinds(&log)[0], (Kind::Key, Some(0)));
}

#[test]
fn a_cut_end_and_an_older_copy_are_found_with_an_external_head_and_missed_without() {
    let (mut walker, log, first) = log(3000, 1024);
    let all = lines(&log);
    let note = |line: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(&line[..line.len() - 1]).unwrap();
        value["note"].as_str().unwrap().to_owned()
    };
    let head = note(all.last().unwrap());
    // Cut behind a checkpoint: a whole log in itself, as it was some time ago.
    let older = all[..=1024].concat();
    assert_eq!(walker.kinds(&older), []);
    walker.heads = vec![head.clone()];
    assert_eq!(walker.kinds(&log), []);
    assert_eq!(walker.kinds(&older), [(Kind::Truncated, None)]);
    // Rolled back, and gone on from there by who has the keys of that time.
    let mut chain = Chain::resume(&first, 1024);
    for line in &all[..=1024] {
        chain.follow(line.strip_suffix(b"\n").unwrap());
    }
    let mut other = older;
    for _ in 0..4000 {
        chain.record(b"{\"v\":1,\"event\":\"other\"}", &mut other);
    }
    chain.seal(&mut other);
    assert_eq!(walker.kinds(&other), [(Kind::Replaced, None)]);
    walker.heads.clear();
    assert_eq!(walker.kinds(&other), []);
}

#[test]
fn segments_that_are_gone_swapped_or_of_another_log_are_found() {
    let first = State::new().unwrap();
    let (_, _, _) = log(2, 2);
    let mut chain = Chain::resume(&first, 100);
    let mut files = Vec::new();
    let mut out = Vec::new();
    let genesis = format!(
        "{{\"v\":1,\"event\":\"genesis\",\"key\":\"{}\",\"public\":\"{}\",\"every\":100}}",
        encode(&commitment(&first.key)),
        chain.public().text()
    );
    chain.record(genesis.as_bytes(), &mut out);
    for segment in 1..=4 {
        for n in 0..10 {
            chain.record(
                format!("{{\"v\":1,\"s\":{segment},\"n\":{n}}}").as_bytes(),
                &mut out,
            );
        }
        chain.seal(&mut out);
        files.push(std::mem::take(&mut out));
        chain.segment += 1;
        chain.begin_segment(&mut out);
    }
    let walker = Walker::new(&first);
    let kinds = |files: &[Vec<u8>]| {
        let seen = walker.walk(files);
        seen.findings.iter().map(|one| one.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&files), []);
    let mut gone = files.clone();
    gone.remove(1);
    assert_eq!(kinds(&gone), [Kind::Segment]);
    // The oldest, and no record says that they were deleted.
    assert_eq!(kinds(&files[2..]), [Kind::Segment]);
    let mut swapped = files.clone();
    swapped.swap(1, 2);
    assert!(kinds(&swapped).contains(&Kind::Segment));
    // With a record that says so, nothing is wrong, and what is left is still proven.
    let mut told = files.clone();
    let mut end = Chain::resume(&first, 100);
    for line in files.iter().flat_map(|file| lines(file)) {
        assert!(end.follow(line.strip_suffix(b"\n").unwrap()));
    }
    end.segment = 4;
    let mut stone = Vec::new();
    end.record(
        b"{\"v\":1,\"event\":\"tombstone\",\"from\":1,\"to\":2}",
        &mut stone,
    );
    end.seal(&mut stone);
    told[3].extend(stone);
    assert_eq!(kinds(&told[2..]), []);
    assert_eq!(kinds(&told[3..]), [Kind::Segment]);
    let mut forged = told.clone();
    let text = String::from_utf8(forged[2].clone()).unwrap();
    forged[2] = text.replace("\"n\":5", "\"n\":6").into_bytes();
    assert_eq!(kinds(&forged[2..]), [Kind::Edited]);
}
