//! A session that has read what is private does not send to an address that is chosen at run
//! time, unless a person agrees.

use serde_json::{Value, json};

use super::approve::{asked, yes};
use crate::harness::*;

/// Why, as a person and the audit log read it.
const WHY: &str = "this session has read private data";

fn flow(way: Way) -> Setup {
    way.setup()
        .with("SERVER", "flow")
        .argument("--grant")
        .argument("elsewhere=https://*.example.org")
}

fn host() -> Value {
    json!({ "host": "a" })
}

/// The call that marks a session.
fn read_private(client: &Client<'_>) {
    let answer = client.call("read", json!({ "name": "a.txt" }));
    assert_eq!(text(&answer), "the content of a");
}

fn prompt(client: &Client<'_>) -> Value {
    client.request(
        "prompts/get",
        json!({ "name": "ask_host", "arguments": host() }),
    )
}

fn page(client: &Client<'_>) -> Value {
    client.request("resources/read", json!({ "uri": "flow://page/a" }))
}

fn runs(server: &Server, tool: &str) -> usize {
    server.traces().iter().filter(|line| *line == tool).count()
}

on_every_way! {
    fn a_session_that_has_read_private_data_asks_before_it_sends(way: Way) {
        for tool in ["look_up", "look_elsewhere"] {
            let server = flow(way).start();
            let client = server.client(way);
            // A clean one is not asked.
            assert!(text(&client.call(tool, host())).starts_with("looked"));
            assert!(server.outcome(tool).get("flow").is_none());

            read_private(&client);
            let question = asked(&client, tool, host());
            let shown = question.shown();
            for part in [WHY, "an address that is chosen at run time", tool, "\"host\": \"a\""] {
                assert!(shown.contains(part), "{part} is missing: {shown}");
            }
            let declined = question.answered(json!({ "action": "decline" }));
            assert!(is_refusal(&declined), "{declined}");
            assert_eq!(runs(&server, tool), 1, "not without the person");
            let record = server.outcome_that_is(tool, "denied");
            assert_record(&record, "denied", "deny", Some("approve/declined"));
            assert_eq!(record["flow"], WHY, "{record}");

            // It is one agreement to one call, and the mark stays.
            let answer = asked(&client, tool, host()).answered(yes());
            assert!(text(&answer).starts_with("looked"), "{answer}");
            assert_eq!(runs(&server, tool), 2);
            let record = server.outcome(tool);
            assert_record(&record, "ok", "allow", None);
            assert_eq!(record["approval"], "client-attested", "{record}");
            assert_eq!(record["flow"], WHY, "{record}");
            let again = asked(&client, tool, host()).answered(json!({ "action": "cancel" }));
            assert!(is_refusal(&again), "{again}");
            assert_eq!(runs(&server, tool), 2);
        }
    }

    fn even_a_refused_reading_counts(way: Way) {
        let server = flow(way).start();
        let client = server.client(way);
        // That there is no such file is already something about the folder.
        assert!(is_refusal(&client.call("read", json!({ "name": "none.txt" }))));
        let question = asked(&client, "look_up", host());
        assert!(question.shown().contains(WHY));
        assert_eq!(runs(&server, "look_up"), 0);
    }

    fn without_a_person_to_ask_nothing_is_sent(way: Way) {
        let server = flow(way).start();
        let client = server.client_with(way.generation, &json!({}));
        assert_eq!(text(&client.call("look_up", host())), "looked up");
        read_private(&client);
        let answer = client.call("look_up", host());
        let expected = if way.is_modern() { -32021 } else { -32600 };
        assert_eq!(code(&answer), expected, "{answer}");
        let record = server.outcome("look_up");
        assert_record(&record, "denied", "deny", Some("approve/capability"));
        assert_eq!(record["flow"], WHY, "{record}");
        assert_eq!(runs(&server, "look_up"), 1);
    }

    fn what_cannot_be_put_before_a_person_is_refused(way: Way) {
        let server = flow(way).start();
        let client = server.client(way);
        assert!(!is_refusal(&prompt(&client)));
        assert!(!is_refusal(&page(&client)));
        read_private(&client);
        for (answer, op, target) in [
            (prompt(&client), "prompts/get", "ask_host"),
            (page(&client), "resources/read", "page"),
        ] {
            assert_eq!(code(&answer), -32600, "{answer}");
            assert!(message(&answer).contains("what this session has read"), "{answer}");
            let record = server.outcome_of(op, target);
            assert_record(&record, "denied", "deny", Some("flow/open-sink"));
            assert_eq!(record["flow"], WHY, "{record}");
        }
        assert_eq!((runs(&server, "ask_host"), runs(&server, "page")), (1, 1));
    }

    fn a_fixed_host_and_an_excused_tool_go_on(way: Way) {
        let server = flow(way).start();
        let client = server.client(way);
        read_private(&client);
        assert_eq!(text(&client.call("look_home", json!({ "word": "a" }))), "looked home");
        assert_eq!(text(&client.call("tell", host())), "told");
        for tool in ["look_home", "tell"] {
            let record = server.outcome(tool);
            assert_record(&record, "ok", "allow", None);
            assert!(record.get("flow").is_none(), "{record}");
            assert!(record.get("approval").is_none(), "{record}");
        }
    }
}

#[test]
fn what_one_session_has_read_is_its_own() {
    let server = flow(HTTP_2025).start();
    let (marked, clean) = (server.client(HTTP_2025), server.client(HTTP_2025));
    read_private(&marked);
    assert_eq!(text(&clean.call("look_up", host())), "looked up");
    let question = asked(&marked, "look_up", host());
    assert!(question.shown().contains(WHY));
}

#[test]
fn where_requests_stand_alone_a_principal_is_remembered_and_nobody_else() {
    let server = flow(HTTP_2026).with("USERS", "yes").start();
    let client = server.client(HTTP_2026);
    server.sign_in("alice-token");
    read_private(&client);
    server.sign_in("bob-token");
    assert_eq!(text(&client.call("look_up", host())), "looked up");
    let record = server.outcome("look_up");
    assert_eq!(record["principal"]["subject"], "bob", "{record}");
    // Another connection, nothing in common but the token.
    server.sign_in("alice-token");
    let alice = server.client(HTTP_2026);
    let question = asked(&alice, "look_up", host());
    assert!(question.shown().contains(WHY));
    assert_eq!(runs(&server, "look_up"), 1);
    // What bob is asked to agree to is not what alice was.
    server.sign_in("bob-token");
    assert!(is_refusal(&question.answered(yes())));
    assert_eq!(runs(&server, "look_up"), 1);
}
