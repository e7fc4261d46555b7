//! The file, changed by somebody without its key.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use mcp_secure::vault::{NewCredential, Placement, VaultFile, VaultKey};
use secrecy::SecretString;

use crate::scene::{CANARY, Scene};

const HOST: &str = "https://api.example";

fn why(file: &VaultFile, key: &VaultKey) -> String {
    file.list(key)
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default()
}

#[test]
fn every_bit_of_the_file_counts() {
    let scene = Scene::new();
    scene.filled(HOST);
    let path = scene.at("vault/v");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            let error = why(&scene.file(), &scene.key());
            assert!(!error.is_empty(), "bit {bit} of byte {at} says nothing");
            assert!(!error.contains(CANARY));
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(scene.file().list(&scene.key()).unwrap().len(), 3);
}

#[test]
fn a_torn_file_is_an_error_at_each_length_and_no_empty_vault() {
    let scene = Scene::new();
    scene.filled(HOST);
    let path = scene.at("vault/v");
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(!why(&scene.file(), &scene.key()).is_empty(), "{len} bytes");
    }
    let credential = NewCredential::new("new", Placement::Bearer, [HOST]).unwrap();
    let secret = SecretString::from("a secret of its own".replace(' ', "-"));
    fs::write(&path, b"").unwrap();
    let error = scene.file().set(&scene.key(), &credential, &secret);
    assert!(error.unwrap_err().to_string().contains("restore"));
    assert_eq!(fs::read(&path).unwrap(), b"", "nothing was written over it");
    // The generation before has all but what the last change brought.
    scene.anchored().restore(&scene.key()).unwrap();
    let names: Vec<_> = scene.anchored().list(&scene.key()).unwrap();
    let names: Vec<_> = names.iter().map(|entry| entry.name()).collect();
    assert_eq!(names, ["key", "token"]);
}

#[test]
fn an_older_vault_is_refused_where_there_is_an_anchor_and_only_there() {
    let scene = Scene::new();
    scene.filled(HOST);
    let (path, anchor) = (scene.at("vault/v"), scene.at("keys/anchor/a"));
    let old = fs::read(&path).unwrap();
    assert_eq!(
        scene.store(
            &scene.anchored(),
            "token",
            Placement::Bearer,
            HOST,
            "renewed-secret"
        ),
        2
    );
    let new = fs::read(&path).unwrap();
    fs::write(&path, &old).unwrap();
    assert!(why(&scene.anchored(), &scene.key()).contains("rolled back"));
    assert_eq!(why(&scene.file(), &scene.key()), "", "nothing else tells");
    // Nor is it written to.
    assert!(scene.anchored().remove(&scene.key(), "token").is_err());
    // Without its anchor a vault does not open, and another's is none.
    fs::write(&path, &new).unwrap();
    let kept = fs::read(&anchor).unwrap();
    fs::remove_file(&anchor).unwrap();
    assert!(why(&scene.anchored(), &scene.key()).contains("no anchor"));
    for torn in [
        &kept[..kept.len() - 1],
        b"",
        b"mcp-secure vault anchor v1 \n",
    ] {
        fs::write(&anchor, torn).unwrap();
        fs::set_permissions(&anchor, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(why(&scene.anchored(), &scene.key()).contains("torn"));
    }
    let other = Scene::new();
    other.filled(HOST);
    fs::copy(other.at("keys/anchor/a"), &anchor).unwrap();
    assert!(why(&scene.anchored(), &scene.key()).contains("another vault"));
    scene.anchored().write_anchor(&scene.key()).unwrap();
    assert_eq!(why(&scene.anchored(), &scene.key()), "");
}

#[test]
fn a_file_that_others_could_have_made_is_not_read() {
    let scene = Scene::new();
    scene.filled(HOST);
    let path = scene.at("vault/v");
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for open in [0o644, 0o640, 0o602, 0o700] {
        mode(open);
        assert!(
            why(&scene.file(), &scene.key()).contains("chmod 600"),
            "{open:o}"
        );
    }
    mode(0o600);
    fs::hard_link(&path, scene.at("vault/second")).unwrap();
    assert!(why(&scene.file(), &scene.key()).contains("hard link"));
    fs::remove_file(scene.at("vault/second")).unwrap();
    fs::rename(&path, scene.at("vault/real")).unwrap();
    symlink(scene.at("vault/real"), &path).unwrap();
    assert!(why(&scene.file(), &scene.key()).contains("symbolic link"));
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(why(&scene.file(), &scene.key()).contains("regular file"));
    fs::remove_file(&path).unwrap();
    assert!(why(&scene.file(), &scene.key()).contains("vault init"));
    fs::rename(scene.at("vault/real"), &path).unwrap();
    fs::set_permissions(scene.at("vault"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(why(&scene.file(), &scene.key()).contains("other users"));
    fs::set_permissions(scene.at("vault"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(why(&scene.file(), &scene.key()), "");
}

#[test]
fn the_old_key_opens_nothing_after_a_rewrap_nor_another_source_in_its_place() {
    let scene = Scene::new();
    scene.filled(HOST);
    let (file, new) = (scene.anchored(), VaultKey::file(scene.at("keys/1")));
    assert!(why(&file, &new).contains("does not open with a key file"));
    file.rewrap(&scene.key(), &new, false).unwrap();
    assert!(!why(&file, &scene.key()).is_empty());
    assert_eq!(file.list(&new).unwrap().len(), 3);
    assert!(
        !scene.at("vault/v.prev").exists(),
        "the old key would open it"
    );
    // A passphrase besides it; a rotation would lose it, and says so.
    let passphrase = || VaultKey::passphrase(SecretString::from("correct horse battery staple"));
    file.rewrap(&new, &passphrase(), true).unwrap();
    assert_eq!(file.list(&passphrase()).unwrap().len(), 3);
    let wrong = VaultKey::passphrase(SecretString::from("correct horse battery stable"));
    assert!(why(&file, &wrong).contains("does not open with a passphrase"));
    assert!(file.rotate(&new, false).is_err());
    assert_eq!(file.rotate(&new, true).unwrap(), 3);
    assert!(!why(&file, &passphrase()).is_empty());
    assert_eq!(file.list(&new).unwrap().len(), 3);
    // What is no key is none, whatever it is called.
    for (text, help) in [
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "openssl"),
        ("short", "openssl"),
    ] {
        fs::write(scene.at("keys/bad"), text).unwrap();
        fs::set_permissions(scene.at("keys/bad"), fs::Permissions::from_mode(0o600)).unwrap();
        let bad = VaultKey::file(scene.at("keys/bad"));
        let error = file.rewrap(&new, &bad, true).unwrap_err().to_string();
        assert!(error.contains(help), "{error}");
    }
    let short = VaultKey::passphrase(SecretString::from("hunter2"));
    assert!(file.rewrap(&new, &short, true).is_err());
    let gone = VaultKey::systemd("vault");
    assert!(
        why(&file, &gone).contains("CREDENTIALS_DIRECTORY"),
        "no other source is tried"
    );
}

#[test]
fn a_copy_has_a_key_of_its_own() {
    let scene = Scene::new();
    scene.filled(HOST);
    let copy = VaultFile::at(scene.at("vault/copy"));
    let passphrase = || VaultKey::passphrase(SecretString::from("correct horse battery staple"));
    assert_eq!(
        scene
            .file()
            .export(&scene.key(), &copy, &passphrase())
            .unwrap(),
        3
    );
    assert_eq!(copy.list(&passphrase()).unwrap().len(), 3);
    assert!(!why(&copy, &scene.key()).is_empty());
    let again = scene.file().export(&scene.key(), &copy, &passphrase());
    assert!(again.unwrap_err().to_string().contains("already"));
    for file in ["vault/v", "vault/v.prev", "vault/copy"] {
        let bytes = fs::read(scene.at(file)).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()));
    }
}

#[test]
fn what_is_no_credential_is_not_stored() {
    let new =
        |name: &str, placement, host: &str| NewCredential::new(name, placement, [host]).is_ok();
    assert!(new("github", Placement::Bearer, HOST));
    assert!(new("local", Placement::Bearer, "http://127.0.0.1:80"));
    for name in ["", "GitHub", "../x", "a b", "1st", "a\n"] {
        assert!(!new(name, Placement::Bearer, HOST), "{name:?}");
    }
    for host in [
        "api.example",
        "http://api.example",
        "https://*.example.com",
        "https://user@api.example",
        "https://api.example/../x",
        "https://api.example?x",
        "ftp://api.example",
    ] {
        assert!(!new("github", Placement::Bearer, host), "{host}");
    }
    for header in [
        "host",
        "cookie",
        "X-Api-Key",
        "content-length",
        "a b",
        "",
        "x-forwarded-for",
    ] {
        assert!(
            !new("github", Placement::Header(header.into()), HOST),
            "{header}"
        );
    }
    let scene = Scene::new();
    scene.filled(HOST);
    for (placement, secret) in [
        (Placement::Bearer, "h7nt3r2"),
        (Placement::Bearer, "has a space in it"),
        (Placement::Bearer, "ends-with-a-line\n"),
        (Placement::Header("x-api-key".into()), "two\r\nheaders: 1"),
        (Placement::Basic, "no-colon-in-it"),
    ] {
        let credential = NewCredential::new("bad", placement, [HOST]).unwrap();
        let error = scene
            .file()
            .set(&scene.key(), &credential, &SecretString::from(secret));
        let error = error.unwrap_err().to_string();
        assert!(!error.contains(secret), "{error}");
    }
}
