//! What a character is to its neighbours. Pure predicates.

use unicode_properties::{GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};

/// The tags after U+1F3F4 in the three flags recommended for general interchange
/// (emoji-sequences.txt, RGI_Emoji_Tag_Sequence): gbeng, gbsct, gbwls.
pub(super) const FLAG_TAGS: [&str; 3] = [
    "\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
    "\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
    "\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
];

/// An emoji, other than the digits and signs that only keycaps make into one.
pub(super) fn is_emoji(c: char) -> bool {
    !c.is_ascii() && c.is_emoji_char()
}

pub(super) fn is_mark(c: char) -> bool {
    use GeneralCategory as C;
    matches!(c.general_category(), C::NonspacingMark | C::EnclosingMark) && !is_selector(c)
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{34F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Large blocks without marks and format characters: they need no look into the tables.
pub(super) fn is_never_mark(c: char) -> bool {
    matches!(c,
        '\u{A0}'..='\u{2FF}' | '\u{370}'..='\u{482}' | '\u{48A}'..='\u{590}'
        | '\u{1E00}'..='\u{200A}' | '\u{2010}'..='\u{2027}' | '\u{202F}'..='\u{205F}'
        | '\u{2070}'..='\u{20CF}' | '\u{2100}'..='\u{2CEE}' | '\u{3041}'..='\u{3098}'
        | '\u{309B}'..='\u{A66E}' | '\u{AC00}'..='\u{D7A3}' | '\u{FF00}'..='\u{FFEF}'
        | '\u{1F000}'..='\u{1FAFF}' | '\u{20000}'..='\u{323AF}')
}

/// How many bytes the letter takes that starts `bytes`, if its first bytes say that it is no more
/// than visible and written from left to right: no mark, no control, nothing that joins.
pub(super) fn visible_letter(bytes: &[u8]) -> usize {
    match bytes {
        [0xC3..=0xCB | 0xD0 | 0xD1, _, ..] => 2,
        [0xE4..=0xE9 | 0xEB | 0xEC, _, _, ..]
        | [0xE3, 0x81 | 0x83, _, ..]
        | [0xE3, 0x80, 0x80..=0xA9, ..]
        | [0xE3, 0x82, 0x80..=0x98 | 0x9B..=0xBF, ..]
        | [0xEF, 0xBC, _, ..] => 3,
        _ => 0,
    }
}

/// A letter of a script that is written from right to left.
pub(super) fn is_rtl_letter(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
        && c.is_alphabetic()
        && !is_mark(c)
}

/// Ends a line, or may end what can be known of it.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}') || (c.is_control() && c != '\t')
}

/// A conjoining jamo that is no filler.
pub(super) fn is_visible_jamo(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115E}' | '\u{1161}'..='\u{11FF}' | '\u{A960}'..='\u{A97C}'
        | '\u{D7B0}'..='\u{D7FB}')
}

pub(super) fn is_mongolian_letter(c: char) -> bool {
    matches!(c, '\u{1820}'..='\u{1878}' | '\u{1880}'..='\u{18AA}')
}

pub(super) fn is_braille(c: char) -> bool {
    matches!(c, '\u{2800}'..='\u{28FF}')
}

/// Whether `selector` may follow `base`: emoji-variation-sequences.txt, StandardizedVariants.txt
/// and the Ideographic Variation Database, by kind of base.
pub(super) fn takes_selector(base: char, selector: char) -> bool {
    match selector {
        '\u{180B}'..='\u{180D}' | '\u{180F}' => is_mongolian_letter(base),
        '\u{FE0E}' | '\u{FE0F}' => is_emoji(base),
        '\u{E0100}'..='\u{E01EF}' => base.script() == Script::Han,
        '\u{FE00}'..='\u{FE02}' if base.script() == Script::Han => true,
        '\u{FE00}' | '\u{FE01}' if takes_two_selectors(base) => true,
        '\u{FE00}' => {
            // A slashed zero, and damaged hieroglyphs.
            matches!(base, '\u{FF10}' | '\u{13443}'..='\u{13446}')
                || !base.is_ascii() && base.general_category() == GeneralCategory::MathSymbol
                || matches!(
                    base.script(),
                    Script::Myanmar | Script::Phags_Pa | Script::Manichaean
                )
        }
        '\u{FE01}'..='\u{FE06}' => matches!(base, '\u{13000}'..='\u{1342F}'),
        _ => false,
    }
}

/// Quotation marks and East Asian punctuation, aligned in two ways; script capitals in two hands.
fn takes_two_selectors(base: char) -> bool {
    matches!(base,
        '\u{2018}' | '\u{2019}' | '\u{201C}' | '\u{201D}' | '\u{3001}' | '\u{3002}'
        | '\u{FF01}' | '\u{FF0C}' | '\u{FF0E}' | '\u{FF1A}' | '\u{FF1B}' | '\u{FF1F}'
        | '\u{210B}' | '\u{2110}' | '\u{2112}' | '\u{211B}' | '\u{212C}' | '\u{2130}'
        | '\u{2131}' | '\u{2133}' | '\u{1D49C}'..='\u{1D4B5}' | '\u{13000}'..='\u{1342F}')
}

/// Written without spaces, so that a hidden one says where a line may break.
pub(super) fn is_spaceless(c: char) -> bool {
    use Script as S;
    if c.is_ascii() {
        return false;
    }
    matches!(c, '\u{3001}'..='\u{303F}' | '\u{FF01}'..='\u{FF65}')
        || matches!(
            c.script(),
            S::Balinese
                | S::Bopomofo
                | S::Han
                | S::Hiragana
                | S::Javanese
                | S::Katakana
                | S::Khmer
                | S::Lao
                | S::Myanmar
                | S::New_Tai_Lue
                | S::Sundanese
                | S::Tai_Le
                | S::Tai_Tham
                | S::Tai_Viet
                | S::Thai
                | S::Tibetan
                | S::Yi
        )
}

/// Of a script in which joiners choose the shape of letters: the cursive ones of the Near East and
/// Mongolia, those of the Brahmic family, and Hebrew with its points.
pub(super) fn is_joining(c: char) -> bool {
    use Script as S;
    // The tatweel is shared by the cursive scripts, so it has none of its own.
    if c == '\u{640}' {
        return true;
    }
    if c < '\u{590}' {
        return false;
    }
    matches!(
        c.script(),
        S::Adlam
            | S::Arabic
            | S::Chorasmian
            | S::Hanifi_Rohingya
            | S::Hebrew
            | S::Mandaic
            | S::Manichaean
            | S::Mongolian
            | S::Nko
            | S::Old_Uyghur
            | S::Phags_Pa
            | S::Psalter_Pahlavi
            | S::Sogdian
            | S::Syriac
            | S::Balinese
            | S::Batak
            | S::Bengali
            | S::Bhaiksuki
            | S::Brahmi
            | S::Chakma
            | S::Cham
            | S::Devanagari
            | S::Dogra
            | S::Grantha
            | S::Gujarati
            | S::Gunjala_Gondi
            | S::Gurmukhi
            | S::Javanese
            | S::Kaithi
            | S::Kannada
            | S::Kawi
            | S::Khmer
            | S::Khojki
            | S::Khudawadi
            | S::Lepcha
            | S::Limbu
            | S::Malayalam
            | S::Marchen
            | S::Masaram_Gondi
            | S::Meetei_Mayek
            | S::Modi
            | S::Myanmar
            | S::Nandinagari
            | S::Newa
            | S::Oriya
            | S::Saurashtra
            | S::Sharada
            | S::Siddham
            | S::Sinhala
            | S::Soyombo
            | S::Sundanese
            | S::Syloti_Nagri
            | S::Tai_Tham
            | S::Takri
            | S::Tamil
            | S::Telugu
            | S::Tibetan
            | S::Tirhuta
            | S::Tulu_Tigalari
            | S::Zanabazar_Square
    )
}

/// Format characters with a shape: Arabic, Syriac and Kaithi signs that enclose numbers or words.
pub(super) fn is_seen_format(c: char) -> bool {
    matches!(
        c,
        '\u{600}'
            ..='\u{605}'
                | '\u{6DD}'
                | '\u{70F}'
                | '\u{890}'
                | '\u{891}'
                | '\u{8E2}'
                | '\u{110BD}'
                | '\u{110CD}'
    )
}

/// Whether `c` is a visible character of the script that `format` is for.
pub(super) fn is_formatted_by(c: char, format: char) -> bool {
    match format {
        '\u{13430}'..='\u{1345F}' => matches!(c, '\u{13000}'..='\u{1342F}'),
        '\u{1BCA0}'..='\u{1BCA3}' => matches!(c, '\u{1BC00}'..='\u{1BC99}'),
        '\u{1D173}'..='\u{1D17A}' => {
            matches!(c, '\u{1D100}'..='\u{1D1EA}')
                && c.general_category() == GeneralCategory::OtherSymbol
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_without_marks_have_none() {
        for c in '\0'..=char::MAX {
            use GeneralCategory as C;
            let category = c.general_category();
            let hidden = matches!(c, '\u{AD}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}');
            if is_never_mark(c) && !hidden {
                let marks = [C::NonspacingMark, C::EnclosingMark, C::Format, C::Control];
                assert!(!marks.contains(&category), "{c:?} {category:?}");
            }
        }
    }

    #[test]
    fn every_character_has_an_answer_from_every_predicate() {
        for c in '\0'..=char::MAX {
            let _ = (
                is_emoji(c),
                is_rtl_letter(c),
                is_spaceless(c),
                is_joining(c),
            );
        }
    }
}
