//! A real server process that spends a credential at a real server, and tools that want it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mcp_secure::vault::Placement;
use serde_json::json;

use crate::{scene::CANARY, world::World};

/// The secret in no spelling that a test here sends.
pub(crate) fn is_clean(text: &str) -> bool {
    let text = text.to_lowercase();
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    let percent: String = CANARY.bytes().map(|b| format!("%{b:02x}")).collect();
    let unicode: String = CANARY.bytes().map(|b| format!("\\\\u{b:04x}")).collect();
    let json = CANARY.replace('"', "\\\"");
    let mut bad = vec![CANARY.to_owned(), json, hex, percent, unicode];
    for before in ["", "x", "xy"] {
        for sent in [
            CANARY.to_owned(),
            format!("Bearer {CANARY}"),
            format!("user:{CANARY}"),
        ] {
            let whole = STANDARD.encode(format!("{before}{sent}"));
            bad.push(whole[8..whole.len() - 4].to_owned());
        }
    }
    // A part of it is too much, too.
    bad.push("canary+9f".to_owned());
    bad.push("k\"71_wx".to_owned());
    bad.iter().all(|bad| !text.contains(&bad.to_lowercase()))
}

#[test]
fn the_granted_host_gets_the_credential_and_the_record_names_it() {
    for (name, header, value) in [
        ("token", "authorization", format!("Bearer {CANARY}")),
        ("key", "x-api-key", CANARY.to_owned()),
        (
            "pair",
            "authorization",
            format!("Basic {}", STANDARD.encode(format!("user:{CANARY}"))),
        ),
    ] {
        let world = World::new();
        let said = world.read(name, "plain");
        assert!(
            said.answer.contains("fine"),
            "{} {}",
            said.answer,
            said.errors
        );
        let seen = world.api.seen();
        assert_eq!(seen.len(), 1);
        let line = format!("{header}: {value}\r\n").to_lowercase();
        assert_eq!(
            seen[0].to_lowercase().matches(&line).count(),
            1,
            "{}",
            seen[0]
        );
        assert!(
            said.audit
                .contains(&format!("200, spent `{name}` version 1")),
            "{}",
            said.audit
        );
        assert!(is_clean(&said.all()));
    }
}

#[test]
fn a_server_that_answers_with_the_secret_is_not_a_way_to_it() {
    let world = World::new();
    for name in ["token", "pair", "key"] {
        for page in [
            "echo", "upper", "base64", "base64-1", "base64-2", "hex", "percent", "unicode",
            "headers", "drip", "here",
        ] {
            let said = world.read(name, page);
            assert!(is_clean(&said.all()), "{name} {page}: {}", said.answer);
            let removed = said.answer.contains("[credential removed]");
            assert!(removed, "{name} {page}: {} {}", said.answer, said.errors);
            assert!(said.audit.contains("net/reflection"), "{}", said.audit);
        }
    }
    let said = world.call("token", "read_slowly", json!({"page": "drip"}));
    assert!(
        said.answer
            .contains("you sent Bearer [credential removed]."),
        "{}",
        said.answer
    );
}

#[test]
fn another_host_gets_nothing() {
    let world = World::new();
    // By a redirect that the grant would follow, and by the endpoint beside it.
    let away = world.read("token", "away");
    assert!(away.audit.contains("net/redirect"), "{}", away.audit);
    assert!(world.other.seen().is_empty());
    let beside = world.call("token", "ask_other", json!({"page": "echo"}));
    assert!(
        beside.answer.contains("you sent nothing"),
        "{}",
        beside.answer
    );
    for head in world.other.seen() {
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
        assert!(is_clean(&head));
    }
    assert!(is_clean(&away.all()) && is_clean(&beside.all()));
}

#[test]
fn a_grant_for_another_host_than_the_credential_stops_the_start() {
    let world = World::new();
    let (api, other) = (world.api.url(), world.other.url());
    let said = world
        .scene
        .call([&other, &api], "token", "read", json!({"page": "echo"}));
    assert!(said.errors.contains("net/credential"), "{}", said.errors);
    assert!(said.answer.is_empty() && is_clean(&said.all()));
    // A narrower path is inside; a credential for one path is not for the whole host.
    world.scene.store(
        &world.scene.anchored(),
        "token",
        Placement::Bearer,
        &format!("{api}/only"),
        CANARY,
    );
    let said = world.read("token", "echo");
    assert!(said.errors.contains("net/credential"), "{}", said.errors);
    assert!(world.api.seen().is_empty() && world.other.seen().is_empty());
    let missing = world.read("missing", "echo");
    assert!(
        missing.errors.contains("vault has no credential `missing`"),
        "{}",
        missing.errors
    );
}

#[test]
fn a_tool_sets_no_header_in_place_of_the_credential() {
    let world = World::new();
    for (name, header, control) in [
        ("token", "authorization", "net/header"),
        ("token", "Authorization", "net/header"),
        ("key", "x-api-key", "net/credential"),
        ("key", "X-Api-Key", "net/credential"),
    ] {
        let said = world.call(name, "override_header", json!({ "name": header }));
        assert!(said.audit.contains(control), "{header}: {}", said.audit);
        assert!(is_clean(&said.all()));
    }
    assert!(world.api.seen().is_empty(), "nothing left");
}

#[test]
fn no_word_of_a_hostile_tool_has_the_secret() {
    let world = World::new();
    for (tool, page) in [
        ("debug", ""),
        ("panic", ""),
        ("fail", ""),
        ("surroundings", ""),
    ] {
        let said = world.call("token", tool, json!({}));
        assert!(!said.answer.is_empty(), "{}", said.errors);
        assert!(is_clean(&said.all()), "{tool} {page}: {}", said.all());
    }
    let key = std::fs::read_to_string(world.scene.at("keys/0")).unwrap();
    for path in [
        "vault/v",
        "vault/v.prev",
        "keys/0",
        "keys/anchor/a",
        "/proc/self/environ",
        "/proc/self/cmdline",
        "/proc/self/mem",
        "/proc/self/maps",
        "/proc/self/root/etc/shadow",
    ] {
        let full = world.scene.at(path);
        let said = world.call("token", "file", json!({ "path": full }));
        assert!(is_clean(&said.all()), "{path}");
        assert!(!said.all().contains(key.trim()), "{path}");
        if path.starts_with("vault") || path.starts_with("keys") {
            assert!(
                said.answer.contains("no: PermissionDenied"),
                "{path}: {}",
                said.answer
            );
        }
    }
}

#[test]
fn a_folder_with_the_vault_or_its_key_is_granted_to_no_tool() {
    let world = World::new();
    let (api, other) = (world.api.url(), world.other.url());
    for (folder, path) in [
        ("vault", "v"),
        ("keys", "0"),
        ("keys/anchor", "a"),
        ("people", "keys/a"),
        ("people/keys", "a"),
        ("people/entries", "a"),
    ] {
        std::fs::create_dir_all(world.scene.at(folder)).unwrap();
        let arguments = json!({ "path": path });
        let urls = [api.as_str(), other.as_str()];
        let said = world
            .scene
            .call_with(folder, urls, "token", "granted", arguments);
        assert!(said.answer.is_empty(), "{folder}: {}", said.answer);
        assert!(
            said.errors.contains("a tool could give it away"),
            "{}",
            said.errors
        );
    }
}

#[test]
fn a_vault_that_was_rolled_back_stops_the_start() {
    let world = World::new();
    let path = world.scene.at("vault/v");
    let old = std::fs::read(&path).unwrap();
    world.scene.store(
        &world.scene.anchored(),
        "token",
        Placement::Bearer,
        &world.api.url(),
        "the-renewed-one",
    );
    std::fs::write(&path, old).unwrap();
    let said = world.read("token", "echo");
    assert!(said.errors.contains("rolled back"), "{}", said.errors);
    assert!(world.api.seen().is_empty());
}
