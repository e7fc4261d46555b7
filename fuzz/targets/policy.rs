//! A name that is closed stays closed in every spelling that some file system takes for it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mcp_secure::capability::fs::{
    Access,
    __policy::{Checker, fold},
};

static CHECKER: LazyLock<Checker> = LazyLock::new(Checker::default);

fuzz_target!(|name: &str| {
    // What is a path, or ends before a stream suffix, is another name.
    if name.is_empty() || name.contains(['/', '\\', '\0', ':']) {
        return;
    }
    let folded = fold(name);
    assert_eq!(fold(&folded), folded, "folding twice is folding once");
    // Nothing but what file systems ignore: it is no name of anything.
    if folded.is_empty() {
        return;
    }
    for access in [Access::Read, Access::Write] {
        if CHECKER.closes(name, access) {
            let spelled = [
                name.to_ascii_uppercase(),
                format!("{name}."),
                format!("{name}. ."),
                format!("{name}::$DATA"),
                format!("\u{200b}{name}"),
                name.chars().flat_map(|c| [c, '\u{200d}']).collect(),
            ];
            for other in spelled {
                assert!(CHECKER.closes(&other, access), "{other:?} is {name:?}");
            }
        }
        // What is closed for reading is closed for writing.
        assert!(!CHECKER.closes(name, Access::Read) || CHECKER.closes(name, Access::Write));
    }
});
