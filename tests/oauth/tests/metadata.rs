//! RFC 9728: where a client learns whom to ask.

use serde_json::{Value, json};

use crate::{
    http::parameter,
    token::Key,
    world::{Issuer, Target, World, resource},
};

#[test]
fn the_document_is_found_from_the_challenge_and_names_issuer_and_scopes() {
    let world = World::new(json!({}));
    let target = &world.target;
    let refused = target.call_with("who", "X-Nothing: x");
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    assert!(
        !challenge.contains("error="),
        "nothing was shown: {challenge}"
    );
    let url = parameter(challenge, "resource_metadata").unwrap();
    let at = url
        .strip_prefix(&format!("https://{}", target.address))
        .unwrap();
    assert_eq!(at, "/.well-known/oauth-protected-resource/mcp");

    let mut documents = Vec::new();
    for path in [at, "/.well-known/oauth-protected-resource"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}", target.address);
        let answer = target.send(&head, "");
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        documents.push(answer.json());
    }
    assert_eq!(documents[0], documents[1]);
    let document: &Value = &documents[0];
    assert_eq!(document["resource"], target.resource);
    assert_eq!(document["authorization_servers"], json!([world.issuer.url]));
    // From the tools, the prompt and the resource; what is hidden is not there.
    assert_eq!(
        document["scopes_supported"],
        json!(["notes:read", "notes:write"])
    );
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    assert_eq!(document["resource_name"], "oauth-target");
}

#[test]
fn the_document_is_no_way_around_the_host_check_and_nothing_else_is_open() {
    let world = World::new(json!({}));
    let target = &world.target;
    let ask = |line: &str, host: &str| {
        target
            .send(&format!("{line} HTTP/1.1\r\nHost: {host}"), "")
            .status
    };
    let here = target.address.to_string();
    let document = "/.well-known/oauth-protected-resource";
    assert_eq!(ask(&format!("GET {document}"), &here), 200);
    assert_eq!(ask(&format!("GET {document}"), "evil.example"), 403);
    assert_eq!(ask(&format!("POST {document}"), &here), 405);
    for path in [
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-protected-resource/mcp/",
        "/.well-known/oauth-authorization-server",
        "/.well-known/../mcp",
        "/",
    ] {
        assert_eq!(ask(&format!("GET {path}"), &here), 404, "{path}");
    }
}

#[test]
fn the_challenge_names_what_to_ask_for_first_and_no_more() {
    let world = World::new(json!({ "baseline": ["notes:read"] }));
    let target = &world.target;
    for headers in ["X: y", "Authorization: Bearer x.y.z"] {
        let answer = target.call_with("write", headers);
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(parameter(challenge, "scope"), Some("notes:read"));
    }
    let world = World::new(json!({}));
    let answer = world.target.call_with("write", "X: y");
    let challenge = answer.header("www-authenticate").unwrap();
    assert_eq!(parameter(challenge, "scope"), None);
}

#[test]
fn a_scope_for_everything_is_never_asked_for_first() {
    let key = Key::new("k1");
    let resource = resource();
    let issuer = Issuer::start(&[&key], &resource, "jwt", json!({}));
    for scope in ["*", "all", "full-access", "offline_access", "notes:nothing"] {
        let baseline = json!({ "baseline": ["notes:read", scope] });
        let refused = std::panic::catch_unwind(|| Target::start(&issuer.url, &resource, baseline));
        let said = *refused.err().unwrap().downcast::<String>().unwrap();
        assert!(
            said.contains(&format!("`{scope}`")) && said.contains("help:"),
            "{said}"
        );
    }
}
