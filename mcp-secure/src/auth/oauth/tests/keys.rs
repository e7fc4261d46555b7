//! Where keys come from, how long they are believed, and what a flood of names costs.

use std::time::Duration;

use super::*;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OIDC: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn the_metadata_are_looked_for_in_the_places_of_the_specification() {
    let world = World::new().await;
    let issuer = &world.issuer;
    open(world.server()).await.unwrap();
    assert_eq!(issuer.all_heard(), [OAUTH, "/keys"]);
    issuer.forget(OAUTH);
    issuer.metadata(OIDC, &issuer.url);
    open(world.server()).await.unwrap();
    assert_eq!(issuer.heard(OIDC).len(), 1);

    let tenant = format!("{}/tenant", issuer.url);
    let server = || {
        ResourceServer::new(&tenant, RESOURCE)
            .allow_private_issuer()
            .ca_file(issuer.folder.path().join("ca.pem"))
    };
    assert!(
        open(server()).await.is_err(),
        "those of the root are another issuer's"
    );
    for path in [
        "/tenant/.well-known/openid-configuration",
        "/.well-known/openid-configuration/tenant",
        "/.well-known/oauth-authorization-server/tenant",
    ] {
        issuer.metadata(path, &tenant);
        open(server()).await.unwrap();
        assert_eq!(issuer.all_heard()[issuer.all_heard().len() - 2], path);
    }
}

/// RFC 8414 section 3.3, and the mix-up of two issuers on one origin.
#[tokio::test]
async fn metadata_that_cannot_be_right_stop_the_start() {
    let world = World::new().await;
    let issuer = &world.issuer;
    let other = Issuer::start().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut metadata =
            json!({"issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url)});
        change(&mut metadata);
        metadata.to_string()
    };
    for (name, status, headers, body, says) in [
        (
            "another issuer",
            200,
            "",
            with(&|m| m["issuer"] = json!("https://evil.example")),
            "not of",
        ),
        (
            "a slash more",
            200,
            "",
            with(&|m| m["issuer"] = json!(format!("{}/", issuer.url))),
            "not of",
        ),
        (
            "no issuer",
            200,
            "",
            with(&|m| remove(m, "issuer")),
            "not of",
        ),
        (
            "no keys",
            200,
            "",
            with(&|m| remove(m, "jwks_uri")),
            "name no keys",
        ),
        (
            "keys elsewhere",
            200,
            "",
            with(&|m| m["jwks_uri"] = json!(format!("{}/keys", other.url))),
            "another origin",
        ),
        (
            "keys inside",
            200,
            "",
            with(&|m| m["jwks_uri"] = json!("http://169.254.169.254/keys")),
            "another origin",
        ),
        (
            "keys in a file",
            200,
            "",
            with(&|m| m["jwks_uri"] = json!("file:///etc/passwd")),
            "another origin",
        ),
        (
            "keys on the way",
            200,
            "",
            with(&|m| m["jwks_uri"] = json!(issuer.url.replace("https", "http") + "/keys")),
            "another origin",
        ),
        (
            "keys are text",
            200,
            "",
            with(&|m| m["jwks_uri"] = json!("\u{1b}[2J\n")),
            "another origin",
        ),
        (
            "a key twice",
            200,
            "",
            with(&|_| {}).replacen('{', "{\"issuer\":\"x\",", 1),
            "does not say",
        ),
        ("a page", 200, "", "<html>".to_owned(), "does not say"),
        ("a list", 200, "", "[]".to_owned(), "does not say"),
        ("an error", 500, "", with(&|_| {}), "does not say"),
        (
            "a redirect",
            302,
            "location: https://evil.example/\r\n",
            with(&|_| {}),
            "does not say",
        ),
        (
            "too much",
            200,
            "",
            with(&|m| m["x"] = json!("x".repeat(300 * 1024))),
            "does not say",
        ),
    ] {
        issuer.reply(OAUTH, status, headers, body);
        let error = open(world.server()).await.err().expect(name).to_string();
        assert!(
            error.contains(says) && error.contains("help"),
            "{name}: {error}"
        );
        assert!(!error.contains('\u{1b}'), "{name}");
    }
    assert!(other.all_heard().is_empty());
    let keys = format!("{}/keys?p=x", issuer.url);
    issuer.reply("/keys?p=x", 200, "", json!({"keys": [world.es256.jwk]}));
    let verifier = open(world.server().jwks(&keys)).await.unwrap();
    assert!(
        bearer(&verifier, &world.token(|_, _| {})).await.is_ok(),
        "no metadata are asked"
    );
}

#[tokio::test]
async fn a_document_of_keys_that_cannot_be_right_stops_the_start() {
    let world = World::new().await;
    let many: Vec<_> = (0..65).map(|_| world.es256.jwk.clone()).collect();
    let mut private = world.es256.jwk.clone();
    private["d"] = json!("AA");
    for (name, status, body, says) in [
        (
            "none",
            200,
            json!({"keys": []}).to_string(),
            "no key can be used",
        ),
        (
            "only symmetric",
            200,
            json!({"keys": [{"kty": "oct", "k": "AA"}]}).to_string(),
            "private",
        ),
        (
            "only private",
            200,
            json!({"keys": [private]}).to_string(),
            "private",
        ),
        (
            "too many",
            200,
            json!({"keys": many}).to_string(),
            "65 keys",
        ),
        (
            "a bomb",
            200,
            format!("{{\"keys\":[{}]}}", "{},".repeat(100_000)),
            "larger",
        ),
        ("deep", 200, "[".repeat(100_000), "no JSON object"),
        (
            "no list",
            200,
            json!({"keys": world.es256.jwk}).to_string(),
            "no `keys`",
        ),
        ("no object", 200, "[]".to_owned(), "no JSON object"),
        (
            "an error",
            404,
            json!({"keys": [world.es256.jwk]}).to_string(),
            "404",
        ),
    ] {
        world.issuer.reply("/keys", status, "", body);
        let error = open(world.server()).await.err().expect(name).to_string();
        assert!(
            error.contains(says) && error.contains("help"),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn a_thousand_keys_are_found_by_name_where_so_many_are_allowed() {
    let world = World::new().await;
    let mut keys: Vec<Value> = (0..999)
        .map(|n| {
            let mut jwk = world.stranger.jwk.clone();
            jwk["kid"] = json!(format!("k{n}"));
            jwk
        })
        .collect();
    keys.push(world.es256.jwk.clone());
    world.issuer.reply("/keys", 200, "", json!({"keys": keys}));
    assert!(open(world.server()).await.is_err());
    let verifier = open(world.server().max_keys(1000)).await.unwrap();
    assert!(bearer(&verifier, &world.token(|_, _| {})).await.is_ok());
    let forged = world.with_header(|h| h["kid"] = json!("k7"));
    assert_eq!(
        control(&bearer(&verifier, &forged).await),
        "oauth/signature"
    );
}

#[tokio::test]
async fn a_token_without_a_name_of_its_key_is_of_the_only_one() {
    let world = World::new().await;
    world
        .issuer
        .keys(&[&world.es256.jwk, &json!({"kty": "oct", "k": "AA"})]);
    let verifier = open(world.server()).await.unwrap();
    assert!(
        bearer(&verifier, &world.with_header(|h| remove(h, "kid")))
            .await
            .is_ok()
    );
    let header = json!({"alg": "RS256", "typ": "at+jwt"});
    let token = world
        .rsa
        .sign(&header.to_string(), &world.claims().to_string());
    assert_eq!(control(&bearer(&verifier, &token).await), "oauth/algorithm");
}

#[tokio::test]
async fn a_new_key_is_found_by_one_fetch_and_an_old_one_is_gone_from_memory_too() {
    let world = World::new().await;
    world.issuer.keys(&[&world.es256.jwk]);
    let verifier = open(world.server()).await.unwrap();
    let old = world.token(|_, _| {});
    assert!(bearer(&verifier, &old).await.is_ok());
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"});
    let new = world
        .ed
        .sign(&header.to_string(), &world.claims().to_string());
    world.issuer.keys(&[&world.ed.jwk]);
    assert!(bearer(&verifier, &new).await.is_ok());
    assert_eq!(world.issuer.heard("/keys").len(), 2);
    // It was verified before, and remembered; by a key that is not there any more.
    assert_eq!(control(&bearer(&verifier, &old).await), "oauth/key");
    assert!(bearer(&verifier, &new).await.is_ok());
}

#[tokio::test]
async fn two_thousand_names_of_keys_are_two_fetches_and_a_new_key_is_found_later() {
    let world = World::new().await;
    let server = world.server();
    let clock = server.clock.clone();
    let verifier = open(server).await.unwrap();
    let flood = async |from: u32| {
        for n in from..from + 2000 {
            let token = world.es256.sign(
                &json!({"alg": "ES256", "typ": "at+jwt", "kid": n.to_string()}).to_string(),
                "{}",
            );
            assert_eq!(control(&bearer(&verifier, &token).await), "oauth/key");
        }
    };
    flood(0).await;
    assert_eq!(world.issuer.heard("/keys").len(), 3, "one at the start");
    assert_eq!(verifier.signatures(), 0);
    assert!(bearer(&verifier, &world.token(|_, _| {})).await.is_ok());
    clock.advance(31);
    let late = Signer::es256("late");
    world.issuer.keys(&[&late.jwk, &world.es256.jwk]);
    let token = late.sign(&world.with_kid("late"), &world.claims().to_string());
    assert!(bearer(&verifier, &token).await.is_ok());
    assert_eq!(world.issuer.heard("/keys").len(), 4);
}

#[tokio::test]
async fn who_asks_at_the_same_time_waits_for_one_answer_and_not_more_than_so_many() {
    let world = World::new().await;
    world.issuer.keys(&[&world.es256.jwk]);
    let verifier = open(world.server()).await.unwrap();
    let gate = world.issuer.hold();
    world.issuer.keys(&[&world.es256.jwk, &world.ed.jwk]);
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"});
    let token = world
        .ed
        .sign(&header.to_string(), &world.claims().to_string());
    let value = format!("Bearer {token}");
    let asking: Vec<_> = (0..80)
        .map(|_| tokio::spawn(verifier.verify(&head(&[("authorization", &value)]))))
        .collect();
    while world.issuer.heard("/keys").len() < 2 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    let answers = futures::future::join_all(asking).await;
    let count = |name| {
        answers
            .iter()
            .filter(|one| control(one.as_ref().unwrap()) == name)
            .count()
    };
    assert_eq!((count("in"), count("oauth/keys")), (64, 16));
    assert_eq!(world.issuer.heard("/keys").len(), 2);
}

/// Nobody gets in by an outage: neither new nor remembered (checklist AUTHZ-22).
#[tokio::test]
async fn keys_are_believed_for_a_while_without_the_issuer_and_then_nobody_gets_in() {
    let world = World::new().await;
    let server = world.server().stale_keys(Duration::from_secs(900));
    let clock = server.clock.clone();
    let verifier = open(server).await.unwrap();
    let token = world.with_claims(|c| c["exp"] = json!(now() + 86_400));
    assert!(bearer(&verifier, &token).await.is_ok());
    world.issuer.is_down();
    let unknown = world.with_header(|h| h["kid"] = json!("new"));
    for _ in 0..4 {
        let error = bearer(&verifier, &unknown).await.unwrap_err();
        assert!(
            matches!(error.kind, TokenErrorKind::Unavailable { .. }),
            "{error:?}"
        );
    }
    assert_eq!(world.issuer.heard("/keys").len(), 3);
    clock.advance(600 + 890);
    assert!(bearer(&verifier, &token).await.is_ok());
    clock.advance(20);
    for token in [
        &token,
        &world.with_claims(|c| c["exp"] = json!(now() + 86_400)),
    ] {
        let error = bearer(&verifier, token).await.unwrap_err();
        assert!(
            matches!(error.kind, TokenErrorKind::Unavailable { .. }),
            "{error:?}"
        );
    }
    clock.advance(31);
    world.issuer.keys(&[&world.es256.jwk]);
    assert!(bearer(&verifier, &token).await.is_ok(), "and it is back");
}

#[tokio::test]
async fn an_issuer_with_a_certificate_of_nobody_is_not_asked() {
    let world = World::new().await;
    let server = ResourceServer::new(&world.issuer.url, RESOURCE).allow_private_issuer();
    let error = open(server).await.err().unwrap().to_string();
    assert!(error.contains("does not say where its keys are"), "{error}");
    let server = ResourceServer::new(&world.issuer.url, RESOURCE)
        .ca_file(world.issuer.folder.path().join("ca.pem"));
    assert!(open(server).await.is_err(), "a private address");
    assert!(world.issuer.all_heard().is_empty());
}

impl World {
    fn with_kid(&self, kid: &str) -> String {
        let mut header = self.header();
        header["kid"] = json!(kid);
        header.to_string()
    }
}
