use std::string::ToString as _;

use crate::{MAX_NAME_LEN, NameError, check_name};

#[test]
fn names_of_the_grammar_pass() {
    for name in [
        "a",
        "getUser",
        "DATA_EXPORT_v2",
        "admin.tools.list",
        "x-1",
        &"n".repeat(128),
    ] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
}

#[test]
fn names_outside_the_grammar_say_why() {
    assert_eq!(check_name(""), Err(NameError::Empty));
    let long = "n".repeat(MAX_NAME_LEN + 1);
    assert_eq!(
        check_name(&long).unwrap_err().to_string(),
        "the name has 129 characters: at most 128 are allowed"
    );
    for (name, shown) in [
        ("read file", "the name has U+0020 SPACE at byte 4"),
        ("a/b", "the name has `/` (U+002F) at byte 1"),
        ("a`b", "the name has U+0060 GRAVE ACCENT at byte 1"),
        ("a\nb", "the name has U+000A LINE FEED at byte 1"),
        (
            "re\u{430}d",
            "the name has U+0430 Cyrillic letter at byte 2",
        ),
        (
            "re\u{E0061}d",
            "the name has U+E0061 TAG CHARACTER for `a` at byte 2",
        ),
        (
            "re\u{FE0F}d",
            "the name has U+FE0F VARIATION SELECTOR-16 at byte 2",
        ),
        ("re\u{1F600}d", "the name has U+1F600 symbol at byte 2"),
    ] {
        let error = check_name(name).unwrap_err().to_string();
        assert!(error.starts_with(shown), "{error}");
        assert!(error.is_ascii());
    }
}

#[test]
fn no_character_is_repeated_in_an_error_unless_it_is_visible_ascii() {
    for c in '\0'..=char::MAX {
        if let Err(error) = check_name(c.encode_utf8(&mut [0; 4])) {
            let shown = error.to_string();
            assert!(shown.bytes().all(|b| matches!(b, b' '..=b'~')), "{c:?}");
        }
    }
}
