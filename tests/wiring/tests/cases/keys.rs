//! API keys: who shows one, who shows almost one, and what a change of the file does.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use mcp_secure::auth::api_keys::{IssuedKey, KeyFile, Lifetime, NewKey};
use serde_json::{Value, json};

use crate::harness::*;

fn setup() -> (Setup, KeyFile) {
    let setup = Setup::on(Transport::Http).with("SERVER", "secured");
    let file = setup.folder().join("keys/keys.json");
    let setup = setup.with("KEYS", &file.display().to_string());
    (setup, KeyFile::at(file))
}

fn day() -> Lifetime {
    within(86400)
}

fn within(seconds: u64) -> Lifetime {
    Lifetime::Until(SystemTime::now() + Duration::from_secs(seconds))
}

fn reader(subject: &str) -> NewKey {
    NewKey::new(subject, day()).scopes(["files:read"])
}

fn status(server: &Server, key: &str) -> u16 {
    ask(server, key).0
}

/// Calls `whoami`: the status, the challenge and the body.
fn ask(server: &Server, key: &str) -> (u16, String, String) {
    let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let mut wire = Wire::over(connect(None, to));
    let answer = wire.whoami("localhost", key).unwrap();
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    (answer.status, challenge.to_owned(), answer.body)
}

/// Asks until the answer has this status.
#[track_caller]
fn becomes(server: &Server, key: &str, wanted: u16) {
    // Not more than a hundred times: the same call again and again is a loop.
    for _ in 0..100 {
        if status(server, key) == wanted {
            return;
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    panic!("never {wanted}: {}", server.stderr());
}

/// Neither the key nor a part of its secret is where people read.
#[track_caller]
fn is_nowhere(server: &Server, keys: &[&IssuedKey]) {
    let (audit, stderr) = (server.audit_text(), server.stderr());
    for key in keys {
        // Behind `msk_`, the id and `_`.
        let secret = &key.secret.reveal()[17..];
        for part in [secret, &secret[..12], &secret[secret.len() - 12..]] {
            assert!(!audit.contains(part), "in the audit log: {audit}");
            assert!(!stderr.contains(part), "on standard error: {stderr}");
        }
    }
}

#[test]
fn who_shows_a_key_is_its_subject() {
    let (setup, file) = setup();
    let key = file.add(&reader("build")).unwrap();
    let server = setup.start();
    let (status, _, body) = ask(&server, key.secret.reveal());
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("api-key build files:read"), "{body}");
    let who = &server.outcome("whoami")["principal"];
    assert_eq!(
        (&who["issuer"], &who["subject"]),
        (&json!("api-key"), &json!("build"))
    );
    assert_eq!(who["assurance"], "api_key");
    assert_eq!(who["key"], key.entry.id(), "which key it was");
    is_nowhere(&server, &[&key]);
}

#[test]
fn what_is_almost_a_key_is_refused_in_the_same_words() {
    let (setup, file) = setup();
    let key = file.add(&reader("alice")).unwrap();
    let other = file.add(&reader("bob")).unwrap();
    let server = setup.start();
    let good = key.secret.reveal();
    // Well made, and nobody's here: an unknown id, and the id of one with the secret of another.
    let stranger = KeyFile::at(server.folder().join("other/keys.json"));
    let stranger = stranger.add(&reader("alice")).unwrap();
    let mixed = format!("{}{}", &good[..16], &other.secret.reveal()[16..]);
    let digest = json_of(&file)["keys"][0]["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut answers = Vec::new();
    for almost in [
        stranger.secret.reveal(),
        &mixed,
        &resummed(&mixed),
        &resummed(&format!("{}A{}", &good[..30], &good[31..])),
        &good[..good.len() - 1],
        &good[..60],
        &format!("{good}x"),
        &good.to_ascii_uppercase(),
        &good.to_ascii_lowercase(),
        &good.replace("msk_", "MSK_"),
        key.entry.id(),
        &format!("msk_{}_", key.entry.id()),
        &digest,
        "alice",
    ] {
        answers.push((almost.len(), ask(&server, almost)));
    }
    for (length, answer) in &answers {
        assert_eq!(answer.0, 401, "{length}");
        assert_eq!(answer, &answers[0].1, "{length}");
    }
    assert_eq!(answers[0].1.1, "Bearer error=\"invalid_token\"");
    let (status, challenge, _) = ask(&server, "");
    assert_eq!((status, challenge.as_str()), (401, "Bearer"));
    server.refused("http/auth");
    assert!(server.outcomes("tools/call", "whoami").is_empty());
    assert_eq!(self::status(&server, good), 200);
    is_nowhere(&server, &[&key, &other, &stranger]);
}

#[test]
fn a_key_is_good_in_its_time_and_not_around_it() {
    let (setup, file) = setup();
    let now = SystemTime::now();
    let early = NewKey::new("early", day()).not_before(now + Duration::from_secs(3600));
    let early = file.add(&early).unwrap();
    let soon = NewKey::new("soon", day()).not_before(now + Duration::from_secs(5));
    let soon = file.add(&soon).unwrap();
    let brief = file.add(&NewKey::new("brief", within(6))).unwrap();
    let forever = file
        .add(&NewKey::new("forever", Lifetime::NoExpiry))
        .unwrap();
    let server = setup.start();
    assert_eq!(status(&server, forever.secret.reveal()), 200);
    assert_eq!(status(&server, brief.secret.reveal()), 200);
    let (refused, challenge, _) = ask(&server, early.secret.reveal());
    assert_eq!(
        (refused, challenge.as_str()),
        (401, "Bearer error=\"invalid_token\"")
    );
    server.refused("keys/not-yet");
    becomes(&server, soon.secret.reveal(), 200);
    becomes(&server, brief.secret.reveal(), 401);
    server.refused("keys/expired");
    assert_eq!(status(&server, early.secret.reveal()), 401);
    assert_eq!(status(&server, forever.secret.reveal()), 200);
    is_nowhere(&server, &[&early, &soon, &brief, &forever]);
}

#[test]
fn a_key_that_is_revoked_is_over_without_a_restart_and_so_is_its_stream() {
    let (setup, file) = setup();
    let key = file.add(&reader("alice")).unwrap();
    let other = file.add(&reader("bob")).unwrap();
    let server = setup.start();
    let mut streams = Vec::new();
    for key in [&key, &other] {
        server.sign_in(key.secret.reveal());
        let client = server.client(HTTP_2025);
        let session = client.session().unwrap();
        let headers = format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n");
        let mut stream = server.exchange(server.head("GET", &headers, 0).as_bytes());
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    file.revoke(key.entry.id()).unwrap();
    becomes(&server, key.secret.reveal(), 401);
    server.refused("keys/revoked");
    server.wait_for_stderr("new API keys: 1 are good now");
    assert_eq!(status(&server, other.secret.reveal()), 200);
    assert!(streams.remove(0).ends_within(Duration::from_secs(10)));
    assert!(!streams.remove(0).ends_within(Duration::from_millis(300)));
    is_nowhere(&server, &[&key, &other]);
}

#[test]
fn a_rotated_key_and_its_successor_are_both_good_for_a_while() {
    let (setup, file) = setup();
    let old = file.add(&reader("alice")).unwrap();
    let server = setup.start();
    let overlap = Duration::from_secs(8);
    let new = file.rotate(old.entry.id(), overlap, None).unwrap();
    becomes(&server, new.secret.reveal(), 200);
    assert_eq!(status(&server, old.secret.reveal()), 200, "both are good");
    for key in [&old, &new] {
        let (_, _, body) = ask(&server, key.secret.reveal());
        assert!(body.contains("api-key alice files:read"), "{body}");
    }
    becomes(&server, old.secret.reveal(), 401);
    server.refused("keys/expired");
    assert_eq!(status(&server, new.secret.reveal()), 200);
    is_nowhere(&server, &[&old, &new]);
}

#[test]
fn the_scopes_of_a_key_are_what_its_holder_sees_and_may_do() {
    for way in [HTTP_2025, HTTP_2026] {
        let (setup, file) = setup();
        let reads = file.add(&reader("alice")).unwrap();
        let none = file.add(&NewKey::new("nobody", day())).unwrap();
        let server = setup.start();
        for (key, may) in [(&reads, true), (&none, false)] {
            server.sign_in(key.secret.reveal());
            let client = server.client(way);
            let listed = client.request("tools/list", json!({}))["result"].to_string();
            assert_eq!(listed.contains("\"read\""), may);
            assert!(!listed.contains("\"write\""), "{listed}");
            assert!(listed.contains("\"echo\""));
            let answer = client.call("read", json!({ "name": "a.txt" }));
            match may {
                true => assert_eq!(text(&answer), "the content of a"),
                false => assert_eq!(code(&answer), -32602, "{answer}"),
            }
            // Nobody can give it another scope: no step-up is offered.
            assert_eq!(
                code(&client.call("scribble", json!({ "name": "b", "text": "b" }))),
                -32602
            );
        }
        assert_eq!(server.traces().iter().filter(|t| *t == "read").count(), 1);
        assert!(!server.reached("scribble"));
    }
}

#[test]
fn a_session_is_its_subjects_and_outlives_a_rotation() {
    let (setup, file) = setup();
    let alice = file.add(&reader("alice")).unwrap();
    let mallory = file.add(&reader("mallory")).unwrap();
    let server = setup.start();
    server.sign_in(alice.secret.reveal());
    let client = server.client(HTTP_2025);
    let session = client.session().unwrap().to_owned();
    let headers = format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {session}\r\n");
    let body = json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "whoami", "arguments": {} },
    })
    .to_string();
    server.sign_in(mallory.secret.reveal());
    for method in ["POST", "GET", "DELETE"] {
        let body = if method == "POST" { body.as_str() } else { "" };
        let head = server.head(method, &headers, body.len());
        let mut exchange = server.exchange(format!("{head}{body}").as_bytes());
        assert_eq!(exchange.status(), 404, "{method}");
    }
    server.refused("http/session");
    assert!(server.outcomes("tools/call", "whoami").is_empty());
    // The same subject with its next key goes on.
    let next = file
        .rotate(alice.entry.id(), Duration::from_secs(60), None)
        .unwrap();
    becomes(&server, next.secret.reveal(), 200);
    server.sign_in(next.secret.reveal());
    assert!(text(&client.call("whoami", json!({}))).contains("api-key alice"));
    is_nowhere(&server, &[&alice, &mallory, &next]);
}

#[test]
fn a_file_that_is_not_whole_changes_nothing() {
    let (setup, file) = setup();
    let key = file.add(&reader("alice")).unwrap();
    let server = setup.start();
    let good = fs::read_to_string(file.path()).unwrap();
    let twice = {
        let mut document = json_of(&file);
        let first = document["keys"][0].clone();
        document["keys"].as_array_mut().unwrap().push(first);
        document.to_string()
    };
    let secret = key.secret.reveal();
    let cases = [
        (
            good[..good.len() / 2].to_owned(),
            0o600,
            "is not as it should be at line",
        ),
        (good.clone(), 0o644, "is open to other users"),
        (
            good.replace("\"sha256\"", "\"sha512\""),
            0o600,
            "is not as it should be",
        ),
        (
            good.replace("\"expires\"", "\"expire\""),
            0o600,
            "is not as it should be",
        ),
        (
            without(&file, "expires"),
            0o600,
            "has to have either `expires` or `no_expiry`",
        ),
        (
            good.replace("\"version\": 1", "\"version\": 2"),
            0o600,
            "is of version 2",
        ),
        // Somebody put the key itself where its digest belongs: it is not said again.
        (
            good.replace(&digest(&file), secret),
            0o600,
            "is not as it should be",
        ),
        (twice, 0o600, "occurs twice"),
    ];
    for (text, mode, words) in cases {
        put(file.path(), &text, mode);
        server.wait_for_stderr(words);
        assert_eq!(status(&server, secret), 200, "{words}");
    }
    fs::remove_file(file.path()).unwrap();
    server.wait_for_stderr("is not there");
    assert_eq!(status(&server, secret), 200);
    let record = server.refused("keys/reload");
    assert_eq!(record["peer"], "local", "{record}");
    // And a whole one is taken again.
    put(file.path(), &good, 0o600);
    server.wait_for_stderr("new API keys: 1 are good now");
    file.revoke(key.entry.id()).unwrap();
    becomes(&server, secret, 401);
    is_nowhere(&server, &[&key]);
}

#[test]
fn a_file_that_others_read_or_write_or_that_is_none_stops_the_start() {
    let refused = |spoil: &dyn Fn(&KeyFile), words: &str| {
        let (setup, file) = setup();
        let key = file.add(&reader("alice")).unwrap();
        spoil(&file);
        let said = setup.start_fails();
        assert!(
            said.contains(words) && said.contains("help:"),
            "{words}: {said}"
        );
        assert!(!said.contains(&key.secret.reveal()[17..]));
    };
    for mode in [0o644, 0o640, 0o602, 0o700] {
        refused(
            &|file| set_mode(file.path(), mode),
            "is open to other users",
        );
    }
    let folder = |file: &KeyFile| file.path().parent().unwrap().to_owned();
    refused(
        &|file| set_mode(&folder(file), 0o777),
        "can be written by other users",
    );
    refused(
        &|file| fs::remove_file(file.path()).unwrap(),
        "is not there",
    );
    refused(
        &|file| fs::remove_dir_all(folder(file)).unwrap(),
        "cannot be reached",
    );
    refused(
        &|file| put(file.path(), "", 0o600),
        "is not as it should be",
    );
    refused(
        &|file| {
            let real = folder(file).join("real");
            fs::rename(file.path(), &real).unwrap();
            symlink(real, file.path()).unwrap();
        },
        "is a symbolic link",
    );
}

#[test]
fn a_file_where_a_tool_reads_stops_the_start() {
    let (setup, _) = setup();
    let inside = setup.folder().join("files/keys.json");
    set_mode(&setup.folder().join("files"), 0o700);
    KeyFile::at(&inside).add(&reader("alice")).unwrap();
    let said = setup
        .with("READER", "1")
        .with("KEYS", &inside.display().to_string())
        .start_fails();
    assert!(
        said.contains("the file of API keys") && said.contains("can read"),
        "{said}"
    );
}

#[test]
fn keys_are_for_others_where_tls_and_a_name_are() {
    let open = || {
        let (setup, file) = setup();
        let key = file.add(&reader("alice")).unwrap();
        (setup.with("ADDRESS", "0.0.0.0:0"), key)
    };
    let said = open().0.with("HOSTS", "mcp.example").start_fails();
    assert!(said.contains("the server has no TLS"), "{said}");
    let authority = Authority::new();
    let with_tls = |setup: Setup| {
        let (chain, key) = authority.issue(&["mcp.example"]).put(&setup.folder());
        setup
            .with("CHAIN", &chain.display().to_string())
            .with("KEY", &key.display().to_string())
    };
    let said = with_tls(open().0).start_fails();
    assert!(said.contains("has no name there"), "{said}");
    let (setup, key) = open();
    let server = with_tls(setup).with("HOSTS", "mcp.example").start();
    let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let caller = Caller::trusting(&authority);
    let ask = |key: &str| {
        let mut wire = caller.call(to, "mcp.example").unwrap();
        wire.whoami("mcp.example", key).unwrap().status
    };
    assert_eq!(ask(key.secret.reveal()), 200);
    assert_eq!(ask("alice"), 401);
}

fn json_of(file: &KeyFile) -> Value {
    serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap()
}

fn digest(file: &KeyFile) -> String {
    json_of(file)["keys"][0]["sha256"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The first key without a field.
fn without(file: &KeyFile, field: &str) -> String {
    let mut document = json_of(file);
    document["keys"][0]
        .as_object_mut()
        .unwrap()
        .remove(field)
        .unwrap();
    document.to_string()
}

fn put(path: &Path, text: &str, mode: u32) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).unwrap();
    set_mode(&draft, mode);
    fs::rename(draft, path).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// With the checksum that belongs to what stands before it: who forges can count.
fn resummed(key: &str) -> String {
    let body = &key[..key.len() - 6];
    let mut crc = !0_u32;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    let mut crc = !crc;
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut sum = [0; 6];
    for digit in sum.iter_mut().rev() {
        *digit = digits[(crc % 62) as usize];
        crc /= 62;
    }
    format!("{body}{}", std::str::from_utf8(&sum).unwrap())
}
