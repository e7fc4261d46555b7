//! A server over stdio: its user connects on a page at loopback, or by a code on another device.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use mcp_secure::{
    auth::UpstreamOAuth,
    vault::{Owner, VaultFile},
};
use serde_json::{Value, json};

use crate::{
    browser::{Browser, token},
    connect::Place,
    flows::agree,
};

/// A server, and its client of the generation with sessions.
struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Session {
    fn start(place: &Place, more: Value) -> Self {
        let mut asked = place.asked(more);
        asked["stdio"] = json!(true);
        asked["listen"] = json!("-");
        asked["issuer"] = json!(place.issuer.url);
        asked["resource"] = json!("-");
        asked["tls"] = json!(["-", "-"]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_oauth-connect"))
            .args(["--stdio", "--audit"])
            .arg(place.at("audit.jsonl"))
            .env("OAUTH_TARGET", asked.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut session = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        session.say(
            &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": { "elicitation": { "url": {} } },
                "clientInfo": { "name": "client", "version": "1" },
            }}),
        );
        session.hear();
        session.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        session
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn call(&mut self, id: u32) {
        self.call_tool(id, "look");
    }

    fn call_tool(&mut self, id: u32, name: &str) {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": name, "arguments": {} } }));
    }

    /// Calls, and is sent somewhere: the id of the question, and the link.
    fn is_sent(&mut self, id: u32) -> (Value, String) {
        self.call(id);
        let asked = self.hear();
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        assert_eq!(asked["params"]["mode"], "url");
        let link = asked["params"]["url"].as_str().unwrap().to_owned();
        (asked["id"].clone(), link)
    }

    fn answer(&mut self, id: &Value, action: &str) {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "result": { "action": action } }));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_user_of_a_server_over_stdio_connects_on_loopback_in_the_first_browser() {
    let place = Place::new(json!({}));
    let mut session = Session::start(&place, json!({}));
    let (question, link) = session.is_sent(7);
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
    let mut browser = Browser::of("alice");
    let page = browser.go(&link);
    assert_eq!(page.status, 200, "{page:?}");
    // Whoever else on this machine has seen the link comes too late.
    let second = Browser::of("mallory").go(&link);
    assert_eq!(second.status, 404, "{second:?}");
    session.answer(&question, "accept");
    let back = browser.agree(&link);
    assert_eq!(Browser::of("mallory").get(&back).status, 403);
    assert_eq!(browser.get(&back).status, 200);
    let answer = session.hear();
    assert_eq!(answer["id"], 7, "{answer}");
    assert_eq!(answer["result"]["content"][0]["text"], "alice", "{answer}");
    session.call(8);
    assert_eq!(session.hear()["result"]["content"][0]["text"], "alice");
    // The record does not say more than is known: whoever had the link.
    assert!(place.audited(r#""how":"page-link""#));
}

#[test]
fn who_does_not_follow_the_link_gets_no_call() {
    let place = Place::new(json!({}));
    let mut session = Session::start(&place, json!({}));
    for action in ["decline", "cancel"] {
        let (question, _) = session.is_sent(7);
        session.answer(&question, action);
        let answer = session.hear();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
    }
    assert!(place.spent().is_empty());
}

#[test]
fn a_machine_without_a_browser_is_connected_by_a_code_on_another_device() {
    let place = Place::new(json!({}));
    let mut session = Session::start(&place, json!({ "device": true }));
    let (question, link) = session.is_sent(7);
    assert!(link.starts_with(&place.accounts.url), "{link}");
    agree(&place.accounts, &link);
    session.answer(&question, "accept");
    let answer = session.hear();
    assert_eq!(answer["result"]["content"][0]["text"], "alice", "{answer}");
    assert!(place.audited(r#""how":"device""#));
}

#[test]
fn an_issuer_that_gives_no_code_to_this_client_is_no_connection() {
    let place = Place::new(json!({}));
    let mut session = Session::start(&place, json!({ "device": true, "client": "native" }));
    session.call(7);
    let answer = session.hear();
    assert_eq!(answer["id"], 7, "{answer}");
    assert!(answer.get("error").is_some(), "{answer}");
    assert!(place.audited("upstream/device"));
}

#[test]
fn so_many_calls_wait_for_a_person_and_no_more() {
    let place = Place::new(json!({}));
    let mut session = Session::start(&place, json!({ "waiting": 1 }));
    let (question, _) = session.is_sent(7);
    session.call(8);
    let answer = session.hear();
    assert_eq!(answer["id"], 8, "{answer}");
    assert_eq!(answer["error"]["code"], -31001, "{answer}");
    assert!(place.audited("upstream/waiting"));
    // Who was first is not disturbed.
    session.answer(&question, "decline");
    assert_eq!(session.hear()["id"], 7);
}

#[test]
fn a_key_over_stdio_is_entered_in_the_first_browser() {
    let place = Place::new(json!({}));
    let mut session = Session::start(&place, json!({}));
    session.call_tool(7, "track");
    let asked = session.hear();
    assert_eq!(asked["params"]["mode"], "url", "{asked}");
    let link = asked["params"]["url"].as_str().unwrap();
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
    let mut browser = Browser::of("alice");
    let page = browser.go(link);
    assert_eq!(page.status, 200, "{page:?}");
    let form = [
        ("token", token(&page)),
        ("secret", "key-of-the-user".to_owned()),
    ];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut second = Browser::of("mallory");
    assert_eq!(second.go(link).status, 404);
    assert_eq!(second.post(link, &form).status, 404);
    // Nobody signs in here, so nobody is shown what there is.
    let list = link.rsplit_once('/').unwrap().0.to_owned() + "/";
    assert_eq!(browser.go(&list).status, 404);
    let kept = browser.post(link, &form);
    assert_eq!(kept.status, 200, "{kept:?}");
    let answer = session.hear();
    assert_eq!(answer["id"], 7, "{answer}");
    assert_eq!(place.spent(), ["key-of-the-user"]);
}

#[test]
fn an_operator_connects_a_caller_by_a_code() {
    let place = Place::new(json!({}));
    let people = VaultFile::at(place.at("vault/v"))
        .people(&place.vault_key(), place.at("people"))
        .unwrap();
    let owner = Owner::new(&place.issuer.url, "alice").unwrap();
    let upstream = UpstreamOAuth::new(&place.accounts.url, "television")
        .scopes(["notes:read"])
        .resource(place.upstream_url())
        .allow_private_issuer();
    people
        .connect_by_device(
            &owner,
            "calendar",
            &place.upstream_url(),
            &upstream,
            |page, code| {
                assert!(!code.is_empty());
                agree(&place.accounts, page);
            },
        )
        .unwrap();
    assert_eq!(people.connected(&owner).unwrap(), ["calendar"]);
    assert!(
        people
            .connected(&Owner::new(&place.issuer.url, "bob").unwrap())
            .unwrap()
            .is_empty()
    );
}
