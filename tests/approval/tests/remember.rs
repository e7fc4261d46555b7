//! What a person lets run for a while: this and nothing else, and for no longer than they want.

use serde_json::{Value, json};
use url::Url;

use crate::{
    cookies::{Browser, Page},
    others::{called, terminal, waiting},
    world::{Asked, Server, World, is_refused, text, url_mode},
};

/// The ids on the page that lists what holds.
pub(crate) fn listed(page: &Page) -> Vec<String> {
    let body = &page.answer.body;
    let parts = body.split("name=\"revoke\" value=\"").skip(1);
    parts
        .map(|part| part.split('"').next().unwrap().to_owned())
        .collect()
}

fn remembers(world: &World, person: &str, tool: &str, arguments: Value) -> (Asked, Browser) {
    let asked = world.server.call(&world.token(person), tool, arguments);
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, person);
    assert!(page.answer.body.contains("name=\"remember\""), "{page:?}");
    assert_eq!(browser.press_for_a_while(&page).status, 303);
    (asked, browser)
}

#[test]
fn what_was_ticked_runs_without_asking_and_the_record_says_by_what() {
    let world = World::new(json!({ "remember": [3600, []] }));
    let token = world.token("alice");
    let (asked, _) = remembers(&world, "alice", "append", json!({ "line": "one" }));
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    assert!(
        world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "two" }))
    );
    assert_eq!(world.server.log(), ["one", "two"]);
    let said = world.server.audited(|r| r["answer"] == "remembered");
    let ran = world
        .server
        .audited(|r| r["event"] == "outcome" && r["approval"] == "remembered");
    assert_eq!(ran["approval_id"], said["remembered"], "{ran}");
    assert_eq!(ran["approved_by"][0]["subject"], "alice", "{ran}");

    // Another caller, and another tool.
    let mallory = world.token("mallory");
    assert!(
        !world
            .server
            .runs_at_once(&mallory, "append", &json!({ "line": "x" }))
    );
    let other = json!({ "title": "a", "text": "b", "tags": [] });
    assert!(!world.server.runs_at_once(&token, "publish", &other));
    // What was agreed to once is still good once.
    assert!(is_refused(&asked.again(&world.server, &token)));
}

#[test]
fn arguments_of_another_shape_and_what_has_to_stay_are_asked_about() {
    let world = World::new(json!({ "remember": [3600, ["title"]] }));
    let token = world.token("alice");
    let first = json!({ "title": "a", "text": "b", "tags": ["c"] });
    remembers(&world, "alice", "publish", first);
    for (arguments, runs) in [
        (
            json!({ "title": "a", "text": "else", "tags": ["d", "e"] }),
            true,
        ),
        (json!({ "title": "A", "text": "b", "tags": ["c"] }), false),
        (json!({ "title": "a", "text": "b", "tags": [] }), false),
    ] {
        let ran = world.server.runs_at_once(&token, "publish", &arguments);
        assert_eq!(ran, runs, "{arguments}");
    }
}

#[test]
fn where_it_was_not_ticked_or_not_allowed_each_call_is_asked_about() {
    let world = World::new(json!({ "remember": [3600, []] }));
    let asked = world.asked("once");
    let (mut browser, page) = world.opened(&asked);
    browser.press(&page, "approve");
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    assert!(
        !world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "x" }))
    );
    // A no is not remembered as a yes.
    let asked = world.asked("no");
    let (mut browser, page) = world.opened(&asked);
    browser.send_form(&page, "answer=refuse&remember=yes");
    assert!(
        !world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "x" }))
    );

    // The policy says nothing of it: there is no box, and ticking it does nothing.
    let world = World::new(json!({}));
    let token = world.token("alice");
    let asked = world.asked("unasked");
    let (mut browser, page) = world.opened(&asked);
    assert!(!page.answer.body.contains("remember"), "{page:?}");
    assert_eq!(browser.press_for_a_while(&page).status, 303);
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    assert!(
        !world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "x" }))
    );
}

#[test]
fn who_said_it_takes_it_back_and_nobody_else() {
    let world = World::new(json!({ "remember": [3600, []] }));
    let token = world.token("alice");
    let (_, mut alice) = remembers(&world, "alice", "append", json!({ "line": "one" }));
    let list = format!("http://{}/approve/remembered", world.server.address);
    let page = alice.open(&list, "alice");
    let ids = listed(&page);
    assert_eq!(ids.len(), 1, "{page:?}");
    assert!(page.answer.body.contains("line: any text"), "{page:?}");

    let mut mallory = Browser::default();
    let theirs = mallory.open(&list, "mallory");
    assert_eq!(theirs.answer.status, 200);
    assert!(listed(&theirs).is_empty() && !theirs.answer.body.contains("any text"));
    // She has a form of her own as soon as she has something.
    let (_, mut mallory) = remembers(&world, "mallory", "append", json!({ "line": "x" }));
    let theirs = mallory.open(&list, "mallory");
    let form = format!("revoke={}", ids[0]);
    assert_eq!(mallory.send_form(&theirs, &form).status, 404);
    // Nor by a form of another page, or of no page.
    let url = Url::parse(&list).unwrap();
    let good = format!("token={}&{form}", page.token());
    let sent = alice.post(&url, "Origin: https://evil.example", &good);
    assert_eq!(sent.status, 403);
    let here = format!("Origin: http://{}", world.server.address);
    assert_eq!(alice.post(&url, &here, &form).status, 403);
    assert!(
        world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "two" }))
    );

    assert_eq!(alice.send_form(&page, &form).status, 303);
    assert!(listed(&alice.open(&list, "alice")).is_empty());
    assert!(
        !world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "three" }))
    );
    let record = world.server.audited(|r| r["answer"] == "revoked");
    assert_eq!(record["by"]["subject"], "alice", "{record}");
    let mallory = world.token("mallory");
    assert!(
        world
            .server
            .runs_at_once(&mallory, "append", &json!({ "line": "y" }))
    );
}

#[test]
fn when_its_time_is_over_each_call_is_asked_about_again() {
    let world = World::new(json!({ "remember": [3, []] }));
    let token = world.token("alice");
    remembers(&world, "alice", "append", json!({ "line": "one" }));
    assert!(
        world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "two" }))
    );
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(
        !world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "three" }))
    );
}

/// Nobody signs in: what this browser said is listed in this browser.
#[test]
fn where_nobody_signs_in_the_browser_that_said_it_takes_it_back() {
    let server = Server::start(json!({ "remember": [3600, []] }));
    let token = server.token();
    let asked = server.call(&token, "append", json!({ "line": "one" }));
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "");
    browser.press_for_a_while(&page);
    assert!(server.runs_at_once(&token, "append", &json!({ "line": "two" })));
    let list = format!("http://{}/approve/remembered", server.address);
    assert_eq!(Browser::default().open(&list, "").answer.status, 404);
    // Another browser, which has said nothing yet and was at a page of its own.
    let other = server.call(
        &token,
        "publish",
        json!({ "title": "a", "text": "b", "tags": [] }),
    );
    let mut stranger = Browser::default();
    stranger.open(&other.link, "");
    let theirs = stranger.open(&list, "");
    assert_eq!(theirs.answer.status, 200, "{theirs:?}");
    assert!(listed(&theirs).is_empty(), "{theirs:?}");
    let page = browser.open(&list, "");
    let ids = listed(&page);
    assert_eq!(
        browser
            .send_form(&page, &format!("revoke={}", ids[0]))
            .status,
        303
    );
    assert!(!server.runs_at_once(&token, "append", &json!({ "line": "three" })));
}

#[test]
fn a_person_at_a_terminal_lets_it_run_for_a_while_and_takes_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("own/approve.sock");
    let server = Server::start(json!({ "by": socket, "remember": [3600, []] }));
    let token = server.token();
    let calling = called(&server, &token, "one");
    let question = waiting(&socket);
    assert_eq!(question["may_hold"][0], 3600, "{question}");
    let yes = json!({ "answer": { "id": question["id"], "yes": true, "remember": true } });
    assert_eq!(terminal(&socket, &yes)["heard"], "counted");
    assert_eq!(text(&calling.join().unwrap()), "appended");
    assert_eq!(
        text(&called(&server, &token, "two").join().unwrap()),
        "appended"
    );
    let all = terminal(&socket, &json!({ "remembered": {} }));
    let one = &all["remembered"][0];
    assert_eq!(one["tool"], "append", "{all}");
    let revoke = json!({ "revoke": { "id": one["id"] } });
    assert_eq!(terminal(&socket, &revoke)["heard"], "revoked");
    assert_eq!(
        terminal(&socket, &json!({ "remembered": {} }))["remembered"],
        json!([])
    );
    let asked = server.ask(
        &token,
        &url_mode(),
        json!({ "name": "append", "arguments": { "line": "three" } }),
    );
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert_eq!(server.log(), ["one", "two"]);
}

#[test]
fn what_several_agree_to_or_a_client_says_is_never_remembered() {
    for more in [
        json!({ "by": "in-client" }),
        json!({ "by": "lax" }),
        json!({ "others": "approve" }),
        json!({ "people": 2 }),
    ] {
        let mut asked = json!({ "remember": [60, []], "listen": "127.0.0.1:0" });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let said = Server::that_fails(asked);
        assert!(
            said.contains("remembered") && said.contains("help:"),
            "{more}: {said}"
        );
    }
}
