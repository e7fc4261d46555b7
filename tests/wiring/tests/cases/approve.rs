//! A person agrees to exactly this call, once; or it does not run.

use serde_json::{Value, json};

use crate::harness::*;

const QUESTION: &str = "mcp-secure/approval";

pub(super) fn yes() -> Value {
    json!({ "action": "accept", "content": { "approve": true } })
}

fn arguments(text: &str) -> Value {
    json!({ "name": "note.txt", "text": text })
}

/// Begins a call and returns the question that the person is asked.
pub(super) fn asked<'a, 'c>(
    client: &'c Client<'a>,
    tool: &str,
    arguments: Value,
) -> Question<'a, 'c> {
    let mut begun = client.begin_call(tool, arguments.clone());
    let message = client.next(&mut begun);
    assert!(!is_refusal(&message), "{message}");
    Question {
        client,
        tool: tool.to_owned(),
        arguments,
        begun: Some(begun),
        message,
    }
}

/// A question as it is asked in each generation.
pub(super) struct Question<'a, 'c> {
    client: &'c Client<'a>,
    tool: String,
    arguments: Value,
    begun: Option<Begun>,
    message: Value,
}

impl Question<'_, '_> {
    fn is_round(&self) -> bool {
        self.message.get("method").is_none()
    }

    /// What the person reads.
    pub(super) fn shown(&self) -> String {
        let form = if self.is_round() {
            &self.message["result"]["inputRequests"][QUESTION]["params"]
        } else {
            &self.message["params"]
        };
        form["message"].as_str().unwrap().to_owned()
    }

    fn state(&self) -> String {
        self.message["result"]["requestState"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The person's answer, and what became of the call.
    pub(super) fn answered(mut self, answer: Value) -> Value {
        if self.is_round() {
            let state = self.state();
            let params = retry(&self.tool, &self.arguments, &state, answer);
            self.client.request("tools/call", params)
        } else {
            self.client.answer(&self.message["id"], answer);
            self.client.end(self.begun.take().unwrap())
        }
    }
}

fn retry(tool: &str, arguments: &Value, state: &str, answer: Value) -> Value {
    json!({
        "name": tool,
        "arguments": arguments,
        "inputResponses": { QUESTION: answer },
        "requestState": state,
    })
}

on_every_way! {
    fn what_the_person_saw_is_what_runs(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let question = asked(&client, "write", arguments("the whole text"));
        let shown = question.shown();
        for part in ["`write`", "note.txt", "the whole text", "read-write", "`files`"] {
            assert!(shown.contains(part), "{part} is missing: {shown}");
        }
        assert!(!server.reached("write"), "not before the answer");
        assert_eq!(text(&question.answered(yes())), "written");
        assert_eq!(server.file("note.txt").as_deref(), Some("the whole text"));

        let record = server.outcome_that_is("write", "ok");
        assert_record(&record, "ok", "allow", None);
        assert_eq!(record["approval"], "client-attested", "it is the client's word");
        let intent = server.audit().into_iter().find(|r| r["event"] == "intent").unwrap();
        assert_eq!(intent["id"], record["id"]);
        assert_eq!(intent["approval"], "client-attested");
    }

    fn anything_but_a_clear_yes_is_a_no(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for answer in [
            json!({ "action": "decline" }),
            json!({ "action": "cancel" }),
            json!({ "action": "decline", "content": { "approve": true } }),
            json!({ "action": "accept" }),
            json!({ "action": "accept", "content": {} }),
            json!({ "action": "accept", "content": { "approve": false } }),
            json!({ "action": "accept", "content": { "approve": "true" } }),
            json!({ "action": "accept", "content": { "approved": true } }),
            json!({ "action": "yes", "content": { "approve": true } }),
        ] {
            let question = asked(&client, "write", arguments(SECRET));
            let reply = question.answered(answer.clone());
            assert!(is_refusal(&reply), "{answer}: {reply}");
            let records = server.outcomes("tools/call", "write");
            let record = records.iter().rfind(|r| r["outcome"] != "input_required").unwrap();
            assert_eq!((&record["outcome"], &record["decision"]), (&json!("denied"), &json!("deny")));
            assert!(record.get("approval").is_none(), "{record}");
        }
        assert!(!server.reached("write"));
        assert_eq!(server.file("note.txt"), None);
    }

    fn without_a_person_to_ask_nothing_runs(way: Way) {
        let server = way.start();
        for capabilities in [json!({}), json!({ "elicitation": { "url": {} } })] {
            let client = server.client_with(way.generation, &capabilities);
            let answer = client.call("write", arguments("x"));
            let expected = if way.is_modern() { -32021 } else { -32600 };
            assert_eq!(code(&answer), expected, "{answer}");
            assert_record(&server.outcome("write"), "denied", "deny", Some("approve/capability"));
            if way.transport == Transport::Stdio && !way.is_modern() {
                break; // one initialization a process
            }
        }
        assert!(!server.reached("write"));
    }

    fn what_does_not_fit_on_the_screen_cannot_be_agreed_to(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let answer = client.call("write", arguments(&"x".repeat(20_000)));
        assert!(is_tool_error(&answer), "{answer}");
        assert_record(&server.outcome("write"), "denied", "deny", Some("approve/size"));
        assert!(!server.reached("write"));
    }

    fn nothing_is_hidden_from_the_person(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let question = asked(&client, "write", arguments("fine\u{202e}\u{200b}\u{e0041}\u{1b}[8m"));
        let shown = question.shown();
        for unseen in ['\u{202e}', '\u{200b}', '\u{e0041}', '\u{1b}'] {
            assert!(!shown.contains(unseen), "{unseen:?}: {shown:?}");
        }
    }

    fn invalid_arguments_are_not_put_before_a_person(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let answer = client.call("write", json!({ "name": "x", "text": "y", "force": true }));
        assert!(is_tool_error(&answer), "{answer}");
        assert_record(&server.outcome("write"), "denied", "deny", Some("validate/schema"));
    }
}

fn modern() -> [Way; 2] {
    [STDIO_2026, HTTP_2026]
}

fn legacy() -> [Way; 2] {
    [STDIO_2025, HTTP_2025]
}

#[test]
fn a_forged_state_and_one_for_other_arguments_are_refused() {
    for way in modern() {
        let (server, other) = (way.start(), way.start());
        let client = server.client(way);
        let question = asked(&client, "write", arguments("agreed"));
        let state = question.state();
        let foreign_client = other.client(way);
        let foreign = asked(&foreign_client, "write", arguments("agreed")).state();
        let of_ask = client.call("ask", json!({ "greeting": "Hello" }));
        let of_ask = of_ask["result"]["requestState"].as_str().unwrap();
        let mut changed = state.clone().into_bytes();
        changed[50] = if changed[50] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let agreed = arguments("agreed");
        for (state, arguments) in [
            (changed.as_str(), &agreed),
            (&state[..state.len() - 2], &agreed),
            (&foreign, &agreed),
            (of_ask, &agreed),
            ("", &agreed),
            ("e30", &agreed),
            (&state, &arguments("something else")),
            (&state, &json!({ "name": "other.txt", "text": "agreed" })),
        ] {
            let answer = client.request("tools/call", retry("write", arguments, state, yes()));
            assert_eq!(code(&answer), -32602, "{state} {arguments}: {answer}");
            let records = server.outcomes("tools/call", "write");
            assert_record(
                records.last().unwrap(),
                "denied",
                "deny",
                Some("approve/state"),
            );
        }
        // Nor does it open another tool, with the same arguments.
        let answer = client.request("tools/call", retry("scribble", &agreed, &state, yes()));
        assert_eq!(code(&answer), -32602, "{answer}");
        assert!(!server.reached("write") && !server.reached("scribble"));
        // The true one is as good as before.
        assert_eq!(text(&question.answered(yes())), "written");
    }
}

#[test]
fn an_agreement_is_used_once() {
    for way in modern() {
        let server = way.start();
        let client = server.client(way);
        let question = asked(&client, "write", arguments("once"));
        let state = question.state();
        assert_eq!(text(&question.answered(yes())), "written");
        // At once and many: each would be a second effect of one agreement.
        let begun: Vec<Begun> = (0..8)
            .map(|_| {
                client.begin(
                    "tools/call",
                    retry("write", &arguments("once"), &state, yes()),
                )
            })
            .collect();
        for one in begun {
            let answer = client.end(one);
            assert_eq!(code(&answer), -32602, "{answer}");
        }
        assert_eq!(server.traces().iter().filter(|t| *t == "write").count(), 1);
        assert_record(
            &server.outcome_that_is("write", "denied"),
            "denied",
            "deny",
            Some("commit/replay"),
        );
    }
}

#[test]
fn of_two_retries_at_once_one_goes_on() {
    for way in modern() {
        let server = way.start();
        let client = server.client(way);
        for round in 0..5 {
            let text = format!("round {round}");
            let state = asked(&client, "write", arguments(&text)).state();
            let begun: Vec<Begun> = (0..6)
                .map(|_| {
                    client.begin(
                        "tools/call",
                        retry("write", &arguments(&text), &state, yes()),
                    )
                })
                .collect();
            let good = begun
                .into_iter()
                .filter(|_| true)
                .map(|b| client.end(b))
                .filter(|a| !is_refusal(a));
            assert_eq!(good.count(), 1);
        }
        assert_eq!(server.traces().iter().filter(|t| *t == "write").count(), 5);
    }
}

#[test]
fn an_answer_to_a_question_that_was_not_asked_is_no_answer() {
    for way in modern() {
        let server = way.start();
        let client = server.client(way);
        for responses in [
            json!({ QUESTION: yes() }),
            json!({ QUESTION: yes(), "q0": yes(), "approval": yes() }),
            json!({ "approve": true }),
        ] {
            let answer = client.request(
                "tools/call",
                json!({
                    "name": "write", "arguments": arguments("x"), "inputResponses": responses,
                }),
            );
            assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
        }
        // The tool's own question was not asked either: its form is not filled in beforehand.
        let answer = client.request(
            "tools/call",
            json!({
                "name": "ask", "arguments": { "greeting": "Hello" },
                "inputResponses": { "q0": { "action": "accept", "content": { "name": "nobody" } } },
            }),
        );
        assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
        assert_eq!(server.traces(), Vec::<String>::new());
    }
}

#[test]
fn a_tools_own_question_is_sealed_and_used_once_as_well() {
    for way in modern() {
        let server = way.start();
        let client = server.client(way);
        let first = client.call("ask", json!({ "greeting": "Hello" }));
        let state = first["result"]["requestState"].as_str().unwrap().to_owned();
        let filled_in = |greeting: &str, content: Value| {
            client.request(
                "tools/call",
                json!({
                    "name": "ask", "arguments": { "greeting": greeting }, "requestState": state,
                    "inputResponses": { "q0": { "action": "accept", "content": content } },
                }),
            )
        };
        let name = json!({ "name": "Ada" });
        assert_eq!(
            code(&filled_in("Goodbye", name.clone())),
            -32602,
            "for other arguments"
        );
        assert_eq!(text(&filled_in("Hello", name.clone())), "Hello, Ada!");
        assert_eq!(code(&filled_in("Hello", name)), -32602, "a second time");
        assert_eq!(server.traces(), ["ask:answered"]);
    }
}

#[test]
fn an_answer_that_does_not_fit_the_form_does_not_reach_the_tool() {
    for way in [STDIO_2025, HTTP_2025, STDIO_2026, HTTP_2026] {
        let server = way.start();
        let client = server.client(way);
        let mut begun = client.begin_call("ask", json!({ "greeting": "Hello" }));
        let question = client.next(&mut begun);
        let answer = json!({ "action": "accept", "content": { "name": [SECRET] } });
        let reply = if way.is_modern() {
            client.request(
                "tools/call",
                json!({
                    "name": "ask", "arguments": { "greeting": "Hello" },
                    "requestState": question["result"]["requestState"],
                    "inputResponses": { "q0": answer },
                }),
            )
        } else {
            client.answer(&question["id"], answer);
            client.end(begun)
        };
        assert!(
            is_refusal(&reply) && !reply.to_string().contains(SECRET),
            "{reply}"
        );
        assert!(!server.reached("ask:answered"));
        let record = server.outcome_that_is("ask", "denied");
        assert_record(&record, "denied", "deny", Some("elicit/answer"));
    }
}

#[test]
fn a_person_who_does_not_answer_has_not_agreed() {
    for way in legacy() {
        let server = way.setup().limits("approval_timeout=300").start();
        let client = server.client(way);
        let mut begun = client.begin_call("write", arguments("x"));
        client.next(&mut begun);
        let reply = loop {
            // The server may withdraw its question first.
            let message = client.next(&mut begun);
            if message.get("method").is_none() {
                break message;
            }
        };
        assert_eq!(code(&reply), -31004, "{reply}");
        assert!(!server.reached("write"));
        assert_record(
            &server.outcome("write"),
            "denied",
            "deny",
            Some("approve/unanswered"),
        );
    }
}

#[test]
fn calls_that_wait_for_a_person_are_bounded() {
    for way in legacy() {
        let server = way.setup().limits("pending_approvals=1").start();
        let client = server.client(way);
        let question = asked(&client, "write", arguments("first"));
        let answer = client.call("write", arguments("second"));
        assert_eq!(code(&answer), -31001, "{answer}");
        assert_record(
            &server.outcome_that_is("write", "overloaded"),
            "overloaded",
            "deny",
            Some("approve/waiting"),
        );
        // Others do not wait for that person.
        assert_eq!(text(&client.call("echo", json!({ "text": "x" }))), "x");
        assert_eq!(text(&question.answered(yes())), "written");
        assert_eq!(server.file("note.txt").as_deref(), Some("first"));
    }
}

/// Server requests are numbered from 0, so their ids can be guessed.
#[test]
fn an_answer_from_another_session_is_not_an_agreement() {
    let server = HTTP_2025.start();
    let (client, other) = (server.client(HTTP_2025), server.client(HTTP_2025));
    let question = asked(&client, "write", arguments("x"));
    for id in 0..4 {
        other.answer(&json!(id), yes());
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!server.reached("write"));
    assert!(is_refusal(
        &question.answered(json!({ "action": "decline" }))
    ));
}
