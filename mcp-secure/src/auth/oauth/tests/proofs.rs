//! Proofs of possession that prove nothing.

use super::{super::Dpop, *};
use crate::auth::Assurance;

struct Proving {
    world: World,
    client: Signer,
    thief: Signer,
    verifier: Verifier,
    token: String,
}

/// What a proof is made of.
struct Proof {
    header: Value,
    claims: Value,
}

impl Proving {
    async fn new(setting: fn(ResourceServer) -> ResourceServer) -> Self {
        let world = World::new().await;
        let client = Signer::es256("c");
        let token = world.with_claims(|c| c["cnf"] = json!({"jkt": client.thumbprint()}));
        Self {
            verifier: open(setting(world.server())).await.unwrap(),
            thief: Signer::es256("t"),
            client,
            token,
            world,
        }
    }

    fn proof(&self) -> Proof {
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        use sha2::Digest as _;
        Proof {
            header: json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": self.client.public()}),
            claims: json!({
                "htm": "POST", "htu": RESOURCE, "iat": now(), "jti": encode(&id),
                "ath": encode(&sha2::Sha256::digest(self.token.as_bytes())),
            }),
        }
    }

    fn made(&self, change: impl FnOnce(&mut Proof)) -> String {
        let mut proof = self.proof();
        change(&mut proof);
        self.client
            .sign(&proof.header.to_string(), &proof.claims.to_string())
    }

    async fn ask(
        &self,
        scheme: &str,
        proofs: &[&str],
    ) -> std::result::Result<Principal, TokenError> {
        let value = format!("{scheme} {}", self.token);
        let mut headers = vec![("authorization", value.as_str())];
        headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        self.verifier.verify(&head(&headers)).await
    }
}

type Change = fn(&Proving) -> String;

#[allow(clippy::type_complexity, reason = "a table")]
const FORGED: &[(&str, &str, Change)] = &[
    ("no JWT", "oauth/dpop", |_| "x".to_owned()),
    ("the access token itself", "oauth/dpop", |p| p.token.clone()),
    ("another type", "oauth/dpop", |p| {
        p.made(|f| f.header["typ"] = json!("JWT"))
    }),
    ("the type in other letters", "oauth/dpop", |p| {
        p.made(|f| f.header["typ"] = json!("DPOP+JWT"))
    }),
    ("no type", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.header, "typ"))
    }),
    ("alg none", "oauth/dpop", |p| {
        p.made(|f| f.header["alg"] = json!("none"))
    }),
    ("HMAC", "oauth/dpop", |p| {
        p.made(|f| f.header["alg"] = json!("HS256"))
    }),
    ("an algorithm of another key", "oauth/dpop", |p| {
        p.made(|f| f.header["alg"] = json!("ES384"))
    }),
    ("crit", "oauth/dpop", |p| {
        p.made(|f| f.header["crit"] = json!(["x"]))
    }),
    ("a key elsewhere", "oauth/dpop", |p| {
        p.made(|f| f.header["jku"] = json!("https://evil.example"))
    }),
    ("no key", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.header, "jwk"))
    }),
    ("a key that is text", "oauth/dpop", |p| {
        p.made(|f| f.header["jwk"] = json!("x"))
    }),
    ("a private key", "oauth/dpop", |p| {
        p.made(|f| f.header["jwk"]["d"] = json!("AA"))
    }),
    ("a symmetric key", "oauth/dpop", |p| {
        p.made(|f| f.header["jwk"] = json!({"kty": "oct", "k": "AA"}))
    }),
    ("a key for encryption", "oauth/dpop", |p| {
        p.made(|f| f.header["jwk"]["use"] = json!("enc"))
    }),
    ("another key", "oauth/dpop-key", |p| {
        let mut proof = p.proof();
        proof.header["jwk"] = p.thief.public();
        p.thief
            .sign(&proof.header.to_string(), &proof.claims.to_string())
    }),
    ("the right key and another signature", "oauth/dpop", |p| {
        let proof = p.proof();
        p.thief
            .sign(&proof.header.to_string(), &proof.claims.to_string())
    }),
    ("another method", "oauth/dpop", |p| {
        p.made(|f| f.claims["htm"] = json!("GET"))
    }),
    ("the method in other letters", "oauth/dpop", |p| {
        p.made(|f| f.claims["htm"] = json!("post"))
    }),
    ("no method", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.claims, "htm"))
    }),
    ("another host", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!("https://evil.example/mcp"))
    }),
    ("another path", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!("https://mcp.example/mcp/x"))
    }),
    ("another port", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!("https://mcp.example:8443/mcp"))
    }),
    ("without TLS", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!("http://mcp.example/mcp"))
    }),
    ("a user name", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!("https://x@mcp.example/mcp"))
    }),
    ("a path alone", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!("/mcp"))
    }),
    ("no URL", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.claims, "htu"))
    }),
    ("a long URL", "oauth/dpop", |p| {
        p.made(|f| f.claims["htu"] = json!(format!("{RESOURCE}?{}", "x".repeat(2048))))
    }),
    ("old", "oauth/dpop", |p| {
        p.made(|f| f.claims["iat"] = json!(now() - 70))
    }),
    ("ahead", "oauth/dpop", |p| {
        p.made(|f| f.claims["iat"] = json!(now() + 30))
    }),
    ("undated", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.claims, "iat"))
    }),
    ("a date that is text", "oauth/dpop", |p| {
        p.made(|f| f.claims["iat"] = json!(now().to_string()))
    }),
    ("for another token", "oauth/dpop", |p| {
        p.made(|f| f.claims["ath"] = json!(encode(&[0; 32])))
    }),
    ("for any token", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.claims, "ath"))
    }),
    ("for a part of a token", "oauth/dpop", |p| {
        p.made(|f| {
            let ath = f.claims["ath"].as_str().unwrap()[..20].to_owned();
            f.claims["ath"] = json!(ath);
        })
    }),
    ("no name", "oauth/dpop", |p| {
        p.made(|f| remove(&mut f.claims, "jti"))
    }),
    ("an empty name", "oauth/dpop", |p| {
        p.made(|f| f.claims["jti"] = json!(""))
    }),
    ("a long name", "oauth/dpop", |p| {
        p.made(|f| f.claims["jti"] = json!("j".repeat(257)))
    }),
    ("a name that is a number", "oauth/dpop", |p| {
        p.made(|f| f.claims["jti"] = json!(1))
    }),
    ("larger than any proof", "oauth/dpop", |p| {
        p.made(|f| f.claims["x"] = json!("x".repeat(8192)))
    }),
    ("a claim twice", "oauth/dpop", |p| {
        let proof = p.proof();
        let claims = proof
            .claims
            .to_string()
            .replacen('{', "{\"htm\":\"GET\",", 1);
        p.client.sign(&proof.header.to_string(), &claims)
    }),
];

#[tokio::test]
async fn no_forged_proof_gets_in_and_each_is_refused_by_its_check() {
    let proving = Proving::new(|server| server.dpop(Dpop::Accepted)).await;
    let mut wrong = Vec::new();
    for (name, expected, forge) in FORGED {
        let answer = proving.ask("DPoP", &[&forge(&proving)]).await;
        let is_proof = answer
            .as_ref()
            .is_err_and(|error| matches!(error.kind, TokenErrorKind::InvalidDpop { .. }));
        if control(&answer) != *expected || !is_proof {
            wrong.push(format!("{name}: {answer:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
    let good = proving.made(|_| {});
    let principal = proving.ask("DPoP", &[&good]).await.unwrap();
    assert_eq!(principal.assurance(), Assurance::SenderConstrained);
    assert!(principal.confirmation().unwrap().key().is_some());
}

#[tokio::test]
async fn a_proof_counts_once_and_there_is_exactly_one() {
    let proving = Proving::new(|server| server.dpop(Dpop::Accepted)).await;
    let (one, two) = (proving.made(|_| {}), proving.made(|_| {}));
    assert_eq!(control(&proving.ask("DPoP", &[]).await), "oauth/dpop");
    assert_eq!(
        control(&proving.ask("DPoP", &[&one, &two]).await),
        "oauth/dpop"
    );
    assert_eq!(
        control(&proving.ask("DPoP", &[&one, &one]).await),
        "oauth/dpop"
    );
    assert_eq!(control(&proving.ask("dpop", &[&one]).await), "in");
    assert_eq!(
        control(&proving.ask("DPoP", &[&one]).await),
        "oauth/dpop-replay"
    );
    assert_eq!(control(&proving.ask("DPoP", &[&two]).await), "in");
    // The name alone counts, or a client could sign the same proof again.
    let again = proving.made(|f| f.claims["jti"] = json!("again"));
    let other = proving.made(|f| f.claims["jti"] = json!("again"));
    assert_ne!(again, other);
    assert_eq!(control(&proving.ask("DPoP", &[&again]).await), "in");
    assert_eq!(
        control(&proving.ask("DPoP", &[&other]).await),
        "oauth/dpop-replay"
    );
}

#[tokio::test]
async fn spellings_of_one_url_are_one_url() {
    let proving = Proving::new(|server| server.dpop(Dpop::Accepted)).await;
    for url in [
        "https://mcp.example:443/mcp",
        "HTTPS://MCP.EXAMPLE/mcp",
        "https://mcp.example/mcp?session=1#x",
    ] {
        let proof = proving.made(|f| f.claims["htu"] = json!(url));
        assert_eq!(
            control(&proving.ask("DPoP", &[&proof]).await),
            "in",
            "{url}"
        );
    }
    for (signer, alg) in [(Signer::ed25519("e"), "EdDSA"), (Signer::rsa("r"), "RS256")] {
        let token = proving
            .world
            .with_claims(|c| c["cnf"] = json!({"jkt": signer.thumbprint()}));
        let proving = Proving {
            client: signer,
            token,
            ..Proving::new(|s| s.dpop(Dpop::Required)).await
        };
        // The world of the token is the first one's: its own verifier is needed.
        let verifier = open(proving.world.server().dpop(Dpop::Required))
            .await
            .unwrap();
        let token = proving
            .world
            .with_claims(|c| c["cnf"] = json!({"jkt": proving.client.thumbprint()}));
        let proving = Proving {
            verifier,
            token,
            ..proving
        };
        let proof = proving.made(|f| f.header["alg"] = json!(alg));
        assert_eq!(
            control(&proving.ask("DPoP", &[&proof]).await),
            "in",
            "{alg}"
        );
    }
}

/// RFC 9449 section 7.2: without the proof a stolen token is worth nothing.
#[tokio::test]
async fn a_bound_token_is_no_bearer_token_and_a_free_one_needs_no_proof() {
    let proving = Proving::new(|server| server.dpop(Dpop::Accepted)).await;
    let proof = proving.made(|_| {});
    assert_eq!(control(&proving.ask("Bearer", &[]).await), "oauth/binding");
    assert_eq!(
        control(&proving.ask("Bearer", &[&proof]).await),
        "oauth/binding"
    );
    assert_eq!(control(&proving.ask("DPoP", &[&proof]).await), "in");
    // Also when the token is remembered.
    assert_eq!(control(&proving.ask("Bearer", &[]).await), "oauth/binding");
    let free = proving.world.token(|_, _| {});
    assert_eq!(control(&bearer(&proving.verifier, &free).await), "in");
    let value = format!("DPoP {free}");
    let proof = proving.made(|_| {});
    let shown = head(&[("authorization", &value), ("dpop", &proof)]);
    assert_eq!(
        control(&proving.verifier.verify(&shown).await),
        "oauth/binding"
    );

    let strict = Proving::new(|server| server.dpop(Dpop::Required)).await;
    let free = strict.world.token(|_, _| {});
    assert_eq!(
        control(&bearer(&strict.verifier, &free).await),
        "oauth/binding"
    );
    assert!(strict.verifier.requires_dpop() && !proving.verifier.requires_dpop());
    let proof = strict.made(|_| {});
    assert_eq!(control(&strict.ask("DPoP", &[&proof]).await), "in");
    assert_eq!(strict.verifier.dpop().unwrap().len(), 5);
}

#[tokio::test]
async fn a_proof_without_this_servers_nonce_is_told_which_one_to_use() {
    let proving = Proving::new(|server| server.dpop(Dpop::Accepted).dpop_nonce()).await;
    let nonce_of =
        |answer: std::result::Result<Principal, TokenError>| match answer.unwrap_err().kind {
            TokenErrorKind::UseDpopNonce { nonce } => nonce,
            other => panic!("{other:?}"),
        };
    let nonce = nonce_of(proving.ask("DPoP", &[&proving.made(|_| {})]).await);
    let stale = proving.made(|f| f.claims["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAA"));
    nonce_of(proving.ask("DPoP", &[&stale]).await);
    let number = proving.made(|f| f.claims["nonce"] = json!(1));
    nonce_of(proving.ask("DPoP", &[&number]).await);
    let good = proving.made(|f| f.claims["nonce"] = json!(nonce));
    assert_eq!(control(&proving.ask("DPoP", &[&good]).await), "in");
    assert!(proving.verifier.dpop_nonce().is_some());
}

/// Replicas that share a store share what was used; one that is full lets nobody in.
#[tokio::test]
async fn a_shared_store_is_asked_and_a_full_one_denies() {
    use std::{sync::Arc, time::Duration};

    use futures::future::BoxFuture;

    use crate::state::{MemoryStore, Store, StoreError};

    struct Shared(Arc<MemoryStore>);
    impl Store for Shared {
        fn insert_new<'a>(
            &'a self,
            key: &'a str,
            ttl: Duration,
        ) -> BoxFuture<'a, Result<bool, StoreError>> {
            assert!(
                ttl >= Duration::from_secs(65),
                "as long as a proof could be shown again"
            );
            self.0.insert_new(key, ttl)
        }
    }

    let store = Arc::new(MemoryStore::new(2));
    let mut proving = Proving::new(|server| server).await;
    let replica = async || {
        let server = proving.world.server().dpop(Dpop::Required);
        open(server.replay_store(Shared(Arc::clone(&store))))
            .await
            .unwrap()
    };
    let (first, second) = (replica().await, replica().await);
    proving.verifier = first;
    let proof = proving.made(|_| {});
    assert_eq!(control(&proving.ask("DPoP", &[&proof]).await), "in");
    proving.verifier = second;
    assert_eq!(
        control(&proving.ask("DPoP", &[&proof]).await),
        "oauth/dpop-replay"
    );
    let fresh = proving.made(|_| {});
    assert_eq!(control(&proving.ask("DPoP", &[&fresh]).await), "in");
    let error = proving
        .ask("DPoP", &[&proving.made(|_| {})])
        .await
        .unwrap_err();
    assert_eq!(error.control, "oauth/dpop-store");
    assert!(matches!(error.kind, TokenErrorKind::Unavailable { .. }));
}
