//! Where a character of a literal stands in its file.

use proc_macro2::Span;

/// The line and column of byte `at` of what the literal at `span` says, which is `c`. `None`
/// where the compiler does not know the source, or it does not read as expected.
pub(super) fn of(span: Span, at: usize, c: char) -> Option<(usize, usize)> {
    // Unit tests have no compiler behind them.
    if !proc_macro::is_available() {
        return None;
    }
    let source = span.source_text()?;
    let before = source.get(..offset(&source, at)?)?;
    let next = source.get(before.len()..)?.chars().next()?;
    if next != c && next != '\\' {
        return None;
    }
    let span = span.unwrap();
    let (lines, column) = match before.rsplit_once('\n') {
        Some((_, last)) => (before.matches('\n').count(), last.chars().count() + 1),
        None => (0, span.column() + before.chars().count()),
    };
    Some((span.line() + lines, column))
}

/// Where byte `at` of what a literal says stands in the `source` of the literal.
fn offset(source: &str, at: usize) -> Option<usize> {
    if source.starts_with("//") || source.starts_with("/*") {
        return Some(3 + at);
    }
    let start = source.find('"')? + 1;
    if source.get(..start)?.contains('r') {
        return Some(start + at);
    }
    let (mut said, mut rest) = (0, source.get(start..)?);
    while said < at {
        let (written, says) = one(rest)?;
        said += says;
        rest = rest.get(written..)?;
    }
    // What says nothing stands before the character, not in it.
    while let Some((written, 0)) = one(rest) {
        rest = rest.get(written..)?;
    }
    (said == at).then(|| source.len() - rest.len())
}

/// How long the first thing in `rest` is, written and said.
fn one(rest: &str) -> Option<(usize, usize)> {
    let mut chars = rest.chars();
    match chars.next()? {
        '\\' => match chars.next()? {
            'x' => Some((4, 1)),
            'u' => {
                let end = rest.find('}')?;
                let digits = rest.get(3..end)?.replace('_', "");
                let c = char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?;
                Some((end + 1, c.len_utf8()))
            }
            // The line goes on in the next, where its first word is.
            '\n' | '\r' => Some((1 + blank(rest.get(1..)?), 0)),
            _ => Some((2, 1)),
        },
        '\r' if chars.next() == Some('\n') => Some((2, 1)),
        c => Some((c.len_utf8(), c.len_utf8())),
    }
}

fn blank(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_is_found_behind_what_is_written_in_another_way() {
        for (source, said) in [
            (r#""abX""#, "abX"),
            (r#""a\"\n\x41\u{1F600}X""#, "a\"\nA\u{1F600}X"),
            (r#""äX""#, "äX"),
            (r#""\u{1_F600}X""#, "\u{1F600}X"),
            ("\"a\\\n    X\"", "aX"),
            ("\"a\\\r\n  \r\n X\"", "aX"),
            ("\"a\r\nX\"", "a\nX"),
            (r##"r#"a"\X"#"##, "a\"\\X"),
            (r#"b"aX""#, "aX"),
            ("/// a X", " a X"),
            ("/** a\n X */", " a\n X "),
        ] {
            let at = said.find('X').and_then(|at| offset(source, at));
            assert_eq!(at, source.find('X'), "{source}");
        }
        for broken in ["", "a", "\"\\", "\"\\u{", "\"\\u{D800}X"] {
            assert_eq!(offset(broken, 3), None, "{broken}");
        }
    }
}
