//! The attack suite as a table: what is shown, and what must come back. Each row is one request to
//! a server whose good token works, before and after.

use serde_json::{Value, json};

use crate::{
    http::{Answer, send},
    token::{Key, base64, claims, hmac, now},
    world::{World, message},
};

/// One attack.
struct Row {
    name: &'static str,
    /// Lines of the head.
    headers: String,
    status: u16,
    /// What the challenge names.
    error: Option<&'static str>,
}

fn row(name: &'static str, token: impl AsRef<str>) -> Row {
    Row {
        name,
        headers: format!("Authorization: Bearer {}", token.as_ref()),
        status: 401,
        error: Some("invalid_token"),
    }
}

fn raw(
    name: &'static str,
    headers: impl Into<String>,
    status: u16,
    error: Option<&'static str>,
) -> Row {
    Row {
        name,
        headers: headers.into(),
        status,
        error,
    }
}

/// What cannot be a token by its form.
fn malformed(name: &'static str, token: impl AsRef<str>) -> Row {
    Row {
        status: 400,
        error: Some("invalid_request"),
        ..row(name, token)
    }
}

/// A good token with some members replaced; `null` removes one.
fn changed(good: &Value, change: Value) -> Value {
    let mut changed = good.clone();
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => {
                changed.as_object_mut().unwrap().remove(name);
            }
            value => changed[name] = value.clone(),
        }
    }
    changed
}

fn credentials(good: &str) -> Vec<Row> {
    vec![
        raw("nothing", "X: y", 401, None),
        raw("an empty value", "Authorization:", 401, None),
        raw("a scheme alone", "Authorization: Bearer", 401, None),
        raw("a scheme and a space", "Authorization: Bearer ", 401, None),
        raw(
            "another scheme",
            format!("Authorization: Basic {good}"),
            401,
            None,
        ),
        raw("no scheme", format!("Authorization: {good}"), 401, None),
        raw(
            "no space",
            format!("Authorization: Bearer{good}"),
            401,
            None,
        ),
        raw(
            "a made-up scheme",
            format!("Authorization: Token {good}"),
            401,
            None,
        ),
        raw(
            "in a cookie",
            format!("Cookie: access_token={good}"),
            401,
            None,
        ),
        raw(
            "in a header of its own",
            format!("X-Access-Token: {good}"),
            401,
            None,
        ),
        raw(
            "for a proxy",
            format!("Proxy-Authorization: Bearer {good}"),
            401,
            None,
        ),
        raw(
            "a user that a proxy might name",
            "X-Forwarded-User: alice",
            401,
            None,
        ),
        raw(
            "a person that a proxy might name",
            "X-Remote-User: alice\r\nRemote-User: alice",
            401,
            None,
        ),
        raw(
            "a certificate that a proxy might name",
            "X-Client-Cert: x\r\nX-SSL-Client-Verify: SUCCESS",
            401,
            None,
        ),
        raw(
            "the same twice",
            format!("Authorization: Bearer {good}\r\nAuthorization: Bearer {good}"),
            400,
            Some("invalid_request"),
        ),
        raw(
            "a bad one before the good one",
            format!("Authorization: Bearer x.y.z\r\nAuthorization: Bearer {good}"),
            400,
            Some("invalid_request"),
        ),
        raw(
            "a good one before a bad one",
            format!("Authorization: Bearer {good}\r\nAuthorization: Bearer x.y.z"),
            400,
            Some("invalid_request"),
        ),
        malformed("two in one value", format!("{good}, Bearer {good}")),
        malformed("two with a space", format!("{good} {good}")),
        malformed("a parameter after it", format!("{good};a=b")),
    ]
}

fn shapes(good: &str) -> Vec<Row> {
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("a token has three parts")
    };
    let flipped = |text: &str| {
        let (first, rest) = text.split_at(1);
        format!("{}{rest}", if first == "A" { "B" } else { "A" })
    };
    vec![
        row("one part", "abc"),
        row("two parts", format!("{header}.{claims}")),
        row("two parts and a dot", format!("{header}.{claims}.")),
        row("four parts", format!("{good}.{signature}")),
        row(
            "five parts, as an encrypted token",
            format!("{header}..{claims}.{signature}.{signature}"),
        ),
        row("dots alone", ".."),
        row("no header", format!(".{claims}.{signature}")),
        row("no claims", format!("{header}..{signature}")),
        row("padding", format!("{header}.{claims}.{signature}==")),
        row("a byte more", format!("{good}A")),
        row("a byte less", &good[..good.len() - 1]),
        row(
            "half a signature",
            &good[..good.len() - signature.len() / 2],
        ),
        row(
            "another signature",
            format!("{header}.{claims}.{}", flipped(signature)),
        ),
        row(
            "other claims",
            format!("{header}.{}.{signature}", flipped(claims)),
        ),
        row(
            "another header",
            format!("{}.{claims}.{signature}", flipped(header)),
        ),
        row(
            "a signature of nothing but zeros",
            format!("{header}.{claims}.{}", base64(&[0; 64])),
        ),
        row(
            "a signature of the wrong length",
            format!("{header}.{claims}.{}", base64(&[1; 63])),
        ),
        row(
            "a signature in DER",
            format!("{header}.{claims}.{}", base64(&[0x30, 6, 2, 1, 0, 2, 1, 0])),
        ),
        row("standard base64", good.replacen(&good[..1], "+", 1)),
        row("20 KiB", format!("{good}{}", "A".repeat(20 * 1024))),
        row(
            "a token in a token",
            format!("{}.{claims}.{signature}", base64(good.as_bytes())),
        ),
        malformed("a percent-encoded dot", good.replacen('.', "%2E", 1)),
        malformed("text that is no token", "' OR 1=1 --"),
    ]
}

fn algorithms(key: &Key, good: &Value) -> Vec<Row> {
    let header = key.header();
    let signed = |change: Value| key.sign(&changed(&header, change), good);
    let unsigned = |alg: &str| {
        let header = changed(&header, json!({ "alg": alg }));
        format!(
            "{}.{}.",
            base64(header.to_string().as_bytes()),
            base64(good.to_string().as_bytes())
        )
    };
    let hs = changed(&header, json!({ "alg": "HS256" }));
    vec![
        row("alg none", unsigned("none")),
        row("alg None", unsigned("None")),
        row("alg NONE", unsigned("NONE")),
        row("alg nOnE", unsigned("nOnE")),
        row(
            "alg none with a signature",
            signed(json!({ "alg": "none" })),
        ),
        row("no alg", signed(json!({ "alg": null }))),
        row("an empty alg", signed(json!({ "alg": "" }))),
        row("alg of another curve", signed(json!({ "alg": "ES384" }))),
        row("alg of another kind", signed(json!({ "alg": "RS256" }))),
        row("alg EdDSA", signed(json!({ "alg": "EdDSA" }))),
        row("alg PS256", signed(json!({ "alg": "PS256" }))),
        row("alg in small letters", signed(json!({ "alg": "es256" }))),
        row("alg as a list", signed(json!({ "alg": ["ES256"] }))),
        row("alg as a number", signed(json!({ "alg": 256 }))),
        row(
            "HS256 with the public key as PEM",
            hmac(&hs, good, key.public_pem().as_bytes()),
        ),
        row(
            "HS256 with the public key as JWK",
            hmac(&hs, good, key.jwk().to_string().as_bytes()),
        ),
        row("HS256 with an empty secret", hmac(&hs, good, b"")),
        row(
            "HS256 with the kid as the secret",
            hmac(&hs, good, key.kid.as_bytes()),
        ),
    ]
}

fn headers(key: &Key, good: &Value) -> Vec<Row> {
    let header = key.header();
    let signed = |change: Value| key.sign(&changed(&header, change), good);
    let foreign = Key::new(&key.kid);
    let other = Key::new("other");
    let with_key = changed(&foreign.header(), json!({ "jwk": foreign.jwk() }));
    let text = header.to_string();
    let duplicated = text.replacen('{', "{\"alg\":\"none\",", 1);
    vec![
        row(
            "another key under a known kid",
            foreign.sign(&foreign.header(), good),
        ),
        row(
            "another key under its own kid",
            other.sign(&other.header(), good),
        ),
        row("a key of the token's own", foreign.sign(&with_key, good)),
        row(
            "no kid and another key",
            foreign.sign(&changed(&header, json!({ "kid": null })), good),
        ),
        row("an unknown kid", signed(json!({ "kid": "k2" }))),
        row("a kid of another case", signed(json!({ "kid": "K1" }))),
        row("an empty kid", signed(json!({ "kid": "" }))),
        row(
            "a kid that is a path",
            signed(json!({ "kid": "../../../../dev/null" })),
        ),
        row(
            "a kid that is a URL",
            signed(json!({ "kid": "http://127.0.0.1:9/k" })),
        ),
        row(
            "a kid that is SQL",
            signed(json!({ "kid": "k1' UNION SELECT 'x" })),
        ),
        row("a kid that is a number", signed(json!({ "kid": 1 }))),
        row("a kid of 4 KiB", signed(json!({ "kid": "k".repeat(4096) }))),
        row("jku", signed(json!({ "jku": "http://127.0.0.1:9/jwks" }))),
        row("x5u", signed(json!({ "x5u": "http://127.0.0.1:9/cert" }))),
        row("x5c", signed(json!({ "x5c": ["MIIB"] }))),
        row("jwk, its own", signed(json!({ "jwk": key.jwk() }))),
        row("crit", signed(json!({ "crit": ["exp"], "exp": 1 }))),
        row("an empty crit", signed(json!({ "crit": [] }))),
        row(
            "b64 false",
            signed(json!({ "crit": ["b64"], "b64": false })),
        ),
        row(
            "typ JWT, as of an ID token",
            signed(json!({ "typ": "JWT" })),
        ),
        row("no typ", signed(json!({ "typ": null }))),
        row("typ of a proof", signed(json!({ "typ": "dpop+jwt" }))),
        row(
            "typ of an assertion that is exchanged for tokens (ID-JAG)",
            signed(json!({ "typ": "oauth-id-jag+jwt" })),
        ),
        row(
            "typ of a logout token",
            signed(json!({ "typ": "logout+jwt" })),
        ),
        row("typ as a list", signed(json!({ "typ": ["at+jwt"] }))),
        row(
            "alg twice in the header",
            key.sign_text(&duplicated, &good.to_string()),
        ),
        row(
            "a header that is a list",
            key.sign_text("[]", &good.to_string()),
        ),
        row(
            "a header that is no JSON",
            key.sign_text("{", &good.to_string()),
        ),
        row(
            "a header with something after it",
            key.sign_text(&format!("{text}x"), &good.to_string()),
        ),
    ]
}

fn claimed(key: &Key, good: &Value) -> Vec<Row> {
    let signed = |change: Value| key.sign(&key.header(), &changed(good, change));
    let issuer = good["iss"].as_str().unwrap();
    let audience = good["aud"].as_str().unwrap();
    let text = good.to_string();
    let duplicated = text.replacen('{', "{\"sub\":\"root\",", 1);
    vec![
        row("no iss", signed(json!({ "iss": null }))),
        row(
            "another iss",
            signed(json!({ "iss": "https://auth.example" })),
        ),
        row(
            "iss with a slash",
            signed(json!({ "iss": format!("{issuer}/") })),
        ),
        row(
            "iss with a tail",
            signed(json!({ "iss": format!("{issuer}.evil.example") })),
        ),
        row(
            "iss as a prefix",
            signed(json!({ "iss": &issuer[..issuer.len() - 1] })),
        ),
        row(
            "iss in capitals",
            signed(json!({ "iss": issuer.to_uppercase() })),
        ),
        row("iss as a list", signed(json!({ "iss": [issuer] }))),
        row("iss as an object", signed(json!({ "iss": { "x": 1 } }))),
        row("an empty iss", signed(json!({ "iss": "" }))),
        row("no aud", signed(json!({ "aud": null }))),
        row(
            "another server's aud",
            signed(json!({ "aud": "https://other.example/mcp" })),
        ),
        row("aud of the client", signed(json!({ "aud": "native" }))),
        row(
            "aud of a sibling path",
            signed(json!({ "aud": format!("{audience}2") })),
        ),
        row(
            "aud of the origin",
            signed(json!({ "aud": audience.trim_end_matches("/mcp") })),
        ),
        row(
            "aud with a slash",
            signed(json!({ "aud": format!("{audience}/") })),
        ),
        row(
            "aud in capitals",
            signed(json!({ "aud": audience.to_uppercase() })),
        ),
        row(
            "aud of another scheme",
            signed(json!({ "aud": audience.replacen("http", "https", 1) })),
        ),
        row("aud as a number", signed(json!({ "aud": 5 }))),
        row("an empty aud", signed(json!({ "aud": "" }))),
        row("an empty list as aud", signed(json!({ "aud": [] }))),
        row("aud of others", signed(json!({ "aud": ["a", "b"] }))),
        row(
            "aud as nested lists",
            signed(json!({ "aud": [[audience]] })),
        ),
        row(
            "aud as an object",
            signed(json!({ "aud": { (audience): true } })),
        ),
        row("aud *", signed(json!({ "aud": "*" }))),
        row("no exp", signed(json!({ "exp": null }))),
        row(
            "expired an hour ago",
            signed(json!({ "exp": now() - 3600 })),
        ),
        row(
            "expired beyond the leeway",
            signed(json!({ "exp": now() - 120 })),
        ),
        row("exp 0", signed(json!({ "exp": 0 }))),
        row("exp below 0", signed(json!({ "exp": -1 }))),
        row(
            "exp as text",
            signed(json!({ "exp": (now() + 300).to_string() })),
        ),
        row("exp as true", signed(json!({ "exp": true }))),
        row("exp as a list", signed(json!({ "exp": [now() + 300] }))),
        row(
            "exp beyond all time",
            key.sign_text(
                &key.header().to_string(),
                &text.replacen(&good["exp"].to_string(), "1e300", 1),
            ),
        ),
        row(
            "not before tomorrow",
            signed(json!({ "nbf": now() + 86_400 })),
        ),
        row("nbf as text", signed(json!({ "nbf": "tomorrow" }))),
        row("issued tomorrow", signed(json!({ "iat": now() + 86_400 }))),
        row("iat as text", signed(json!({ "iat": "now" }))),
        row("no sub", signed(json!({ "sub": null }))),
        row("an empty sub", signed(json!({ "sub": "" }))),
        row("sub as a number", signed(json!({ "sub": 0 }))),
        row("sub as a list", signed(json!({ "sub": ["alice"] }))),
        row(
            "a sub of 10 KiB",
            signed(json!({ "sub": "a".repeat(10 * 1024) })),
        ),
        row(
            "sub twice",
            key.sign_text(&key.header().to_string(), &duplicated),
        ),
        row(
            "claims that are a list",
            key.sign_text(&key.header().to_string(), "[]"),
        ),
        row(
            "claims that are no JSON",
            key.sign_text(&key.header().to_string(), "{"),
        ),
        row(
            "claims with something after them",
            key.sign_text(&key.header().to_string(), &format!("{text} x")),
        ),
        row(
            "bound to a key, shown without it",
            signed(json!({ "cnf": { "jkt": key.thumbprint() } })),
        ),
        row(
            "bound to a certificate, shown without it",
            signed(json!({ "cnf": { "x5t#S256": base64(&[7; 32]) } })),
        ),
        row(
            "bound in a way that nobody knows",
            signed(json!({ "cnf": { "kid": "x" } })),
        ),
    ]
}

#[test]
fn none_of_the_attacks_gets_in_and_each_is_told_what_to_do_and_nothing_more() {
    let world = World::new(json!({}));
    let (target, key) = (&world.target, &world.key);
    let good_claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = key.sign(&key.header(), &good_claims);
    assert_eq!(target.call("read", &good).status, 200);

    let mut rows = credentials(&good);
    rows.extend(shapes(&good));
    rows.extend(algorithms(key, &good_claims));
    rows.extend(headers(key, &good_claims));
    rows.extend(claimed(key, &good_claims));
    assert!(rows.len() >= 120, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let answer = target.call_with("who", &row.headers);
        wrong.extend(judge(row, &answer, &good));
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        rows.len()
    );
    // The server is none the worse for it.
    assert_eq!(target.call("read", &good).status, 200);
}

fn judge(row: &Row, answer: &Answer, good: &str) -> Option<String> {
    let challenge = answer.all("www-authenticate").join(" | ");
    let named = crate::http::parameter(&challenge, "error");
    let fails = |what: &str| Some(format!("{}: {what}: {answer:?}", row.name));
    if answer.status != row.status {
        return fails("status");
    }
    if named != row.error || !challenge.contains("resource_metadata=\"") {
        return fails("challenge");
    }
    // One body for all, and no word of what was shown.
    let body = if row.status == 400 {
        MALFORMED
    } else {
        REFUSED
    };
    if answer.body != body || good.split('.').any(|part| challenge.contains(part)) {
        return fails("body");
    }
    None
}

const REFUSED: &str = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Unauthorized"}}"#;

const MALFORMED: &str = r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"Bad Request"}}"#;

#[test]
fn a_token_in_the_query_is_never_read_and_is_refused_even_beside_a_good_one() {
    let world = World::new(json!({}));
    let target = &world.target;
    let claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = world.key.sign(&world.key.header(), &claims);
    let body = message("tools/call", json!({ "name": "read", "arguments": {} }));
    let ask = |query: &str, headers: &str| {
        let head = target.head("tools/call", Some("read"), headers);
        let head = head.replacen("/mcp", &format!("/mcp?{query}"), 1);
        send(target.address, &head, &body).status
    };
    let header = format!("Authorization: Bearer {good}");
    assert_eq!(ask("x=y", &header), 200);
    assert_eq!(ask(&format!("access_token={good}"), "X: y"), 400);
    assert_eq!(ask(&format!("access_token={good}"), &header), 400);
    assert_eq!(ask(&format!("a=b&access%5Ftoken={good}"), &header), 400);
    target.audited(|record| record["control"] == "http/query-token");
}

#[test]
fn what_was_shown_is_in_no_log() {
    let world = World::new(json!({}));
    let target = &world.target;
    let claims = claims(&world.issuer.url, &target.resource, "notes:read");
    let good = world.key.sign(&world.key.header(), &claims);
    assert_eq!(target.call("read", &good).status, 200);
    let foreign = Key::new("k1");
    let bad = foreign.sign(&foreign.header(), &claims);
    assert_eq!(target.call("read", &bad).status, 401);
    target.audited(|record| record["event"] == "outcome" && record["target"] == "read");
    let logs = std::fs::read_to_string(target.audit_log()).unwrap() + &target.said();
    for token in [&good, &bad] {
        for part in token.split('.') {
            assert!(!logs.contains(part), "{logs}");
        }
    }
}

#[test]
fn the_challenge_is_heard_by_who_is_still_sending() {
    use std::io::{Read as _, Write as _};

    let world = World::new(json!({}));
    let target = &world.target;
    let length = 900_000;
    let head = target.head("tools/call", Some("who"), "");
    let head = format!("{}\r\nContent-Length: {length}\r\n\r\n", head.trim_end());
    for _ in 0..5 {
        let mut stream = std::net::TcpStream::connect(target.address).unwrap();
        // Half of the body is on its way, unread, when the server answers and leaves.
        let sent = format!("{head}{}", " ".repeat(length / 2));
        stream.write_all(sent.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("no reset");
        // Linux still gives what came before a reset; other systems throw it away.
        let reset = stream.take_error().unwrap();
        assert!(reset.is_none(), "{reset:?}");
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(answer.contains("resource_metadata="), "{answer}");
    }
}
