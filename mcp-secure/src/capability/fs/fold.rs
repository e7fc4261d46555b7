//! One form for all the spellings that some file system takes for the same name.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The form in which names are compared with rules.
///
/// It folds at least as much as ext4 and APFS (full case folding, normal forms), HFS+
/// (ignorable characters), and NTFS (trailing dots and spaces, stream suffixes), so it may
/// close a name too many but misses none.
pub(super) fn fold(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.'))
        && !name.ends_with('.')
    {
        return Cow::Borrowed(name);
    }
    if name.is_ascii() {
        let mut folded = trim(name).to_owned();
        folded.make_ascii_lowercase();
        return Cow::Owned(folded);
    }
    // Upper case and back is full case folding and a little more: `ß` becomes `ss`, the
    // dotless `ı` becomes `i`. Once more over the result, because case mapping may
    // leave the normal form.
    let folded: String = name
        .chars()
        .filter(|c| !is_ignorable(*c))
        .nfkc()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc()
        .filter(|c| !is_ignorable(*c))
        .collect();
    Cow::Owned(trim(&folded).to_owned())
}

/// Without the stream suffix, and without the dots and spaces that Windows drops, unless
/// that leaves nothing but dots.
fn trim(name: &str) -> &str {
    let name = match name.split_once(':') {
        Some((file, _)) if !file.is_empty() => file,
        _ => name,
    };
    match name.trim_end_matches(['.', ' ']) {
        // `.` and `..` are names, also with spaces behind them; ` .` is none.
        "" => Some(name.trim_end_matches(' '))
            .filter(|rest| rest.bytes().all(|b| b == b'.'))
            .unwrap_or(""),
        rest => rest,
    }
}

/// Default-ignorable code points (Unicode, `DerivedCoreProperties.txt`), which include what
/// HFS+ skips in comparisons.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last by fuzzing: it was another name than a space alone.
    #[test]
    fn dots_and_spaces_at_the_end_make_no_other_name() {
        for (name, folded) in [
            (".", "."),
            ("..", ".."),
            (".. ", ".."),
            (".env. .", ".env"),
            ("a . .", "a"),
            (" ", ""),
            (". .", ""),
            (" .", ""),
        ] {
            assert_eq!(fold(name), folded, "{name:?}");
            assert_eq!(fold(folded), folded, "{name:?}");
        }
    }
}
