#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! What the file holds, and what is done to it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use super::*;

fn file() -> (tempfile::TempDir, KeyFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = KeyFile::at(folder.path().join("keys/keys.json"));
    (folder, file)
}

fn within(seconds: u64) -> Lifetime {
    Lifetime::Until(SystemTime::now() + Duration::from_secs(seconds))
}

fn alice() -> NewKey {
    NewKey::new("alice", within(3600)).scopes(["notes:read"])
}

fn said<T>(result: Result<T>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn the_file_is_private_holds_no_key_and_leaves_no_draft() {
    let (_folder, file) = file();
    assert!(said(file.list()).contains("cannot be opened"));
    let keys = [file.add(&alice()).unwrap(), file.add(&alice()).unwrap()];
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(file.path()), 0o600);
    let folder = file.path().parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    let text = fs::read_to_string(file.path()).unwrap();
    for key in &keys {
        assert!(!text.contains(&key.secret.reveal()[17..]));
        assert!(!format!("{:?}", key.entry).contains("sha256"));
    }
    let list = file.list().unwrap();
    assert_eq!(list, keys.map(|key| key.entry));
}

#[test]
fn of_many_writers_at_once_none_undoes_another() {
    let (_folder, file) = file();
    file.add(&alice()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..4 {
                    file.add(&alice()).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..50 {
                file.list().unwrap();
            }
        });
    });
    assert_eq!(file.list().unwrap().len(), 33);
}

#[test]
fn an_end_is_said_or_that_there_is_none() {
    let (_folder, file) = file();
    let later = SystemTime::now() + Duration::from_secs(7200);
    for (new, words) in [
        (
            NewKey::new("a", Lifetime::Until(SystemTime::now())),
            "over before it is good",
        ),
        (alice().not_before(later), "over before it is good"),
        (
            NewKey::new("a", Lifetime::Until(later + Duration::from_secs(1 << 40))),
            "too far away",
        ),
        (NewKey::new("", within(9)), "has a subject"),
        (NewKey::new("a b", within(9)), "has a subject"),
        (NewKey::new("a\u{202e}", within(9)), "has a subject"),
        (NewKey::new("x".repeat(129), within(9)), "has a subject"),
        (NewKey::new("a", within(9)).scopes(["a b"]), "has a scope"),
        (NewKey::new("a", within(9)).scopes(["a\"b"]), "has a scope"),
        (NewKey::new("a", within(9)).scopes([""]), "has a scope"),
    ] {
        let error = said(file.add(&new));
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(file.list().is_err(), "nothing was written");
    let forever = file.add(&NewKey::new("a", Lifetime::NoExpiry)).unwrap();
    assert_eq!(forever.entry.expires(), None);
    assert!(
        fs::read_to_string(file.path())
            .unwrap()
            .contains("\"no_expiry\": true")
    );
}

#[test]
fn a_rotation_shortens_the_old_key_and_never_lengthens_it() {
    let (_folder, file) = file();
    let old = file.add(&alice()).unwrap().entry;
    let new = file
        .rotate(old.id(), Duration::from_secs(60), None)
        .unwrap()
        .entry;
    assert_eq!(
        (new.subject(), new.state(SystemTime::now())),
        ("alice", KeyState::Active)
    );
    assert_eq!(new.scopes().collect::<Vec<_>>(), ["notes:read"]);
    assert!(new.expires() >= old.expires());
    let shortened = file.list().unwrap()[0].clone();
    assert!(shortened.expires() < old.expires());
    // With a longer overlap than the old one has left.
    file.rotate(old.id(), Duration::from_secs(9999), None)
        .unwrap();
    assert_eq!(file.list().unwrap()[0].expires(), shortened.expires());

    let forever = file
        .add(&NewKey::new("bob", Lifetime::NoExpiry))
        .unwrap()
        .entry;
    let overlap = Duration::from_secs(60);
    assert!(said(file.rotate(forever.id(), overlap, None)).contains("needs to have it said"));
    file.rotate(forever.id(), overlap, Some(within(9999)))
        .unwrap();
    let ended = file
        .list()
        .unwrap()
        .into_iter()
        .find(|k| k.id() == forever.id());
    assert!(ended.unwrap().expires().is_some());

    file.revoke(new.id()).unwrap();
    assert!(said(file.rotate(new.id(), overlap, None)).contains("is revoked"));
    assert!(said(file.rotate("aaaaaaaaaaaa", overlap, None)).contains("there is no key"));
    let before = file.list().unwrap().len();
    assert_eq!(file.prune().unwrap(), 1);
    assert_eq!(file.list().unwrap().len(), before - 1);
}

#[test]
fn who_gives_the_key_for_its_id_does_not_read_it_again() {
    let (_folder, file) = file();
    let key = file.add(&alice()).unwrap();
    let error = said(file.revoke(key.secret.reveal()));
    assert!(
        error.contains("not the id") && !error.contains("msk_"),
        "{error}"
    );
}

#[test]
fn there_are_only_so_many_keys() {
    let (_folder, file) = file();
    file.add(&alice()).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let first = document["keys"][0].clone();
    let letters = "abcdefghij";
    document["keys"] = (0..MOST_KEYS)
        .map(|n| {
            let digits = format!("{n:012}");
            let id: String = digits
                .chars()
                .map(|d| letters.as_bytes()[d.to_digit(10).unwrap() as usize] as char)
                .collect();
            let mut key = first.clone();
            key["id"] = id.into();
            key
        })
        .collect();
    fs::write(file.path(), document.to_string()).unwrap();
    assert_eq!(file.list().unwrap().len(), MOST_KEYS);
    assert!(said(file.add(&alice())).contains("more than 1000 keys"));
    assert_eq!(file.list().unwrap().len(), MOST_KEYS, "it is as it was");
    fs::write(file.path(), " ".repeat(5 << 20)).unwrap();
    assert!(said(file.list()).contains("larger than"));
}

#[test]
fn what_others_could_have_written_is_not_read_and_not_changed() {
    let (folder, file) = file();
    file.add(&alice()).unwrap();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for bad in [0o644, 0o620, 0o604, 0o700] {
        set(file.path(), bad);
        assert!(said(file.list()).contains("open to other users"), "{bad:o}");
        assert!(
            said(file.add(&alice())).contains("open to other users"),
            "{bad:o}"
        );
    }
    set(file.path(), 0o600);
    let inside = file.path().parent().unwrap().to_owned();
    set(&inside, 0o777);
    assert!(said(file.list()).contains("can be written by other users"));
    set(&inside, 0o700);
    let real = inside.join("real.json");
    fs::rename(file.path(), &real).unwrap();
    symlink(&real, file.path()).unwrap();
    assert!(said(file.list()).contains("is a symbolic link"));
    fs::remove_file(file.path()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, file.path(), rustix::fs::Mode::RUSR).unwrap();
    assert!(said(file.list()).contains("is not a regular file"));
    let link = folder.path().join("link");
    symlink(&inside, &link).unwrap();
    assert!(KeyFile::at(link.join("real.json")).list().is_err());
    assert!(said(KeyFile::at("/keys.json").list()).contains("lies in `/`"));
}
