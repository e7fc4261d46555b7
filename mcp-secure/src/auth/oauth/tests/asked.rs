//! Opaque tokens, and an issuer that is asked for them.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    super::{Algorithm, Dpop, Introspection},
    *,
};

fn secret(world: &World) -> Introspection {
    Introspection::with_secret("rs:1", world.issuer.secret("secret", "s3cret/+\n"))
}

fn says(world: &World, change: impl FnOnce(&mut Value)) {
    let mut claims = world.claims();
    claims["active"] = json!(true);
    remove(&mut claims, "jti");
    change(&mut claims);
    world.issuer.reply("/introspect", 200, "", claims);
}

#[tokio::test]
async fn an_opaque_token_is_what_the_issuer_says_and_is_asked_for_once() {
    let world = World::new().await;
    let server = world.server().introspection(secret(&world));
    let clock = server.clock.clone();
    let verifier = open(server).await.unwrap();
    says(&world, |_| {});
    for _ in 0..5 {
        let principal = bearer(&verifier, "opaque~1+").await.unwrap();
        assert_eq!(
            (principal.subject(), principal.client()),
            ("alice", Some("app"))
        );
        assert!(principal.has_scope("notes:write"));
    }
    let [asked] = <[_; 1]>::try_from(world.issuer.heard("/introspect")).unwrap();
    let basic = STANDARD.encode("rs%3A1:s3cret%2F%2B");
    assert!(
        asked
            .head
            .contains(&format!("authorization: Basic {basic}")),
        "{}",
        asked.head
    );
    assert_eq!(asked.body, "token=opaque~1%2B&token_type_hint=access_token");
    // A revoked token is taken for half a minute at most.
    says(&world, |c| *c = json!({"active": false}));
    clock.advance(29);
    assert!(bearer(&verifier, "opaque~1+").await.is_ok());
    clock.advance(2);
    assert_eq!(
        control(&bearer(&verifier, "opaque~1+").await),
        "oauth/introspection"
    );
    // And a refusal is remembered for a shorter time.
    let asked = world.issuer.heard("/introspect").len();
    assert_eq!(
        control(&bearer(&verifier, "opaque~1+").await),
        "oauth/introspection"
    );
    assert_eq!(world.issuer.heard("/introspect").len(), asked);
    says(&world, |_| {});
    clock.advance(11);
    assert!(bearer(&verifier, "opaque~1+").await.is_ok());
    // A JWT is still checked here.
    assert!(bearer(&verifier, &world.token(|_, _| {})).await.is_ok());
    assert_eq!(world.issuer.heard("/introspect").len(), asked + 1);
}

#[tokio::test]
async fn what_the_issuer_says_is_held_to_the_same_rules() {
    type Change = fn(&mut Value);
    let world = World::new().await;
    let verifier = open(world.server().introspection(secret(&world)))
        .await
        .unwrap();
    let rows: &[(&str, &str, Change)] = &[
        ("not active", "oauth/introspection", |c| {
            c["active"] = json!(false)
        }),
        ("another audience", "oauth/audience", |c| {
            c["aud"] = json!("https://other.example")
        }),
        ("two audiences", "oauth/audience", |c| {
            c["aud"] = json!([RESOURCE, "https://other.example"])
        }),
        ("no audience", "oauth/audience", |c| remove(c, "aud")),
        ("another issuer", "oauth/issuer", |c| {
            c["iss"] = json!("https://evil.example")
        }),
        ("an issuer that is null", "oauth/issuer", |c| {
            c["iss"] = Value::Null
        }),
        ("run out", "oauth/time", |c| c["exp"] = json!(now() - 10)),
        ("without an end", "oauth/time", |c| remove(c, "exp")),
        ("not yet", "oauth/time", |c| c["nbf"] = json!(now() + 100)),
        ("no client", "oauth/claims", |c| remove(c, "client_id")),
        ("a subject that is null", "oauth/claims", |c| {
            c["sub"] = Value::Null
        }),
        ("scopes that are none", "oauth/scope", |c| {
            c["scope"] = json!(1)
        }),
        (
            "bound to a key where no proof is spoken",
            "oauth/binding",
            |c| c["cnf"] = json!({"jkt": encode(&[0; 32])}),
        ),
        ("bound to nobody knows what", "oauth/binding", |c| {
            c["token_type"] = json!("DPoP")
        }),
        ("without the issuer, which asked itself", "in", |c| {
            remove(c, "iss")
        }),
        ("a client for itself", "in", |c| remove(c, "sub")),
    ];
    for (n, (name, expected, change)) in rows.iter().enumerate() {
        says(&world, change);
        let answer = bearer(&verifier, &format!("t{n}")).await;
        assert_eq!(control(&answer), *expected, "{name}");
    }
    for (n, (status, body)) in [
        (200, "{}"),
        (200, r#"{"active":"true"}"#),
        (200, r#"{"active":1}"#),
        (200, r#"{"active":false,"active":true}"#),
        (200, "[]"),
        (200, "<html>"),
        (401, r#"{"error":"invalid_client"}"#),
        (302, ""),
        (500, r#"{"active":true}"#),
    ]
    .into_iter()
    .enumerate()
    {
        world
            .issuer
            .reply("/introspect", status, "location: /x\r\n", body);
        let error = bearer(&verifier, &format!("u{n}")).await.unwrap_err();
        assert_eq!(error.control, "oauth/introspection", "{status} {body}");
        assert!(
            matches!(error.kind, TokenErrorKind::Unavailable { .. }),
            "{status} {body}"
        );
    }
    assert!(world.issuer.heard("/x").is_empty());
}

#[tokio::test]
async fn who_shows_the_same_token_waits_for_one_answer() {
    let world = World::new().await;
    let verifier = open(world.server().introspection(secret(&world)))
        .await
        .unwrap();
    says(&world, |_| {});
    let gate = world.issuer.hold();
    let shown = head(&[("authorization", "Bearer opaque")]);
    let asking: Vec<_> = (0..50)
        .map(|_| tokio::spawn(verifier.verify(&shown)))
        .collect();
    while world.issuer.heard("/introspect").is_empty() {
        tokio::task::yield_now().await;
    }
    gate.add_permits(50);
    for answer in futures::future::join_all(asking).await {
        assert_eq!(control(&answer.unwrap()), "in");
    }
    assert_eq!(world.issuer.heard("/introspect").len(), 1);
}

/// Who goes away before the answer leaves nothing behind that others would wait for.
#[tokio::test]
async fn questions_are_counted_only_while_somebody_waits_for_the_answer() {
    let world = World::new().await;
    let verifier = open(world.server().introspection(secret(&world)))
        .await
        .unwrap();
    let introspector = verifier.0.introspector.as_ref().unwrap();
    let digest = |n: u16| {
        let mut digest = [0; 32];
        digest[..2].copy_from_slice(&n.to_le_bytes());
        digest
    };
    let join = |n| introspector.join(&digest(n), || Box::pin(std::future::pending()));
    for n in 0..1000 {
        drop(join(n).unwrap());
    }
    let waiting: Vec<_> = (0..256).map(|n| join(n).unwrap()).collect();
    assert_eq!(join(256).err().unwrap().control, "oauth/introspection");
    assert!(join(0).is_ok(), "who asks the same waits along");
    drop(waiting);
    assert!(join(256).is_ok());
    says(&world, |_| {});
    assert_eq!(control(&bearer(&verifier, "stays").await), "in");
}

#[tokio::test]
async fn every_token_can_be_asked_for_and_then_no_key_is_fetched() {
    let world = World::new().await;
    let server = world.server().introspection(secret(&world).every_token());
    let verifier = open(server).await.unwrap();
    says(&world, |_| {});
    // Not even one that is signed by nobody: the issuer decides.
    let token = world
        .stranger
        .sign(&world.header().to_string(), &world.claims().to_string());
    assert!(bearer(&verifier, &token).await.is_ok());
    says(&world, |c| *c = json!({"active": false}));
    assert_eq!(
        control(&bearer(&verifier, &world.token(|_, _| {})).await),
        "oauth/introspection"
    );
    assert!(world.issuer.heard("/keys").is_empty());
    assert_eq!(verifier.signatures(), 0);
}

#[tokio::test]
async fn an_opaque_token_can_be_bound_to_a_key() {
    let world = World::new().await;
    let server = world
        .server()
        .introspection(secret(&world))
        .dpop(Dpop::Required);
    let verifier = open(server).await.unwrap();
    says(&world, |_| {});
    assert_eq!(control(&bearer(&verifier, "free").await), "oauth/binding");
    let client = Signer::es256("c");
    says(&world, |c| c["cnf"] = json!({"jkt": client.thumbprint()}));
    assert_eq!(control(&bearer(&verifier, "bound").await), "oauth/binding");
    use sha2::Digest as _;
    let proof = |jti: &str| {
        client.sign(
            &json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": client.public()}).to_string(),
            &json!({"htm": "POST", "htu": RESOURCE, "iat": now(), "jti": jti,
                "ath": encode(&sha2::Sha256::digest(b"bound"))})
            .to_string(),
        )
    };
    for (jti, expected) in [("1", "in"), ("1", "oauth/dpop-replay"), ("2", "in")] {
        let shown = head(&[("authorization", "DPoP bound"), ("dpop", &proof(jti))]);
        assert_eq!(control(&verifier.verify(&shown).await), expected);
    }
}

/// RFC 7523: a key instead of a secret, and an assertion for this issuer alone.
#[tokio::test]
async fn a_private_key_says_who_asks() {
    let world = World::new().await;
    let key = Signer::es384("k1");
    let path = world.issuer.secret("key.pem", &key.pem);
    let asking = Introspection::with_private_key("rs", &path, Algorithm::ES384, Some("k1"));
    let verifier = open(world.server().introspection(asking)).await.unwrap();
    says(&world, |_| {});
    assert!(bearer(&verifier, "opaque").await.is_ok());
    let asked = world.issuer.heard("/introspect").remove(0);
    assert!(!asked.head.to_lowercase().contains("authorization"));
    let form: std::collections::HashMap<_, _> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(form["client_id"], "rs");
    assert!(form["client_assertion_type"].ends_with("jwt-bearer"));
    let assertion = super::super::jws::Jws::read(&form["client_assertion"], false)
        .ok()
        .unwrap();
    let public = super::super::key::Key::read(key.jwk.as_object().unwrap()).unwrap();
    assert!(public.signed(&assertion, Algorithm::ES384));
    assert_eq!(assertion.text("kid"), Some("k1"));
    let claims = assertion.claims().ok().unwrap();
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("rs"), &json!("rs"))
    );
    assert_eq!(claims["aud"], json!(world.issuer.url));
    assert!(claims["exp"].as_u64().unwrap() <= now() + 60);

    for (algorithm, text) in [
        (Algorithm::ES256, key.pem.as_str()),
        (Algorithm::EdDSA, &key.pem),
        (Algorithm::RS256, &key.pem),
        (Algorithm::ES384, "no key"),
    ] {
        let path = world.issuer.secret("bad.pem", text);
        let asking = Introspection::with_private_key("rs", &path, algorithm, None);
        assert!(
            open(world.server().introspection(asking)).await.is_err(),
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn without_a_place_to_ask_the_server_does_not_start() {
    let world = World::new().await;
    let other = Issuer::start().await;
    let metadata = |endpoint: Value| {
        let metadata = json!({"issuer": world.issuer.url, "jwks_uri": format!("{}/keys", world.issuer.url),
            "introspection_endpoint": endpoint});
        world
            .issuer
            .reply("/.well-known/oauth-authorization-server", 200, "", metadata);
    };
    for endpoint in [
        Value::Null,
        json!(format!("{}/introspect", other.url)),
        json!("http://127.0.0.1/"),
    ] {
        metadata(endpoint.clone());
        let server = world.server().introspection(secret(&world));
        let error = open(server).await.err().unwrap().to_string();
        assert!(error.contains("Introspection::at"), "{endpoint}: {error}");
    }
    let at = format!("{}/introspect", world.issuer.url);
    let server = world.server().introspection(secret(&world).at(at));
    let verifier = open(server).await.unwrap();
    says(&world, |_| {});
    assert!(bearer(&verifier, "opaque").await.is_ok());
    world.issuer.is_down();
    let error = bearer(&verifier, "other").await.unwrap_err();
    let away = TokenErrorKind::Unavailable {
        retry_after: Duration::from_secs(5),
    };
    assert_eq!(error.kind, away);
    let plain = open(world.server().jwks(format!("{}/keys", world.issuer.url))).await;
    assert!(plain.is_err(), "it is down");
    assert!(other.all_heard().is_empty());
}

/// Without introspection an opaque token is no token.
#[tokio::test]
async fn an_opaque_token_is_refused_where_nobody_is_asked() {
    let world = World::new().await;
    let verifier = open(world.server()).await.unwrap();
    assert_eq!(control(&bearer(&verifier, "opaque").await), "oauth/form");
}
