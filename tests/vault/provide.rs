//! Credentials that come from elsewhere: a program, another vault on the network, a keyring. The
//! server is a real one, with its sandbox.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use mcp_secure::vault::Placement;
use serde_json::{Value, json};

use crate::{
    bao::{Bao, SECRET_ID, TOKEN},
    scene::{CANARY, Said, Scene},
    site::Site,
    wire::is_clean,
};

struct Provided {
    scene: Scene,
    api: Site,
    other: Site,
    bao: Bao,
    env: BTreeMap<&'static str, String>,
}

/// A server that runs.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    audit: std::path::PathBuf,
    said: String,
}

impl Provided {
    fn new(kind: &str) -> Self {
        let other = Site::new(None);
        let api = Site::new(Some(other.address));
        let (scene, bao) = (Scene::new(), Bao::new(CANARY));
        std::fs::create_dir(scene.at("helper")).unwrap();
        let mut all = Self {
            env: BTreeMap::from([
                ("PROVIDE", kind.to_owned()),
                ("PROVIDE_AT", bao.url()),
                ("PROVIDE_HOST", api.url()),
                ("PROVIDE_PLACEMENT", "bearer".to_owned()),
                ("PROVIDE_SECONDS", "60".to_owned()),
                ("PROVIDE_FOLDER", scene.at("helper").display().to_string()),
                (
                    "PROVIDE_SEALED",
                    scene.at("vault/sealed").display().to_string(),
                ),
            ]),
            scene,
            api,
            other,
            bao,
        };
        all.keep("vault/sealed", "vault:v1:c2VhbGVk\n");
        all.keep("helper/secret", CANARY);
        all.token(TOKEN);
        all.helper(
            "/bin/cat > $0.asked; printf 'password=%s\\nttl=60\\n' \"$(/bin/cat ${0%/*}/secret)\"",
        );
        all
    }

    /// A file that is for this user alone.
    fn keep(&self, path: &str, text: &str) {
        std::fs::write(self.scene.at(path), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.scene.at(path), mode).unwrap();
    }

    fn token(&mut self, token: &str) {
        self.keep("keys/token", token);
        let path = self.scene.at("keys/token").display().to_string();
        self.env.insert("PROVIDE_FILE", path);
    }

    fn role(&mut self) {
        self.token(SECRET_ID);
        self.env.insert("PROVIDE_ROLE", "stars".to_owned());
    }

    /// The program that is asked.
    fn helper(&mut self, script: &str) {
        let path = self.scene.at("helper/ask");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let line = format!("{} get", path.display());
        self.env.insert("PROVIDE_COMMAND", line);
    }

    fn start(&self) -> Running {
        self.start_with("files")
    }

    /// With this folder granted.
    fn start_with(&self, folder: &str) -> Running {
        std::fs::remove_dir_all(self.scene.at("log")).unwrap();
        std::fs::create_dir(self.scene.at("log")).unwrap();
        let audit = self.scene.at("log/audit.jsonl");
        let mut child = Command::new(env!("CARGO_BIN_EXE_vault-provide"))
            .arg("--stdio")
            .args(["--grant", &format!("api={}", self.api.url())])
            .args(["--grant", &format!("other={}", self.other.url())])
            .arg("--grant")
            .arg(format!("files={}", self.scene.at(folder).display()))
            .arg("--audit")
            .arg(&audit)
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            audit,
            said: String::new(),
        };
        running.ask(
            &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"}}}),
        );
        running.ask(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        running
    }

    /// Starts a server, reads a page, and ends it.
    fn read(&self, page: &str) -> Said {
        let mut running = self.start();
        running.read(page);
        running.end()
    }

    /// What a server says that does not come up.
    fn refused(&self) -> Said {
        let said = self.start().end();
        assert!(said.answer.is_empty(), "it came up: {}", said.answer);
        assert!(self.api.seen().is_empty());
        said
    }

    fn is_clean(&self, said: &Said) {
        let all = said.all();
        assert!(is_clean(&all), "{all}");
        for secret in [TOKEN, SECRET_ID, "hvs.role"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}

impl Running {
    fn ask(&mut self, message: &Value) -> String {
        let input = self.input.as_mut().unwrap();
        let sent = writeln!(input, "{message}");
        let mut line = String::new();
        if sent.is_ok() && message.get("id").is_some() {
            let _ = self.output.read_line(&mut line);
        }
        self.said.push_str(&line);
        line
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> String {
        self.ask(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}}))
    }

    fn read(&mut self, page: &str) -> String {
        self.call("read", &json!({ "page": page }))
    }

    fn end(mut self) -> Said {
        drop(self.input.take());
        self.child.wait().unwrap();
        let mut errors = String::new();
        let _ = self
            .child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors);
        Said {
            answer: std::mem::take(&mut self.said),
            audit: std::fs::read_to_string(&self.audit).unwrap_or_default(),
            errors,
        }
    }
}

#[test]
fn what_a_provider_gives_is_spent_at_its_hosts_and_in_its_place_and_nowhere_else() {
    for kind in ["command", "kv", "transit"] {
        for (placement, line) in [
            ("bearer", format!("authorization: bearer {CANARY}\r\n")),
            ("header x-api-key", format!("x-api-key: {CANARY}\r\n")),
        ] {
            let mut world = Provided::new(kind);
            world.env.insert("PROVIDE_PLACEMENT", placement.to_owned());
            let mut running = world.start();
            let plain = running.read("plain");
            assert!(
                plain.contains("fine"),
                "{kind} {plain} {}",
                running.end().errors
            );
            // Of it again, in an answer and in a file.
            std::fs::write(world.scene.at("files/stolen"), CANARY).unwrap();
            assert!(running.read("echo").contains("[credential removed]"));
            let stolen = running.call("granted", &json!({"path": "stolen"}));
            assert!(stolen.contains("[credential removed]"), "{stolen}");
            let other = running.call("ask_other", &json!({"page": "echo"}));
            assert!(other.contains("you sent nothing"), "{other}");
            let said = running.end();
            world.is_clean(&said);
            let seen = world.api.seen();
            assert_eq!(seen.len(), 2);
            for head in seen {
                let count = head.to_lowercase().matches(&line.to_lowercase()).count();
                assert_eq!(count, 1, "{head}");
            }
            let version = if kind == "kv" { 7 } else { 1 };
            let spent = format!("200, spent `token` version {version}");
            assert!(said.audit.contains(&spent), "{}", said.audit);
        }
    }
}

#[test]
fn a_grant_for_another_host_stops_the_start_before_anybody_is_asked() {
    for kind in ["command", "kv", "transit"] {
        let mut world = Provided::new(kind);
        world.env.insert("PROVIDE_HOST", world.other.url());
        let said = world.refused();
        assert!(said.errors.contains("net/credential"), "{}", said.errors);
        assert!(world.bao.asked().is_empty());
        assert!(!world.scene.at("helper/ask.asked").exists());
    }
}

#[test]
fn a_provider_that_gives_nothing_stops_the_start_and_its_words_are_nowhere() {
    for (status, word) in [
        (403, "refuses (403)"),
        (404, "no secret there (404)"),
        (429, "standby"),
        (473, "standby"),
        (500, "answers 500"),
        (503, "sealed"),
        (307, "is not followed"),
    ] {
        let world = Provided::new("kv");
        world.bao.answers(Some(status));
        let said = world.refused();
        assert!(said.errors.contains(word), "{status}: {}", said.errors);
        world.is_clean(&said);
    }
    // A token that is none, a role that is none, an entry that has no such field.
    let mut world = Provided::new("kv");
    world.token("hvs.wrong");
    let said = world.refused();
    assert!(said.errors.contains("refuses (403)"), "{}", said.errors);
    world.is_clean(&said);
    world.env.insert("PROVIDE_ROLE", "others".to_owned());
    let said = world.refused();
    assert!(said.errors.contains("signing in"), "{}", said.errors);
    // Nobody is there.
    let mut world = Provided::new("kv");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    world.env.insert("PROVIDE_AT", nobody);
    let said = world.refused();
    assert!(said.errors.contains("cannot be asked"), "{}", said.errors);
}

#[test]
fn a_secret_server_is_asked_under_the_address_rules_of_all_egress() {
    // Loopback, and it is not declared private.
    let mut world = Provided::new("public");
    let said = world.refused();
    assert!(said.errors.contains("plain HTTP"), "{}", said.errors);
    let secure = world.bao.url().replace("http://", "https://");
    world.env.insert("PROVIDE_AT", secure);
    let said = world.refused();
    assert!(said.errors.contains("address"), "{}", said.errors);
    assert!(world.bao.asked().is_empty());
}

#[test]
fn what_a_provider_gave_is_not_spent_past_its_time() {
    let mut world = Provided::new("kv");
    world.env.insert("PROVIDE_SECONDS", "2".to_owned());
    let mut running = world.start();
    assert!(running.read("plain").contains("fine"));
    world.bao.answers(Some(503));
    std::thread::sleep(Duration::from_millis(2100));
    let refused = running.read("plain");
    assert!(refused.contains("cannot be had now"), "{refused}");
    assert!(
        !refused.contains("503") && !refused.contains("127.0.0.1"),
        "{refused}"
    );
    assert_eq!(world.api.seen().len(), 1);
    // It is back, with a new secret, and after a while it is asked again.
    let renewed = format!("{CANARY}-2");
    world.bao.holds(&renewed);
    world.bao.answers(None);
    std::thread::sleep(Duration::from_millis(1100));
    assert!(running.read("plain").contains("fine"));
    assert!(world.api.seen()[1].contains(&renewed));
    // The one before is still looked for.
    std::fs::write(world.scene.at("files/old"), CANARY).unwrap();
    let old = running.call("granted", &json!({"path": "old"}));
    assert!(old.contains("[credential removed]"), "{old}");
    let said = running.end();
    world.is_clean(&said);
    assert!(said.audit.contains("net/credential"), "{}", said.audit);
    assert!(said.audit.contains("version 8"), "{}", said.audit);
}

#[test]
fn a_role_signs_in_renews_while_it_may_and_signs_in_anew_when_its_token_is_revoked() {
    let mut world = Provided::new("kv");
    world.role();
    world.env.insert("PROVIDE_SECONDS", "1".to_owned());
    world.bao.leases(2, true);
    let mut running = world.start();
    assert!(running.read("plain").contains("fine"));
    assert_eq!(world.bao.count("approle/login"), 1);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(running.read("plain").contains("fine"));
    assert_eq!(world.bao.count("renew-self"), 1);
    assert_eq!(world.bao.count("approle/login"), 1);
    world.bao.revokes();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(running.read("plain").contains("fine"));
    assert_eq!(world.bao.count("approle/login"), 2);
    world.is_clean(&running.end());
}

#[test]
fn many_calls_at_once_ask_once() {
    let mut world = Provided::new("kv");
    world.env.insert("PROVIDE_SECONDS", "1".to_owned());
    let mut running = world.start();
    std::thread::sleep(Duration::from_millis(1100));
    let before = world.bao.asked().len();
    let input = running.input.as_mut().unwrap();
    for id in 0..8 {
        let call = json!({"jsonrpc": "2.0", "id": 10 + id, "method": "tools/call",
            "params": {"name": "read", "arguments": {"page": format!("page-{id}")}}});
        writeln!(input, "{call}").unwrap();
    }
    for _ in 0..8 {
        let mut line = String::new();
        running.output.read_line(&mut line).unwrap();
        assert!(line.contains("not here"), "{line}");
    }
    // Twice if the second was over while they ran.
    assert!(world.bao.asked().len() - before <= 2);
}

#[test]
fn a_program_is_asked_as_git_asks_and_has_nothing_of_the_server() {
    let mut world = Provided::new("command");
    world.helper(
        "/usr/bin/env > $0.env; /bin/cat > $0.asked; echo \"$@\" > $0.args\n\
         echo username=user; echo password=12345678; echo ttl=60; echo unknown=x",
    );
    world.env.insert("PROVIDE_PLACEMENT", "basic".to_owned());
    let said = world.read("plain");
    assert!(
        said.answer.contains("fine"),
        "{} {}",
        said.answer,
        said.errors
    );
    let head = world.api.seen().concat().to_lowercase();
    assert!(head.contains("basic dxnlcjoxmjm0nty3oa=="), "{head}");
    let text = |name: &str| std::fs::read_to_string(world.scene.at(name)).unwrap();
    let host = world.api.address;
    assert_eq!(
        text("helper/ask.asked"),
        format!("protocol=http\nhost={host}\n\n")
    );
    assert_eq!(text("helper/ask.args"), "get\n");
    // What a shell sets itself.
    for line in text("helper/ask.env").lines() {
        let own = ["PWD=", "OLDPWD=", "_=", "SHLVL="];
        assert!(own.iter().any(|own| line.starts_with(own)), "{line}");
    }
}

#[test]
fn a_program_that_hangs_fails_or_talks_too_much_is_ended_and_its_errors_are_nowhere() {
    for (script, word) in [
        (
            format!("echo '{CANARY}' >&2; echo $$ > $0.pid; exec /bin/sleep 1000"),
            "takes too long",
        ),
        (
            // It goes on when its output is closed.
            "echo $$ > $0.pid; exec >&-; /bin/sleep 1000".to_owned(),
            "takes too long",
        ),
        (
            "echo $$ > $0.pid; /usr/bin/head -c 100000 /dev/zero; exec /bin/sleep 1000".to_owned(),
            "too much",
        ),
        (
            format!("echo 'password={CANARY}'; echo '{CANARY}' >&2; exit 1"),
            "failed",
        ),
        ("echo a-secret-without-a-key".to_owned(), "without `=`"),
        ("echo quit=1".to_owned(), "has no credential"),
        (
            format!("echo 'password={CANARY}'; echo ttl=0"),
            "over already",
        ),
        (format!("echo 'password={CANARY} x'"), "has a space"),
    ] {
        let mut world = Provided::new("command");
        world.helper(&script);
        let said = world.refused();
        assert!(said.errors.contains(word), "{script}: {}", said.errors);
        world.is_clean(&said);
        if let Ok(pid) = std::fs::read_to_string(world.scene.at("helper/ask.pid")) {
            let there = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim()));
            let runs = there.is_ok_and(|line| line.contains("sleep") || line.contains("ask"));
            assert!(!runs, "{script} runs on");
        }
    }
}

#[test]
fn a_program_has_what_was_declared_for_it_and_no_more() {
    let mut world = Provided::new("command");
    std::fs::write(world.scene.at("files/private"), "not for it").unwrap();
    let private = world.scene.at("files/private");
    let escaped = world.scene.at("files/escaped");
    world.helper(&format!(
        "(/bin/cat {0}; echo x > {0}; echo x > {1}) > $0.got 2>&1\n\
         /bin/cat > /dev/null; echo password=12345678",
        private.display(),
        escaped.display()
    ));
    let said = world.read("plain");
    assert!(
        said.answer.contains("fine"),
        "{} {}",
        said.answer,
        said.errors
    );
    let got = std::fs::read_to_string(world.scene.at("helper/ask.got")).unwrap();
    assert!(!got.contains("not for it"), "{got}");
    assert_eq!(
        got.to_lowercase().matches("permission denied").count(),
        3,
        "{got}"
    );
    assert!(!escaped.exists());
    // By no other way than its absolute path.
    world.env.insert("PROVIDE_COMMAND", "ask get".to_owned());
    let said = world.start().end();
    assert!(said.errors.contains("absolute path"), "{}", said.errors);
}

#[test]
fn a_name_that_is_in_the_file_too_stops_the_start() {
    let mut world = Provided::new("kv");
    world.scene.filled(&world.api.url());
    for (name, path) in [("VAULT", "vault/v"), ("VAULT_KEY", "keys/0")] {
        world
            .env
            .insert(name, world.scene.at(path).display().to_string());
    }
    let said = world.refused();
    assert!(
        said.errors.contains("two credentials `token`"),
        "{}",
        said.errors
    );
    // With no file at all, and none that provides.
    let said = Provided::new("nothing").refused();
    assert!(
        said.errors.contains("no credential `token`"),
        "{}",
        said.errors
    );
}

#[test]
fn a_folder_with_the_token_for_the_secret_server_is_granted_to_no_tool() {
    let world = Provided::new("kv");
    let said = world.start_with("keys").end();
    assert!(said.answer.is_empty(), "{}", said.answer);
    assert!(
        said.errors.contains("token for the secret server"),
        "{}",
        said.errors
    );
    // A file that everybody reads is no secret.
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.scene.at("keys/token"), mode).unwrap();
    let said = world.refused();
    assert!(said.errors.contains("every user"), "{}", said.errors);
}

/// As an agent does it: another file takes the place of the old one.
#[test]
fn a_token_that_is_replaced_is_the_one_that_is_used() {
    let mut world = Provided::new("kv");
    world.env.insert("PROVIDE_SECONDS", "1".to_owned());
    let mut running = world.start();
    world.bao.revokes();
    world.bao.takes("hvs.second-token");
    world.keep("keys/next", "hvs.second-token");
    std::fs::rename(world.scene.at("keys/next"), world.scene.at("keys/token")).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let plain = running.read("plain");
    assert!(plain.contains("fine"), "{plain} {}", running.end().errors);
}

#[test]
fn a_placement_of_a_provided_credential_is_one_of_a_request() {
    for placement in ["password", "canary"] {
        let mut world = Provided::new("kv");
        world.env.insert("PROVIDE_PLACEMENT", placement.to_owned());
        if placement == "password" {
            world
                .env
                .insert("PROVIDE_HOST", "postgres://127.0.0.1:5432".to_owned());
        }
        let said = world.refused();
        assert!(
            said.errors.contains("in the file of the vault"),
            "{}",
            said.errors
        );
        assert!(placement.parse::<Placement>().is_ok());
    }
}

/// What an issuer gives is for one caller, who agreed: from a provider it would be everybody's.
#[test]
fn a_grant_of_an_issuer_comes_from_no_provider() {
    let mut world = Provided::new("kv");
    let placement = Placement::Grant.to_string();
    world.env.insert("PROVIDE_PLACEMENT", placement);
    let said = world.refused();
    assert!(
        said.errors.contains("come from no provider") && said.errors.contains("help:"),
        "{}",
        said.errors
    );
}

#[test]
fn a_credential_goes_into_a_query_only_where_the_code_says_dangerous() {
    let mut world = Provided::new("kv");
    world
        .env
        .insert("PROVIDE_PLACEMENT", "query key".to_owned());
    let said = world.refused();
    assert!(
        said.errors.contains("dangerous::credential_in_query"),
        "{}",
        said.errors
    );
    world.env.insert("PROVIDE_QUERY", "1".to_owned());
    let mut running = world.start();
    assert!(running.read("plain").contains("fine"));
    assert!(
        running
            .call("with", &json!({"key": "other"}))
            .contains("fine")
    );
    let own = running.call("with", &json!({"key": "key"}));
    assert!(own.contains("sets the header"), "{own}");
    // Not along with a redirect to another host, and not in what a server repeats.
    running.read("away");
    let said = running.end();
    world.is_clean(&said);
    let escaped = "key=canary%2B9f%2F3%3DaQz~K%2271_wX%265";
    let seen = world.api.seen();
    assert!(
        seen[0].starts_with(&format!("GET /plain?{escaped} ")),
        "{}",
        seen[0]
    );
    assert!(
        seen[1].contains(&format!("=mine&{escaped} ")),
        "{}",
        seen[1]
    );
    assert_eq!(seen.len(), 3);
    assert!(world.other.seen().is_empty());
}
