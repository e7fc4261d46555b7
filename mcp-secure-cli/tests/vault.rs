//! `vault`, as an operator uses it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;

const SECRET: &str = "ghp_canary0123456789";

struct World {
    folder: TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        Self { folder }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Runs `vault` in the folder, with this on standard input.
    fn vault(&self, line: &str, input: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-secure"))
            .arg("vault")
            .args(line.split(' '))
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read it has ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET));
        said
    }

    fn fine(&self, line: &str, input: &str) -> Said {
        let said = self.vault(line, input);
        assert_eq!(said.code, Some(0), "{line}: {}", said.err);
        said
    }
}

const OPEN: &str = "--vault v/v --key-file keys/k --anchor keys/a";

#[test]
fn a_secret_goes_in_and_no_verb_prints_it() {
    let world = World::new();
    world.fine(&format!("init {OPEN}"), "");
    for file in ["v/v", "keys/k", "keys/a"] {
        let mode = fs::metadata(world.at(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let host = "--host https://api.github.com";
    let said = world.fine(&format!("set github {OPEN} {host}"), &format!("{SECRET}\n"));
    assert!(said.err.contains("version 1"));
    let said = world.fine(
        &format!("set github {OPEN} {host} --header X-Api-Key"),
        SECRET,
    );
    assert!(said.err.contains("version 2"));
    let listed = world.fine(&format!("list {OPEN}"), "").out;
    assert!(listed.starts_with("github  v2 "), "{listed}");
    assert!(
        listed.contains("header x-api-key  https://api.github.com"),
        "{listed}"
    );
    world.fine(&format!("rotate {OPEN}"), "");
    world.fine(&format!("rewrap {OPEN} --new-key-file keys/k2"), "");
    assert_eq!(world.vault(&format!("list {OPEN}"), "").code, Some(1));
    let open = OPEN.replace("keys/k", "keys/k2");
    fs::write(world.at("keys/p"), "correct horse battery").unwrap();
    fs::set_permissions(world.at("keys/p"), fs::Permissions::from_mode(0o600)).unwrap();
    world.fine(
        &format!("export {open} --to v/copy --new-passphrase-file keys/p"),
        "",
    );
    let copy = world
        .fine("list --vault v/copy --passphrase-file keys/p", "")
        .out;
    assert_eq!(copy, world.fine(&format!("list {open}"), "").out);
    world.fine(&format!("rm github {open}"), "");
    assert_eq!(world.fine(&format!("list {open}"), "").out, "");
    assert!(!world.at("v/v.prev").exists());
}

#[test]
fn what_is_wrong_is_said_with_its_own_code_and_changes_nothing() {
    let world = World::new();
    world.fine(&format!("init {OPEN}"), "");
    let before = fs::read(world.at("v/v")).unwrap();
    let host = "--host https://api.github.com";
    for (line, input, code, word) in [
        (format!("init {OPEN}"), "", 1, "already"),
        (format!("set GitHub {OPEN} {host}"), SECRET, 1, "lower case"),
        (format!("set github {OPEN} {host}"), "", 1, "empty"),
        (format!("set github {OPEN} {host}"), "sh0rt", 1, "8 bytes"),
        (format!("set github {OPEN}"), SECRET, 2, "--host"),
        (
            format!("set github --vault v/v {host}"),
            SECRET,
            2,
            "--key-file",
        ),
        (
            format!("set github {OPEN} {host} --passphrase"),
            SECRET,
            2,
            "cannot be used",
        ),
        (
            format!("set github {SECRET} {OPEN} {host}").replace(SECRET, "x"),
            SECRET,
            2,
            "unexpected",
        ),
        (
            format!("set github {OPEN} --host http://api.github.com"),
            SECRET,
            1,
            "plain HTTP",
        ),
        (format!("rm github {OPEN}"), "", 1, "no credential"),
        (
            format!("list {}", OPEN.replace("v/v", "v/w")),
            "",
            1,
            "vault init",
        ),
        (
            format!("list {}", OPEN.replace("keys/k", "keys/none")),
            "",
            1,
            "cannot be read",
        ),
        (
            "list --vault v/v --key-fd 77".to_owned(),
            "",
            1,
            "descriptor 77",
        ),
    ] {
        let said = world.vault(&line, input);
        assert_eq!(said.code, Some(code), "{line}: {}", said.err);
        assert!(said.err.contains(word), "{line}: {}", said.err);
    }
    assert_eq!(fs::read(world.at("v/v")).unwrap(), before);
}

#[test]
fn a_secret_moves_out_of_an_environment_file() {
    let world = World::new();
    world.fine(&format!("init {OPEN}"), "");
    let text = format!("# tokens\nA=1\nexport TOKEN=\"{SECRET}\"\nTOKEN_2=b\n");
    fs::write(world.at(".env"), &text).unwrap();
    // Another name of the old file shows what became of its bytes.
    fs::hard_link(world.at(".env"), world.at("old")).unwrap();
    let import =
        format!("import github {OPEN} --env-file .env --host https://api.github.com --variable");
    assert_eq!(world.vault(&format!("{import} NONE"), "").code, Some(1));
    assert_eq!(fs::read_to_string(world.at(".env")).unwrap(), text);
    let said = world.fine(&format!("{import} TOKEN"), "");
    assert!(said.err.contains("warning"), "{}", said.err);
    let left = fs::read_to_string(world.at(".env")).unwrap();
    assert_eq!(left, "# tokens\nA=1\nTOKEN_2=b\n");
    let old = fs::read(world.at("old")).unwrap();
    assert!(old.iter().all(|byte| *byte == 0));
    assert!(
        world
            .fine(&format!("list {OPEN}"), "")
            .out
            .starts_with("github")
    );
}

#[test]
fn a_torn_vault_is_restored_and_stays_ahead_of_its_anchor() {
    let world = World::new();
    world.fine(&format!("init {OPEN}"), "");
    for name in ["one", "two"] {
        world.fine(
            &format!("set {name} {OPEN} --host https://a.example"),
            SECRET,
        );
    }
    fs::write(world.at("v/v"), "").unwrap();
    let said = world.vault(&format!("list {OPEN}"), "");
    assert!(
        said.code == Some(1) && said.err.contains("restore"),
        "{}",
        said.err
    );
    world.fine(&format!("restore {OPEN}"), "");
    let listed = world.fine(&format!("list {OPEN}"), "").out;
    assert!(
        listed.starts_with("one ") && listed.lines().count() == 1,
        "{listed}"
    );
}

#[test]
fn what_callers_have_is_kept_apart_and_forgotten() {
    let world = World::new();
    world.fine(&format!("init {OPEN}"), "");
    let of = |verb: &str, who: &str| {
        format!(
            "people {verb} {OPEN} --people people --issuer https://login.example --subject {who}"
        )
    };
    let set = of("set", "alice") + " --host https://api.github.com github";
    world.fine(&set, SECRET);
    assert!(world.fine(&set, SECRET).err.contains("version 2"));
    assert!(
        world
            .fine(&of("list", "alice"), "")
            .out
            .starts_with("github  v2")
    );
    assert_eq!(world.fine(&of("list", "bob"), "").out, "");
    // It is none of the server's.
    assert_eq!(world.fine(&format!("list {OPEN}"), "").out, "");
    let said = world.vault(&(of("rm", "bob") + " github"), "");
    assert_eq!(said.code, Some(1), "{}", said.err);
    // The key of all callers is sealed anew, and stays what it is.
    world.fine(&format!("rotate {OPEN}"), "");
    assert!(
        world
            .fine(&of("list", "alice"), "")
            .out
            .starts_with("github")
    );
    // Unless it is said where those are who have one of it.
    let moved = world.fine(&format!("rotate {OPEN} --people people"), "");
    assert!(moved.err.contains("1 callers moved"), "{}", moved.err);
    assert!(
        world
            .fine(&of("list", "alice"), "")
            .out
            .starts_with("github  v2")
    );
    // An anchor of theirs: what was there before has one when it is said to.
    let anchored = |verb: &str| of(verb, "alice") + " --people-anchors anchors";
    let said = world.vault(&anchored("list"), "");
    assert!(said.err.contains("the anchor"), "{}", said.err);
    world.fine(&anchored("anchor"), "");
    assert!(world.fine(&anchored("list"), "").out.starts_with("github"));
    assert!(
        world
            .fine(&of("forget", "alice"), "")
            .err
            .contains("forgotten")
    );
    assert_eq!(world.fine(&of("list", "alice"), "").out, "");
    assert!(
        world
            .fine(&of("forget", "alice"), "")
            .err
            .contains("nothing")
    );
}

#[test]
fn a_key_comes_from_a_program_and_from_a_whole_one() {
    let world = World::new();
    world.fine("init --vault v/v --key-file keys/k", "");
    let list = |program: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-secure"));
        child.args(["vault", "list", "--vault", "v/v", "--key-command", program]);
        let output = child.current_dir(world.folder.path()).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(list("/bin/cat keys/k"), (true, String::new()));
    for (program, why) in [
        ("cat keys/k", "absolute path"),
        ("/bin/false", "failed"),
        ("/bin/true", "printed nothing"),
        ("/usr/bin/yes x", "more than any key"),
        ("/bin/none", "cannot be started"),
    ] {
        let (fine, said) = list(program);
        assert!(!fine && said.contains(why), "{program}: {said}");
    }
    // What is printed by a program that then fails is no key.
    fs::write(world.at("print"), "#!/bin/sh\ncat keys/k; exit 3\n").unwrap();
    fs::set_permissions(world.at("print"), fs::Permissions::from_mode(0o755)).unwrap();
    let (fine, said) = list(world.at("print").to_str().unwrap());
    assert!(!fine && said.contains("failed"), "{said}");
}

#[test]
fn an_old_credential_fails_the_audit() {
    let world = World::new();
    world.fine(&format!("init {OPEN}"), "");
    world.fine(&format!("set one {OPEN} --host https://a.example"), SECRET);
    world.fine(
        &format!("set trap {OPEN} --canary --host https://a.example"),
        SECRET,
    );
    let said = world.fine(&format!("audit {OPEN}"), "").out;
    assert_eq!(
        said,
        "one  v1  0 days  no log was read\ntrap  v1  0 days  no log was read\n"
    );
    let said = world.vault(&format!("audit {OPEN} --old 0"), "");
    assert_eq!(said.code, Some(1));
    assert_eq!(said.out.matches("renew it").count(), 1, "{}", said.out);
}
