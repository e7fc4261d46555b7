//! What is called for a caller gets a token of its own: never the caller's, never another one's.

use std::{
    sync::{Arc, Mutex},
    thread,
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::{
    http::Answer,
    token::{Key, claims, now},
    upstream::{Said, Upstream},
    world::{Issuer, Target, message, private_file, resource},
};

/// An issuer, a server under attack, and a calendar that takes the issuer's tokens.
struct Place {
    key: Key,
    issuer: Issuer,
    upstream: Arc<Upstream>,
    /// Where a redirect leads to.
    elsewhere: Upstream,
    resource: String,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(more: Value) -> Self {
        let key = Key::new("k1");
        let resource = resource();
        let elsewhere = Upstream::new(|_| (200, String::new(), "elsewhere".to_owned()));
        let away = elsewhere.url();
        let jwk = key.jwk();
        let own = Arc::new(Mutex::new(String::new()));
        let audience = Arc::clone(&own);
        let first = Mutex::new(None);
        let upstream = Upstream::new(move |heard| {
            let token = heard.authorization.clone();
            let to = match heard.path.as_str() {
                "/to/never" => return (401, String::new(), "refused".to_owned()),
                "/to/strict" => {
                    let is_first = *first.lock().unwrap().get_or_insert(token.clone()) == token;
                    return match is_first {
                        true => (401, String::new(), "refused".to_owned()),
                        false => (200, String::new(), "taken".to_owned()),
                    };
                }
                "/to/away" => format!("{away}/echo"),
                "/to/here" => "/echo".to_owned(),
                _ => {
                    return echo(
                        &jwk,
                        &audience.lock().unwrap(),
                        heard.authorization.as_deref(),
                    );
                }
            };
            (302, format!("Location: {to}\r\n"), String::new())
        });
        *own.lock().unwrap() = upstream.url();
        let mut asked = json!({
            "resources": { (&resource): "jwt", (upstream.url()): "jwt" },
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let folder = tempfile::tempdir().unwrap();
        private_file(folder.path(), "secret", "exchange-secret");
        Self {
            issuer: Issuer::start(&[&key], &resource, "jwt", asked),
            key,
            upstream: Arc::new(upstream),
            elsewhere,
            resource,
            folder,
        }
    }

    fn asked(&self, more: Value) -> Value {
        let mut asked = json!({
            "upstream": self.upstream.url(),
            "endpoint": format!("{}/token", self.issuer.url),
            "secret": self.folder.path().join("secret"),
            "whom": self.upstream.url(),
        });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        asked
    }

    fn target(&self, more: Value) -> Target {
        Target::with_upstream(&self.issuer.url, &self.resource, self.asked(more))
    }

    fn token_of(&self, subject: &str, expires: i64) -> String {
        let mut claims = claims(&self.issuer.url, &self.resource, "notes:read");
        claims["sub"] = json!(subject);
        claims["exp"] = json!(expires);
        self.key.sign(&self.key.header(), &claims)
    }

    fn token(&self, subject: &str) -> String {
        self.token_of(subject, now() + 300)
    }

    /// What came with the requests that reached the calendar.
    fn shown(&self) -> Vec<String> {
        let heard = self.upstream.heard().into_iter();
        heard
            .map(|one| one.authorization.unwrap_or_default())
            .collect()
    }
}

/// The calendar: what it makes of the token, and the header as it came.
fn echo(jwk: &Value, audience: &str, authorization: Option<&str>) -> Said {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[audience]);
    let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let part = |name: &str| jwk[name].as_str().unwrap();
    let key = DecodingKey::from_ec_components(part("x"), part("y")).unwrap();
    let good = token.and_then(|token| jsonwebtoken::decode::<Value>(token, &key, &validation).ok());
    let status = if good.is_some() { 200 } else { 401 };
    let claims = good.map(|good| good.claims);
    let body = json!({ "claims": claims, "authorization": authorization });
    (
        status,
        "Content-Type: application/json\r\n".to_owned(),
        body.to_string(),
    )
}

/// What a tool says.
fn text(answer: &Answer) -> String {
    let text = &answer.json()["result"]["content"][0]["text"];
    text.as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned()
}

/// What the calendar said of the token, by way of a tool.
fn claims_in(answer: &Answer) -> Value {
    let said: Value = serde_json::from_str(&text(answer)).unwrap();
    said["claims"].clone()
}

#[track_caller]
fn is_refused(answer: &Answer) {
    let result = &answer.json()["result"];
    assert_eq!(result["isError"], true, "{answer:?}");
}

#[test]
fn what_is_called_sees_a_token_of_its_own_and_never_the_callers() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let token = place.token("alice");
    for _ in 0..3 {
        let answer = target.call("look", &token);
        let claims = claims_in(&answer);
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["aud"], place.upstream.url());
        assert_eq!(claims["scope"], "notes:read");
        assert_eq!(claims["client_id"], "notes-server");
        assert!(claims["act"].is_null());
    }
    assert_eq!(place.issuer.exchanged(), 1, "it is remembered");
    let secret = token.rsplit('.').next().unwrap();
    for shown in place.shown() {
        assert!(
            shown.starts_with("Bearer ") && !shown.contains(secret),
            "{shown}"
        );
    }
    let told = text(&target.call("tell", &token));
    assert!(told.contains("alice"), "{told}");
    for part in token.split('.') {
        assert!(!told.contains(part), "{told}");
    }
    is_refused(&target.call("forge", &token));
    let log = std::fs::read_to_string(target.audit_log()).unwrap();
    assert!(!log.contains(secret) && !log.contains("eyJ"), "{log}");
    assert!(!target.said().contains("eyJ"), "{}", target.said());
}

#[test]
fn no_two_tokens_share_what_they_were_exchanged_for() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let (alice, bob) = (place.token("alice"), place.token("bob"));
    for _ in 0..2 {
        assert_eq!(claims_in(&target.call("look", &alice))["sub"], "alice");
        assert_eq!(claims_in(&target.call("look", &bob))["sub"], "bob");
    }
    assert_eq!(place.issuer.exchanged(), 2);
    // What one token may is not what another one of the same person may.
    let other = place.token("alice");
    assert_ne!(other, alice);
    assert_eq!(claims_in(&target.call("look", &other))["sub"], "alice");
    assert_eq!(place.issuer.exchanged(), 3);
}

#[test]
fn a_handle_that_was_kept_speaks_for_nobody() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    assert_eq!(text(&target.call("reuse", &place.token("alice"))), "kept");
    is_refused(&target.call("reuse", &place.token("mallory")));
    assert!(place.upstream.heard().is_empty());
    assert_eq!(place.issuer.exchanged(), 0);
}

#[test]
fn nothing_is_called_for_a_caller_whose_token_is_over() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let token = place.token_of("alice", now() + 3);
    let _ = target.call("late", &token);
    let record = target.audited(|r| r["target"] == "late" && r["event"] == "outcome");
    assert_eq!(record["control"], "net/exchange", "{record}");
    assert_eq!(place.upstream.heard().len(), 1, "the first time only");
    assert_eq!(place.issuer.exchanged(), 1, "nor is the issuer asked again");
}

#[test]
fn who_acts_for_the_caller_says_so() {
    let place = Place::new(json!({}));
    let target = place.target(json!({ "acting": true }));
    for subject in ["alice", "bob"] {
        let claims = claims_in(&target.call("look", &place.token(subject)));
        assert_eq!(claims["sub"], subject);
        assert_eq!(claims["act"]["sub"], "notes-server");
    }
    assert_eq!(place.issuer.exchanged(), 3, "one for itself");
}

#[test]
fn a_token_of_the_servers_own_is_nobody_elses() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    for subject in ["alice", "bob"] {
        let claims = claims_in(&target.call("house", &place.token(subject)));
        assert_eq!(claims["sub"], "notes-server");
        assert_eq!(claims["aud"], place.upstream.url());
    }
    assert_eq!(place.issuer.exchanged(), 1);
}

#[test]
fn many_requests_at_once_ask_the_issuer_once() {
    let place = Place::new(json!({ "slow_exchange": 500 }));
    let target = place.target(json!({}));
    let token = place.token("alice");
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(claims_in(&target.call("look", &token))["sub"], "alice"));
        }
    });
    assert_eq!(place.issuer.exchanged(), 1);
}

#[test]
fn a_redirect_takes_the_token_nowhere_else() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let token = place.token("alice");
    let follow = |to: &str| {
        let params = json!({ "name": "follow", "arguments": { "to": to } });
        let body = message("tools/call", params);
        let headers = format!("Authorization: Bearer {token}");
        target.send(&target.head("tools/call", Some("follow"), &headers), &body)
    };
    assert_eq!(claims_in(&follow("here"))["sub"], "alice");
    is_refused(&follow("away"));
    assert!(place.elsewhere.heard().is_empty());
}

#[test]
fn what_the_issuer_refuses_is_refused_and_the_caller_is_not_told_why() {
    let place = Place::new(json!({}));
    let target = place.target(json!({ "whom": "https://unknown.example" }));
    let answer = target.call("look", &place.token("alice"));
    is_refused(&answer);
    for inside in ["invalid_target", "unknown.example", &place.issuer.url] {
        assert!(!answer.body.contains(inside), "{answer:?}");
    }
    let record = target.audited(|record| record["control"] == "net/exchange");
    assert!(record.to_string().contains("invalid_target"), "{record}");
    assert!(place.upstream.heard().is_empty());
}

#[test]
fn an_issuer_that_answers_with_something_else_is_not_believed() {
    let place = Place::new(json!({}));
    let says = Arc::new(Mutex::new((200, String::new(), String::new())));
    let script = Arc::clone(&says);
    let hostile = Upstream::new(move |_| script.lock().unwrap().clone());
    let target = place.target(json!({ "endpoint": format!("{}/token", hostile.url()) }));
    let caller = place.token("alice");
    let good = json!({
        "access_token": place.token("alice"),
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "bearer",
        "scope": "notes:read",
        "expires_in": 300,
    });
    let with = |name: &str, value: Value| {
        let mut answer = good.clone();
        answer[name] = value;
        (200, String::new(), answer.to_string())
    };
    let long = "a".repeat(17 * 1024);
    let twice = good.to_string().replacen('{', "{\"token_type\":\"x\",", 1);
    let attacks: Vec<(&str, Said)> = vec![
        (
            "the caller's own token",
            with("access_token", json!(caller)),
        ),
        (
            "a header more",
            with("access_token", json!("x\r\nX-Admin: 1")),
        ),
        ("two words", with("access_token", json!("a b"))),
        ("nothing", with("access_token", json!(""))),
        ("no text", with("access_token", json!(7))),
        ("17 KiB", with("access_token", json!(long))),
        ("bound to a key", with("token_type", json!("DPoP"))),
        ("of no type", with("token_type", Value::Null)),
        (
            "an ID token",
            with(
                "issued_token_type",
                json!("urn:ietf:params:oauth:token-type:id_token"),
            ),
        ),
        (
            "good for more",
            with("scope", json!("notes:read notes:admin")),
        ),
        ("a key twice", (200, String::new(), twice)),
        ("no JSON", (200, String::new(), "<html>".to_owned())),
        ("too much", (200, String::new(), "x".repeat(100 * 1024))),
        (
            "go elsewhere",
            (
                307,
                format!("Location: {}/\r\n", place.elsewhere.url()),
                good.to_string(),
            ),
        ),
        (
            "no",
            (
                400,
                String::new(),
                json!({ "error": "\u{1b}[2Jx" }).to_string(),
            ),
        ),
        ("broken", (500, String::new(), String::new())),
    ];
    for (name, answer) in attacks {
        *says.lock().unwrap() = answer;
        let asked = hostile.heard().len();
        let answer = target.call("look", &caller);
        assert_eq!(
            answer.json()["result"]["isError"],
            true,
            "{name}: {answer:?}"
        );
        assert_eq!(
            hostile.heard().len(),
            asked + 1,
            "{name}: a refusal is not remembered"
        );
        assert!(place.upstream.heard().is_empty(), "{name}");
    }
    assert!(place.elsewhere.heard().is_empty());
    assert!(
        !std::fs::read_to_string(target.audit_log())
            .unwrap()
            .contains('\u{1b}')
    );

    // What is as it should be is sent, and it is asked for as the RFC says.
    *says.lock().unwrap() = (200, String::new(), good.to_string());
    let _ = target.call("look", &caller);
    let shown = format!("Bearer {}", good["access_token"].as_str().unwrap());
    // The calendar does not know who signed it, and refuses: it is asked for once more.
    assert_eq!(place.shown(), [shown.clone(), shown]);
    let heard = hostile.heard().pop().unwrap();
    assert!(heard.authorization.unwrap().starts_with("Basic "));
    for part in [
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        &format!("subject_token={caller}"),
        "subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
        "scope=notes%3Aread",
    ] {
        assert!(
            heard.body.contains(part),
            "{part} is missing: {}",
            heard.body
        );
    }
}

#[test]
fn an_exchange_that_cannot_be_right_stops_the_start() {
    let place = Place::new(json!({}));
    for (more, words) in [
        (json!({ "whom": null }), "whom the token is for"),
        (json!({ "whom": "calendar" }), "is no resource"),
        (json!({ "bearer_too": true }), "two tokens"),
        (json!({ "local_token": true }), "nobody comes with one"),
        (
            json!({ "endpoint": "http://192.0.2.1/token#x" }),
            "token endpoint",
        ),
        (json!({ "secret": "/nonexistent" }), "cannot be read"),
        (json!({ "upstream": "http://*.example.test" }), "wildcard"),
    ] {
        let said =
            Target::with_upstream_fails(&place.issuer.url, &place.resource, place.asked(more));
        assert!(said.contains(words), "`{words}` is missing: {said}");
    }
}

#[test]
fn an_exchanged_token_that_the_endpoint_refuses_is_not_sent_again() {
    let follow = |place: &Place, target: &Target, to: &str, token: &str| {
        let call = json!({ "name": "follow", "arguments": { "to": to } });
        let answer = target.ask("tools/call", call, token);
        assert_eq!(answer.status, 200, "{answer:?} {}", place.shown().len());
        answer.body
    };
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let token = place.token("alice");
    let said = follow(&place, &target, "strict", &token);
    assert!(said.contains("taken"), "{said}");
    let shown = place.shown();
    assert_eq!(shown.len(), 2);
    assert_ne!(shown[0], shown[1], "not the one that is remembered");
    // One that refuses everything has the issuer asked once more, and not at each call.
    let before = place.issuer.exchanged();
    let token = place.token("bob");
    for _ in 0..4 {
        let said = follow(&place, &target, "never", &token);
        assert!(said.contains("refused"), "{said}");
    }
    assert_eq!(place.issuer.exchanged() - before, 2);
    assert_eq!(place.shown().len() - shown.len(), 5);
}
