//! RFC 9728: where a client learns whom to ask.

use serde_json::{Value, json};

use crate::{http::parameter, world::World};

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
