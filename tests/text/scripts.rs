//! Every letter of every script may stand in a word.

use std::collections::{BTreeMap, BTreeSet};

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::files::{known, range, read, rows};
use crate::passes;

/// Letters without a shape, which are found outside of the syllables they belong to.
const FILLERS: [char; 4] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];

/// Letters that are a word of a rule when they are doubled: "secretly".
const WORDS: [char; 2] = ['偷', '悄'];

fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter && !FILLERS.contains(&c)
}

#[test]
fn letters_of_every_script() {
    let file = read("Scripts.txt");
    let mut scripts: BTreeMap<&str, Vec<char>> = BTreeMap::new();
    for row in rows(&file) {
        let letters = range(row[0]).filter(|c| is_letter(*c));
        scripts.entry(row[1]).or_default().extend(letters);
    }
    scripts.retain(|_, letters| !letters.is_empty());
    let total: usize = scripts.values().map(Vec::len).sum();
    assert_eq!((scripts.len(), total), (160, 136_100));
    for letters in scripts.values() {
        for letter in letters.iter().filter(|letter| !WORDS.contains(letter)) {
            passes(&String::from_iter([letter; 3]));
        }
        // Words of letters that stand next to each other in the alphabet, in a sentence.
        for words in letters.chunks(40) {
            let words: Vec<String> = words.chunks(5).map(String::from_iter).collect();
            passes(&words.join(" "));
        }
    }
}

/// Letters that Debian's files do not know yet.
#[test]
fn letters_of_later_versions() {
    let known: BTreeSet<char> = known().into_iter().collect();
    let later: Vec<char> = ('\0'..=char::MAX)
        .filter(|c| is_letter(*c) && !known.contains(c))
        .collect();
    assert_eq!(later.len(), 22_068);
    for letter in &later {
        passes(&String::from_iter([letter; 3]));
    }
    for words in later.chunks(40) {
        let words: Vec<String> = words.chunks(5).map(String::from_iter).collect();
        passes(&words.join(" "));
    }
}
