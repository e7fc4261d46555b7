//! Cursors are sealed, and nothing that depends on the caller may be shared by a cache.

use serde_json::{Value, json};

use crate::harness::*;

fn names(page: &Value, list: &str) -> Vec<String> {
    let items = page["result"][list].as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

on_every_way! {
    fn the_pages_are_the_list_and_a_cursor_says_nothing(way: Way) {
        let whole = way.start();
        let all = names(&whole.client(way).request("tools/list", json!({})), "tools");
        assert!(all.len() > 9);

        let server = way.setup().limits("page_size=3").start();
        let client = server.client(way);
        let mut seen = Vec::new();
        let mut params = json!({});
        loop {
            let page = client.request("tools/list", params);
            let on_it = names(&page, "tools");
            assert!(on_it.len() <= 3);
            seen.extend(on_it);
            let Some(cursor) = page["result"]["nextCursor"].as_str() else { break };
            // A nonce, a deadline and a tag, at least; no offset that can be counted up.
            assert!(cursor.len() > 60 && cursor.parse::<u64>().is_err(), "{cursor}");
            params = json!({ "cursor": cursor });
        }
        assert_eq!(seen, all);
    }

    fn a_cursor_that_is_not_ours_is_refused(way: Way) {
        let server = way.setup().limits("page_size=1").start();
        let client = server.client(way);
        let page = client.request("tools/list", json!({}));
        let cursor = page["result"]["nextCursor"].as_str().unwrap().to_owned();
        let other = way.setup().limits("page_size=1").start();
        let foreign = other.client(way).request("tools/list", json!({}));
        let foreign = foreign["result"]["nextCursor"].as_str().unwrap();
        let mut changed = cursor.clone().into_bytes();
        changed[45] = if changed[45] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for (method, cursor) in [
            ("tools/list", changed.as_str()),
            ("tools/list", &cursor[..cursor.len() - 1]),
            ("tools/list", foreign),
            ("tools/list", ""),
            ("tools/list", "1"),
            ("tools/list", "18446744073709551615"),
            // Of another list of the same caller.
            ("prompts/list", &cursor),
            ("resources/list", &cursor),
            ("resources/templates/list", &cursor),
        ] {
            let answer = client.request(method, json!({ "cursor": cursor }));
            assert_eq!(code(&answer), -32602, "{method} {cursor}: {answer}");
            let record = server.outcomes(method, "").pop().unwrap();
            assert_record(&record, "denied", "deny", Some("validate/cursor"));
        }
        let next = client.request("tools/list", json!({ "cursor": cursor }));
        assert_eq!(names(&next, "tools").len(), 1);
    }

    fn nothing_may_be_shared_by_a_cache(way: Way) {
        let server = way.start();
        let client = server.client(way);
        let mut requests = vec![
            ("tools/list", json!({})),
            ("prompts/list", json!({})),
            ("resources/list", json!({})),
            ("resources/templates/list", json!({})),
            ("resources/read", json!({ "uri": "wiring://index" })),
        ];
        if way.is_modern() {
            requests.push(("server/discover", json!({})));
        }
        for (method, params) in requests {
            let answer = client.request(method, params);
            let (scope, ttl) = (&answer["result"]["cacheScope"], &answer["result"]["ttlMs"]);
            if way.is_modern() {
                assert_eq!((scope, ttl), (&json!("private"), &json!(0)), "{method}");
            } else {
                // The older one has no such hints.
                assert!(scope.is_null() || scope == "private", "{method}");
            }
        }
    }
}
