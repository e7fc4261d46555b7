//! A character in plain ASCII words.

use std::fmt;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};

/// Displays `U+200B ZERO WIDTH SPACE`, and for characters without a name here what kind they are.
pub(crate) struct Described(pub(crate) char);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.0;
        let code = u32::from(c);
        if c.is_ascii_graphic() && c != '`' {
            return write!(f, "`{c}` (U+{code:04X})");
        }
        write!(f, "U+{code:04X} ")?;
        if let Some(name) = name(c) {
            return f.write_str(name);
        }
        match c {
            '\u{FE00}'..='\u{FE0F}' => write!(f, "VARIATION SELECTOR-{}", code - 0xFE00 + 1),
            '\u{E0100}'..='\u{E01EF}' => write!(f, "VARIATION SELECTOR-{}", code - 0xE0100 + 17),
            '\u{E0021}'..='\u{E007E}' => {
                // The tags repeat ASCII, 0xE0000 above it.
                let shown = char::from_u32(code - 0xE0000).unwrap_or('?');
                write!(f, "TAG CHARACTER for `{shown}`")
            }
            '\u{FDD0}'..='\u{FDEF}' => f.write_str("noncharacter"),
            _ if code & 0xFFFE == 0xFFFE => f.write_str("noncharacter"),
            _ => {
                let script = c.script();
                if !matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
                    for part in script.full_name().split('_') {
                        write!(f, "{part} ")?;
                    }
                }
                f.write_str(kind(c))
            }
        }
    }
}

fn name(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "NULL",
        '\u{7}' => "BELL",
        '\u{8}' => "BACKSPACE",
        '\t' => "CHARACTER TABULATION",
        '\n' => "LINE FEED",
        '\u{B}' => "LINE TABULATION",
        '\u{C}' => "FORM FEED",
        '\r' => "CARRIAGE RETURN",
        '\u{1B}' => "ESCAPE",
        ' ' => "SPACE",
        '`' => "GRAVE ACCENT",
        '\u{7F}' => "DELETE",
        '\u{85}' => "NEXT LINE",
        '\u{90}' => "DEVICE CONTROL STRING",
        '\u{98}' => "START OF STRING",
        '\u{9B}' => "CONTROL SEQUENCE INTRODUCER",
        '\u{9C}' => "STRING TERMINATOR",
        '\u{9D}' => "OPERATING SYSTEM COMMAND",
        '\u{9E}' => "PRIVACY MESSAGE",
        '\u{9F}' => "APPLICATION PROGRAM COMMAND",
        '\u{A0}' => "NO-BREAK SPACE",
        '\u{AD}' => "SOFT HYPHEN",
        '\u{34F}' => "COMBINING GRAPHEME JOINER",
        '\u{61C}' => "ARABIC LETTER MARK",
        '\u{115F}' => "HANGUL CHOSEONG FILLER",
        '\u{1160}' => "HANGUL JUNGSEONG FILLER",
        '\u{17B4}' => "KHMER VOWEL INHERENT AQ",
        '\u{17B5}' => "KHMER VOWEL INHERENT AA",
        '\u{180B}' => "MONGOLIAN FREE VARIATION SELECTOR ONE",
        '\u{180C}' => "MONGOLIAN FREE VARIATION SELECTOR TWO",
        '\u{180D}' => "MONGOLIAN FREE VARIATION SELECTOR THREE",
        '\u{180E}' => "MONGOLIAN VOWEL SEPARATOR",
        '\u{180F}' => "MONGOLIAN FREE VARIATION SELECTOR FOUR",
        '\u{200B}' => "ZERO WIDTH SPACE",
        '\u{200C}' => "ZERO WIDTH NON-JOINER",
        '\u{200D}' => "ZERO WIDTH JOINER",
        '\u{200E}' => "LEFT-TO-RIGHT MARK",
        '\u{200F}' => "RIGHT-TO-LEFT MARK",
        '\u{2028}' => "LINE SEPARATOR",
        '\u{2029}' => "PARAGRAPH SEPARATOR",
        '\u{202A}' => "LEFT-TO-RIGHT EMBEDDING",
        '\u{202B}' => "RIGHT-TO-LEFT EMBEDDING",
        '\u{202C}' => "POP DIRECTIONAL FORMATTING",
        '\u{202D}' => "LEFT-TO-RIGHT OVERRIDE",
        '\u{202E}' => "RIGHT-TO-LEFT OVERRIDE",
        '\u{2060}' => "WORD JOINER",
        '\u{2061}' => "FUNCTION APPLICATION",
        '\u{2062}' => "INVISIBLE TIMES",
        '\u{2063}' => "INVISIBLE SEPARATOR",
        '\u{2064}' => "INVISIBLE PLUS",
        '\u{2066}' => "LEFT-TO-RIGHT ISOLATE",
        '\u{2067}' => "RIGHT-TO-LEFT ISOLATE",
        '\u{2068}' => "FIRST STRONG ISOLATE",
        '\u{2069}' => "POP DIRECTIONAL ISOLATE",
        '\u{206A}' => "INHIBIT SYMMETRIC SWAPPING",
        '\u{206B}' => "ACTIVATE SYMMETRIC SWAPPING",
        '\u{206C}' => "INHIBIT ARABIC FORM SHAPING",
        '\u{206D}' => "ACTIVATE ARABIC FORM SHAPING",
        '\u{206E}' => "NATIONAL DIGIT SHAPES",
        '\u{206F}' => "NOMINAL DIGIT SHAPES",
        '\u{2800}' => "BRAILLE PATTERN BLANK",
        '\u{3164}' => "HANGUL FILLER",
        '\u{FEFF}' => "ZERO WIDTH NO-BREAK SPACE (byte order mark)",
        '\u{FFA0}' => "HALFWIDTH HANGUL FILLER",
        '\u{FFF9}' => "INTERLINEAR ANNOTATION ANCHOR",
        '\u{FFFA}' => "INTERLINEAR ANNOTATION SEPARATOR",
        '\u{FFFB}' => "INTERLINEAR ANNOTATION TERMINATOR",
        '\u{FFFC}' => "OBJECT REPLACEMENT CHARACTER",
        '\u{E0001}' => "LANGUAGE TAG",
        '\u{E0020}' => "TAG SPACE",
        '\u{E007F}' => "CANCEL TAG",
        _ => return None,
    })
}

fn kind(c: char) -> &'static str {
    use GeneralCategory as C;
    use GeneralCategoryGroup as G;
    match c.general_category() {
        C::Control => return "control character",
        C::Format => return "format character",
        C::PrivateUse => return "private-use character",
        C::Unassigned => return "unassigned code point",
        C::SpaceSeparator => return "space",
        _ => {}
    }
    match c.general_category_group() {
        G::Letter => "letter",
        G::Mark => "combining mark",
        G::Number => "number",
        G::Punctuation => "punctuation",
        G::Symbol => "symbol",
        G::Separator => "separator",
        G::Other => "character",
    }
}
