//! A path that was accepted names something below, has one spelling, and parses again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure::prelude::RelPath;

fuzz_target!(|text: &str| {
    if let Ok(path) = RelPath::parse(text) {
        assert_eq!(path.as_str(), text);
        assert!(!text.starts_with('/') && !text.contains('\0') && !text.contains('\\'));
        assert!(text == "." || text.split('/').all(|part| !matches!(part, "" | "." | "..")));
        assert!(RelPath::parse(path.as_str()).is_ok());
    }
});
