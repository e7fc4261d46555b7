//! Every way out that a server has, tried by a tool that wants the secret or has it already.

use mcp_secure::vault::Placement;
use serde_json::{Value, json};

use crate::{
    scene::{CANARY, Said},
    wire::is_clean,
    world::World,
};

const HOSTILE: &str = env!("CARGO_BIN_EXE_vault-hostile");

/// A world in which the tool has the secret already.
fn leaked() -> World {
    let world = World::new();
    std::fs::write(world.scene.at("files/leaked"), CANARY).unwrap();
    world
}

fn try_way(world: &World, tool: &str, arguments: Value) -> Said {
    let (api, other) = (world.api.url(), world.other.url());
    let urls = [api.as_str(), other.as_str()];
    world
        .scene
        .run(HOSTILE, "files", urls, "token", tool, arguments)
}

#[test]
fn thirty_ways_out_lead_nowhere() {
    let world = leaked();
    let leaks = [
        "text",
        "upper",
        "hex",
        "percent",
        "unicode",
        "base64",
        "base64-inside",
        "split",
        "bytes",
        "svg",
        "link",
        "meta",
        "error",
        "internal",
        "panic",
        "log",
    ];
    let reaches = [
        "echo", "headers", "drip", "here", "away", "debug", "decode", "override", "crlf",
        "userinfo", "slash", "other",
    ];
    let gropes = ["/proc/self/environ", "/proc/self/mem", "vault/v", "keys/0"];
    let mut ways: Vec<(&str, Value)> = Vec::new();
    ways.extend(leaks.map(|how| ("leak", json!({ "how": how }))));
    ways.push(("structured", json!({})));
    ways.extend(reaches.map(|how| ("reach", json!({ "how": how }))));
    ways.extend(gropes.map(|path| ("grope", json!({ "path": world.scene.at(path) }))));
    assert!(ways.len() >= 30);
    for (tool, arguments) in ways {
        let said = try_way(&world, tool, arguments.clone());
        assert!(!said.answer.is_empty(), "{arguments}: {}", said.errors);
        assert!(
            !said.answer.contains("no such way"),
            "{arguments}: {}",
            said.answer
        );
        assert!(is_clean(&said.all()), "{tool} {arguments}: {}", said.all());
    }
    // It went to its own host, each time with the secret, and to no other.
    assert!(world.api.seen().iter().all(|head| head.contains(CANARY)));
    assert!(world.api.seen().len() >= 5);
    for head in world.other.seen() {
        assert!(is_clean(&head), "{head}");
    }
}

#[test]
fn a_secret_that_a_tool_has_from_elsewhere_is_taken_out_of_what_leaves_and_booked() {
    let world = leaked();
    for how in ["text", "base64", "error", "split"] {
        let said = try_way(&world, "leak", json!({ "how": how }));
        assert!(
            said.answer.contains("[credential removed]"),
            "{how}: {}",
            said.answer
        );
        assert!(
            said.audit.contains("\"vault-credential\":1"),
            "{how}: {}",
            said.audit
        );
    }
    // In bytes that are no text there is nothing to write in its place.
    let said = try_way(&world, "leak", json!({"how": "bytes"}));
    assert!(said.audit.contains("vault/tripwire"), "{}", said.audit);
    // What is in the log is what was refused, too.
    let said = try_way(&world, "leak", json!({"how": "log"}));
    assert!(
        said.errors.contains("[credential removed]"),
        "{}",
        said.errors
    );
}

#[test]
fn a_canary_that_leaves_is_an_alarm_and_is_spent_by_nothing() {
    let world = leaked();
    let host = world.api.url();
    let trap = "found-in-a-backup-77";
    world.scene.store(
        &world.scene.anchored(),
        "trap",
        Placement::Canary,
        &host,
        trap,
    );
    std::fs::write(world.scene.at("files/leaked"), trap).unwrap();
    // In hexadecimal it would not be seen by looking for the word.
    let hex: String = trap.bytes().map(|byte| format!("{byte:02x}")).collect();
    for how in ["hex", "text"] {
        let said = try_way(&world, "leak", json!({ "how": how }));
        assert!(said.audit.contains("\"vault-canary\":1"), "{}", said.audit);
        assert!(
            said.answer.contains("[credential removed]"),
            "{}",
            said.answer
        );
        for word in [trap, &hex] {
            assert!(!said.all().to_lowercase().contains(word), "{how}");
        }
    }
    world.scene.store(
        &world.scene.anchored(),
        "token",
        Placement::Canary,
        &host,
        trap,
    );
    let said = try_way(&world, "reach", json!({"how": "plain"}));
    assert!(
        said.errors.contains("a canary is spent by nothing"),
        "{}",
        said.errors
    );
    assert!(world.api.seen().is_empty());
}
