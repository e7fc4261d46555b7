//! The operator's file: who is asked may be made stronger in it, and never weaker.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

use serde_json::json;

use crate::{
    cookies::{Browser, send},
    webhook::{SECRET, Service, answered, now, signed},
    world::{Server, World, is_refused, text},
};

#[test]
fn what_the_code_asks_in_the_client_the_operator_asks_on_the_page() {
    let form = json!({ "elicitation": { "form": {} } });
    let call = json!({ "name": "append", "arguments": { "line": "x" } });
    // By the code alone, the client is asked, and its word is taken.
    let server = Server::start(json!({ "by": "in-client" }));
    let reply = server.ask(&server.token(), &form, call.clone());
    assert_eq!(reply["result"]["resultType"], "input_required", "{reply}");
    let question = &reply["result"]["inputRequests"]["mcp-secure/approval"];
    assert_ne!(question["params"]["mode"], "url", "{reply}");

    let server = Server::start(json!({
        "by": "in-client", "config": "[approvals.append]\nby = \"page\"\n",
    }));
    let reply = server.ask(&server.token(), &form, call);
    assert_eq!(reply["error"]["code"], -32021, "{reply}");
    let asked = server.call(&server.token(), "append", json!({ "line": "on the page" }));
    let mut browser = Browser::default();
    let page = browser.open(&asked.link, "");
    browser.press(&page, "approve");
    assert_eq!(text(&asked.again(&server, &server.token())), "appended");
    // The others are asked as the code says.
    let other = json!({ "title": "a", "text": "b", "tags": [] });
    let call = json!({ "name": "publish", "arguments": other });
    let reply = server.ask(&server.token(), &form, call);
    assert_eq!(reply["result"]["resultType"], "input_required", "{reply}");
}

#[test]
fn the_operator_wants_two_others_where_the_code_wants_the_caller() {
    let config = "[approvals]\nothers = \"approve\"\npeople = 2\n";
    let world = World::new(json!({ "config": config, "remember": [60, []] }));
    let asked = world.asked("two");
    let caller = Browser::default().open(&asked.link, "alice");
    assert_eq!(caller.answer.status, 404);
    for person in ["bob", "carol"] {
        let mut browser = Browser::default();
        let page = browser.open(&asked.link, person);
        assert!(!page.answer.body.contains("name=\"remember\""), "{page:?}");
        browser.press(&page, "approve");
    }
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
}

#[test]
fn the_operator_forbids_to_remember() {
    let world = World::new(json!({
        "config": "[approvals.append]\nremember = false\n", "remember": [60, []],
    }));
    let asked = world.asked("one");
    let (mut browser, page) = world.opened(&asked);
    assert!(!page.answer.body.contains("name=\"remember\""), "{page:?}");
    browser.press_for_a_while(&page);
    let token = world.token("alice");
    assert_eq!(text(&asked.again(&world.server, &token)), "appended");
    assert!(
        !world
            .server
            .runs_at_once(&token, "append", &json!({ "line": "x" }))
    );
}

#[test]
fn the_operators_own_webhook_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&secret)
        .unwrap();
    writeln!(file, "whsec_{SECRET}").unwrap();
    let service = Service::that_takes();
    let config = format!(
        "[approvals]\nby = \"webhook\"\nwebhook = \"{}\"\nwebhook_secret_file = \"{}\"\n",
        service.url,
        secret.display()
    );
    let server = Server::start(json!({ "by": "lax", "config": config }));
    let token = server.token();
    let calling = crate::others::called(&server, &token, "by the operator's");
    let question = service.posted().question();
    let body = answered(&question, "approve", "bob").to_string();
    let head = format!(
        "POST /approve/answer/operator HTTP/1.1\r\nHost: {}\r\n\
         Content-Type: application/json{}",
        server.address,
        signed(SECRET, now(), &body)
    );
    assert_eq!(send(&server.address, &head, &body).status, 200);
    assert_eq!(text(&calling.join().unwrap()), "appended");
    let record = server.audited(|r| r["event"] == "outcome" && r["outcome"] == "ok");
    assert_eq!(record["approved_by"][0]["issuer"], "approver:operator");
}

#[test]
fn a_file_that_asks_for_less_stops_the_start() {
    for (code, config, why) in [
        (
            json!({}),
            "[approvals]\nby = \"in-client\"\n",
            "the client's word",
        ),
        (
            json!({ "by": "lax" }),
            "[approvals.append]\nby = \"in-client\"\n",
            "the client's word",
        ),
        (
            json!({ "by": "broken" }),
            "[approvals]\nby = \"page\"\n",
            "an approver of its own",
        ),
        (
            json!({ "by": "broken", "people": 3 }),
            "[approvals.append]\npeople = 2\n",
            "the code asks for 3",
        ),
        (
            json!({ "by": "broken", "others": "approve" }),
            "[approvals]\nothers = \"everybody\"\n",
            "others with `approve`",
        ),
        (json!({}), "[approvals]\npeople = 2\n", "cannot know them"),
        (
            json!({}),
            "[approvals]\nby = \"webhook\"\n",
            "there is none",
        ),
        (
            json!({}),
            "[approvals]\nwebhook = \"https://a.example/\"\n",
            "no secret",
        ),
        (json!({}), "[approvals]\nby = \"nobody\"\n", "not known"),
        (
            json!({}),
            "[approvals]\nremember = true\n",
            "only be `false`",
        ),
        (json!({}), "[approvals.apend]\nby = \"page\"\n", "no tool"),
        (json!({}), "[approvals]\nbye = \"page\"\n", "unknown key"),
    ] {
        let mut asked = code.clone();
        asked["config"] = json!(config);
        asked["listen"] = json!("127.0.0.1:0");
        let said = Server::that_fails(asked);
        assert!(said.contains(why), "{code} {config}: {said}");
        assert!(said.contains("operator.toml:"), "it names no place: {said}");
    }
    // As much as the code asks for is not less.
    let server =
        Server::start(json!({ "by": "in-client", "config": "[approvals]\nby = \"in-client\"\n" }));
    let call = json!({ "name": "append", "arguments": { "line": "x" } });
    assert!(is_refused(&server.ask(&server.token(), &json!({}), call)));
}
