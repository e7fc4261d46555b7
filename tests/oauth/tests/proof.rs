//! Tokens that are bound to a key: RFC 9449, attacked.

use serde_json::{Value, json};

use crate::{
    http::{Answer, parameter},
    token::{Key, base64, claims, now},
    world::World,
};

/// A token, the key that it is bound to, and proofs made with it.
pub(crate) struct Bound {
    pub(crate) token: String,
    key: Key,
    resource: String,
}

impl Bound {
    fn new(world: &World) -> Self {
        Self::of(&world.key, &world.issuer.url, &world.target.resource)
    }

    /// Issued by this key.
    pub(crate) fn of(issuer_key: &Key, issuer: &str, resource: &str) -> Self {
        let key = Key::new("proof");
        let mut claims = claims(issuer, resource, "notes:read");
        claims["cnf"] = json!({ "jkt": key.thumbprint() });
        Self {
            token: issuer_key.sign(&issuer_key.header(), &claims),
            key,
            resource: resource.to_owned(),
        }
    }

    fn claims(&self) -> Value {
        use sha2::Digest as _;
        json!({
            "htm": "POST",
            "htu": self.resource,
            "iat": now(),
            "jti": format!("{:?}", std::time::SystemTime::now()),
            "ath": base64(&sha2::Sha256::digest(&self.token)),
        })
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk() })
    }

    /// A proof in which something is changed; `null` removes it.
    fn proof(&self, header: Value, change: Value) -> String {
        let merge = |mut whole: Value, change: &Value| {
            for (name, value) in change.as_object().unwrap() {
                match value {
                    Value::Null => drop(whole.as_object_mut().unwrap().remove(name)),
                    value => whole[name] = value.clone(),
                }
            }
            whole
        };
        let header = merge(self.header(), &header);
        self.key.sign(&header, &merge(self.claims(), &change))
    }

    pub(crate) fn good(&self) -> String {
        self.proof(json!({}), json!({}))
    }

    fn show(&self, world: &World, proof: &str) -> Answer {
        let headers = format!("Authorization: DPoP {}\r\nDPoP: {proof}", self.token);
        world.target.call_with("read", &headers)
    }
}

#[test]
fn a_stolen_token_is_worth_nothing_without_its_key_and_a_stolen_proof_nothing_at_all() {
    let world = World::new(json!({ "dpop": "required" }));
    let bound = Bound::new(&world);
    let thief = Bound {
        token: bound.token.clone(),
        key: Key::new("thief"),
        resource: bound.resource.clone(),
    };
    let good = bound.good();
    let answer = bound.show(&world, &good);
    assert_eq!(answer.status, 200, "{answer:?}");

    let mut private = bound.key.jwk();
    private["d"] = json!(base64(&[7; 32]));
    let with = |header: Value, claims: Value| bound.proof(header, claims);
    let attacks = [
        ("the same proof again", good),
        ("a key of the thief's", thief.good()),
        (
            "the thief's key with the owner's in the header",
            thief.proof(json!({ "jwk": bound.key.jwk() }), json!({})),
        ),
        (
            "for another method",
            with(json!({}), json!({ "htm": "GET" })),
        ),
        (
            "for a method in small letters",
            with(json!({}), json!({ "htm": "post" })),
        ),
        (
            "for another path",
            with(json!({}), json!({ "htu": format!("{}2", bound.resource) })),
        ),
        (
            "for another host",
            with(json!({}), json!({ "htu": "https://evil.example/mcp" })),
        ),
        ("for nowhere", with(json!({}), json!({ "htu": null }))),
        (
            "for another token",
            with(json!({}), json!({ "ath": base64(&[0; 32]) })),
        ),
        ("for no token", with(json!({}), json!({ "ath": null }))),
        (
            "an hour old",
            with(json!({}), json!({ "iat": now() - 3600 })),
        ),
        (
            "an hour early",
            with(json!({}), json!({ "iat": now() + 3600 })),
        ),
        ("without a time", with(json!({}), json!({ "iat": null }))),
        ("without an id", with(json!({}), json!({ "jti": null }))),
        (
            "with an id of 10 KiB",
            with(json!({}), json!({ "jti": "j".repeat(10 * 1024) })),
        ),
        (
            "with the private key in it",
            with(json!({ "jwk": private }), json!({})),
        ),
        ("without a key", with(json!({ "jwk": null }), json!({}))),
        (
            "with a secret as its key",
            with(json!({ "jwk": { "kty": "oct", "k": "AAAA" } }), json!({})),
        ),
        ("alg none", with(json!({ "alg": "none" }), json!({}))),
        ("alg HS256", with(json!({ "alg": "HS256" }), json!({}))),
        ("of another type", with(json!({ "typ": "JWT" }), json!({}))),
        ("without a type", with(json!({ "typ": null }), json!({}))),
        (
            "with crit",
            with(json!({ "crit": ["x"], "x": 1 }), json!({})),
        ),
        ("the token as its own proof", bound.token.clone()),
        ("no proof at all in it", "x".to_owned()),
    ];
    for (name, proof) in &attacks {
        let answer = bound.show(&world, proof);
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("DPoP algs=\""), "{name}: {challenge}");
        assert_eq!(
            parameter(challenge, "error"),
            Some("invalid_dpop_proof"),
            "{name}: {challenge}"
        );
        assert_eq!(
            answer.all("www-authenticate").len(),
            1,
            "no downgrade: {name}"
        );
    }
}

#[test]
fn a_bound_token_is_not_taken_as_a_bearers_and_a_bearers_not_where_proof_is_needed() {
    let world = World::new(json!({ "dpop": "required" }));
    let bound = Bound::new(&world);
    let ask = |headers: String| world.target.call_with("read", &headers);
    let token = &bound.token;

    let downgraded = ask(format!("Authorization: Bearer {token}"));
    assert_eq!(downgraded.status, 401, "{downgraded:?}");
    let with_proof = ask(format!(
        "Authorization: Bearer {token}\r\nDPoP: {}",
        bound.good()
    ));
    assert_ne!(with_proof.status, 200, "{with_proof:?}");
    let without_proof = ask(format!("Authorization: DPoP {token}"));
    assert_ne!(without_proof.status, 200, "{without_proof:?}");
    let twice = ask(format!(
        "Authorization: DPoP {token}\r\nDPoP: {}\r\nDPoP: {}",
        bound.good(),
        bound.good()
    ));
    assert_ne!(twice.status, 200, "{twice:?}");

    let claims = claims(&world.issuer.url, &world.target.resource, "notes:read");
    let unbound = world.key.sign(&world.key.header(), &claims);
    assert_eq!(world.target.call("read", &unbound).status, 401);
    let proof = Bound {
        token: unbound.clone(),
        ..bound
    }
    .good();
    let answer = ask(format!("Authorization: DPoP {unbound}\r\nDPoP: {proof}"));
    assert_eq!(answer.status, 401, "any key would prove it: {answer:?}");

    // Where proof is only accepted, a bound token still needs it.
    let world = World::new(json!({ "dpop": "accepted" }));
    let bound = Bound::new(&world);
    assert_eq!(world.target.call("read", &bound.token).status, 401);
    assert_eq!(bound.show(&world, &bound.good()).status, 200);
}

#[test]
fn a_proof_made_in_advance_lacks_the_nonce() {
    let world = World::new(json!({ "dpop": "nonce" }));
    let bound = Bound::new(&world);
    let answer = bound.show(&world, &bound.good());
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    assert_eq!(parameter(challenge, "error"), Some("use_dpop_nonce"));
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    let with = |nonce: &str| bound.proof(json!({}), json!({ "nonce": nonce }));
    let answer = bound.show(&world, &with(&nonce));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.header("dpop-nonce").is_some(),
        "for the next request"
    );
    for forged in ["", "x", &nonce[..nonce.len() - 1], &nonce.to_uppercase()] {
        assert_eq!(bound.show(&world, &with(forged)).status, 401, "{forged:?}");
    }
}
