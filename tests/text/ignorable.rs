//! Every character that is not seen is found where it has no business: between Latin letters.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::files::{range, read, rows};
use crate::{is_changed, report};

#[test]
fn default_ignorable_code_points() {
    let file = read("DerivedCoreProperties.txt");
    let all: Vec<char> = rows(&file)
        .filter(|row| row[1] == "Default_Ignorable_Code_Point")
        .flat_map(|row| range(row[0]))
        .collect();
    assert_eq!(all.len(), 4_174);
    for c in all {
        for text in [
            format!("a{c}b"),
            format!("wo{c}rd"),
            format!("word{c} word"),
            format!("word {c}word"),
            format!("caf\u{E9}{c}caf\u{E9}"),
            format!("{c}word"),
            format!("word{c}"),
        ] {
            let report = report(&text);
            let found = report
                .findings
                .iter()
                .any(|f| f.rule.starts_with("hidden/") && text[f.span.clone()].contains(c));
            assert!(found, "{text:?}: {report:?}");
        }
    }
}

/// Of the tables themselves, whatever their version: format and control characters.
#[test]
fn format_characters_and_controls() {
    let mut seen = Vec::new();
    let mut found = 0;
    for c in '\0'..=char::MAX {
        match c.general_category() {
            GeneralCategory::Format | GeneralCategory::Control => {}
            GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => {}
            _ => continue,
        }
        if is_changed(&format!("a{c}b")) {
            found += 1;
        } else {
            seen.push(c);
        }
    }
    assert_eq!(found, 222);
    // What breaks a line or has a shape.
    assert_eq!(
        seen,
        [
            '\t',
            '\n',
            '\u{600}',
            '\u{601}',
            '\u{602}',
            '\u{603}',
            '\u{604}',
            '\u{605}',
            '\u{6DD}',
            '\u{70F}',
            '\u{890}',
            '\u{891}',
            '\u{8E2}',
            '\u{110BD}',
            '\u{110CD}'
        ]
    );
}
