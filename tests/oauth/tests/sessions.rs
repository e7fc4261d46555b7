//! A session is its owner's, whatever else a token says.

use serde_json::json;

use crate::{step_up::Session, token::claims, world::World};

#[test]
fn a_session_is_of_no_use_to_another_person_or_client_on_any_verb() {
    let world = World::new(json!({}));
    let target = &world.target;
    let token = |change: serde_json::Value| {
        let mut claims = claims(&world.issuer.url, &target.resource, "notes:read");
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        world.key.sign(&world.key.header(), &claims)
    };
    let alice = token(json!({}));
    let session = Session::open(target, &alice);
    assert_eq!(session.call("read", &alice).status, 200);
    let call = json!({
        "jsonrpc": "2.0",
        "id": 9,
        "method": "tools/call",
        "params": { "name": "read", "arguments": {} },
    });
    for thief in [
        token(json!({ "sub": "mallory" })),
        // The same person by another client: what she let one do is not the other's.
        token(json!({ "client_id": "another" })),
    ] {
        let headers = format!("Authorization: Bearer {thief}");
        for (method, body) in [
            ("POST", call.to_string()),
            ("GET", String::new()),
            ("DELETE", String::new()),
        ] {
            let answer = session.with(method, &headers, &body);
            assert_eq!(answer.status, 404, "{method}: {answer:?}");
        }
    }
    // Every request has to show a token, inside of a session too.
    let answer = session.with("POST", "X: y", &call.to_string());
    assert_eq!(answer.status, 401);
    assert_eq!(session.call("read", &alice).status, 200, "it lives on");
}

#[test]
fn a_stream_ends_with_the_token_that_opened_it() {
    let world = World::new(json!({}));
    let target = &world.target;
    let mut claims = claims(&world.issuer.url, &target.resource, "notes:read");
    claims["exp"] = json!(crate::token::now() + 4);
    let token = world.key.sign(&world.key.header(), &claims);
    let session = Session::open(target, &token);
    // It is read to its end: a stream that goes on would be ended by this side.
    let answer = session.with("GET", &format!("Authorization: Bearer {token}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.ended, "the stream went on after the token");
}
