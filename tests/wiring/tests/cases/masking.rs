//! Errors are said twice: a constant sentence for the caller, the whole reason for the log.
//! That standard error has neither is checked at the end of every test.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn internal_words_are_in_the_audit_log_and_nowhere_else(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for (op, params, target) in [
            ("tools/call", json!({ "name": "break_down", "arguments": {} }), "break_down"),
            ("prompts/get", json!({ "name": "broken_prompt" }), "broken_prompt"),
            ("resources/read", json!({ "uri": "wiring://broken" }), "broken_resource"),
        ] {
            let answer = client.request(op, params);
            assert!(is_refusal(&answer), "{answer}");
            assert!(!answer.to_string().contains(CANARY), "{answer}");
            assert!(message(&answer).starts_with("internal error"), "{answer}");
            let record = server.outcome_of(op, target);
            assert_record(&record, "failed", "allow", Some("tool"));
            assert!(record["reason"].as_str().unwrap().contains(CANARY), "{record}");
            let id = record["id"].as_str().unwrap();
            assert!(answer.to_string().contains(id), "the caller can ask about it: {answer}");
        }
    }

    fn a_file_that_is_not_there_says_nothing_of_where_it_is_not(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let answer = client.call("read", json!({ "name": "missing.txt" }));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(!answer.to_string().contains("/files"), "{answer}");
    }

    /// `rmcp` writes whole requests and results at DEBUG, session ids at INFO.
    fn no_level_of_logging_writes_what_travels(way: Way) {
        let server = way.setup().variable("RUST_LOG", "trace").start();
        let client = server.client(way);
        client.call("echo", json!({ "text": SECRET }));
        client.call("typed", json!({ "word": SECRET }));
        client.call("break_down", json!({}));
        client.request("no/such", json!({ "text": SECRET }));
        client.notify("notifications/unheard", json!({ "text": SECRET }));
        client.call("echo", json!({ "text": "last" }));
        server.terminate();
        server.wait_for_end();
        let stderr = server.stderr();
        assert!(!stderr.contains(SECRET) && !stderr.contains("rmcp"), "{stderr}");
        if let Some(session) = client.session() {
            assert!(!stderr.contains(session), "{stderr}");
        }
    }
}
