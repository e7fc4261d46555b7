//! What a character is when letters are all that counts. Pure functions.

use std::sync::LazyLock;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_security::skeleton;

/// Not seen, and so not read: the default ignorable characters, controls of direction, of
/// annotation and of the terminal, and letters without a shape. Tags are not among them.
pub(super) fn is_hidden(c: char) -> bool {
    match c {
        '\u{20}'..='\u{7E}' | '\u{A0}'..='\u{AC}' | '\u{AE}'..='\u{34E}' => false,
        '\u{350}'..='\u{61B}' | '\u{3165}'..='\u{FDFF}' => false,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' => !c.is_whitespace(),
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' => true,
        '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' => true,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' => true,
        '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' => true,
        '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFC}' => true,
        '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' => true,
        '\u{E0000}'..='\u{E001F}' | '\u{E007F}'..='\u{E0FFF}' => true,
        _ => false,
    }
}

/// The ASCII character that a tag repeats.
pub(super) fn tag(c: char) -> Option<char> {
    match c {
        '\u{E0020}'..='\u{E007E}' => char::from_u32(u32::from(c) - 0xE0000),
        _ => None,
    }
}

/// The byte that a variation selector can carry.
pub(super) fn selector_byte(c: char) -> Option<u8> {
    let byte = match c {
        '\u{FE00}'..='\u{FE0F}' => u32::from(c) - 0xFE00,
        '\u{E0100}'..='\u{E01EF}' => u32::from(c) - 0xE0100 + 16,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

pub(super) fn is_line_break(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Letters that neither normalization, nor case, nor a mark before or after them changes.
pub(super) fn is_stable(c: char) -> bool {
    matches!(c,
        '\u{5D0}'..='\u{5EA}' | '\u{620}'..='\u{63F}' | '\u{641}'..='\u{64A}'
        | '\u{904}'..='\u{939}' | '\u{E01}'..='\u{E30}'
        | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'
        | '\u{3105}'..='\u{312F}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Marks that stand behind a stable letter of their script, and are changed by nothing there.
pub(super) fn is_stable_mark(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{903}' | '\u{93E}'..='\u{94D}')
}

/// Small letters that neither normalization nor what stands before changes, capitals whose small
/// letter is such a one: the Russian alphabet.
pub(super) fn is_russian(c: char) -> bool {
    matches!(c, '\u{410}'..='\u{44F}')
}

/// Large blocks of letters that are neither capital nor small; the others are looked up.
pub(super) fn has_no_case(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{109F}' | '\u{2010}'..='\u{20FF}' | '\u{3000}'..='\u{A63F}' | '\u{AC00}'..='\u{D7A3}')
}

/// Large blocks of characters that stand on their own; the others are looked up.
pub(super) fn is_never_attached(c: char) -> bool {
    is_stable(c)
        || matches!(c,
        '\0'..='\u{2FF}' | '\u{370}'..='\u{482}' | '\u{48A}'..='\u{590}'
        | '\u{1E00}'..='\u{1FFF}' | '\u{2010}'..='\u{2027}' | '\u{20A0}'..='\u{20CF}'
        | '\u{2100}'..='\u{2BFF}' | '\u{3001}'..='\u{3029}' | '\u{FF01}'..='\u{FF9D}'
        | '\u{1D400}'..='\u{1D7FF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// A mark that takes no room of its own.
pub(super) fn is_mark(c: char) -> bool {
    use GeneralCategory as C;
    !is_never_attached(c)
        && (unicode_normalization::char::canonical_combining_class(c) != 0
            || matches!(c.general_category(), C::NonspacingMark | C::EnclosingMark))
}

/// Whether marks on `c` change no word: letters of the scripts of Europe, signs and symbols. In
/// other scripts marks are vowels, tones or half of a letter.
pub(super) fn sheds_marks(c: char) -> bool {
    matches!(c,
        '\0'..='\u{58F}' | '\u{13A0}'..='\u{13FF}' | '\u{1C80}'..='\u{1C8F}'
        | '\u{1D00}'..='\u{1DBF}' | '\u{1E00}'..='\u{2CFF}' | '\u{A4D0}'..='\u{A4FF}'
        | '\u{A640}'..='\u{A7FF}' | '\u{AB30}'..='\u{ABBF}' | '\u{FB00}'..='\u{FB17}'
        | '\u{10400}'..='\u{1044F}' | '\u{1D400}'..='\u{1D7FF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// A Cyrillic letter that is one although it is composed: й is no и.
pub(super) fn is_own_letter(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{4FF}') && !matches!(c, 'ё' | 'Ё' | 'ѐ' | 'Ѐ')
}

/// What a character is to the word it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No part of a word.
    Between,
    /// A digit, or a mark.
    Neutral,
    Latin,
    /// A letter of a script whose letters can be taken for Latin ones.
    Alike,
    /// A letter of any other script. Words of these are often written without spaces.
    Other,
}

pub(super) fn kind(c: char) -> Kind {
    match c {
        'a'..='z' | 'A'..='Z' => Kind::Latin,
        '0'..='9' => Kind::Neutral,
        '\0'..='\u{7F}' => Kind::Between,
        '\u{400}'..='\u{45F}' => Kind::Alike,
        _ if is_stable(c) => Kind::Other,
        _ if !c.is_alphanumeric() => {
            if is_mark(c) {
                Kind::Neutral
            } else {
                Kind::Between
            }
        }
        '\u{80}'..='\u{2FF}' | '\u{1D00}'..='\u{1DBF}' | '\u{1E00}'..='\u{1EFF}' => Kind::Latin,
        '\u{370}'..='\u{58F}'
        | '\u{10A0}'..='\u{10FF}'
        | '\u{13A0}'..='\u{16FF}'
        | '\u{1C80}'..='\u{1CBF}'
        | '\u{1F00}'..='\u{1FFF}'
        | '\u{2C00}'..='\u{2DDF}'
        | '\u{A4D0}'..='\u{A6FF}'
        | '\u{AB30}'..='\u{ABBF}'
        | '\u{10280}'..='\u{1056F}'
        | '\u{118A0}'..='\u{118FF}'
        | '\u{16F00}'..='\u{16F9F}' => Kind::Alike,
        _ => Kind::Other,
    }
}

/// The Latin letters that `c` looks like by UTS #39, in lower case.
pub(super) fn look_alike(c: char) -> Option<String> {
    match common(c) {
        Some((latin, _)) => (latin != 0).then(|| char::from(latin).to_string()),
        None => search_alike(c).map(|(latin, _)| latin),
    }
}

/// Whether `c` cannot be told from a Latin letter: т looks like a small capital, and that can.
pub(super) fn is_alike(c: char) -> bool {
    match common(c) {
        Some((_, exact)) => exact,
        None => search_alike(c).is_some_and(|(_, exact)| exact),
    }
}

/// Greek and Cyrillic, of which whole texts are written, looked up once.
fn common(c: char) -> Option<(u8, bool)> {
    static COMMON: LazyLock<Vec<(u8, bool)>> = LazyLock::new(|| {
        ('\u{370}'..'\u{530}')
            .map(|c| match search_alike(c) {
                Some((latin, exact)) if latin.len() == 1 => {
                    (latin.bytes().next().unwrap_or_default(), exact)
                }
                _ => (0, false),
            })
            .collect()
    });
    let at = u32::from(c).checked_sub(0x370)?;
    COMMON.get(usize::try_from(at).ok()?).copied()
}

fn search_alike(c: char) -> Option<(String, bool)> {
    // The table maps I and l to one letter: which of the two it was, the case tells.
    let known = match c {
        '\u{406}' | '\u{399}' | '\u{13C6}' => Some(("i", true)),
        '\u{4C0}' | '\u{4CF}' => Some(("l", true)),
        // Its skeleton is a turned w.
        '\u{43C}' => Some(("m", false)),
        // One letter with sigma once it is folded.
        '\u{3C2}' => Some(("o", true)),
        _ => None,
    };
    if let Some((latin, exact)) = known {
        return Some((latin.to_owned(), exact));
    }
    if c.is_uppercase()
        && let Some(latin) = latin_skeleton(c)
    {
        return Some(latin);
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => latin_skeleton(lower),
        _ => None,
    }
}

fn latin_skeleton(c: char) -> Option<(String, bool)> {
    let mut utf8 = [0; 4];
    let mut latin = String::new();
    let mut exact = true;
    for c in skeleton(c.encode_utf8(&mut utf8)) {
        match c {
            'a'..='z' | 'A'..='Z' => latin.push(c.to_ascii_lowercase()),
            _ if is_mark(c) => {}
            _ => {
                latin.push_str(plain(c)?);
                // Dotless i and j and the one-storeyed a differ in nothing that is noticed.
                exact &= matches!(c, 'ı' | 'ȷ' | 'ɑ' | 'ɡ');
            }
        }
    }
    match latin.as_str() {
        "" => None,
        "rn" => Some(("m".to_owned(), exact)),
        _ if latin.bytes().all(|b| b.is_ascii_lowercase()) => Some((latin, exact)),
        _ => None,
    }
}

/// What people put for a Latin letter inside a Latin word, although it is not that alike.
pub(super) fn stand_in(c: char) -> Option<&'static str> {
    Some(match c {
        'α' | 'λ' | 'л' | 'д' => "a",
        'β' | 'в' | 'ь' | 'ъ' => "b",
        'δ' => "d",
        'ε' | 'ξ' | 'е' | 'є' | 'э' | 'з' | 'ё' | 'Σ' => "e",
        'г' | 'я' | 'ѓ' => "r",
        'н' => "h",
        'ι' | 'і' | 'ї' => "i",
        'к' | 'κ' | 'қ' | 'ќ' => "k",
        'м' => "m",
        'η' | 'π' | 'и' | 'й' | 'п' | 'ո' => "n",
        'θ' | 'φ' | 'σ' | 'ф' | 'ө' => "o",
        'т' | 'τ' => "t",
        'μ' | 'ц' | 'υ' | 'ս' => "u",
        'ν' => "v",
        'ω' | 'ψ' | 'ш' | 'щ' => "w",
        'ж' | 'χ' => "x",
        'γ' | 'ч' | 'ў' => "y",
        'ζ' => "z",
        _ => return None,
    })
}

/// The ASCII for a character in lower case, where normalization leaves one that people read as
/// ASCII: signs, letters with strokes and hooks, small capitals, phonetic and turned letters.
pub(super) fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}'..='\u{201B}' | '′' | '‹' | '›' | 'ʼ' | 'ʹ' | 'ʻ' | 'ˈ' | '\u{55A}' => {
            "'"
        }
        '\u{201C}'..='\u{201F}' | '«' | '»' | '″' | '〝' | '〞' => "\"",
        '\u{2010}'..='\u{2015}' | '−' | '⁃' | '˗' | '⸺' | '⸻' => "-",
        '⁄' | '∕' | '⧸' => "/",
        '∗' | '⁎' => "*",
        '∶' | 'ː' | '\u{A789}' | '\u{5C3}' => ":",
        '∣' | 'ǀ' => "|",
        '〈' | '⟨' | 'ᐸ' => "<",
        '〉' | '⟩' | 'ᐳ' => ">",
        'ᴀ' | 'ɑ' | 'ɐ' | 'ⱥ' | 'ᶏ' | 'ꬰ' => "a",
        'æ' | 'ᴁ' => "ae",
        'ʙ' | 'ᴃ' | 'ɓ' | 'ƀ' | 'ƅ' => "b",
        'ᴄ' | 'ɔ' | 'ƈ' | 'ȼ' | 'ↄ' | 'ɕ' => "c",
        'ᴅ' | 'ᴆ' | 'đ' | 'ð' | 'ɖ' | 'ɗ' | 'ꝺ' | 'ȡ' => "d",
        'ᴇ' | 'ǝ' | 'ə' | 'ɛ' | 'ɘ' | 'ɜ' | 'ɇ' => "e",
        'ꜰ' | 'ɟ' | 'ƒ' | 'ꝼ' => "f",
        'ɢ' | 'ɡ' | 'ƃ' | 'ɠ' | 'ʛ' | 'ǥ' | 'ᵷ' | 'ᵹ' => "g",
        'ʜ' | 'ɥ' | 'ħ' | 'ɦ' | 'ɧ' | 'ⱨ' => "h",
        'ɪ' | 'ı' | 'ᴉ' | 'ɨ' | 'ɩ' | 'ᵻ' | 'ꟾ' => "i",
        'ᴊ' | 'ɾ' | 'ȷ' | 'ɉ' | 'ʝ' => "j",
        'ᴋ' | 'ʞ' | 'ƙ' | 'ĸ' | 'ⱪ' => "k",
        'ʟ' | 'ᴌ' | 'ł' | 'ƚ' | 'ɫ' | 'ɬ' | 'ɭ' | 'ⱡ' | 'ꞁ' | 'ӏ' => "l",
        'ᴍ' | 'ɯ' | 'ɱ' | 'ᵯ' => "m",
        'ɴ' | 'ᴎ' | 'ŋ' | 'ɲ' | 'ɳ' | 'ƞ' => "n",
        'ᴏ' | 'ø' | 'ɵ' | 'ᴑ' | 'ᴓ' | 'ⱺ' => "o",
        'œ' | 'ɶ' | 'ᴔ' => "oe",
        'ᴘ' | 'ƥ' | 'ᵽ' => "p",
        'ꞯ' | 'ʠ' | 'ɋ' => "q",
        'ʀ' | 'ᴙ' | 'ʁ' | 'ɹ' | 'ɼ' | 'ɽ' | 'ɍ' | 'ᴚ' => "r",
        'ꜱ' | 'ʂ' | 'ƨ' | 'ȿ' => "s",
        'ß' => "ss",
        'ᴛ' | 'ʇ' | 'ŧ' | 'ƭ' | 'ʈ' | 'ⱦ' | 'ƫ' => "t",
        'þ' => "th",
        'ᴜ' | 'ʉ' | 'ᵾ' | 'ʊ' => "u",
        'ᴠ' | 'ʌ' | 'ʋ' => "v",
        'ᴡ' | 'ʍ' | 'ⱳ' => "w",
        'ʏ' | 'ʎ' | 'ƴ' | 'ɏ' => "y",
        'ᴢ' | 'ƶ' | 'ʐ' | 'ʑ' | 'ȥ' | 'ɀ' | 'ⱬ' => "z",
        'ς' => "σ",
        _ => return None,
    })
}

/// The letter of an enclosed or flag letter that normalization leaves as it is.
pub(super) fn enclosed(c: char) -> Option<char> {
    let first = match c {
        '\u{1F150}'..='\u{1F169}' => 0x1F150,
        '\u{1F170}'..='\u{1F189}' => 0x1F170,
        '\u{1F1E6}'..='\u{1F1FF}' => 0x1F1E6,
        _ => return None,
    };
    char::from_u32(u32::from(c) - first + u32::from('a'))
}
