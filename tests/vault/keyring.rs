//! Keys in a real Secret Service (gnome-keyring on a bus of the test's own) and in a session
//! keyring of the kernel.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use crate::{
    scene::{CANARY, Scene},
    site::Site,
};

struct World {
    scene: Scene,
    site: Site,
    server: &'static str,
}

struct Said {
    out: String,
    err: String,
}

impl World {
    fn new() -> Self {
        let world = Self {
            scene: Scene::new(),
            site: Site::new(None),
            server: env!("CARGO_BIN_EXE_vault-target"),
        };
        for folder in ["home", "run"] {
            fs::create_dir(world.scene.at(folder)).unwrap();
            let only_ours = fs::Permissions::from_mode(0o700);
            fs::set_permissions(world.scene.at(folder), only_ours).unwrap();
        }
        world
    }

    /// Runs a script of the shell: `$SERVER` calls the tool of the server once.
    fn shell(&self, before: &[&str], keyring: &str, script: &str) -> Said {
        let calls = concat!(
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
            r#""capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
            "\n",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "\n",
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read","arguments":{"page":"plain"}}}"#,
            "\n"
        );
        let serve = format!(
            "(cat '{calls}'; sleep 2) | {server} --stdio --grant api={url} --grant other={url} \
             --grant files='{files}' --audit '{log}'",
            calls = self.scene.at("calls").display(),
            // One that provides has no file of a vault.
            server = match self.server {
                server if server.ends_with("provide") => format!("env -u VAULT '{server}'"),
                server => format!("'{server}'"),
            },
            url = self.site.url(),
            files = self.scene.at("files").display(),
            log = self.scene.at("log/a.jsonl").display(),
        );
        fs::write(self.scene.at("calls"), calls).unwrap();
        fs::write(self.scene.at("serve"), serve).unwrap();
        let mut command = match before {
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg("sh");
                command
            }
            [] => Command::new("sh"),
        };
        let mut child = command
            .args(["-c", script])
            .env("SERVE", self.scene.at("serve"))
            .env("SETUP", env!("CARGO_BIN_EXE_vault-keyring"))
            .env("KEY", self.scene.at("keys/0"))
            .env("VAULT", self.scene.at("vault/v"))
            .env("HOST", self.site.url())
            .env("VAULT_KEYRING", keyring)
            .env("PROVIDE", keyring)
            .env("PROVIDE_HOST", self.site.url())
            .env("PROVIDE_PLACEMENT", "bearer")
            .env("HOME", self.scene.at("home"))
            .env("XDG_RUNTIME_DIR", self.scene.at("run"))
            .env("XDG_DATA_HOME", self.scene.at("home/data"))
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the tests with `cargo xtask test`, which installs it");
        let _ = child.stdin.take().unwrap().write_all(CANARY.as_bytes());
        let output = child.wait_with_output().unwrap();
        Said {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn bus(&self, script: &str) -> Said {
        self.shell(&["dbus-run-session", "--"], "service", script)
    }

    fn session(&self, script: &str) -> Said {
        self.shell(&["keyctl", "session", "-"], "kernel", script)
    }

    #[track_caller]
    fn spent(&self, said: &Said) {
        assert!(said.out.contains("fine"), "{} {}", said.out, said.err);
        let seen = self.site.seen();
        assert!(seen.len() == 1 && seen[0].contains(CANARY), "{seen:?}");
    }

    /// It did not start, and says this.
    #[track_caller]
    fn stopped(&self, said: &Said, why: &str) {
        assert!(said.err.contains(why), "{} {}", said.out, said.err);
        assert!(!said.out.contains("fine") && self.site.seen().is_empty());
        assert!(!said.err.contains(CANARY));
    }
}

const UNLOCK: &str =
    "printf pass | gnome-keyring-daemon --unlock --components=secrets >/dev/null; ";
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null; ";
const SETUP: &str = "\"$SETUP\" \"$VAULT\" \"$HOST\"; ";
const SERVE: &str = "sh \"$SERVE\"";
/// The key of the vault, in the session keyring.
const PUT: &str = "KEY_ID=$(keyctl padd user mcp-secure:stars @s < \"$KEY\") && ";

#[test]
fn a_server_reads_its_key_from_a_real_secret_service() {
    let world = World::new();
    let said = world.bus(&format!("{UNLOCK}{SETUP}{SERVE}"));
    assert!(
        said.out.contains("made: true, again: false"),
        "{} {}",
        said.out,
        said.err
    );
    world.spent(&said);
}

#[test]
fn a_secret_service_that_is_absent_locked_or_empty_stops_the_start() {
    let world = World::new();
    let said = world.bus(&format!("{UNLOCK}{SETUP}"));
    assert!(said.out.contains("made: true"), "{} {}", said.out, said.err);
    // Another session, in which nobody has unlocked it, and nobody can be asked.
    let said = world.bus(&format!("{LOCKED}{SERVE}"));
    world.stopped(&said, "the Secret Service");
    assert!(said.err.contains("locked"), "{}", said.err);
    // No bus at all.
    let said = world.shell(&[], "service", SERVE);
    world.stopped(&said, "there is no Secret Service");
    // The keyring of somebody who has none.
    fs::remove_dir_all(world.scene.at("home/data")).unwrap();
    let said = world.bus(&format!("{UNLOCK}{SERVE}"));
    world.stopped(&said, "the Secret Service has no key `stars`");
}

#[test]
fn a_server_reads_its_key_from_its_session_keyring() {
    let world = World::new();
    world.scene.filled(&world.site.url());
    let said = world.session(&format!("{PUT}{SERVE}"));
    world.spent(&said);
}

#[test]
fn a_session_keyring_that_is_empty_or_open_to_others_stops_the_start() {
    let world = World::new();
    world.scene.filled(&world.site.url());
    let said = world.session(SERVE);
    world.stopped(&said, "there is no key `stars` in the session keyring");
    let said = world.session(&format!("{PUT} keyctl setperm $KEY_ID 0x3f030000; {SERVE}"));
    world.stopped(&said, "can be read by who does not possess it");
    let said = world.session(&format!("{PUT} keyctl revoke $KEY_ID; {SERVE}"));
    world.stopped(&said, "the session keyring");
    // The keyring of the user is not searched for want of another.
    let in_users = "KEY_ID=$(keyctl padd user mcp-secure:stars @us < \"$KEY\"); ";
    let said = world.session(&format!("{in_users}{SERVE}; keyctl unlink $KEY_ID @us"));
    world.stopped(&said, "there is no key `stars` in the session keyring");
}

/// The secret itself, and no vault.
#[test]
fn one_secret_of_a_keyring_is_spent_and_one_that_is_not_there_stops_the_start() {
    let mut world = World::new();
    world.server = env!("CARGO_BIN_EXE_vault-provide");
    let said = world.session(SERVE);
    world.stopped(&said, "there is no key `stars` in the session keyring");
    let said = world.session(&format!("{PUT} keyctl setperm $KEY_ID 0x3f030000; {SERVE}"));
    world.stopped(&said, "can be read by who does not possess it");
    let said = world.bus(&format!("{UNLOCK}{SERVE}"));
    world.stopped(&said, "the Secret Service has no key `stars`");
    let said = world.session(&format!("{PUT}{SERVE}"));
    assert!(said.out.contains("fine"), "{} {}", said.out, said.err);
    let secret = fs::read_to_string(world.scene.at("keys/0")).unwrap();
    let seen = world.site.seen();
    assert!(
        seen.len() == 1 && seen[0].contains(secret.trim_end()),
        "{seen:?}"
    );
    // What `SETUP` makes under this name is as good a secret as another.
    let said = world.bus(&format!("{UNLOCK}{SETUP}{SERVE}"));
    assert!(said.out.contains("fine"), "{} {}", said.out, said.err);
    let seen = world.site.seen();
    assert!(seen.len() == 2 && seen[1].contains("Bearer ") && seen[1] != seen[0]);
}
