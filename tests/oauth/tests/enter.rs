//! Callers who enter a key of their own on a page, and those who would enter or read another one's.

use mcp_secure::vault::VaultFile;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, token},
    connect::{Caller, Place, hex, text},
    http::Answer,
    world::Target,
};

const ALICES: &str = "alices-key-0123456789";
const BOBS: &str = "bobs-own-key-abcdef";

/// The form of a page, filled in.
fn enter(browser: &mut Browser, link: &str, page: &Answer, secret: &str) -> Answer {
    browser.post(link, &[("token", &token(page)), ("secret", secret)])
}

/// Goes to the page, and enters a key there.
#[track_caller]
fn enters(caller: &Caller<'_>, browser: &mut Browser, secret: &str) {
    let (link, state) = caller.is_sent("track");
    let page = browser.go(&link);
    assert_eq!(page.status, 200, "{page:?}");
    let kept = enter(browser, &link, &page, secret);
    assert_eq!(kept.status, 200, "{kept:?}");
    assert!(kept.body.contains("Connected"), "{kept:?}");
    // The same call goes on.
    let answer = caller.again("track", &state);
    assert_eq!(text(&answer), ("Bearer ".len() + secret.len()).to_string());
}

fn callers<'a>(place: &Place, target: &'a Target) -> [Caller<'a>; 2] {
    ["alice", "bob"].map(|subject| Caller {
        target,
        token: place.token_of(subject),
    })
}

#[test]
fn a_key_goes_from_the_browser_of_its_person_into_their_calls_and_nobody_elses() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, bob] = callers(&place, &target);
    let (link, _) = alice.is_sent("track");
    let page = Browser::of("alice").go(&link);
    // Whom it goes to stands there before it is entered.
    assert!(page.body.contains(&place.upstream_url()), "{page:?}");
    assert!(page.body.contains("Authorization: Bearer"), "{page:?}");
    for part in [
        "type=\"password\"",
        "autocomplete=\"off\"",
        "for=\"secret\"",
    ] {
        assert!(page.body.contains(part), "{part} {page:?}");
    }
    let csp = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(csp.contains(part), "{csp}");
    }
    assert_eq!(page.header("cache-control"), Some("no-store"));
    enters(&alice, &mut Browser::of("alice"), ALICES);
    bob.is_sent("track");
    enters(&bob, &mut Browser::of("bob"), BOBS);
    alice.call("track");
    let spent = place.spent();
    assert_eq!(spent, [ALICES, BOBS, ALICES]);
    target.audited(|record| {
        record
            .to_string()
            .contains("the caller's `tracker` version 1")
    });
}

#[test]
fn a_key_that_was_entered_is_in_no_log_no_audit_no_page_and_no_answer() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, _] = callers(&place, &target);
    let mut browser = Browser::of("alice");
    let (link, _) = alice.is_sent("track");
    let page = browser.go(&link);
    let mut seen = String::new();
    // Refused, kept, shown again, mirrored by who got it.
    for secret in [&format!("{ALICES} {ALICES}"), ALICES] {
        let answer = enter(&mut browser, &link, &page, secret);
        seen.push_str(&format!("{answer:?}"));
    }
    seen.push_str(&format!("{:?}", browser.go(&link)));
    let list = link.rsplit_once('/').unwrap().0.to_owned() + "/";
    seen.push_str(&format!("{:?}", browser.go(&list)));
    let answer = alice.call("leak");
    assert!(answer.body.contains("isError\":false"), "{answer:?}");
    seen.push_str(&answer.body);
    target.audited(|record| record.to_string().contains("leak"));
    seen.push_str(&std::fs::read_to_string(target.audit_log()).unwrap());
    seen.push_str(&target.said());
    assert_eq!(place.spent(), [ALICES]);
    for trace in [ALICES.to_owned(), hex(ALICES)] {
        assert!(!seen.contains(&trace), "{trace} is in {seen}");
    }
    // Nor in the files of the vault.
    for file in std::fs::read_dir(place.at("people/entries")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(ALICES));
    }
}

#[test]
fn another_persons_link_is_a_page_that_is_not_there_and_takes_no_key() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, bob] = callers(&place, &target);
    let (link, state) = alice.is_sent("track");
    let mut bobs = Browser::of("bob");
    let page = bobs.go(&link);
    assert_eq!(page.status, 404, "{page:?}");
    target.audited(|record| record["control"] == "upstream/person");
    // With the form of a page of his own.
    let (his, _) = bob.is_sent("track");
    let page = bobs.go(&his);
    let answer = enter(&mut bobs, &link, &page, BOBS);
    assert_eq!(answer.status, 404, "{answer:?}");
    // And without a browser that was ever here.
    let answer = enter(&mut Browser::of("nobody"), &link, &page, BOBS);
    assert_eq!(answer.status, 404, "{answer:?}");
    let again = alice.again("track", &state).json();
    assert!(again["result"]["inputRequests"].is_object(), "{again}");
    assert!(place.spent().is_empty());
}

#[test]
fn a_form_of_another_page_a_wrong_key_and_a_second_one_are_not_kept() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, _] = callers(&place, &target);
    let mut browser = Browser::of("alice");
    let (link, state) = alice.is_sent("track");
    let page = browser.go(&link);
    let good = format!("token={}&secret={ALICES}", token(&page));
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    for origin in ["https://evil.example", "null"] {
        let headers = format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\n{kind}");
        let answer = browser.send("POST", &link, &headers, &good);
        assert_eq!(answer.status, 403, "{origin} {answer:?}");
    }
    target.audited(|record| record["control"] == "upstream/origin");
    let answer = browser.post(&link, &[("token", "0123"), ("secret", ALICES)]);
    assert_eq!(answer.status, 403, "{answer:?}");
    target.audited(|record| record["control"] == "upstream/csrf");
    // Too short, too long, and what no header may have.
    let long = "x".repeat(8193);
    for wrong in [
        "",
        "short",
        &long,
        "with a space",
        "with\r\nx-evil: 1",
        "k\u{e9}y-k\u{e9}y-k\u{e9}y",
    ] {
        let answer = enter(&mut browser, &link, &page, wrong);
        assert_eq!(answer.status, 422, "{wrong:?} {answer:?}");
        assert!(answer.body.contains("Not kept"), "{answer:?}");
    }
    // More than any form is.
    let flood = "x".repeat(64 * 1024);
    assert_eq!(enter(&mut browser, &link, &page, &flood).status, 413);
    let again = alice.again("track", &state).json();
    assert!(again["result"]["inputRequests"].is_object(), "{again}");
    assert_eq!(enter(&mut browser, &link, &page, ALICES).status, 200);
    // The link is used up: the back button, a replay, a second tab.
    let replay = enter(&mut browser, &link, &page, "another-key-of-somebody");
    assert_eq!(replay.status, 200, "{replay:?}");
    alice.call("track");
    assert_eq!(place.spent(), [ALICES]);
}

#[test]
fn of_many_keys_that_are_entered_at_once_one_is_kept() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, _] = callers(&place, &target);
    let mut browser = Browser::of("alice");
    let (link, _) = alice.is_sent("track");
    let page = browser.go(&link);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (mut tab, link, page) = (browser.clone(), &link, &page);
            scope.spawn(move || {
                let secret = format!("key-number-{number:04}");
                assert_eq!(enter(&mut tab, link, page, &secret).status, 200);
            });
        }
    });
    let people = VaultFile::at(place.at("vault/v"))
        .people(&place.vault_key(), place.at("people"))
        .unwrap();
    let kept = people.list(&place.owner("alice")).unwrap();
    assert_eq!((kept.len(), kept[0].version()), (1, 1));
}

#[test]
fn a_person_sees_what_they_have_connected_and_removes_it_for_good() {
    let place = Place::new(json!({ "lifetime": 60 }));
    let target = place.target(json!({}));
    let [alice, bob] = callers(&place, &target);
    let (mut hers, mut his) = (Browser::of("alice"), Browser::of("bob"));
    alice.connects(&mut hers);
    enters(&alice, &mut hers, ALICES);
    enters(&bob, &mut his, BOBS);
    let (link, _) = bob.is_sent("look");
    let list = link.rsplit_once('/').unwrap().0.to_owned() + "/";
    let page = hers.go(&list);
    assert_eq!(page.status, 200, "{page:?}");
    for part in ["calendar", "tracker", "alice", &place.upstream_url()] {
        assert!(page.body.contains(part), "{part} {page:?}");
    }
    let of_bob = his.go(&list);
    assert!(!of_bob.body.contains("calendar"), "{of_bob:?}");
    // What each of them gave is in the log, and that it was they.
    for (what, target_of, subject) in [
        ("connected", "calendar", "alice"),
        ("entered", "tracker", "alice"),
        ("entered", "tracker", "bob"),
    ] {
        let record = target.audited(|record| {
            record["event"] == "account"
                && record["what"] == what
                && record["principal"]["subject"] == subject
        });
        assert_eq!(record["target"], target_of, "{record}");
        assert_eq!(record["how"], "page", "{record}");
        assert_eq!(record["principal"]["issuer"], place.issuer.url, "{record}");
    }
    let backup = place.copy_of_vault();
    let form_of = |page: &Answer, name: &str| {
        let at = page
            .body
            .find(&format!("name=\"name\" value=\"{name}\""))
            .unwrap();
        let (_, token) = page.body[..at]
            .rsplit_once("name=\"token\" value=\"")
            .unwrap();
        token.split('"').next().unwrap().to_owned()
    };
    let remove = |browser: &mut Browser, token: &str, name: &str| {
        browser.post(&list, &[("token", token), ("name", name)])
    };
    // A form of another row, another person, another page.
    let tracker = form_of(&page, "tracker");
    assert_eq!(remove(&mut hers, &tracker, "oauth.calendar").status, 403);
    assert_eq!(remove(&mut his, &tracker, "tracker").status, 403);
    let headers = "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n\
                   Content-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("token={tracker}&name=tracker");
    assert_eq!(hers.send("POST", &list, headers, &body).status, 403);
    assert_eq!(
        remove(&mut Browser::of("nobody"), &tracker, "tracker").status,
        404
    );
    alice.call("track");
    // Her own.
    assert_eq!(remove(&mut hers, &tracker, "tracker").status, 303);
    assert_eq!(
        remove(&mut hers, &tracker, "tracker").status,
        303,
        "the back button"
    );
    alice.is_sent("track");
    assert_eq!(
        text(&alice.call("look")),
        "alice",
        "what she keeps still opens"
    );
    let calendar = form_of(&page, "oauth.calendar");
    assert_eq!(remove(&mut hers, &calendar, "oauth.calendar").status, 303);
    assert_eq!(place.accounts.count("revoked"), 1);
    alice.is_sent("look");
    for (entry, taken_back) in [
        ("tracker", Value::Null),
        ("oauth.calendar", Value::Bool(true)),
    ] {
        let record = target.audited(|r| r["what"] == "removed" && r["entry"] == entry);
        assert_eq!(record["taken_back"], taken_back, "{record}");
        assert_eq!(record["principal"]["subject"], "alice", "{record}");
        assert_eq!(record["how"], "page", "{record}");
    }
    let log = std::fs::read_to_string(target.audit_log()).unwrap();
    // The back button removed nothing, and nobody else removed anything.
    assert_eq!(log.matches(r#""what":"removed""#).count(), 2, "{log}");
    assert_eq!(
        text(&bob.call("track")),
        ("Bearer ".len() + BOBS.len()).to_string()
    );
    let empty = hers.go(&list);
    assert!(empty.body.contains("Nothing."), "{empty:?}");
    // Not even a backup of the entries opens any more: what opened them is gone.
    place.put_back(&backup);
    let people = VaultFile::at(place.at("vault/v"))
        .people(&place.vault_key(), place.at("people"))
        .unwrap();
    let left = people.list(&place.owner("alice"));
    assert!(left.is_ok_and(|left| left.is_empty()));
    assert_eq!(people.list(&place.owner("bob")).unwrap().len(), 1);
}

#[test]
fn what_stays_after_a_key_is_removed_opens_and_a_backup_does_not() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, _] = callers(&place, &target);
    let mut hers = Browser::of("alice");
    alice.connects(&mut hers);
    enters(&alice, &mut hers, ALICES);
    let backup = place.copy_of_vault();
    let (link, _) = Caller {
        target: &target,
        token: place.token_of("bob"),
    }
    .is_sent("look");
    let list = link.rsplit_once('/').unwrap().0.to_owned() + "/";
    let page = hers.go(&list);
    let at = page.body.find("value=\"tracker\"").unwrap();
    let (_, rest) = page.body[..at]
        .rsplit_once("name=\"token\" value=\"")
        .unwrap();
    let token = rest.split('"').next().unwrap().to_owned();
    let removed = hers.post(&list, &[("token", &token), ("name", "tracker")]);
    assert_eq!(removed.status, 303, "{removed:?}");
    assert_eq!(text(&alice.call("look")), "alice");
    place.put_back(&backup);
    let people = VaultFile::at(place.at("vault/v"))
        .people(&place.vault_key(), place.at("people"))
        .unwrap();
    assert!(
        people.list(&place.owner("alice")).is_err(),
        "the key of then is gone"
    );
}

#[test]
fn a_prompt_that_calls_in_its_callers_name_says_what_to_do_first() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, _] = callers(&place, &target);
    let answer = |method: &str, name: &str, params: Value| alice.ask(method, name, params).json();
    let prompt = answer("prompts/get", "review", json!({ "name": "review" }));
    let resource = answer(
        "resources/read",
        "calendar://all",
        json!({ "uri": "calendar://all" }),
    );
    for said in [prompt, resource] {
        let words = said["error"]["message"].as_str().unwrap_or_default();
        assert!(
            words.contains("call a tool") && words.contains("in your name"),
            "{said}"
        );
    }
    target.audited(|record| record["control"] == "upstream/connect");
    enters(&alice, &mut Browser::of("alice"), ALICES);
    let prompt = answer("prompts/get", "review", json!({ "name": "review" }));
    assert!(prompt["result"]["messages"].is_array(), "{prompt}");
    assert_eq!(place.spent().len(), 2);
}

#[test]
fn one_caller_begins_so_often_and_no_more() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, bob] = callers(&place, &target);
    let people = VaultFile::at(place.at("vault/v"))
        .people(&place.vault_key(), place.at("people"))
        .unwrap();
    let mut browser = Browser::of("alice");
    for _ in 0..8 {
        enters(&alice, &mut browser, ALICES);
        assert!(people.forget(&place.owner("alice")).unwrap());
    }
    let answer = alice.call("track").json();
    assert_eq!(answer["error"]["code"], -31001, "{answer}");
    target.audited(|record| record["control"] == "upstream/pending");
    bob.is_sent("track");
}

#[test]
fn a_key_that_is_answered_401_is_asked_for_once_more_and_no_more_often() {
    let place = Place::new(json!({}));
    let target = place.target(json!({}));
    let [alice, bob] = callers(&place, &target);
    let (mut hers, mut his) = (Browser::of("alice"), Browser::of("bob"));
    enters(&alice, &mut hers, ALICES);
    enters(&bob, &mut his, BOBS);
    assert_eq!(text(&alice.call("barred")), "401");
    // She is asked for another one; nobody else is.
    alice.is_sent("track");
    assert_eq!(
        text(&bob.call("track")),
        ("Bearer ".len() + BOBS.len()).to_string()
    );
    // She has no other, and it is only that path: hers is still there, and it goes on.
    for _ in 0..3 {
        assert_eq!(text(&alice.call("barred")), "401");
        assert_eq!(
            text(&alice.call("track")),
            ("Bearer ".len() + ALICES.len()).to_string()
        );
    }
    let said = target.said();
    assert_eq!(said.matches("upstream/refused").count(), 1, "{said}");
    // One that she enters is another key, of which nothing is known.
    assert_eq!(text(&bob.call("barred")), "401");
    enters(&bob, &mut his, "bobs-second-key-0123");
    bob.call("track");
    assert_eq!(place.spent().last().unwrap(), "bobs-second-key-0123");
    assert_eq!(text(&bob.call("barred")), "401");
    bob.is_sent("track");
}
