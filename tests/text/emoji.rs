//! Every emoji that Unicode recommends, however qualified, is text like any other.

use crate::files::{read, rows, text};
use crate::passes;

fn emoji(file: &str) -> Vec<String> {
    let file = read(file);
    rows(&file)
        .filter(|row| !row[0].contains(".."))
        .map(|row| text(row[0]))
        .collect()
}

fn pass(all: &[String]) {
    for emoji in all {
        passes(emoji);
        passes(&format!("Says {emoji} to everyone, twice: {emoji}{emoji}."));
        passes(&format!("naïve{emoji}é"));
    }
    // And whatever stands next to it.
    for line in all.chunks(16) {
        passes(&line.concat());
    }
}

#[test]
fn emoji_test() {
    let all = emoji("emoji/emoji-test.txt");
    assert_eq!(all.len(), 4_733);
    pass(&all);
}

#[test]
fn emoji_zwj_sequences() {
    let all = emoji("emoji/emoji-zwj-sequences.txt");
    assert_eq!(all.len(), 1_350);
    pass(&all);
}

#[test]
fn emoji_sequences() {
    let all = emoji("emoji/emoji-sequences.txt");
    assert_eq!(all.len(), 1_262);
    pass(&all);
}

#[test]
fn emoji_variation_sequences() {
    let all = emoji("emoji/emoji-variation-sequences.txt");
    assert_eq!(all.len(), 708);
    // A digit takes its selector as the beginning of a keycap only.
    let (keycaps, all): (Vec<String>, Vec<String>) = all
        .into_iter()
        .partition(|emoji| emoji.starts_with(|c: char| c.is_ascii()));
    assert_eq!(keycaps.len(), 24);
    pass(&all);
    for begun in keycaps.iter().filter(|begun| begun.ends_with('\u{FE0F}')) {
        passes(&format!("Press {begun}\u{20E3} now"));
        assert!(crate::is_changed(begun), "{begun:?}");
    }
}
