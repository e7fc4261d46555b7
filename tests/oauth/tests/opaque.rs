//! Tokens that only the issuer can read: RFC 7662, with a real authorization server.

use serde_json::json;

use crate::{
    token::Key,
    world::{Issuer, Target, private_file, resource},
};

#[test]
fn an_opaque_token_is_asked_about_and_no_answer_is_a_no() {
    let key = Key::new("k1");
    let resource = resource();
    let mut issuer = Issuer::start(&[&key], &resource, "opaque", json!({}));
    let folder = tempfile::tempdir().unwrap();
    let secret = private_file(folder.path(), "secret", "introspection-secret");
    let asked = json!({ "introspect": ["resource-server", secret] });
    let target = Target::start(&issuer.url, &resource, asked);

    let ours = issuer.token_for("machine", "notes:read", &resource);
    assert!(!ours.contains('.'), "{ours} is opaque");
    let answer = target.call("who", &ours);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json()["result"]["content"][0]["text"],
        format!("{} machine machine [notes:read]", issuer.url)
    );
    assert_eq!(target.call("write", &ours).status, 403);

    let theirs = issuer.token_for("machine", "notes:read", "https://other.example/mcp");
    assert_eq!(target.call("who", &theirs).status, 401, "another audience");
    assert_eq!(target.call("who", "no-such-token").status, 401);

    let revoked = issuer.token_for("machine", "notes:read", &resource);
    let answer = issuer.post(
        "/token/revocation",
        "",
        &[
            ("token", &revoked),
            ("client_id", "machine"),
            ("client_secret", "machine-secret"),
        ],
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(target.call("who", &revoked).status, 401);

    // Neither what was shown nor what it was asked about with is written anywhere.
    target.audited(|record| record["target"] == "write");
    let logs = std::fs::read_to_string(target.audit_log()).unwrap() + &target.said();
    for secret in [&ours, &theirs, &revoked, "introspection-secret"] {
        assert!(!logs.contains(secret), "{logs}");
    }

    let unasked = issuer.token_for("machine", "notes:read", &resource);
    issuer.stop();
    let answer = target.call("who", &unasked);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some());
}
