//! A good token that lacks a scope: 403 and all scopes that are needed, in both generations,
//! before anything has run.

use serde_json::{Value, json};

use crate::{
    http::{Answer, parameter},
    token::claims,
    world::{Target, World},
};

fn token(world: &World, scope: &str) -> String {
    let claims = claims(&world.issuer.url, &world.target.resource, scope);
    world.key.sign(&world.key.header(), &claims)
}

#[track_caller]
fn is_challenged(answer: &Answer, target: &Target, scopes: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert_eq!(parameter(challenge, "scope"), Some(scopes));
    assert_eq!(
        parameter(challenge, "resource_metadata"),
        Some(
            format!(
                "https://{}/.well-known/oauth-protected-resource/mcp",
                target.address
            )
            .as_str()
        )
    );
    assert!(!answer.body.contains("written"), "{answer:?}");
}

#[test]
fn each_primitive_is_challenged_with_the_complete_set() {
    let world = World::new(json!({}));
    let target = &world.target;
    let nothing = token(&world, "");
    let reader = token(&world, "notes:read");
    let writer = token(&world, "notes:read notes:write");

    is_challenged(&target.call("read", &nothing), target, "notes:read");
    // Both, though one is held: a client that asks for the missing one alone would lose the other.
    is_challenged(
        &target.call("write", &reader),
        target,
        "notes:read notes:write",
    );
    let prompt = json!({ "name": "summary" });
    is_challenged(
        &target.ask("prompts/get", prompt, &reader),
        target,
        "notes:write",
    );
    let resource = json!({ "uri": "note://today" });
    is_challenged(
        &target.ask("resources/read", resource, &reader),
        target,
        "notes:write",
    );

    let answer = target.call("write", &writer);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["result"]["content"][0]["text"], "written");

    let record = target.audited(|record| record["challenged"].is_array());
    assert_eq!(record["control"], "authorize/scope");
    assert_eq!(record["decision"], "deny");
    assert_eq!(record["principal"]["subject"], "alice");
}

#[test]
fn what_only_lacks_a_scope_is_listed_and_what_is_hidden_is_unknown() {
    let world = World::new(json!({}));
    let target = &world.target;
    let nothing = token(&world, "");
    let listed = target.ask("tools/list", json!({}), &nothing).json();
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["who", "read", "write"]);

    let hidden = target.call("erase", &nothing);
    let absent = target.call("no_such_tool", &nothing);
    assert_eq!(hidden.status, absent.status);
    let told = |answer: &Answer| {
        let mut error = answer.json()["error"].clone();
        error["data"]["correlationId"].take();
        error
    };
    assert_eq!(told(&hidden), told(&absent));
    assert!(hidden.header("www-authenticate").is_none());
}

#[test]
fn on_a_session_the_status_is_said_after_the_decision() {
    let world = World::new(json!({}));
    let target = &world.target;
    let reader = token(&world, "notes:read");
    let session = Session::open(target, &reader);
    assert_eq!(session.call("read", &reader).status, 200);
    is_challenged(
        &session.call("write", &reader),
        target,
        "notes:read notes:write",
    );
    // The session goes on with the wider token of the same person and client.
    let writer = token(&world, "notes:read notes:write");
    let answer = session.call("write", &writer);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["result"]["content"][0]["text"], "written");
}

#[test]
fn a_broader_scope_is_never_challenged_for_a_narrower_one() {
    let world = World::new(json!({
        "implies": [["notes:admin", ["notes:write"]], ["notes:write", ["notes:read"]]],
    }));
    let target = &world.target;
    for scope in ["notes:admin", "notes:write"] {
        let answer = target.call("write", &token(&world, scope));
        assert_eq!(answer.status, 200, "{scope}");
    }
    is_challenged(
        &target.call("write", &token(&world, "notes:read")),
        target,
        "notes:read notes:write",
    );
    let erased = target.call("erase", &token(&world, "notes:admin")).json();
    assert_eq!(erased["result"]["content"][0]["text"], "erased");
}

#[test]
fn a_scope_is_a_name_and_no_pattern() {
    let world = World::new(json!({}));
    let target = &world.target;
    for scope in [
        "*",
        "all",
        "full-access",
        "notes:*",
        "notes",
        "NOTES:READ",
        "notes:read:",
    ] {
        let answer = target.call("read", &token(&world, scope));
        is_challenged(&answer, target, "notes:read");
    }
}

#[test]
fn an_elevation_is_in_the_log_from_the_challenge_to_the_call() {
    let world = World::new(json!({}));
    let target = &world.target;
    let reader = token(&world, "notes:read");
    assert_eq!(target.call("write", &reader).status, 403);
    let writer = token(&world, "notes:read notes:write");
    assert_eq!(target.call("write", &writer).status, 200);
    let is_write =
        |record: &Value, outcome: &str| record["target"] == "write" && record["outcome"] == outcome;
    let denied = target.audited(|record| is_write(record, "denied"));
    assert_eq!(denied["challenged"], json!(["notes:read", "notes:write"]));
    let done = target.audited(|record| is_write(record, "ok"));
    assert_eq!(done["challenged"], Value::Null);
    // Who it was is in both, and each has an id of its own.
    for name in ["issuer", "subject", "client"] {
        assert!(denied["principal"][name].is_string(), "{denied}");
        assert_eq!(denied["principal"][name], done["principal"][name]);
    }
    assert!(denied["id"].is_string() && done["id"].is_string());
    assert_ne!(denied["id"], done["id"]);
}

/// A session of the 2025-11-25 generation.
pub(crate) struct Session<'a> {
    target: &'a Target,
    id: String,
}

impl<'a> Session<'a> {
    pub(crate) fn open(target: &'a Target, token: &str) -> Self {
        let initialize = json!({
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": { "name": "attacker", "version": "1" },
            },
        });
        let answer = Self::post(target, token, None, &initialize);
        let id = answer.header("mcp-session-id").expect("a session");
        let session = Self {
            target,
            id: id.to_owned(),
        };
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let answer = Self::post(target, token, Some(&session.id), &initialized);
        assert_eq!(answer.status, 202, "{answer:?}");
        session
    }

    pub(crate) fn call(&self, tool: &str, token: &str) -> Answer {
        let call = json!({
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": { "name": tool, "arguments": {} },
        });
        Self::post(self.target, token, Some(&self.id), &call)
    }

    /// Any method of HTTP on this session.
    pub(crate) fn with(&self, method: &str, headers: &str, body: &str) -> Answer {
        let head = format!(
            "{method} /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n\
             Mcp-Session-Id: {}\r\n{headers}",
            self.target.address, self.id
        );
        self.target.send(&head, body)
    }

    fn post(target: &Target, token: &str, session: Option<&str>, message: &Value) -> Answer {
        let session = session.map_or_else(String::new, |id| {
            format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-11-25\r\n")
        });
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{session}\
             Authorization: Bearer {token}",
            target.address
        );
        target.send(&head, &message.to_string())
    }
}
