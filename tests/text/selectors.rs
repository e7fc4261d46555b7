//! Every standardized variation sequence passes, and of the others only what the rule names.

use std::collections::BTreeSet;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::files::{Counts, assert_counts, count, range, read, rows, text};
use crate::{is_changed, passes};

fn selectors() -> impl Iterator<Item = char> {
    ('\u{180B}'..='\u{180D}')
        .chain(['\u{180F}'])
        .chain('\u{FE00}'..='\u{FE0F}')
        .chain('\u{E0100}'..='\u{E01EF}')
}

/// The sequences of both files.
fn listed() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for file in [
        "StandardizedVariants.txt",
        "emoji/emoji-variation-sequences.txt",
    ] {
        all.extend(rows(&read(file)).map(|row| text(row[0])));
    }
    all
}

#[test]
fn standardized_variants() {
    let file = read("StandardizedVariants.txt");
    let all: Vec<String> = rows(&file).map(|row| text(row[0])).collect();
    let mut found = Vec::new();
    for sequence in &all {
        if is_changed(sequence) {
            found.push(sequence.as_str());
        } else {
            passes(sequence);
            passes(&format!("of {sequence} and \u{E9}{sequence}{sequence}"));
        }
    }
    println!("{} sequences", all.len());
    // A zero with a stroke: ASCII takes no selectors, or every digit could carry one.
    assert_eq!(found, ["0\u{FE00}"]);
}

#[test]
fn unlisted_sequences() {
    let listed = listed();
    let bases: BTreeSet<char> = listed.iter().filter_map(|s| s.chars().next()).collect();
    let file = read("Scripts.txt");
    let script = |name: &str| -> BTreeSet<char> {
        rows(&file)
            .filter(|row| row[1] == name)
            .flat_map(|row| range(row[0]))
            .collect()
    };
    let (han, mongolian) = (script("Han"), script("Mongolian"));
    let hieroglyphs = script("Egyptian_Hieroglyphs");
    let own: Vec<BTreeSet<char>> = ["Myanmar", "Phags_Pa", "Manichaean"]
        .into_iter()
        .map(script)
        .collect();
    let data = read("emoji/emoji-data.txt");
    let emoji: BTreeSet<char> = rows(&data)
        .filter(|row| row[1] == "Emoji")
        .flat_map(|row| range(row[0]))
        .collect();

    let mut tried = 0;
    let mut kept = Counts::new();
    for &base in &bases {
        for selector in selectors() {
            let sequence = format!("{base}{selector}");
            if listed.contains(&sequence) {
                continue;
            }
            tried += 1;
            if is_changed(&sequence) {
                continue;
            }
            let kind = match selector {
                '\u{FE0E}' | '\u{FE0F}' if emoji.contains(&base) => "an emoji in either style",
                '\u{E0100}'.. if han.contains(&base) => "an ideograph, of the IVD",
                '\u{FE00}'..='\u{FE02}' if han.contains(&base) => "an ideograph, of three",
                '\u{180B}'..='\u{180F}' if mongolian.contains(&base) => "a Mongolian letter",
                '\u{FE00}' if base.general_category() == GeneralCategory::MathSymbol => {
                    "a mathematical symbol"
                }
                '\u{FE00}' if own.iter().any(|script| script.contains(&base)) => {
                    "a letter of a script with variants"
                }
                '\u{FE00}'..='\u{FE06}' if hieroglyphs.contains(&base) => "a hieroglyph, turned",
                '\u{FE00}' | '\u{FE01}' => "of two",
                _ => panic!("{sequence:?} passes"),
            };
            count(&mut kept, kind);
        }
    }
    println!("{} bases, {tried} sequences, {kept:?}", bases.len());
    assert_counts(
        &kept,
        &[
            ("a Mongolian letter", 100),
            ("a hieroglyph, turned", 438),
            ("a mathematical symbol", 7),
            ("an ideograph, of the IVD", 216_480),
            ("an ideograph, of three", 1_704),
        ],
    );
}
