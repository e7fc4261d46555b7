//! The published schema is the enforced one, and what is wrong is said without its value.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::*;

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(SECRET), |inner, _| json!([inner]))
}

on_every_way! {
    fn arguments_beyond_the_schema_do_not_reach_the_tool(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for (arguments, place) in [
            (json!({ "unknown": SECRET }), ""),
            (json!({ "number": 1, "isAdmin": true }), ""),
            (json!({ "__proto__": { "x": SECRET } }), ""),
            (json!({ "number": 0 }), "/number"),
            (json!({ "number": 11 }), "/number"),
            (json!({ "number": 1e300 }), "/number"),
            (json!({ "number": 2.5 }), "/number"),
            (json!({ "number": "5" }), "/number"),
            (json!({ "number": { "$gt": SECRET } }), "/number"),
            (json!({ "word": "b" }), "/word"),
            (json!({ "word": "aa\nb" }), "/word"),
            (json!({ "word": SECRET }), "/word"),
            (json!({ "colour": "blue" }), "/colour"),
            (json!({ "colour": SECRET }), "/colour"),
            (json!({ "colour": ["Red"] }), "/colour"),
            (json!({ "short": SECRET }), "/short"),
            (json!({ "short": [SECRET] }), "/short"),
        ] {
            let answer = client.call("typed", arguments.clone());
            assert!(is_tool_error(&answer), "the model can correct it: {arguments} {answer}");
            assert!(text(&answer).contains(place), "{arguments}: {answer}");
            assert!(!answer.to_string().contains(SECRET), "{answer}");
            let record = server.outcomes("tools/call", "typed").pop().unwrap();
            assert_record(&record, "denied", "deny", Some("validate/schema"));
        }
        for (tool, arguments) in [
            ("echo", json!({})),
            ("echo", json!({ "text": null })),
            ("echo", json!({ "text": "x".repeat(65_537) })),
            ("break_down", json!({ "argument": "of a tool that has none" })),
        ] {
            assert!(is_tool_error(&client.call(tool, arguments)), "{tool}");
        }
        assert_eq!(server.traces(), Vec::<String>::new());
        let good = json!({ "number": 10, "word": "aaa", "colour": "Green", "short": "12345678" });
        assert_eq!(text(&client.call("typed", good)), "Some(10) 3 green 8");
    }

    fn arguments_that_nest_too_deeply_do_not_reach_the_tool(way: Way) {
        let server = way.start();
        let client = server.client(way);
        // The object of the arguments is the first level.
        let answer = client.call("anything", json!({ "value": nested(32) }));
        assert!(is_tool_error(&answer) && !answer.to_string().contains(SECRET), "{answer}");
        assert!(!server.reached("anything"));
        assert_record(&server.outcome("anything"), "denied", "deny", Some("validate/depth"));
        assert!(!is_refusal(&client.call("anything", json!({ "value": nested(31) }))));
        assert!(server.reached("anything"));
    }

    fn a_pattern_takes_linear_time(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let started = Instant::now();
        let answer = client.call("typed", json!({ "word": format!("{}!", "a".repeat(40_000)) }));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert!(!server.reached("typed"));
    }

    fn prompts_resources_and_completions_are_held_to_theirs(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let long = "x".repeat(5_000);
        let prompt = |arguments: Value| ("prompts/get", json!({ "name": "greeting", "arguments": arguments }));
        let read = |uri: String| ("resources/read", json!({ "uri": uri }));
        let complete = |argument: &str, value: &str| ("completion/complete", json!({
            "ref": { "type": "ref/prompt", "name": "greeting" },
            "argument": { "name": argument, "value": value },
        }));
        for (method, params) in [
            prompt(json!({})),
            prompt(json!({ "name": "x".repeat(17) })),
            prompt(json!({ "name": "x", "unknown": SECRET })),
            read("wiring://file/..%2f..%2fetc%2fpasswd".to_owned()),
            read("wiring://file/%252e%252e".to_owned()),
            read("wiring://file/../../etc/passwd".to_owned()),
            read("wiring://file/a.txt%00".to_owned()),
            read("wiring://file/a.txt?x".to_owned()),
            read(format!("wiring://file/{long}")),
            read("file:///etc/passwd".to_owned()),
            complete("name", &long),
            complete("surname", "x"),
        ] {
            let answer = client.request(method, params.clone());
            assert!(answer.get("error").is_some(), "{method} {params}: {answer}");
            assert!(!answer.to_string().contains(SECRET), "{answer}");
        }
        assert_eq!(server.traces(), Vec::<String>::new());
        let (method, params) = prompt(json!({ "name": "Ada" }));
        assert!(client.request(method, params)["result"].to_string().contains("Greet Ada."));
        let (method, params) = read("wiring://file/a.txt".to_owned());
        assert!(client.request(method, params)["result"].to_string().contains("the content of a"));
    }

    fn what_a_layer_adds_is_checked_as_well(way: Way) {
        let server = way.setup().with("LAYER", "inject").start();
        let client = server.client(way);
        let answer = client.call("echo", json!({ "text": "x" }));
        assert!(is_tool_error(&answer), "{answer}");
        assert!(!server.reached("echo"));
        assert_record(&server.outcome("echo"), "denied", "deny", Some("validate/schema"));
    }

    fn a_type_that_the_schema_cannot_express_is_still_refused(way: Way) {
        let server = way.start();
        let client = server.client(way);
        for name in ["../a.txt", "/etc/passwd", "a.txt\u{0}", "..", "files/../../a.txt"] {
            let answer = client.call("read", json!({ "name": name }));
            assert!(is_refusal(&answer), "{name}: {answer}");
        }
        assert!(!server.reached("read"));
    }
}
