//! Policies over what a token says: who acts for whom, and scopes that can still be asked for.

use serde_json::{Value, json};

use crate::{token::claims, world::World};

fn token(world: &World, scope: &str, more: Value) -> String {
    let mut claims = claims(&world.issuer.url, &world.target.resource, scope);
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    world.key.sign(&world.key.header(), &claims)
}

fn listed(world: &World, token: &str) -> Vec<String> {
    let listed = world.target.ask("tools/list", json!({}), token).json();
    let tools = listed["result"]["tools"].as_array().unwrap();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}

#[test]
fn a_policy_about_a_scope_does_not_hide_the_way_to_it() {
    let world = World::new(json!({ "policies": r#"
        permit(principal, action, resource) when { principal.scopes.containsAll(resource.scopes) };
        @id("no-summaries") forbid(principal, action == Action::"get:summary", resource);
    "# }));
    let nothing = token(&world, "", json!({}));
    let writer = token(&world, "notes:read notes:write", json!({}));
    // To be asked for is to be seen: as without the policy.
    assert_eq!(listed(&world, &nothing), ["who", "read", "write"]);
    let answer = world.target.call("write", &nothing);
    assert_eq!(answer.status, 403, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("scope=\"notes:read notes:write\""),
        "{challenge}"
    );
    assert_eq!(world.target.call("write", &writer).status, 200);
    // What no scope opens is not worth one: no challenge, and the words for what is not there.
    let told = |name: &str| {
        let answer = world
            .target
            .ask("prompts/get", json!({ "name": name }), &nothing);
        assert!(answer.header("www-authenticate").is_none(), "{answer:?}");
        let mut error = answer.json()["error"].clone();
        error["data"]["correlationId"].take();
        (answer.status, error)
    };
    assert_eq!(told("summary"), told("nobody"));
    let record = world.target.audited(|record| record["target"] == "summary");
    assert_eq!(record["control"], "authorize/policy", "{record}");
    assert_eq!(record["policies"], json!(["no-summaries"]), "{record}");
}

#[test]
fn an_agent_in_the_chain_is_seen_wherever_it_stands() {
    let world = World::new(json!({ "policies": r#"
        permit(principal, action, resource);
        @id("no-gateway") forbid(principal, action == Action::"call:read", resource)
        when { principal.actors.contains({ issuer: principal.issuer, subject: "gateway" }) };
        @id("nobody-acts") forbid(principal, action == Action::"call:write", resource)
        unless { principal.actors.isEmpty() };
        @id("bearer") forbid(principal, action == Action::"call:who", resource)
        unless { principal.assurance == Assurance::"access_token" && principal has client && principal.client == "native" };
    "# }));
    let scopes = "notes:read notes:write";
    let alone = token(&world, scopes, json!({}));
    let agent = json!({ "act": { "sub": "agent" } });
    let agent = token(&world, scopes, agent);
    let chain = json!({ "act": { "sub": "agent", "act": { "sub": "gateway" } } });
    let chain = token(&world, scopes, chain);
    assert_eq!(listed(&world, &alone), ["who", "read", "write"]);
    assert_eq!(listed(&world, &agent), ["who", "read"]);
    assert_eq!(listed(&world, &chain), ["who"]);
    for (tool, token, may) in [
        ("read", &alone, true),
        ("write", &alone, true),
        ("read", &agent, true),
        ("write", &agent, false),
        ("read", &chain, false),
        ("write", &chain, false),
    ] {
        let answer = world.target.call(tool, token).json();
        assert_eq!(answer.get("result").is_some(), may, "{tool}: {answer}");
    }
}
