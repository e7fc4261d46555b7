//! POISON: text that somebody else wrote tells the client what to do.
//!
//! The twin passes on what it is given, as it came. The client is one that believes what it
//! reads (`client.rs`): it finds the order, reads the planted secret and sends it to the server.
//! Then the same bytes go through ours.

mod client;
pub mod ours;
mod screen;
mod texts;
pub mod twin;

mod answers;
mod definitions;
mod flows;

use serde_json::{Value, json};

use crate::{
    ours::{Over, Running},
    report::Attack,
    scene::Scene,
    wire::Server,
};
use client::Belief;

pub fn attacks() -> Vec<Attack> {
    let mut attacks = definitions::attacks();
    for over in [Over::Stdio, Over::Http] {
        attacks.extend(answers::attacks(over));
        attacks.extend(flows::attacks(over));
    }
    attacks
}

/// `way__transport`, the variant of an attack that is played over both. There are as many
/// names as attacks, so they may stay.
fn variant(way: &str, over: Over) -> &'static str {
    let name = match way {
        "" => over.name().to_owned(),
        way => format!("{way}__{}", over.name()),
    };
    Box::leak(name.into_boxed_str())
}

fn start_twin(scene: &Scene) -> Server {
    let mut twin = Server::start("twin poison", [&scene.root], scene);
    twin.initialize();
    twin
}

fn start_ours(over: Over, scene: &Scene) -> Running {
    Running::start_as("ours poison", over, scene, &json!({}))
}

/// The client reads what the twin said and does as it is told. The secret must be gone.
fn obey(twin: &mut Server, scene: &Scene, said: &[Value], belief: Belief) {
    let order = client::order(said, belief)
        .unwrap_or_else(|| panic!("the client was not fooled: {said:?}"));
    let mut arguments = json!({ "path": "hello.txt" });
    arguments[&order.argument] = order.secret(scene).into();
    twin.call("read_file", arguments);
    assert_lost(scene);
}

/// The attacker has the secret.
fn assert_lost(scene: &Scene) {
    let loot = std::fs::read_to_string(scene.path("loot.txt")).unwrap_or_default();
    assert!(loot.contains(&scene.canary), "the twin was not exploited");
    std::fs::remove_file(scene.path("loot.txt")).unwrap();
}

/// The caller does not have it, and neither has the audit log.
fn assert_kept(ours: &Running, scene: &Scene, said: &[Value]) {
    for text in client::strings(said) {
        assert!(!text.contains(&scene.canary), "{said:?}");
    }
    assert!(!ours.audit().contains(&scene.canary), "{}", ours.audit());
}

/// The record that counts this rule among what was found.
fn found(ours: &Running, rule: &str) -> Value {
    ours.record(rule, |record| record["text"]["findings"][rule].is_u64())
}

/// What the note in an answer says of a rule.
fn note<'a>(answer: &'a Value, rule: &str) -> &'a Value {
    let meta = [
        &answer["result"]["_meta"],
        &answer["error"]["data"]["_meta"],
    ];
    let findings = meta
        .into_iter()
        .filter_map(|meta| meta["io.github.mcp-secure/text"]["findings"].as_array())
        .flatten();
    findings
        .into_iter()
        .find(|finding| finding["rule"] == rule)
        .unwrap_or_else(|| panic!("no note of {rule} in {answer}"))
}
