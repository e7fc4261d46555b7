//! Tokens that are not good, and credentials that are not where they should be.

use std::time::Duration;

use jsonwebtoken::{EncodingKey, crypto};

use super::{super::Algorithm, *};
use crate::auth::{Assurance, PeerThumbprint};

struct Row {
    name: &'static str,
    control: &'static str,
    forge: fn(&World) -> String,
}

macro_rules! rows {
    ($($name:ident: $control:literal, $forge:expr;)*) => {
        &[$(Row { name: stringify!($name), control: $control, forge: $forge }),*]
    };
}

/// Each token, and the check that refuses it.
const FORGED: &[Row] = rows! {
    empty_parts: "oauth/form", |_| "..".to_owned();
    one_part: "oauth/form", |_| "abc".to_owned();
    two_parts: "oauth/form", |w| w.token(|_, _| {}).rsplit_once('.').unwrap().0.to_owned();
    four_parts: "oauth/form", |w| w.token(|_, _| {}) + ".x";
    encrypted_token_of_five_parts: "oauth/form", |_| "eyJhbGciOiJkaXIifQ....x".to_owned();
    padded_base64: "oauth/form", |w| w.token(|_, _| {}) + "=";
    standard_base64_alphabet: "oauth/form", |_| "e30.e30.+/+/".to_owned();
    signature_in_a_second_spelling: "oauth/form", |w| {
        // 64 bytes leave four bits of the last character unused.
        let token = w.token(|_, _| {});
        let (start, last) = token.split_at(token.len() - 1);
        let last = match last { "A" => "B", "Q" => "R", "g" => "h", _ => "x" };
        format!("{start}{last}")
    };
    header_is_no_json: "oauth/form", |w| w.es256.sign("alg", &w.claims().to_string());
    header_is_an_array: "oauth/form", |w| w.es256.sign("[]", &w.claims().to_string());
    header_with_a_key_twice: "oauth/form", |w| w.es256.sign(
        r#"{"alg":"ES256","typ":"at+jwt","kid":"es256","kid":"es256"}"#, &w.claims().to_string());
    header_with_alg_twice: "oauth/form", |w| w.es256.sign(
        r#"{"alg":"none","typ":"at+jwt","kid":"es256","alg":"ES256"}"#, &w.claims().to_string());
    alg_none: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("none"));
    alg_none_in_other_letters: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("NoNe"));
    alg_none_without_signature: "oauth/form", |w| {
        let token = w.with_header(|h| h["alg"] = json!("none"));
        token[..=token.rfind('.').unwrap()].to_owned()
    };
    alg_missing: "oauth/algorithm", |w| w.with_header(|h| remove(h, "alg"));
    alg_is_null: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = Value::Null);
    alg_is_a_list: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!(["ES256"]));
    alg_in_lower_case: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("es256"));
    alg_es256k: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("ES256K"));
    hmac_with_the_public_key: "oauth/algorithm", |w| {
        let mut header = w.header();
        header["alg"] = json!("HS256");
        header["kid"] = json!("rsa");
        let public = w.rsa.jwk["n"].as_str().unwrap();
        let key = EncodingKey::from_secret(public.as_bytes());
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()),
            encode(w.claims().to_string().as_bytes()));
        let code = crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
        format!("{signed}.{code}")
    };
    hmac_with_the_symmetric_key_of_the_set: "oauth/algorithm", |w| {
        w.with_header(|h| { h["alg"] = json!("HS256"); h["kid"] = json!("oct"); })
    };
    rs256_on_a_key_of_a_curve: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("RS256"));
    es384_on_a_key_of_p256: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("ES384"));
    eddsa_on_a_key_of_p256: "oauth/algorithm", |w| w.with_header(|h| h["alg"] = json!("EdDSA"));
    rs256_on_a_key_for_ps256: "oauth/algorithm", |w| {
        let mut header = w.header();
        header["alg"] = json!("RS256");
        header["kid"] = json!("pss");
        w.rsa.sign(&header.to_string(), &w.claims().to_string())
    };
    rs512_that_nobody_accepts: "oauth/algorithm", |w| {
        let mut header = w.header();
        header["alg"] = json!("RS512");
        header["kid"] = json!("rsa");
        w.rsa.sign_by(&header.to_string(), &w.claims().to_string(), jsonwebtoken::Algorithm::RS512)
    };
    typ_missing: "oauth/type", |w| w.with_header(|h| remove(h, "typ"));
    typ_of_any_jwt: "oauth/type", |w| w.with_header(|h| h["typ"] = json!("JWT"));
    typ_of_an_id_jag: "oauth/type", |w| w.with_header(|h| h["typ"] = json!("oauth-id-jag+jwt"));
    typ_of_a_logout_token: "oauth/type", |w| w.with_header(|h| h["typ"] = json!("logout+jwt"));
    typ_of_a_proof: "oauth/type", |w| w.with_header(|h| h["typ"] = json!("dpop+jwt"));
    typ_is_no_text: "oauth/type", |w| w.with_header(|h| h["typ"] = json!(["at+jwt"]));
    typ_with_parameters: "oauth/type", |w| w.with_header(|h| h["typ"] = json!("at+jwt; x=1"));
    crit_of_something: "oauth/extension", |w| w.with_header(|h| h["crit"] = json!(["exp"]));
    crit_of_nothing: "oauth/extension", |w| w.with_header(|h| h["crit"] = json!([]));
    crit_that_is_null: "oauth/extension", |w| w.with_header(|h| h["crit"] = Value::Null);
    payload_not_encoded: "oauth/extension", |w| w.with_header(|h| h["b64"] = json!(false));
    payload_compressed: "oauth/extension", |w| w.with_header(|h| h["zip"] = json!("DEF"));
    brings_its_key: "oauth/key", |w| {
        let mut header = w.header();
        header["jwk"] = w.stranger.public();
        w.stranger.sign(&header.to_string(), &w.claims().to_string())
    };
    says_where_its_key_is: "oauth/key", |w| w.with_header(|h| h["jku"] = json!("https://evil.example/keys"));
    says_where_its_certificate_is: "oauth/key", |w| w.with_header(|h| h["x5u"] = json!("https://evil.example/c"));
    brings_its_certificate: "oauth/key", |w| w.with_header(|h| h["x5c"] = json!(["MIIB"]));
    kid_missing_of_many_keys: "oauth/key", |w| w.with_header(|h| remove(h, "kid"));
    kid_is_a_number: "oauth/key", |w| w.with_header(|h| h["kid"] = json!(1));
    kid_is_null: "oauth/key", |w| w.with_header(|h| h["kid"] = Value::Null);
    kid_is_long: "oauth/key", |w| w.with_header(|h| h["kid"] = json!("k".repeat(300)));
    kid_is_a_path: "oauth/key", |w| w.with_header(|h| h["kid"] = json!("../../../../dev/null"));
    kid_is_a_statement: "oauth/key", |w| w.with_header(|h| h["kid"] = json!("x' UNION SELECT 'k"));
    kid_of_another_key: "oauth/algorithm", |w| w.with_header(|h| h["kid"] = json!("ed"));
    signed_by_a_stranger: "oauth/signature", |w| {
        w.stranger.sign(&w.header().to_string(), &w.claims().to_string())
    };
    signature_of_zeros: "oauth/signature", |w| {
        // CVE-2022-21449: r and s of zero are a signature of everything, to some.
        let token = w.token(|_, _| {});
        let (signed, _) = token.rsplit_once('.').unwrap();
        format!("{signed}.{}", encode(&[0; 64]))
    };
    signature_cut_short: "oauth/signature", |w| {
        let token = w.token(|_, _| {});
        token[..token.len() - 2].to_owned()
    };
    signature_of_another_token: "oauth/signature", |w| {
        let (ours, theirs) = (w.token(|_, _| {}), w.with_claims(|c| c["sub"] = json!("mallory")));
        let (signed, _) = theirs.rsplit_once('.').unwrap();
        format!("{signed}.{}", ours.rsplit_once('.').unwrap().1)
    };
    claims_are_an_array: "oauth/form", |w| w.es256.sign(&w.header().to_string(), "[]");
    claims_are_no_json: "oauth/form", |w| w.es256.sign(&w.header().to_string(), "{'sub':1}");
    claims_with_a_key_twice: "oauth/form", |w| {
        let claims = w.claims().to_string().replacen('{', r#"{"aud":"x","#, 1);
        w.es256.sign(&w.header().to_string(), &claims)
    };
    issuer_missing: "oauth/issuer", |w| w.with_claims(|c| remove(c, "iss"));
    issuer_is_another: "oauth/issuer", |w| w.with_claims(|c| c["iss"] = json!("https://evil.example"));
    issuer_with_a_slash_more: "oauth/issuer", |w| w.with_claims(|c| c["iss"] = json!(format!("{}/", w.issuer.url)));
    issuer_in_upper_case: "oauth/issuer", |w| w.with_claims(|c| c["iss"] = json!(w.issuer.url.to_uppercase()));
    issuer_in_a_list: "oauth/issuer", |w| w.with_claims(|c| c["iss"] = json!([w.issuer.url, "https://evil.example"]));
    issuer_is_null: "oauth/issuer", |w| w.with_claims(|c| c["iss"] = Value::Null);
    audience_missing: "oauth/audience", |w| w.with_claims(|c| remove(c, "aud"));
    audience_is_another: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!("https://other.example/mcp"));
    audience_is_a_sibling: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!("https://mcp.example/mcp2"));
    audience_is_above: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!("https://mcp.example"));
    audience_with_a_slash_more: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!("https://mcp.example/mcp/"));
    audience_in_upper_case: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!("https://MCP.example/mcp"));
    audience_is_everybody: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!("*"));
    audience_is_empty: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!([]));
    audience_is_null: "oauth/audience", |w| w.with_claims(|c| c["aud"] = Value::Null);
    audience_is_an_object: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!({RESOURCE: true}));
    audience_and_another: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!([RESOURCE, "https://other.example"]));
    audience_and_a_number: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!([RESOURCE, 1]));
    audience_in_a_list_in_a_list: "oauth/audience", |w| w.with_claims(|c| c["aud"] = json!([[RESOURCE]]));
    exp_missing: "oauth/time", |w| w.with_claims(|c| remove(c, "exp"));
    exp_is_null: "oauth/time", |w| w.with_claims(|c| c["exp"] = Value::Null);
    exp_is_text: "oauth/time", |w| w.with_claims(|c| c["exp"] = json!("4102444800"));
    exp_is_past: "oauth/time", |w| w.with_claims(|c| c["exp"] = json!(now() - 6));
    exp_is_negative: "oauth/time", |w| w.with_claims(|c| c["exp"] = json!(-1));
    exp_is_beyond_64_bits: "oauth/time", |w| {
        let exp = w.claims()["exp"].to_string();
        w.es256.sign(&w.header().to_string(), &w.claims().to_string().replace(&exp, "18446744073709551616"))
    };
    exp_is_infinite: "oauth/form", |w| {
        let exp = w.claims()["exp"].to_string();
        w.es256.sign(&w.header().to_string(), &w.claims().to_string().replace(&exp, "1e999"))
    };
    exp_in_milliseconds: "oauth/time", |w| w.with_claims(|c| c["exp"] = json!(now() * 1000));
    nbf_is_ahead: "oauth/time", |w| w.with_claims(|c| c["nbf"] = json!(now() + 60));
    nbf_is_text: "oauth/time", |w| w.with_claims(|c| c["nbf"] = json!("0"));
    iat_is_ahead: "oauth/time", |w| w.with_claims(|c| c["iat"] = json!(now() + 60));
    iat_is_an_object: "oauth/time", |w| w.with_claims(|c| c["iat"] = json!({}));
    subject_missing: "oauth/claims", |w| w.with_claims(|c| remove(c, "sub"));
    subject_is_empty: "oauth/claims", |w| w.with_claims(|c| c["sub"] = json!(""));
    subject_is_a_number: "oauth/claims", |w| w.with_claims(|c| c["sub"] = json!(1));
    subject_is_long: "oauth/claims", |w| w.with_claims(|c| c["sub"] = json!("s".repeat(256)));
    subject_with_a_line_end: "oauth/claims", |w| w.with_claims(|c| c["sub"] = json!("alice\nadmin"));
    client_missing_as_in_an_id_token: "oauth/claims", |w| w.with_claims(|c| remove(c, "client_id"));
    client_is_empty: "oauth/claims", |w| w.with_claims(|c| c["client_id"] = json!(""));
    client_is_two: "oauth/claims", |w| w.with_claims(|c| c["azp"] = json!("other"));
    client_is_a_list: "oauth/claims", |w| w.with_claims(|c| c["client_id"] = json!(["app"]));
    scope_is_an_object: "oauth/scope", |w| w.with_claims(|c| c["scope"] = json!({"notes:read": 1}));
    scope_with_a_quote: "oauth/scope", |w| w.with_claims(|c| c["scope"] = json!("a\"b"));
    scopes_without_end: "oauth/scope", |w| w.with_claims(|c| {
        c["scope"] = json!((0..200).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
    });
    actor_is_text: "oauth/claims", |w| w.with_claims(|c| c["act"] = json!("agent"));
    actor_is_nobody: "oauth/claims", |w| w.with_claims(|c| c["act"] = json!({}));
    actors_without_end: "oauth/claims", |w| w.with_claims(|c| {
        c["act"] = (0..9).fold(Value::Null, |inner, n| match inner {
            Value::Null => json!({"sub": "a"}),
            inner => json!({"sub": n.to_string(), "act": inner}),
        });
    });
    bound_to_a_key_where_no_proof_is_spoken: "oauth/binding", |w| w.with_claims(|c| {
        c["cnf"] = json!({"jkt": encode(&[0; 32])});
    });
    bound_to_nothing: "oauth/binding", |w| w.with_claims(|c| c["cnf"] = json!({}));
    bound_to_text: "oauth/binding", |w| w.with_claims(|c| c["cnf"] = json!("jkt"));
    bound_to_null: "oauth/binding", |w| w.with_claims(|c| c["cnf"] = Value::Null);
    bound_to_a_key_inside: "oauth/binding", |w| w.with_claims(|c| c["cnf"] = json!({"jwk": {}}));
    bound_to_what_is_too_short: "oauth/binding", |w| w.with_claims(|c| c["cnf"] = json!({"x5t#S256": "AAAA"}));
    bound_to_a_certificate_that_is_not_there: "oauth/certificate", |w| w.with_claims(|c| {
        c["cnf"] = json!({"x5t#S256": encode(&[0; 32])});
    });
    larger_than_any_token: "oauth/token-size", |w| w.with_claims(|c| c["x"] = json!("x".repeat(16 * 1024)));
};

#[tokio::test]
async fn no_forged_token_gets_in_and_each_is_refused_by_its_check() {
    let world = World::new().await;
    let verifier = open(world.server()).await.unwrap();
    let mut wrong = Vec::new();
    for row in FORGED {
        let token = (row.forge)(&world);
        // Twice: what was refused is not remembered as good.
        for _ in 0..2 {
            let answer = bearer(&verifier, &token).await;
            if control(&answer) != row.control {
                wrong.push(format!(
                    "{}: {} instead of {}",
                    row.name,
                    control(&answer),
                    row.control
                ));
            }
            let shown = format!("{answer:?}");
            assert!(
                !shown.contains("alice") && !shown.contains("eyJ"),
                "{}: {shown}",
                row.name
            );
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(FORGED.len() >= 100, "{}", FORGED.len());
    // One name of a key was asked for, and no more fetches than may be.
    assert!(world.issuer.heard("/keys").len() <= 3);
    assert!(bearer(&verifier, &world.token(|_, _| {})).await.is_ok());
}

#[tokio::test]
async fn what_the_issuer_signs_is_a_principal_by_every_algorithm() {
    let world = World::new().await;
    let verifier = open(world.server()).await.unwrap();
    let sign = |signer: &Signer, alg: &str, kid: &str, by| {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid});
        signer.sign_by(&header.to_string(), &world.claims().to_string(), by)
    };
    use jsonwebtoken::Algorithm as By;
    for token in [
        sign(&world.es256, "ES256", "es256", By::ES256),
        sign(&world.es384, "ES384", "es384", By::ES384),
        sign(&world.ed, "EdDSA", "ed", By::EdDSA),
        sign(&world.ed, "Ed25519", "ed", By::EdDSA),
        sign(&world.rsa, "RS256", "rsa", By::RS256),
        sign(&world.rsa, "PS256", "rsa", By::PS256),
        sign(&world.rsa, "PS256", "pss", By::PS256),
        world.with_header(|h| h["typ"] = json!("application/AT+jwt")),
        world.with_header(|h| h["x5t"] = json!("unknown and harmless")),
        world.with_claims(|c| c["aud"] = json!([RESOURCE])),
        world.with_claims(|c| c["exp"] = json!(now() as f64 + 60.5)),
        world.with_claims(|c| c["exp"] = json!(now() - 3)),
        world.with_claims(|c| c["nbf"] = json!(now() + 3)),
        world.with_claims(|c| remove(c, "iat")),
        world.with_claims(|c| c["azp"] = json!("app")),
    ] {
        let principal = bearer(&verifier, &token).await.unwrap();
        assert_eq!(principal.issuer(), world.issuer.url);
        assert_eq!(
            (principal.subject(), principal.client()),
            ("alice", Some("app"))
        );
        assert!(principal.has_scope("notes:read") && !principal.has_scope("notes:publish"));
        assert_eq!(principal.assurance(), Assurance::AccessToken);
        assert!(principal.expires().is_some() && !principal.is_client());
    }
    let none = bearer(&verifier, &world.with_claims(|c| remove(c, "scope")))
        .await
        .unwrap();
    assert_eq!(
        none.all_scopes().count(),
        0,
        "no claim is no scope, not every scope"
    );
}

#[tokio::test]
async fn who_acts_is_recorded_and_adds_no_rights() {
    let world = World::new().await;
    let verifier = open(world.server()).await.unwrap();
    let token = world.with_claims(|c| {
        c["act"] = json!({"sub": "agent", "scope": "admin",
            "act": {"client_id": "gateway", "iss": "https://other.example"}});
    });
    let principal = bearer(&verifier, &token).await.unwrap();
    let actors: Vec<_> = principal
        .actors()
        .iter()
        .map(|a| (a.subject(), a.issuer()))
        .collect();
    assert_eq!(
        actors,
        [("agent", None), ("gateway", Some("https://other.example"))]
    );
    assert_eq!(principal.subject(), "alice");
    assert!(!principal.has_scope("admin"));
    let machine = world.with_claims(|c| c["sub"] = json!("app"));
    assert!(bearer(&verifier, &machine).await.unwrap().is_client());
}

/// RFC 6750 section 2.1, RFC 9110 section 11.6.2: one credential, of one scheme, in one place.
#[tokio::test]
async fn a_credential_is_one_token_in_one_header() {
    let world = World::new().await;
    let verifier = open(world.server()).await.unwrap();
    let token = world.token(|_, _| {});
    let good = format!("Bearer {token}");
    let ask = async |values: &[&str]| {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        let answer = verifier.verify(&head(&headers)).await;
        match answer {
            Ok(_) => "in",
            Err(error) => match error.kind {
                TokenErrorKind::Missing => "missing",
                TokenErrorKind::InvalidRequest { .. } => "request",
                TokenErrorKind::Invalid { .. } => "invalid",
                _ => "other",
            },
        }
    };
    for (name, values, expected) in [
        ("one", vec![good.clone()], "in"),
        (
            "the scheme in other letters",
            vec![format!("bEARER {token}")],
            "in",
        ),
        ("more spaces", vec![format!("Bearer   {token}")], "in"),
        ("none", vec![], "missing"),
        ("empty", vec![String::new()], "missing"),
        ("a scheme alone", vec!["Bearer".to_owned()], "missing"),
        (
            "a scheme and a space",
            vec!["Bearer ".to_owned()],
            "missing",
        ),
        ("padding alone", vec!["Bearer ==".to_owned()], "missing"),
        ("no scheme", vec![token.clone()], "missing"),
        ("another scheme", vec![format!("Basic {token}")], "missing"),
        (
            "a scheme that begins alike",
            vec![format!("BearerX {token}")],
            "missing",
        ),
        (
            "DPoP where it is not spoken",
            vec![format!("DPoP {token}")],
            "missing",
        ),
        ("a tab", vec![format!("Bearer\t{token}")], "missing"),
        (
            "the same twice",
            vec![good.clone(), good.clone()],
            "request",
        ),
        (
            "a second one",
            vec![good.clone(), "Basic eDp5".to_owned()],
            "request",
        ),
        (
            "two with a comma",
            vec![format!("{good}, {good}")],
            "request",
        ),
        (
            "two with a space",
            vec![format!("Bearer {token} {token}")],
            "request",
        ),
        (
            "parameters",
            vec![format!("Bearer token=\"{token}\"")],
            "request",
        ),
        (
            "a space inside",
            vec![format!("Bearer {}", token.replace('.', " . "))],
            "request",
        ),
        (
            "64 KiB",
            vec![format!("Bearer {}", "a".repeat(65_536))],
            "invalid",
        ),
    ] {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        assert_eq!(ask(&values).await, expected, "{name}");
    }
    for query in [
        "access_token=x",
        "a=b&access_token=",
        "access%5Ftoken=x",
        "x&access_token",
    ] {
        let mut head = head(&[("authorization", &good)]);
        head.uri = format!("/mcp?{query}").parse().unwrap();
        let error = verifier.verify(&head).await.unwrap_err();
        assert_eq!(error.control, "oauth/query-token", "{query}");
    }
    let elsewhere = head(&[
        ("cookie", &format!("access_token={token}")),
        ("x-access-token", &token),
    ]);
    assert_eq!(
        verifier.verify(&elsewhere).await.unwrap_err().control,
        "oauth/scheme"
    );
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_needs_its_connection() {
    let world = World::new().await;
    let ours = [7; 32];
    let bound = world.with_claims(|c| c["cnf"] = json!({"x5t#S256": encode(&ours)}));
    let free = world.token(|_, _| {});
    let ask = async |verifier: &Verifier, token: &str, peer: Option<[u8; 32]>| {
        let mut head = head(&[("authorization", &format!("Bearer {token}"))]);
        if let Some(peer) = peer {
            head.extensions.insert(PeerThumbprint(peer));
        }
        verifier.verify(&head).await
    };
    for required in [false, true] {
        let server = world.server();
        let server = if required {
            server.certificate_bound()
        } else {
            server
        };
        let verifier = open(server).await.unwrap();
        for _ in 0..2 {
            let principal = ask(&verifier, &bound, Some(ours)).await.unwrap();
            assert_eq!(principal.assurance(), Assurance::SenderConstrained);
            assert_eq!(principal.confirmation().unwrap().certificate(), Some(&ours));
            // Also once it is remembered.
            assert_eq!(
                control(&ask(&verifier, &bound, None).await),
                "oauth/certificate"
            );
            assert_eq!(
                control(&ask(&verifier, &bound, Some([8; 32])).await),
                "oauth/certificate"
            );
        }
        let expected = if required { "oauth/binding" } else { "in" };
        assert_eq!(control(&ask(&verifier, &free, Some(ours)).await), expected);
    }
}

#[tokio::test]
async fn a_token_is_verified_once_and_forgotten_when_it_runs_out() {
    let world = World::new().await;
    let server = world.server();
    let clock = server.clock.clone();
    let verifier = open(server).await.unwrap();
    let token = world.token(|_, _| {});
    for _ in 0..10 {
        bearer(&verifier, &token).await.unwrap();
    }
    assert_eq!(verifier.signatures(), 1);
    let other = world.with_claims(|c| c["jti"] = json!("2"));
    bearer(&verifier, &other).await.unwrap();
    assert_eq!(verifier.signatures(), 2);
    clock.advance(606);
    assert_eq!(control(&bearer(&verifier, &token).await), "oauth/time");

    let verifier = open(world.server().remember_tokens(0)).await.unwrap();
    for _ in 0..3 {
        bearer(&verifier, &token).await.unwrap();
    }
    assert_eq!(verifier.signatures(), 3);
}

/// Each dialect is one setting, and without it the token is refused.
#[tokio::test]
async fn a_dialect_is_said_and_never_guessed() {
    type Setting = fn(ResourceServer) -> ResourceServer;
    let world = World::new().await;
    let rows: Vec<(&str, String, &str, Setting)> = vec![
        (
            "another audience",
            world.with_claims(|c| c["aud"] = json!("api://notes")),
            "oauth/audience",
            |s| s.audience("api://notes"),
        ),
        (
            "the issuer's own beside",
            world.with_claims(|c| c["aud"] = json!([RESOURCE, "https://auth.example/userinfo"])),
            "oauth/audience",
            |s| s.beside_audience("https://auth.example/userinfo"),
        ),
        (
            "any JWT",
            world.with_header(|h| h["typ"] = json!("JWT")),
            "oauth/type",
            |s| s.token_type("JWT"),
        ),
        (
            "no type",
            world.token(|h, c| {
                remove(h, "typ");
                c["token_use"] = json!("access");
            }),
            "oauth/type",
            |s| s.untyped_tokens().require_claim("token_use", "access"),
        ),
        (
            "another client",
            world.with_claims(|c| {
                remove(c, "client_id");
                c["cid"] = json!("app");
            }),
            "oauth/claims",
            |s| s.client_claim("cid"),
        ),
        (
            "another algorithm",
            world.rsa.sign_by(
                &json!({"alg": "PS512", "kid": "rsa", "typ": "at+jwt"}).to_string(),
                &world.claims().to_string(),
                jsonwebtoken::Algorithm::PS512,
            ),
            "oauth/algorithm",
            |s| s.algorithms([Algorithm::PS512]),
        ),
        (
            "a slow clock",
            world.with_claims(|c| c["exp"] = json!(now() - 20)),
            "oauth/time",
            |s| s.leeway(Duration::from_secs(30)),
        ),
    ];
    let plain = open(world.server()).await.unwrap();
    for (name, token, control_without, setting) in rows {
        assert_eq!(
            control(&bearer(&plain, &token).await),
            control_without,
            "{name}"
        );
        let told = open(setting(world.server())).await.unwrap();
        assert_eq!(control(&bearer(&told, &token).await), "in", "{name}");
    }
    // What replaces replaces: the resource is no audience any more.
    let told = open(world.server().audience("api://notes")).await.unwrap();
    assert_eq!(
        control(&bearer(&told, &world.token(|_, _| {})).await),
        "oauth/audience"
    );
    // Only beside.
    let beside = open(world.server().beside_audience("x")).await.unwrap();
    let token = world.with_claims(|c| c["aud"] = json!("x"));
    assert_eq!(control(&bearer(&beside, &token).await), "oauth/audience");

    let tenant = open(world.server().require_claim("tid", "t1"))
        .await
        .unwrap();
    for (tid, expected) in [
        (json!("t1"), "in"),
        (json!("t2"), "oauth/claims"),
        (json!(["t1"]), "oauth/claims"),
        (Value::Null, "oauth/claims"),
    ] {
        let token = world.with_claims(|c| c["tid"] = tid);
        assert_eq!(control(&bearer(&tenant, &token).await), expected);
    }
    assert_eq!(
        control(&bearer(&tenant, &world.token(|_, _| {})).await),
        "oauth/claims"
    );

    let short = open(world.server().max_lifetime(Duration::from_secs(300)))
        .await
        .unwrap();
    let token =
        |exp: u64| world.with_claims(|c| c["exp"] = json!(c["iat"].as_u64().unwrap() + exp));
    assert_eq!(control(&bearer(&short, &token(300)).await), "in");
    assert_eq!(control(&bearer(&short, &token(301)).await), "oauth/time");
    let undated = world.with_claims(|c| remove(c, "iat"));
    assert_eq!(control(&bearer(&short, &undated).await), "oauth/time");

    let roles = world
        .server()
        .roles_claim("realm_access.roles")
        .role("editor", ["notes:publish"])
        .implies("notes:publish", ["notes:read"]);
    let roles = open(roles).await.unwrap();
    let token = world.with_claims(|c| {
        remove(c, "scope");
        c["realm_access"] = json!({"roles": ["editor", "notes:admin"]});
    });
    let principal = bearer(&roles, &token).await.unwrap();
    assert_eq!(
        principal.all_scopes().collect::<Vec<_>>(),
        ["notes:publish", "notes:read"]
    );
}
