//! One record for every request, whatever becomes of it, and no value of an argument in it.

use serde_json::json;

use crate::harness::*;

on_every_way! {
    fn each_way_to_end_has_a_record_of_its_own(way: Way) {
        let server = way.setup().limits("timeout=5000").start();
        let client = server.client(way);

        client.call("echo", json!({ "text": SECRET }));
        let record = server.outcome("echo");
        assert_record(&record, "ok", "allow", None);
        assert_eq!(record["arguments"], format!("text=string({})", SECRET.len()));
        assert_eq!(record["bytes_out"], SECRET.len());
        assert_eq!(record["transport"], match way.transport {
            Transport::Stdio => "stdio",
            Transport::Http => "http",
        });
        assert_eq!(record["principal"]["assurance"], match way.transport {
            Transport::Stdio => "declared",
            Transport::Http => "local_token",
        });

        client.call("nobody", json!({ "text": SECRET }));
        assert_record(&server.outcome("nobody"), "denied", "deny", Some("authorize/unknown"));

        client.call("echo", json!({ "text": 7, "key": SECRET }));
        assert_record(&server.outcome_that_is("echo", "denied"), "denied", "deny", Some("validate/schema"));

        client.call("refuse", json!({}));
        assert_record(&server.outcome("refuse"), "tool_error", "allow", Some("tool"));

        client.call("break_down", json!({}));
        assert_record(&server.outcome("break_down"), "failed", "allow", Some("tool"));

        client.call("fall_over", json!({}));
        assert_record(&server.outcome("fall_over"), "panic", "allow", Some("catch_panic"));

        client.call("hasty", json!({ "ms": 60_000 }));
        assert_record(&server.outcome("hasty"), "timeout", "allow", Some("timeout"));

        // One each, and the ids are all different.
        let mut ids: Vec<String> = server.audit().iter().map(|r| r["id"].to_string()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        for tool in ["nobody", "refuse", "break_down", "fall_over", "hasty"] {
            assert_eq!(server.outcomes("tools/call", tool).len(), 1, "{tool}");
        }
    }

    fn what_needs_no_user_code_is_recorded_as_well(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for (method, params) in [
            ("tools/list", json!({})),
            ("prompts/list", json!({})),
            ("resources/list", json!({})),
            ("resources/templates/list", json!({})),
        ] {
            client.request(method, params);
            assert_record(&server.outcome_of(method, ""), "ok", "allow", None);
        }
        let greeting = if way.is_modern() { "server/discover" } else { "initialize" };
        if way.is_modern() {
            client.request("server/discover", json!({}));
        }
        assert_record(&server.outcome_of(greeting, ""), "ok", "allow", None);
        client.request("prompts/get", json!({ "name": "greeting", "arguments": { "name": SECRET } }));
        client.request("resources/read", json!({ "uri": "wiring://index" }));
        assert_record(&server.outcome_of("prompts/get", "greeting"), "ok", "allow", None);
        assert_eq!(server.outcomes("resources/read", "index").len(), 1);
    }

    fn a_call_whose_client_is_gone_has_a_record(way: Way) {
        let server = way.setup().limits("http.drain=200").start();
        let client = server.client(way);
        let begun = client.begin_call("slow", json!({ "ms": 60_000 }));
        server.wait_for_trace("slow:started");
        match way.transport {
            Transport::Stdio => server.close_input(),
            // A session may be resumed by its client; the process may not be resumed.
            Transport::Http if !way.is_modern() => server.terminate(),
            Transport::Http => drop(begun),
        }
        let record = server.outcome("slow");
        assert!(["dropped", "cancelled"].iter().any(|how| record["outcome"] == *how), "{record}");
        server.wait_for_trace("slow:dropped");
    }

    fn a_name_that_a_client_made_up_cannot_forge_a_line(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let name = format!("x\",\"outcome\":\"ok\"}}~{}", "y".repeat(500));
        let answer = client.call(&name, json!({}));
        assert_eq!(code(&answer), -32602);
        let record = server.audit().pop().unwrap();
        assert_eq!(record["outcome"], "denied");
        assert_eq!(record["target"].as_str().unwrap().chars().count(), 128);
    }

    fn a_sink_that_cannot_write_stops_what_has_effects_and_nothing_else(way: Way) {
        let server = way.setup().largest_file(32 * 1024).start();
        let client = server.client(way);
        assert!(!is_refusal(&client.call("scribble", json!({ "name": "before", "text": "1" }))));
        assert_eq!(server.file("before").as_deref(), Some("1"));
        // Until the file does not grow any more.
        let mut before = 0;
        for _ in 0..200 {
            for _ in 0..10 {
                client.call("whoami", json!({}));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            let size = server.audit_text().len();
            if size == before {
                break;
            }
            before = size;
        }

        let answer = client.call("scribble", json!({ "name": "after", "text": SECRET }));
        assert!(is_tool_error(&answer) || code(&answer) == -32603, "{answer}");
        assert!(!answer.to_string().contains("large"), "no words of the system: {answer}");
        assert_eq!(server.file("after"), None);
        assert_eq!(server.traces().iter().filter(|t| *t == "scribble").count(), 1);

        assert_eq!(text(&client.call("echo", json!({ "text": "still here" }))), "still here");
        assert_eq!(text(&client.call("read", json!({ "name": "a.txt" }))), "the content of a");
        server.wait_for_stderr("an audit record could not be written");
    }
}
