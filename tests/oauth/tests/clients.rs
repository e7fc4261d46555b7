//! The official clients, told nothing but the URL of a server: they find the authorization
//! server, register there, let a person log in with PKCE and resource indicator, and come back with
//! more scopes when they are told to.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    wire::Authority,
    world::{Target, World, clients, private_file, resource, tool},
};

fn run(program: &str, script: &str, mut asked: Value) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let authority = private_file(folder.path(), "authority.pem", &Authority::get().pem());
    asked["authority"] = json!(authority);
    let output = Command::new(tool(program))
        // Node takes it from nowhere else.
        .env("NODE_EXTRA_CA_CERTS", &authority)
        .arg(clients().join(script))
        .arg(asked.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).unwrap_or_else(|error| {
        let told = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {said} {told}")
    })
}

fn typescript(target: &Target, generation: &str, client: Option<&str>, dpop: bool) -> Value {
    let asked = json!({
        "generation": generation,
        "url": target.resource,
        "person": "alice",
        "client": client,
        "dpop": dpop,
        "refresh": true,
    });
    run("MCP_SECURE_NODE", "oauth.mjs", asked)
}

fn python(target: &Target, generation: &str) -> Value {
    let asked = json!({
        "generation": generation,
        "url": target.resource,
        "person": "alice",
    });
    run("MCP_SECURE_PYTHON", "oauth.py", asked)
}

#[track_caller]
fn logged_in_and_stepped_up(issuer: &str, target: &Target, seen: &Value) {
    assert!(seen["error"].is_null(), "{seen}");
    assert_eq!(seen["tools"], json!(["who", "read", "write"]), "{seen}");
    let who = seen["who"].as_str().unwrap();
    assert!(who.starts_with(&format!("{issuer} alice ")), "{seen}");
    assert_eq!(seen["read"], "a note");
    assert_eq!(seen["write"], "written");
    for asked in seen["asked"].as_array().unwrap() {
        assert_eq!(asked["method"], "S256", "{seen}");
        assert_eq!(asked["resource"], target.resource, "{seen}");
    }
}

/// A token that is no good any more was replaced, and the person heard nothing of it.
#[track_caller]
fn refreshed(seen: &Value, logins: usize) {
    assert_eq!(seen["again"], "a note", "{seen}");
    assert_eq!(seen["refreshed"], true, "{seen}");
    assert_eq!(seen["asked"].as_array().unwrap().len(), logins, "{seen}");
}

#[test]
fn the_typescript_client_logs_in_and_steps_up_in_both_generations() {
    for generation in ["2026-07-28", "2025-11-25"] {
        let world = World::new(json!({ "baseline": ["notes:read"] }));
        let seen = typescript(&world.target, generation, Some("native"), false);
        logged_in_and_stepped_up(&world.issuer.url, &world.target, &seen);
        // First what the first challenge names, then all that the tool needs.
        assert_eq!(seen["asked"].as_array().unwrap().len(), 2, "{seen}");
        let last = seen["asked"][1]["scope"].as_str().unwrap();
        assert!(
            last.contains("notes:read") && last.contains("notes:write"),
            "{seen}"
        );
        refreshed(&seen, 2);
    }
}

#[test]
fn the_typescript_client_proves_possession() {
    let world =
        World::new(json!({ "dpop": "required", "baseline": ["notes:read", "notes:write"] }));
    let seen = typescript(&world.target, "2026-07-28", None, true);
    logged_in_and_stepped_up(&world.issuer.url, &world.target, &seen);
    assert_eq!(seen["token_type"], "DPoP");
    refreshed(&seen, 1);
}

#[test]
fn the_python_client_logs_in_in_both_generations() {
    for generation in ["2026-07-28", "2025-11-25"] {
        let world = World::new(json!({ "baseline": ["notes:read", "notes:write"] }));
        let seen = python(&world.target, generation);
        logged_in_and_stepped_up(&world.issuer.url, &world.target, &seen);
    }
}

/// The issuer that comes with the SDK, for trying things, is one that the official clients find.
#[test]
fn both_clients_log_in_at_the_development_issuer() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let resource = resource();
    let issuer = mcp_secure::auth::DevIssuer::new()
        .resource(&resource)
        .agrees();
    let issuer = runtime.block_on(issuer.start()).unwrap();
    let more = json!({ "baseline": ["notes:read", "notes:write"] });
    let target = Target::start(issuer.url(), &resource, more);
    for generation in ["2026-07-28", "2025-11-25"] {
        let seen = typescript(&target, generation, None, false);
        logged_in_and_stepped_up(issuer.url(), &target, &seen);
        refreshed(&seen, 1);
    }
    let seen = python(&target, "2026-07-28");
    logged_in_and_stepped_up(issuer.url(), &target, &seen);
}
