//! What is sanitized is clean, stays as it is, and no text makes it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure_text::{Field, Policy, inspect, sanitize};

fuzz_target!(|text: &str| {
    for policy in [Policy::Strip, Policy::Escape] {
        let once = sanitize(text.to_owned(), policy).into_string();
        assert!(inspect(&once, Field::ToolOutput).is_clean());
        assert_eq!(sanitize(once.clone(), policy).into_string(), once);
    }
});
