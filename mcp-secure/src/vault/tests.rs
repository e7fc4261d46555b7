//! What only somebody inside could try: who has the master key and forges a record, and what a
//! response may spell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    People, Provided, Purse, Redactor, Reflection, Spends, Spent, Vault, VaultFile, VaultKey,
    admin::Open,
    crypt::Key,
    format::{NONCE, Record, Sealed, Slot},
    key::Material,
    provide::Kept,
};
use crate::capability::{Opening, net::Target};

/// Does not compile when a type has one of these traits: then two implementations fit the `_`.
macro_rules! has_none_of {
    ($($trait:path),+; $types:tt) => {$(has_none_of!(@ $trait; $types);)+};
    (@ $trait:path; [$($type:ty),+]) => {$(const _: fn() = || {
        trait Fits<A> {
            fn fits() {}
        }
        impl<T: ?Sized> Fits<()> for T {}
        struct Has;
        impl<T: ?Sized + $trait> Fits<Has> for T {}
        let _ = <$type as Fits<_>>::fits;
    };)+};
}

has_none_of!(
    std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize, AsRef<[u8]>, AsRef<str>;
    [Key, Kept, Material, Open, People, Provided, Purse, Redactor, Spent, Vault, VaultFile, VaultKey]
);

fn record(name: &str, hosts: &[&str]) -> Record {
    Record {
        name: name.to_owned(),
        version: 1,
        placement: "bearer".to_owned(),
        created: 1,
        hosts: hosts.iter().map(ToString::to_string).collect(),
        nonce: [0; NONCE],
        sealed: Vec::new(),
    }
}

#[test]
fn a_secret_does_not_open_under_other_words_than_it_was_sealed_with() {
    let (key, vault) = (Key::random().unwrap(), [7; 16]);
    let mut sealed = record("github", &["https://api.github.com"]);
    (sealed.nonce, sealed.sealed) = key.seal(b"s3cret", &sealed.aad(&vault)).unwrap();
    let opens = |change: &dyn Fn(&mut Record), vault: [u8; 16]| {
        let mut other = record("github", &["https://api.github.com"]);
        change(&mut other);
        let aad = other.aad(&vault);
        key.open(&sealed.nonce, &sealed.sealed, &aad).is_some()
    };
    assert!(opens(&|_| {}, vault));
    assert!(!opens(&|_| {}, [8; 16]));
    assert!(!opens(
        &|r| r.hosts.push("https://evil.example".into()),
        vault
    ));
    assert!(!opens(
        &|r| r.hosts = vec!["https://evil.example".into()],
        vault
    ));
    assert!(!opens(&|r| r.name = "gitlab".into(), vault));
    assert!(!opens(&|r| r.placement = "header x-echo".into(), vault));
    assert!(!opens(&|r| r.version = 2, vault));
    assert!(!opens(&|r| r.created = 2, vault));
    // Lengths go first: no two lists of words are one text.
    let (mut one, mut two) = (record("a", &["bc"]), record("ab", &["c"]));
    (one.placement, two.placement) = ("x".into(), "x".into());
    assert_ne!(one.aad(&vault), two.aad(&vault));
}

#[test]
fn a_file_that_asks_for_all_memory_is_not_obeyed() {
    let stretch = |memory: u32, passes: u32, lanes: u32| {
        let sealed = Sealed {
            id: [1; 16],
            generation: 1,
            slots: vec![Slot {
                id: [2; 8],
                stretch: Some(super::format::Stretch {
                    salt: [3; 16],
                    memory,
                    passes,
                    lanes,
                }),
                nonce: [4; NONCE],
                wrapped: vec![5; 48],
            }],
            records: Vec::new(),
        };
        let mut bytes = sealed.body();
        bytes.extend([0; 32]);
        Sealed::parse(&bytes).is_ok()
    };
    assert!(stretch(64 * 1024, 3, 1));
    for (memory, passes, lanes) in [
        (u32::MAX, 3, 1),
        (1024 * 1024, 3, 1),
        (64 * 1024, u32::MAX, 1),
        (64 * 1024, 3, u32::MAX),
        // And none that makes the passphrase cheap.
        (8, 3, 1),
        (64 * 1024, 1, 1),
        (64 * 1024, 3, 0),
    ] {
        assert!(!stretch(memory, passes, lanes), "{memory} {passes} {lanes}");
    }
}

fn through(redactor: &Arc<Redactor>, text: &[u8], step: usize) -> Vec<u8> {
    let mut guard = Reflection::new(Arc::clone(redactor));
    let mut out = Vec::new();
    for piece in text.chunks(step) {
        out.extend(guard.take(Bytes::copy_from_slice(piece)));
    }
    out.extend(guard.finish());
    out
}

#[test]
fn a_secret_that_comes_in_pieces_is_one_and_nothing_else_is_touched() {
    let secret = "tok_Zq8/x+y&\"9";
    let redactor = Arc::new(Redactor::new([secret.as_bytes()]).unwrap());
    let text = format!("tok_tok_Zq8 {secret}{secret} tok_Zq8/x+y& end tok_Zq8");
    let clean = "tok_tok_Zq8 [credential removed][credential removed] tok_Zq8/x+y& end tok_Zq8";
    for step in 1..text.len() + 1 {
        let out = through(&redactor, text.as_bytes(), step);
        assert_eq!(String::from_utf8(out).unwrap(), clean, "pieces of {step}");
    }
    // As JSON, HTML, a form and a URL have it.
    for spelt in [
        "tok_Zq8/x+y&\\\"9",
        "tok_Zq8\\/x+y&\\\"9",
        "tok_Zq8/x+y&amp;&quot;9",
        "tok_Zq8%2Fx%2By%26%229",
        "TOK_ZQ8%2fX%2bY%26%229",
        "tok_Zq8/x\\u002By\\u0026\\\"9",
    ] {
        let out = through(&redactor, spelt.as_bytes(), 3);
        assert_eq!(out, b"[credential removed]", "{spelt}");
    }
}

#[test]
fn what_cannot_be_the_secret_is_not_held_back() {
    let redactor = Arc::new(Redactor::new([b"tok_abcdefgh".as_slice()]).unwrap());
    let mut guard = Reflection::new(redactor);
    assert_eq!(
        guard.take(Bytes::from_static(b"data: one\n\n")),
        "data: one\n\n"
    );
    assert_eq!(guard.take(Bytes::from_static(b"data: tok_a")), "data: ");
    assert_eq!(guard.take(Bytes::from_static(b" no\n\n")), "tok_a no\n\n");
    assert!(!guard.hit());
}

#[test]
fn a_header_that_is_named_like_the_secret_is_dropped() {
    let redactor = Redactor::new([b"tok_abcdefgh".as_slice()]).unwrap();
    let mut headers = HeaderMap::new();
    let name = HeaderName::from_static("x-tok_abcdefgh");
    headers.insert(name, HeaderValue::from_static("1"));
    headers.insert("etag", HeaderValue::from_static("\"TOK_ABCDEFGH\""));
    headers.insert("server", HeaderValue::from_static("tok"));
    assert!(redactor.clean(&mut headers));
    assert_eq!(headers.len(), 2);
    assert_eq!(headers["etag"], "\"[credential removed]\"");
    assert_eq!(headers["server"], "tok");
    assert!(!redactor.clean(&mut headers));
}

#[cfg(unix)]
#[test]
fn an_operator_is_reminded_of_what_is_old_and_spent_and_of_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let days = |days: u64| {
        let now = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs();
        now - days * 24 * 3600 - 60
    };
    let key = VaultKey::file(path("k"));
    key.make().unwrap();
    let host = "https://api.example";
    let all = [("fresh", 89), ("old", 90), ("unspent", 900)].map(|(name, age)| {
        let mut record = record(name, &[host]);
        record.created = days(age);
        (record, zeroize::Zeroizing::new(b"a-long-secret".to_vec()))
    });
    VaultFile::at(path("v"))
        .create([7; 16], &key, || Ok(all.into()))
        .unwrap();
    let mut opening = Opening::default();
    Vault::file(path("v"), VaultKey::file(path("k")))
        .enter(&mut opening)
        .unwrap();
    let target = Target::parse(host, false).unwrap();
    for name in ["fresh", "old"] {
        Purse::open(Spends::new(name, false), &target, &mut opening).unwrap();
    }
    let lines = Vault::reminders(&mut opening);
    let of_age: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("days old"))
        .collect();
    let [line] = &of_age[..] else {
        unreachable!("{lines:?}");
    };
    assert!(line.contains("`old` is 90 days old"), "{line}");
}
