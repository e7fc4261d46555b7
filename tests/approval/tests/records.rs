//! Who agreed, who did not, and that nobody did: in the log, whether or not the client comes back.

use serde_json::{Value, json};

use crate::{
    cookies::Browser,
    world::{Server, World, text},
};

fn answer<'a>(said: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |record| record["event"] == "approval" && record["answer"] == said
}

/// The client has gone, and nobody will ever bring the state again.
#[test]
fn a_no_is_in_the_log_though_the_client_never_comes_back() {
    let world = World::new(json!({}));
    let asked = world.asked("never");
    let question = world
        .server
        .audited(|r| r["event"] == "outcome" && r["outcome"] == "input_required");
    let (mut browser, page) = world.opened(&asked);
    browser.press(&page, "refuse");
    let record = world.server.audited(answer("no"));
    assert_eq!(record["approval_id"], question["approval_id"], "{record}");
    assert_eq!(record["arguments_digest"], question["arguments_digest"]);
    assert_eq!(record["target"], "append");
    assert_eq!(record["by"]["issuer"], world.issuer.url());
    assert_eq!(record["by"]["subject"], "alice");
    assert_eq!(record["by"]["how"], "page");
    assert_eq!(record["principal"]["subject"], "alice");
    assert!(!record.to_string().contains("never"), "{record}");
}

#[test]
fn a_question_that_nobody_answers_is_in_the_log() {
    let world = World::new(json!({ "time_ms": 1500 }));
    let asked = world.asked("nobody");
    // Whoever looks and says nothing has not answered.
    world.opened(&asked);
    let record = world.server.audited(answer("none"));
    assert!(record.get("by").is_none(), "{record}");
    assert_eq!(record["principal"]["subject"], "alice");
    // One that was answered is not said to be unanswered.
    let asked = world.asked("somebody");
    let (mut browser, page) = world.opened(&asked);
    browser.press(&page, "approve");
    world.server.audited(answer("yes"));
    std::thread::sleep(std::time::Duration::from_secs(4));
    let log = std::fs::read_to_string(world.server.file("audit.jsonl")).unwrap();
    assert_eq!(log.matches(r#""answer":"none""#).count(), 1, "{log}");
}

/// Nobody else would write it: what was asked ends with the process that asked.
#[test]
fn a_question_that_waits_when_the_server_ends_is_in_the_log() {
    let mut world = World::new(json!({}));
    let answered = world.asked("answered");
    let (mut browser, page) = world.opened(&answered);
    browser.press(&page, "refuse");
    world.server.audited(answer("no"));
    let _waiting = world.asked("waiting");
    let question = world
        .server
        .audited(|r| r["outcome"] == "input_required" && r["arguments"] == "line=string(7)");
    world.server.stopped();
    let record = world.server.audited(answer("none"));
    assert_eq!(record["approval_id"], question["approval_id"], "{record}");
    assert!(record.get("by").is_none(), "{record}");
    let log = std::fs::read_to_string(world.server.file("audit.jsonl")).unwrap();
    assert_eq!(log.matches(r#""answer":"none""#).count(), 1, "{log}");
}

#[test]
fn the_call_says_which_persons_agreed_to_it() {
    let world = World::new(json!({ "others": "approve", "people": 2 }));
    let asked = world.asked("two of them");
    for person in ["bob", "carol"] {
        let mut browser = Browser::default();
        let page = browser.open(&asked.link, person);
        browser.press(&page, "approve");
        world
            .server
            .audited(|r| answer("yes")(r) && r["by"]["subject"] == person);
    }
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    for event in ["intent", "outcome"] {
        let record = world
            .server
            .audited(|r| r["event"] == event && r["approval"] == "page");
        let by = record["approved_by"].as_array().unwrap();
        let who: Vec<_> = by.iter().map(|by| by["subject"].as_str()).collect();
        assert_eq!(who, [Some("bob"), Some("carol")], "{record}");
        for by in by {
            assert_eq!(by["issuer"], world.issuer.url());
            assert!(by["at"].as_str().unwrap().starts_with("20"), "{by}");
        }
        assert_eq!(record["principal"]["subject"], "alice");
    }
}

/// The record does not say more than is known: whoever had the link.
#[test]
fn where_nobody_signs_in_the_record_says_so() {
    let server = Server::start(json!({}));
    let asked = server.call(&server.token(), "append", json!({ "line": "linked" }));
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "");
    browser.press(&page, "approve");
    let record = server.audited(answer("yes"));
    assert_eq!(record["by"]["how"], "page-link", "{record}");
}
