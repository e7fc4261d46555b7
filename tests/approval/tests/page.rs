//! The page over sockets: what a browser does, and what no browser would do.

use serde_json::json;
use url::Url;

use crate::{
    cookies::Browser,
    world::{Server, World, is_refused, text, url_mode},
};

#[test]
fn what_the_person_saw_on_the_page_is_what_runs_and_only_once() {
    let world = World::new(json!({}));
    let asked = world.asked("agreed");
    let (mut browser, page) = world.opened(&asked);
    for part in [
        "append",
        "agreed",
        "signed in as",
        "alice",
        "approval-target",
        "files",
    ] {
        assert!(page.answer.body.contains(part), "{part}: {page:?}");
    }
    assert!(world.server.log().is_empty(), "not before the answer");
    assert_eq!(browser.press(&page, "approve").status, 303);
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    assert_eq!(world.server.log(), ["agreed"]);

    let record = world
        .server
        .audited(|r| r["event"] == "outcome" && r["outcome"] == "ok");
    assert_eq!(record["approval"], "page", "{record}");

    let again = asked.again(&world.server, &token);
    assert_eq!(again["error"]["code"], -32602, "{again}");
    assert_eq!(world.server.log(), ["agreed"]);
}

#[test]
fn a_no_on_the_page_is_final() {
    let world = World::new(json!({}));
    let asked = world.asked("refused");
    let (mut browser, page) = world.opened(&asked);
    assert_eq!(browser.press(&page, "refuse").status, 303);
    // The back button, and another mind.
    assert_eq!(browser.press(&page, "approve").status, 303);
    let shown = browser.open(&asked.link, "alice").answer.body;
    assert!(shown.contains("Refused") && !shown.contains("name=\"token\""));
    let reply = asked.again(&world.server, &world.token("alice"));
    assert!(is_refused(&reply), "{reply}");
    assert!(world.server.log().is_empty());
    world.server.refused_by("approve/declined");
}

#[test]
fn another_person_is_told_that_there_is_no_such_page() {
    let world = World::new(json!({}));
    let asked = world.asked("alice's own");
    let mut mallory = Browser::default();
    let page = mallory.open(&asked.link, "mallory");
    let unknown = asked.link.replace(asked.id(), "AAAAAAAAAAAAAAAAAAAAAA");
    let nothing = mallory.open(&unknown, "mallory");
    assert_eq!((page.answer.status, nothing.answer.status), (404, 404));
    assert_eq!(page.answer.body, nothing.answer.body, "they look alike");
    assert!(!page.answer.body.contains("alice"));
    world.server.refused_by("approve/person");

    // Nor may she answer by the form of a question of her own.
    let hers = world
        .server
        .call(&world.token("mallory"), "append", json!({ "line": "hers" }));
    let page = mallory.open(&hers.link, "mallory");
    let origin = format!("Origin: http://{}", world.server.address);
    let form = format!("token={}&answer=approve", page.token());
    let sent = mallory.post(&Url::parse(&asked.link).unwrap(), &origin, &form);
    assert_eq!(sent.status, 404, "{sent:?}");
    assert!(world.server.log().is_empty());
}

#[test]
fn a_form_of_another_page_or_another_browser_is_not_taken() {
    let world = World::new(json!({}));
    let asked = world.asked("forged");
    let (mut browser, page) = world.opened(&asked);
    let good = format!("token={}&answer=approve", page.token());
    let here = format!("Origin: http://{}", world.server.address);
    for (headers, form, control) in [
        (
            "Origin: https://evil.example".to_owned(),
            good.as_str(),
            "approve/origin",
        ),
        ("Origin: null".to_owned(), &good, "approve/origin"),
        (String::new(), &good, "approve/origin"),
        (
            format!("{here}\r\nSec-Fetch-Site: cross-site"),
            &good,
            "approve/origin",
        ),
        (
            format!("{here}\r\nSec-Fetch-Site: same-site"),
            &good,
            "approve/origin",
        ),
        (
            "Origin: null\r\nSec-Fetch-Site: cross-site".to_owned(),
            &good,
            "approve/origin",
        ),
        (here.clone(), "answer=approve", "approve/csrf"),
        (here.clone(), "token=&answer=approve", "approve/csrf"),
        (here.clone(), "token=0000&answer=approve", "approve/csrf"),
    ] {
        let sent = browser.post(&page.url, &headers, form);
        assert_eq!(sent.status, 403, "{headers} {form}: {sent:?}");
        world.server.refused_by(control);
    }
    // Her own session of another sign-in has other forms.
    let mut other = Browser::default();
    other.open(&asked.link, "alice");
    assert_eq!(other.post(&page.url, &here, &good).status, 403);
    // Without a cookie there is nothing.
    assert_eq!(Browser::default().post(&page.url, &here, &good).status, 404);
    let reply = world.server.log();
    assert!(reply.is_empty(), "{reply:?}");
    // What a browser sends from a page without a referrer is taken.
    let own = "Origin: null\r\nSec-Fetch-Site: same-origin";
    assert_eq!(browser.post(&page.url, own, &good).status, 303);
    let reply = asked.again(&world.server, &world.token("alice"));
    assert_eq!(text(&reply), "appended");
}

#[test]
fn the_agreement_is_for_these_arguments_this_tool_and_this_caller() {
    let world = World::new(json!({}));
    let asked = world.asked("agreed");
    let (mut browser, page) = world.opened(&asked);
    browser.press(&page, "approve");
    let (alice, mallory) = (world.token("alice"), world.token("mallory"));
    let server = &world.server;
    let swapped = asked.again_with(server, &alice, json!({ "line": "swapped" }));
    let stolen = asked.again(server, &mallory);
    let mut other = asked.clone();
    other.tool = "publish".to_owned();
    let moved = other.again_with(
        server,
        &alice,
        json!({ "title": "a", "text": "b", "tags": [] }),
    );
    for reply in [swapped, stolen, moved] {
        assert_eq!(reply["error"]["code"], -32602, "{reply}");
    }
    server.refused_by("approve/state");
    assert!(server.log().is_empty());
    assert_eq!(text(&asked.again(server, &alice)), "appended");
}

#[test]
fn a_client_that_says_accept_by_itself_is_shown_the_link_again() {
    let world = World::new(json!({ "time_ms": 3000, "waiting": 0 }));
    let asked = world.asked("unseen");
    let token = world.token("alice");
    for responses in [
        json!({ "mcp-secure/approval": { "action": "accept" } }),
        json!({ "mcp-secure/approval": { "action": "accept", "content": { "approve": true } } }),
        json!({}),
    ] {
        let reply = world.server.ask(
            &token,
            &url_mode(),
            json!({
                "name": "append", "arguments": { "line": "unseen" },
                "requestState": asked.state, "inputResponses": responses,
            }),
        );
        assert_eq!(reply["result"]["resultType"], "input_required", "{reply}");
    }
    assert!(world.server.log().is_empty());
    // And in time nobody can say yes any more.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let page = Browser::default().open(&asked.link, "alice");
    assert_eq!(page.answer.status, 404);
}

#[test]
fn a_client_that_shows_no_link_is_refused_and_its_word_is_not_taken() {
    let world = World::new(json!({}));
    let token = world.token("alice");
    for capabilities in [
        json!({}),
        json!({ "elicitation": {} }),
        json!({ "elicitation": { "form": {} } }),
    ] {
        let call = json!({ "name": "append", "arguments": { "line": "x" } });
        let reply = world.server.ask(&token, &capabilities, call);
        assert_eq!(reply["error"]["code"], -32021, "{reply}");
    }
    world.server.refused_by("approve/capability");
    assert!(world.server.log().is_empty());
}

#[test]
fn the_page_forbids_scripts_frames_caches_and_referrers() {
    let world = World::new(json!({}));
    let asked = world.asked("x");
    let (_, page) = world.opened(&asked);
    let answer = &page.answer;
    let csp = answer.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    ] {
        assert!(csp.contains(part), "{csp}");
    }
    assert!(!csp.contains("script-src") && !csp.contains("unsafe"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(
        answer.header("cross-origin-opener-policy"),
        Some("same-origin")
    );
    assert!(!answer.body.contains("<script") && !answer.body.contains("style="));
}

#[test]
fn where_nobody_signs_in_the_link_is_for_the_first_browser() {
    let server = Server::start(json!({}));
    let token = server.token();
    let asked = server.call(&token, "append", json!({ "line": "linked" }));
    let (mut first, mut second) = (Browser::default(), Browser::default());
    // What a browser fetches before anybody clicks takes nothing away.
    let ahead = second.get(&Url::parse(&asked.link).unwrap(), "Sec-Purpose: prefetch");
    assert_eq!(ahead.status, 404);
    let page = first.open(&asked.link, "");
    assert_eq!(page.answer.status, 200, "{page:?}");
    assert_eq!(second.open(&asked.link, "").answer.status, 404);
    let origin = format!("Origin: http://{}", server.address);
    let form = format!("token={}&answer=approve", page.token());
    assert_eq!(second.post(&page.url, &origin, &form).status, 404);
    server.refused_by("approve/browser");
    assert_eq!(first.press(&page, "approve").status, 303);
    assert_eq!(text(&asked.again(&server, &token)), "appended");
    let record = server.audited(|r| r["event"] == "outcome" && r["outcome"] == "ok");
    assert_eq!(record["approval"], "page-link", "it proves less: {record}");
}

#[test]
fn what_waits_is_bounded_for_one_caller_and_for_all() {
    let world = World::new(json!({ "pending": [2, 3] }));
    let call = |person: &str, line: &str| {
        let call = json!({ "name": "append", "arguments": { "line": line } });
        world.server.ask(&world.token(person), &url_mode(), call)
    };
    let first = world.asked("0");
    assert_eq!(call("alice", "1")["result"]["resultType"], "input_required");
    assert_eq!(call("alice", "2")["error"]["code"], -31001);
    assert_eq!(call("bob", "3")["result"]["resultType"], "input_required");
    assert_eq!(call("carol", "4")["error"]["code"], -31001);
    world.server.refused_by("approve/pending");
    // Who answers makes room.
    let (mut browser, page) = world.opened(&first);
    browser.press(&page, "refuse");
    assert_eq!(call("alice", "5")["result"]["resultType"], "input_required");
}

#[test]
fn a_server_that_does_not_know_by_what_persons_sign_in_does_not_start() {
    let said = Server::that_fails(json!({
        "issuer": ["http://127.0.0.1:9", "http://127.0.0.1:1/mcp"], "listen": "127.0.0.1:0",
    }));
    assert!(said.contains("sign in") && said.contains("help:"), "{said}");
}

/// Login CSRF, mix-up, and a code of somebody else's.
#[test]
fn a_sign_in_that_this_browser_did_not_begin_signs_nobody_in() {
    let world = World::new(json!({}));
    let asked = world.asked("x");
    let link = Url::parse(&asked.link).unwrap();
    // What the issuer sends this browser back with.
    let begin = |browser: &mut Browser| {
        let sent = browser.get(&link, "");
        assert_eq!(sent.status, 303, "{sent:?}");
        let authorize = Url::parse(sent.header("location").unwrap()).unwrap();
        let query: Vec<(String, String)> = authorize.query_pairs().into_owned().collect();
        for needed in ["code_challenge", "state", "resource"] {
            assert!(query.iter().any(|(name, _)| name == needed), "{query:?}");
        }
        assert!(query.contains(&("code_challenge_method".into(), "S256".into())));
        let back = Browser::default().get(&authorize, "");
        Url::parse(back.header("location").unwrap()).unwrap()
    };
    let with = |url: &Url, name: &str, value: &str| {
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        pairs.retain(|pair| pair.0 != name || !value.is_empty());
        for pair in &mut pairs {
            if pair.0 == name {
                pair.1 = value.to_owned();
            }
        }
        let mut url = url.clone();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url
    };
    let mut alice = Browser::default();
    let back = begin(&mut alice);
    assert_eq!(Browser::default().get(&back, "").status, 403, "not hers");
    for (name, value, control) in [
        ("state", "forged", "sign-in/state"),
        ("iss", "https://evil.example", "sign-in/issuer"),
        // The issuer says that it names itself (RFC 9207).
        ("iss", "", "sign-in/issuer"),
        ("code", "forged", "sign-in/person"),
    ] {
        let mut browser = Browser::default();
        let back = begin(&mut browser);
        let answer = browser.get(&with(&back, name, value), "");
        assert_eq!(answer.status, 403, "{name}: {answer:?}");
        assert_eq!(browser.get(&link, "").status, 303, "{name}: nobody is in");
        world.server.refused_by(control);
    }
    assert_eq!(alice.get(&back, "").status, 200);
    assert_eq!(alice.get(&link, "").status, 200);
    // A code works once, and so does what the browser carried.
    assert_eq!(alice.get(&back, "").status, 403);
}
