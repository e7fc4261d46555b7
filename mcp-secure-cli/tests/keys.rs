//! `keys`, as an operator uses it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("keys/keys.json")
    }

    fn keys(&self, line: &str) -> Said {
        let mut words = line.split(' ');
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
            .args(["keys", words.next().unwrap(), "--file"])
            .arg(self.file())
            .args(words)
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The key and its id.
    fn issued(&self, line: &str) -> (String, String) {
        let said = self.keys(line);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let key = said.out.strip_suffix('\n').unwrap().to_owned();
        let id = key.split('_').nth(1).unwrap().to_owned();
        assert!(
            key.starts_with("msk_") && key.len() == 66,
            "alone on its line"
        );
        assert!(!said.err.contains(&key[17..]));
        (key, id)
    }
}

#[test]
fn a_key_is_printed_once_and_listed_by_its_id() {
    let world = World::new();
    let (key, id) =
        world.issued("add --subject build --scope a:read --scope a:write --expires 90d");
    let (other, _) = world.issued("add --subject night --no-expiry --not-before 2090-01-01");
    let listed = world.keys("list");
    assert_eq!(listed.out.lines().count(), 2);
    let first = listed.out.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("{id}  active   build  ")),
        "{first}"
    );
    assert!(first.ends_with("  a:read a:write"), "{first}");
    let second = listed.out.lines().nth(1).unwrap();
    assert!(second.contains("not yet  night  no expiry"), "{second}");
    assert!(second.contains("from 2090-01-01T00:00:00Z"), "{second}");
    let file = fs::read_to_string(world.file()).unwrap();
    for secret in [&key[17..], &other[17..]] {
        assert!(!listed.out.contains(secret) && !listed.err.contains(secret));
        assert!(!file.contains(secret));
    }
}

#[test]
fn a_key_has_an_end_or_somebody_says_that_it_has_none() {
    let world = World::new();
    for (line, words) in [
        ("add --subject a", "--expires"),
        (
            "add --subject a --expires 9d --no-expiry",
            "cannot be used with",
        ),
        ("add --subject a --expires soon", "is not like 90d"),
        ("add --subject a --expires 0s", "over before it is good"),
        (
            "add --subject a --expires 2020-01-01",
            "over before it is good",
        ),
        (
            "add --subject a --expires 99999999999999999d",
            "is not like 90d",
        ),
        ("add --expires 9d", "--subject"),
    ] {
        let said = world.keys(line);
        assert_ne!(said.code, Some(0), "{line}");
        assert!(said.err.contains(words), "{line}: {}", said.err);
        assert_eq!(said.out, "", "{line}");
    }
    assert!(!world.file().exists());
}

#[test]
fn a_key_is_rotated_revoked_and_forgotten() {
    let world = World::new();
    let (_, old) = world.issued("add --subject a --scope s --expires 2090-01-01T00:00:00Z");
    let (_, new) = world.issued(&format!("rotate {old} --overlap 7d"));
    assert_ne!(old, new);
    let said = world.keys(&format!("revoke {old}"));
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""));
    let listed = world.keys("list").out;
    assert!(
        listed.contains(&format!("{old}  revoked")) && listed.contains(&format!("{new}  active"))
    );
    let again = world.keys(&format!("rotate {old} --overlap 7d"));
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("is revoked") && again.out.is_empty());
    assert!(world.keys("prune").err.contains("1 forgotten"));
    assert!(!world.keys("list").out.contains(&old));
    let gone = world.keys(&format!("revoke {old}"));
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("there is no key"));
}

#[test]
fn a_key_that_nobody_could_read_is_revoked() {
    let world = World::new();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
        .args(["keys", "add", "--subject", "a", "--expires", "9d", "--file"])
        .arg(world.file())
        .stdout(Stdio::from(full))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("cannot be printed") && said.contains("is revoked"),
        "{said}"
    );
    assert!(world.keys("list").out.contains("revoked"));
}

#[test]
fn a_file_that_others_read_is_not_taken() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.issued("add --subject a --expires 9d");
    let set =
        |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    set(&world.file(), 0o644);
    for line in [
        "list",
        "add --subject a --expires 9d",
        "prune",
        "revoke aaaaaaaaaaaa",
    ] {
        let said = world.keys(line);
        assert_eq!(said.code, Some(1), "{line}");
        assert!(
            said.err.contains("chmod 600") && said.out.is_empty(),
            "{line}"
        );
    }
}
