//! The attack suite as a table: what is shown, what must come back, and which check says no. A row
//! needs nothing but the head of one request, so any resource server can be put before it.

use serde_json::{Value, json};

use crate::token::{Key, base64, hmac, now};

/// One attack.
pub(crate) struct Row {
    /// The check that refuses it, as the audit record has it.
    pub(crate) control: &'static str,
    pub(crate) name: &'static str,
    /// Lines of the head.
    pub(crate) headers: String,
    pub(crate) status: u16,
    /// What the challenge names.
    pub(crate) error: Option<&'static str>,
}

fn row(control: &'static str, name: &'static str, token: impl AsRef<str>) -> Row {
    Row {
        control,
        name,
        headers: format!("Authorization: Bearer {}", token.as_ref()),
        status: 401,
        error: Some("invalid_token"),
    }
}

fn raw(
    control: &'static str,
    name: &'static str,
    headers: impl Into<String>,
    status: u16,
    error: Option<&'static str>,
) -> Row {
    Row {
        control,
        name,
        headers: headers.into(),
        status,
        error,
    }
}

/// What cannot be a token by its form.
fn malformed(control: &'static str, name: &'static str, token: impl AsRef<str>) -> Row {
    Row {
        status: 400,
        error: Some("invalid_request"),
        ..row(control, name, token)
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

/// All of them, for a server that trusts `key` and takes `good` as claims; `token` is made of both.
pub(crate) fn rows(key: &Key, good: &Value, token: &str) -> Vec<Row> {
    let mut rows = credentials(token);
    rows.extend(shapes(token));
    rows.extend(algorithms(key, good));
    rows.extend(headers(key, good));
    rows.extend(claimed(key, good));
    rows
}

fn credentials(good: &str) -> Vec<Row> {
    vec![
        raw("oauth/scheme", "nothing", "X: y", 401, None),
        raw(
            "oauth/scheme",
            "an empty value",
            "Authorization:",
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "a scheme alone",
            "Authorization: Bearer",
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "a scheme and a space",
            "Authorization: Bearer ",
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "another scheme",
            format!("Authorization: Basic {good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "no scheme",
            format!("Authorization: {good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "no space",
            format!("Authorization: Bearer{good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "a made-up scheme",
            format!("Authorization: Token {good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "in a cookie",
            format!("Cookie: access_token={good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "in a header of its own",
            format!("X-Access-Token: {good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "for a proxy",
            format!("Proxy-Authorization: Bearer {good}"),
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "a user that a proxy might name",
            "X-Forwarded-User: alice",
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "a person that a proxy might name",
            "X-Remote-User: alice\r\nRemote-User: alice",
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "a certificate that a proxy might name",
            "X-Client-Cert: x\r\nX-SSL-Client-Verify: SUCCESS",
            401,
            None,
        ),
        raw(
            "oauth/scheme",
            "the same twice",
            format!("Authorization: Bearer {good}\r\nAuthorization: Bearer {good}"),
            400,
            Some("invalid_request"),
        ),
        raw(
            "oauth/scheme",
            "a bad one before the good one",
            format!("Authorization: Bearer x.y.z\r\nAuthorization: Bearer {good}"),
            400,
            Some("invalid_request"),
        ),
        raw(
            "oauth/scheme",
            "a good one before a bad one",
            format!("Authorization: Bearer {good}\r\nAuthorization: Bearer x.y.z"),
            400,
            Some("invalid_request"),
        ),
        malformed(
            "oauth/scheme",
            "two in one value",
            format!("{good}, Bearer {good}"),
        ),
        malformed("oauth/scheme", "two with a space", format!("{good} {good}")),
        malformed(
            "oauth/scheme",
            "a parameter after it",
            format!("{good};a=b"),
        ),
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
        row("oauth/form", "one part", "abc"),
        row("oauth/form", "two parts", format!("{header}.{claims}")),
        row(
            "oauth/form",
            "two parts and a dot",
            format!("{header}.{claims}."),
        ),
        row("oauth/form", "four parts", format!("{good}.{signature}")),
        row(
            "oauth/form",
            "five parts, as an encrypted token",
            format!("{header}..{claims}.{signature}.{signature}"),
        ),
        row("oauth/form", "dots alone", ".."),
        row("oauth/form", "no header", format!(".{claims}.{signature}")),
        row(
            "oauth/signature",
            "no claims",
            format!("{header}..{signature}"),
        ),
        row(
            "oauth/form",
            "padding",
            format!("{header}.{claims}.{signature}=="),
        ),
        row("oauth/signature", "a byte more", format!("{good}A")),
        row("oauth/form", "a byte less", &good[..good.len() - 1]),
        // Whole bytes of it, and not some bits more.
        row(
            "oauth/signature",
            "half a signature",
            &good[..good.len() - signature.len() + 40],
        ),
        row(
            "oauth/signature",
            "another signature",
            format!("{header}.{claims}.{}", flipped(signature)),
        ),
        row(
            "oauth/signature",
            "other claims",
            format!("{header}.{}.{signature}", flipped(claims)),
        ),
        row(
            "oauth/form",
            "another header",
            format!("{}.{claims}.{signature}", flipped(header)),
        ),
        row(
            "oauth/signature",
            "a signature of nothing but zeros",
            format!("{header}.{claims}.{}", base64(&[0; 64])),
        ),
        row(
            "oauth/signature",
            "a signature of the wrong length",
            format!("{header}.{claims}.{}", base64(&[1; 63])),
        ),
        row(
            "oauth/signature",
            "a signature in DER",
            format!("{header}.{claims}.{}", base64(&[0x30, 6, 2, 1, 0, 2, 1, 0])),
        ),
        row(
            "oauth/form",
            "standard base64",
            good.replacen(&good[..1], "+", 1),
        ),
        row(
            "oauth/token-size",
            "20 KiB",
            format!("{good}{}", "A".repeat(20 * 1024)),
        ),
        row(
            "oauth/form",
            "a token in a token",
            format!("{}.{claims}.{signature}", base64(good.as_bytes())),
        ),
        malformed(
            "oauth/scheme",
            "a percent-encoded dot",
            good.replacen('.', "%2E", 1),
        ),
        malformed("oauth/scheme", "text that is no token", "' OR 1=1 --"),
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
        row("oauth/form", "alg none", unsigned("none")),
        row("oauth/form", "alg None", unsigned("None")),
        row("oauth/form", "alg NONE", unsigned("NONE")),
        row("oauth/form", "alg nOnE", unsigned("nOnE")),
        row(
            "oauth/algorithm",
            "alg none with a signature",
            signed(json!({ "alg": "none" })),
        ),
        row("oauth/algorithm", "no alg", signed(json!({ "alg": null }))),
        row(
            "oauth/algorithm",
            "an empty alg",
            signed(json!({ "alg": "" })),
        ),
        row(
            "oauth/algorithm",
            "alg of another curve",
            signed(json!({ "alg": "ES384" })),
        ),
        row(
            "oauth/algorithm",
            "alg of another kind",
            signed(json!({ "alg": "RS256" })),
        ),
        row(
            "oauth/algorithm",
            "alg EdDSA",
            signed(json!({ "alg": "EdDSA" })),
        ),
        row(
            "oauth/algorithm",
            "alg PS256",
            signed(json!({ "alg": "PS256" })),
        ),
        row(
            "oauth/algorithm",
            "alg in small letters",
            signed(json!({ "alg": "es256" })),
        ),
        row(
            "oauth/algorithm",
            "alg as a list",
            signed(json!({ "alg": ["ES256"] })),
        ),
        row(
            "oauth/algorithm",
            "alg as a number",
            signed(json!({ "alg": 256 })),
        ),
        row(
            "oauth/algorithm",
            "HS256 with the public key as PEM",
            hmac(&hs, good, key.public_pem().as_bytes()),
        ),
        row(
            "oauth/algorithm",
            "HS256 with the public key as JWK",
            hmac(&hs, good, key.jwk().to_string().as_bytes()),
        ),
        row(
            "oauth/algorithm",
            "HS256 with an empty secret",
            hmac(&hs, good, b""),
        ),
        row(
            "oauth/algorithm",
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
            "oauth/signature",
            "another key under a known kid",
            foreign.sign(&foreign.header(), good),
        ),
        row(
            "oauth/key",
            "another key under its own kid",
            other.sign(&other.header(), good),
        ),
        row(
            "oauth/key",
            "a key of the token's own",
            foreign.sign(&with_key, good),
        ),
        row(
            "oauth/signature",
            "no kid and another key",
            foreign.sign(&changed(&header, json!({ "kid": null })), good),
        ),
        row(
            "oauth/key",
            "an unknown kid",
            signed(json!({ "kid": "k2" })),
        ),
        row(
            "oauth/key",
            "a kid of another case",
            signed(json!({ "kid": "K1" })),
        ),
        row("oauth/key", "an empty kid", signed(json!({ "kid": "" }))),
        row(
            "oauth/key",
            "a kid that is a path",
            signed(json!({ "kid": "../../../../dev/null" })),
        ),
        row(
            "oauth/key",
            "a kid that is a URL",
            signed(json!({ "kid": "http://127.0.0.1:9/k" })),
        ),
        row(
            "oauth/key",
            "a kid that is SQL",
            signed(json!({ "kid": "k1' UNION SELECT 'x" })),
        ),
        row(
            "oauth/key",
            "a kid that is a number",
            signed(json!({ "kid": 1 })),
        ),
        row(
            "oauth/key",
            "a kid of 4 KiB",
            signed(json!({ "kid": "k".repeat(4096) })),
        ),
        row(
            "oauth/key",
            "jku",
            signed(json!({ "jku": "http://127.0.0.1:9/jwks" })),
        ),
        row(
            "oauth/key",
            "x5u",
            signed(json!({ "x5u": "http://127.0.0.1:9/cert" })),
        ),
        row("oauth/key", "x5c", signed(json!({ "x5c": ["MIIB"] }))),
        row(
            "oauth/key",
            "jwk, its own",
            signed(json!({ "jwk": key.jwk() })),
        ),
        row(
            "oauth/extension",
            "crit",
            signed(json!({ "crit": ["exp"], "exp": 1 })),
        ),
        row(
            "oauth/extension",
            "an empty crit",
            signed(json!({ "crit": [] })),
        ),
        row(
            "oauth/extension",
            "b64 false",
            signed(json!({ "crit": ["b64"], "b64": false })),
        ),
        row(
            "oauth/type",
            "typ JWT, as of an ID token",
            signed(json!({ "typ": "JWT" })),
        ),
        row("oauth/type", "no typ", signed(json!({ "typ": null }))),
        row(
            "oauth/type",
            "typ of a proof",
            signed(json!({ "typ": "dpop+jwt" })),
        ),
        row(
            "oauth/type",
            "typ of an assertion that is exchanged for tokens (ID-JAG)",
            signed(json!({ "typ": "oauth-id-jag+jwt" })),
        ),
        row(
            "oauth/type",
            "typ of a logout token",
            signed(json!({ "typ": "logout+jwt" })),
        ),
        row(
            "oauth/type",
            "typ as a list",
            signed(json!({ "typ": ["at+jwt"] })),
        ),
        row(
            "oauth/form",
            "alg twice in the header",
            key.sign_text(&duplicated, &good.to_string()),
        ),
        row(
            "oauth/form",
            "a header that is a list",
            key.sign_text("[]", &good.to_string()),
        ),
        row(
            "oauth/form",
            "a header that is no JSON",
            key.sign_text("{", &good.to_string()),
        ),
        row(
            "oauth/form",
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
        row("oauth/issuer", "no iss", signed(json!({ "iss": null }))),
        row(
            "oauth/issuer",
            "another iss",
            signed(json!({ "iss": "https://auth.example" })),
        ),
        row(
            "oauth/issuer",
            "iss with a slash",
            signed(json!({ "iss": format!("{issuer}/") })),
        ),
        row(
            "oauth/issuer",
            "iss with a tail",
            signed(json!({ "iss": format!("{issuer}.evil.example") })),
        ),
        row(
            "oauth/issuer",
            "iss as a prefix",
            signed(json!({ "iss": &issuer[..issuer.len() - 1] })),
        ),
        row(
            "oauth/issuer",
            "iss in capitals",
            signed(json!({ "iss": issuer.to_uppercase() })),
        ),
        row(
            "oauth/issuer",
            "iss as a list",
            signed(json!({ "iss": [issuer] })),
        ),
        row(
            "oauth/issuer",
            "iss as an object",
            signed(json!({ "iss": { "x": 1 } })),
        ),
        row("oauth/issuer", "an empty iss", signed(json!({ "iss": "" }))),
        row("oauth/audience", "no aud", signed(json!({ "aud": null }))),
        row(
            "oauth/audience",
            "another server's aud",
            signed(json!({ "aud": "https://other.example/mcp" })),
        ),
        row(
            "oauth/audience",
            "aud of the client",
            signed(json!({ "aud": "native" })),
        ),
        row(
            "oauth/audience",
            "aud of a sibling path",
            signed(json!({ "aud": format!("{audience}2") })),
        ),
        row(
            "oauth/audience",
            "aud of the origin",
            signed(json!({ "aud": audience.trim_end_matches("/mcp") })),
        ),
        row(
            "oauth/audience",
            "aud with a slash",
            signed(json!({ "aud": format!("{audience}/") })),
        ),
        row(
            "oauth/audience",
            "aud in capitals",
            signed(json!({ "aud": audience.to_uppercase() })),
        ),
        row(
            "oauth/audience",
            "aud of another scheme",
            signed(json!({ "aud": audience.replacen("https", "http", 1) })),
        ),
        row(
            "oauth/audience",
            "aud as a number",
            signed(json!({ "aud": 5 })),
        ),
        row(
            "oauth/audience",
            "an empty aud",
            signed(json!({ "aud": "" })),
        ),
        row(
            "oauth/audience",
            "an empty list as aud",
            signed(json!({ "aud": [] })),
        ),
        row(
            "oauth/audience",
            "aud of others",
            signed(json!({ "aud": ["a", "b"] })),
        ),
        row(
            "oauth/audience",
            "aud as nested lists",
            signed(json!({ "aud": [[audience]] })),
        ),
        row(
            "oauth/audience",
            "aud as an object",
            signed(json!({ "aud": { (audience): true } })),
        ),
        row("oauth/audience", "aud *", signed(json!({ "aud": "*" }))),
        row("oauth/time", "no exp", signed(json!({ "exp": null }))),
        row(
            "oauth/time",
            "expired an hour ago",
            signed(json!({ "exp": now() - 3600 })),
        ),
        row(
            "oauth/time",
            "expired beyond the leeway",
            signed(json!({ "exp": now() - 120 })),
        ),
        row("oauth/time", "exp 0", signed(json!({ "exp": 0 }))),
        row("oauth/time", "exp below 0", signed(json!({ "exp": -1 }))),
        row(
            "oauth/time",
            "exp as text",
            signed(json!({ "exp": (now() + 300).to_string() })),
        ),
        row("oauth/time", "exp as true", signed(json!({ "exp": true }))),
        row(
            "oauth/time",
            "exp as a list",
            signed(json!({ "exp": [now() + 300] })),
        ),
        row(
            "oauth/time",
            "exp beyond all time",
            key.sign_text(
                &key.header().to_string(),
                &text.replacen(&good["exp"].to_string(), "1e300", 1),
            ),
        ),
        row(
            "oauth/time",
            "not before tomorrow",
            signed(json!({ "nbf": now() + 86_400 })),
        ),
        row(
            "oauth/time",
            "nbf as text",
            signed(json!({ "nbf": "tomorrow" })),
        ),
        row(
            "oauth/time",
            "issued tomorrow",
            signed(json!({ "iat": now() + 86_400 })),
        ),
        row("oauth/time", "iat as text", signed(json!({ "iat": "now" }))),
        row("oauth/claims", "no sub", signed(json!({ "sub": null }))),
        row("oauth/claims", "an empty sub", signed(json!({ "sub": "" }))),
        row(
            "oauth/claims",
            "sub as a number",
            signed(json!({ "sub": 0 })),
        ),
        row(
            "oauth/claims",
            "sub as a list",
            signed(json!({ "sub": ["alice"] })),
        ),
        row(
            "oauth/claims",
            "a sub of 10 KiB",
            signed(json!({ "sub": "a".repeat(10 * 1024) })),
        ),
        row(
            "oauth/form",
            "sub twice",
            key.sign_text(&key.header().to_string(), &duplicated),
        ),
        row(
            "oauth/form",
            "claims that are a list",
            key.sign_text(&key.header().to_string(), "[]"),
        ),
        row(
            "oauth/form",
            "claims that are no JSON",
            key.sign_text(&key.header().to_string(), "{"),
        ),
        row(
            "oauth/form",
            "claims with something after them",
            key.sign_text(&key.header().to_string(), &format!("{text} x")),
        ),
        row(
            "oauth/binding",
            "bound to a key, shown without it",
            signed(json!({ "cnf": { "jkt": key.thumbprint() } })),
        ),
        row(
            "oauth/certificate",
            "bound to a certificate, shown without it",
            signed(json!({ "cnf": { "x5t#S256": base64(&[7; 32]) } })),
        ),
        row(
            "oauth/binding",
            "bound in a way that nobody knows",
            signed(json!({ "cnf": { "kid": "x" } })),
        ),
    ]
}
