//! A token that is bound to the client's certificate (RFC 8705).

use serde_json::json;
use sha2::Digest as _;

use crate::{
    http::Answer,
    token::{Key, base64, claims},
    wire::{Authority, Identity},
    world::{Issuer, Target, message, private_file, resource},
};

fn call(target: &Target, tool: &str, token: &str, shown: Option<&Identity>) -> Answer {
    let headers = format!("Authorization: Bearer {token}");
    let head = target.head("tools/call", Some(tool), &headers);
    let body = message("tools/call", json!({ "name": tool, "arguments": {} }));
    target.send_as(shown, &head, &body)
}

#[test]
fn a_token_that_is_bound_to_a_certificate_works_over_its_connection_alone() {
    let authority = Authority::get();
    let folder = tempfile::tempdir().unwrap();
    let clients = private_file(folder.path(), "clients.pem", &authority.pem());
    let asked = json!({ "client_certificates": clients, "certificate_bound": true });
    let key = Key::new("k1");
    let resource = resource();
    let issuer = Issuer::start(&[&key], &resource, "jwt", json!({}));
    let target = Target::start(&issuer.url, &resource, asked);

    let owner = authority.client("owner");
    let thief = authority.client("thief");
    let mut claims = claims(&issuer.url, &resource, "notes:read");
    let unbound = key.sign(&key.header(), &claims);
    claims["cnf"] = json!({ "x5t#S256": base64(&sha2::Sha256::digest(owner.0.der())) });
    let bound = key.sign(&key.header(), &claims);

    let answer = call(&target, "read", &bound, Some(&owner));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["result"]["content"][0]["text"] == "a note");
    assert_eq!(call(&target, "read", &bound, Some(&thief)).status, 401);
    assert_eq!(
        call(&target, "read", &unbound, Some(&owner)).status,
        401,
        "every token has to be bound"
    );
    let record = target.audited(|record| record["target"] == "read");
    assert_eq!(record["principal"]["assurance"], "sender_constrained");
}
