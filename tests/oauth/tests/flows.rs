//! Beside a real authorization server: its tokens, its keys, and what happens when it is gone.

use serde_json::json;

use crate::{
    token::Key,
    world::{Issuer, Target, World, resource},
};

#[test]
fn a_token_of_the_issuer_works_here_and_one_for_another_server_does_not() {
    let world = World::new(json!({}));
    let (issuer, target) = (&world.issuer, &world.target);
    let ours = issuer.token_for("machine", "notes:read", &target.resource);
    let answer = target.call("who", &ours);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json()["result"]["content"][0]["text"],
        format!("{} machine machine [notes:read]", issuer.url)
    );
    assert_eq!(target.call("read", &ours).status, 200);
    assert_eq!(target.call("write", &ours).status, 403);

    let theirs = issuer.token_for("machine", "notes:read", "https://other.example/mcp");
    assert_eq!(target.call("who", &theirs).status, 401);
}

#[test]
fn a_new_key_is_found_and_an_old_one_forgotten_with_few_questions() {
    let mut world = World::new(json!({}));
    let resource = world.target.resource.clone();
    let before = world.issuer.token_for("machine", "notes:read", &resource);
    assert_eq!(world.target.call("who", &before).status, 200);

    let next = Key::new("k2");
    world.issuer.restart_with(&[&next]);
    let after = world.issuer.token_for("machine", "notes:read", &resource);
    let answer = world.target.call("who", &after);
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = world.issuer.asked();
    // Unknown keys do not make the server ask again and again.
    for number in 0..50 {
        let stranger = Key::new(&format!("unknown-{number}"));
        let claims = crate::token::claims(&world.issuer.url, &resource, "notes:read");
        let token = stranger.sign(&stranger.header(), &claims);
        assert_eq!(world.target.call("who", &token).status, 401);
    }
    assert!(
        world.issuer.asked() <= asked + 1,
        "{}",
        world.issuer.asked()
    );
}

#[test]
fn without_its_issuer_a_server_does_not_start_and_says_why() {
    let key = Key::new("k1");
    let resource = resource();
    let mut issuer = Issuer::start(&[&key], &resource, "jwt", json!({}));
    issuer.stop();
    let url = issuer.url.clone();
    let refused = std::panic::catch_unwind(|| Target::start(&url, &resource, json!({})));
    let said = *refused.err().unwrap().downcast::<String>().unwrap();
    assert!(said.contains(&url) && said.contains("help:"), "{said}");
}
