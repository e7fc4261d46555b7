use sha2::{Digest as _, Sha256};

use super::{tree::subtree, *};

/// RFC 6962, 2.1, as it is written there.
fn by_the_book(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        many => {
            let mut half = 1;
            while half * 2 < many.len() {
                half *= 2;
            }
            let (left, right) = many.split_at(half);
            let mut hash = Sha256::new_with_prefix([1]);
            hash.update(by_the_book(left));
            hash.update(by_the_book(right));
            hash.finalize().into()
        }
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
}

#[test]
fn the_tree_that_grows_is_the_tree_of_the_rfc() {
    let mut tree = Frontier::default();
    for size in 0..130 {
        assert_eq!(tree.root(), by_the_book(&leaves(size)), "{size}");
        assert_eq!(Frontier::of(size, tree.nodes().to_vec()).unwrap(), tree);
        tree.push(leaf(&size.to_be_bytes()));
    }
}

/// The test vectors of Certificate Transparency (RFC 6962's reference implementation).
#[test]
fn the_roots_are_those_of_certificate_transparency() {
    let inputs: [&[u8]; 4] = [&[], &[0], &[0x10], &[0x20, 0x21]];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    let mut tree = Frontier::default();
    for (input, root) in inputs.iter().zip(roots) {
        tree.push(leaf(input));
        let hex: String = tree.root().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, root);
    }
}

#[test]
fn every_leaf_has_a_path_even_when_the_leaves_before_are_gone() {
    for size in 1..40 {
        let all = leaves(size);
        let root = by_the_book(&all);
        for gone in 0..size {
            let mut base = Frontier::default();
            for leaf in all.iter().take(gone as usize) {
                base.push(*leaf);
            }
            let kept = &all[gone as usize..];
            assert_eq!(subtree((0, size), &base, kept), Some(root));
            for index in gone..size {
                let path = inclusion(index, size, &base, kept).unwrap();
                let leaf = all[index as usize];
                assert_eq!(root_from(leaf, index, size, &path), Some(root));
                let wrong = self::leaf(b"another");
                assert_ne!(root_from(wrong, index, size, &path), Some(root));
                let mut longer = path.clone();
                longer.push([7; 32]);
                assert_ne!(root_from(leaf, index, size, &longer), Some(root));
            }
        }
    }
}

#[test]
fn a_tree_that_only_grew_is_proven_and_any_other_is_not() {
    let all = leaves(40);
    let root = |count: u64| by_the_book(&all[..count as usize]);
    let whole = Frontier::default();
    for new in 1..=40_u64 {
        for old in 1..=new {
            let path = consistency(old, new, &whole, &all).unwrap();
            let was = (old, &root(old));
            let is = (new, &root(new));
            assert!(is_consistent(was, is, &path), "{old} {new}");
            let other = leaf(b"another");
            assert!(!is_consistent((old, &other), is, &path), "{old} {new}");
            assert!(!is_consistent(was, (new, &other), &path), "{old} {new}");
            assert!(!is_consistent((old + 1, was.1), is, &path), "{old} {new}");
            let mut longer = path.clone();
            longer.push([7; 32]);
            assert!(!is_consistent(was, is, &longer), "{old} {new}");
            if !path.is_empty() {
                assert!(!is_consistent(was, is, &path[1..]), "{old} {new}");
            }
        }
        assert!(consistency(0, new, &whole, &all).is_none());
        assert!(consistency(new + 1, new, &whole, &all).is_none());
        assert!(!is_consistent((0, &root(1)), (new, &root(new)), &[]));
    }
}

#[test]
fn a_line_is_taken_apart_from_its_end() {
    let state = State::new().unwrap();
    let mut chain = Chain::resume(&state, 100);
    let mut log = Vec::new();
    // What a client wrote looks like the end of a line.
    let tricky = br#"{"v":1,"target":"x\",\"seq\":7,\"mac\":\"AAAA\"}"}"#;
    chain.record(tricky, &mut log);
    chain.record(br#"{"v":1}"#, &mut log);
    let text = String::from_utf8(log.clone()).unwrap();
    for (seq, line) in text.lines().enumerate() {
        let parts = split(line.as_bytes()).unwrap();
        assert_eq!(parts.seq, seq as u64);
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["seq"], seq as u64);
        assert_eq!(value["mac"].as_str().unwrap().as_bytes(), parts.mac);
    }
    // The one who reads follows the one who wrote, and no other line.
    let mut reader = Chain::resume(&state, 100);
    let mut lines = text.lines();
    let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(!reader.follow(second.as_bytes()));
    assert!(reader.follow(first.as_bytes()));
    assert!(!reader.follow(first.as_bytes()));
    assert!(!reader.follow(second.replace("\"v\":1", "\"v\":2").as_bytes()));
    assert!(reader.follow(second.as_bytes()));
    assert_eq!(reader.tree, chain.tree);
}

#[test]
fn a_key_of_today_does_not_make_the_lines_of_yesterday() {
    let state = State::new().unwrap();
    let mut chain = Chain::resume(&state, 2);
    let mut log = Vec::new();
    assert!(chain.record(b"{\"v\":1}", &mut log).is_none());
    let sealed = chain.record(b"{\"v\":1}", &mut log).unwrap();
    assert_eq!(sealed.size(), 2);
    assert_eq!(chain.ratchet.epoch(), 1);
    assert_ne!(*chain.state(0).key, *state.key);
    let mut thief = Chain::resume(&chain.state(0), 2);
    thief.tree = Frontier::default();
    thief.previous = [0; 32];
    let mut forged = Vec::new();
    thief.record(b"{\"v\":1}", &mut forged);
    let mut reader = Chain::resume(&state, 2);
    assert!(!reader.follow(forged.strip_suffix(b"\n").unwrap()));
}

#[test]
fn a_checkpoint_opens_with_its_key_and_as_it_was_signed_only() {
    let state = State::new().unwrap();
    let mut chain = Chain::resume(&state, 100);
    let mut log = Vec::new();
    chain.record(b"{\"v\":1}", &mut log);
    let sealed = chain.seal(&mut log);
    let key = chain.public();
    assert_eq!(PublicKey::parse(&key.text()), Some(key.clone()));
    let opened = Checkpoint::open(sealed.note(), &key).unwrap();
    assert_eq!((opened.size(), opened.root()), (1, sealed.root()));
    let other = Chain::resume(&State::new().unwrap(), 1).public();
    assert_eq!(
        Checkpoint::open(sealed.note(), &other),
        Err("is of another log")
    );
    for (from, to) in [("\n1\n", "\n2\n"), ("\n1\n", "\n01\n"), ("\u{2014}", "-")] {
        let changed = sealed.note().replace(from, to);
        assert!(Checkpoint::open(&changed, &key).is_err(), "{changed}");
    }
    let (body, _) = sealed.note().split_once("\u{2014}").unwrap();
    assert_eq!(
        Checkpoint::open(body, &key),
        Err("has no signature of this key")
    );
}

#[test]
fn a_state_that_was_half_written_is_none() {
    let mut state = State::new().unwrap();
    for n in 0..200_u64 {
        state.tree.push(leaf(&n.to_be_bytes()));
    }
    let slot = state.to_slot();
    assert_eq!(slot.len(), SLOT);
    let read = State::of_slot(&slot).unwrap();
    assert_eq!((read.tree, *read.key), (state.tree.clone(), *state.key));
    for at in (0..600).step_by(7) {
        let mut torn = slot.to_vec();
        torn[at] ^= 1;
        assert!(State::of_slot(&torn).is_none(), "{at}");
    }
    assert!(State::of_slot(&vec![0; SLOT]).is_none());
}
