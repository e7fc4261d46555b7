//! The stable names of the rules, as they stand in [`Finding::rule`](crate::Finding::rule).
//!
//! A name is never reused for something else; new rules get new names.

/// Unicode tag characters, U+E0000 to U+E007F: a second ASCII that nobody sees. They are right in
/// the flags of England, Scotland and Wales, the three that Unicode recommends, and nowhere else.
pub const TAG_CHARACTER: &str = "hidden/tag-character";

/// Variation selectors where none belongs: each carries one byte or half a one. Right are one
/// selector after an emoji, a keycap (`1` to `9`, `#`, `*` before U+20E3), an ideograph, a
/// Mongolian letter, or a character with standardised variants.
pub const VARIATION_SELECTOR: &str = "hidden/variation-selector";

/// Zero width space, joiner, non-joiner, word joiner and byte order mark. Right are joiners inside
/// emoji and next to letters of joining scripts, and spaces next to letters of scripts that are
/// written without visible ones.
pub const ZERO_WIDTH: &str = "hidden/zero-width";

/// Embeddings, overrides and isolates of text direction (CVE-2021-42574): what a person sees is
/// not the order a model reads.
pub const BIDI_CONTROL: &str = "hidden/bidi-control";

/// A left-to-right, right-to-left or Arabic letter mark in text that has no right-to-left letter
/// before it or on its line, or more than one of them in a row.
pub const DIRECTION_MARK: &str = "hidden/direction-mark";

/// Letters with no shape (Hangul fillers, Khmer inherent vowels, the Mongolian vowel separator)
/// outside the syllables they belong to.
pub const FILLER: &str = "hidden/filler";

/// A blank Braille cell away from Braille text.
pub const BRAILLE_BLANK: &str = "hidden/braille-blank";

/// A combining grapheme joiner that does not stand between two marks.
pub const GRAPHEME_JOINER: &str = "hidden/grapheme-joiner";

/// A soft hyphen. Hyphenated words are no attack, so one alone is a warning; two with less than
/// two letters between them are no hyphenation.
pub const SOFT_HYPHEN: &str = "hidden/soft-hyphen";

/// Invisible times, plus, separator and function application, U+2061 to U+2064.
pub const MATH_OPERATOR: &str = "hidden/math-operator";

/// Format characters that Unicode has deprecated, U+206A to U+206F.
pub const DEPRECATED_FORMAT: &str = "hidden/deprecated-format";

/// Any other invisible format character (shorthand, musical, hieroglyphic) away from the
/// characters it formats.
pub const FORMAT_CHARACTER: &str = "hidden/format-character";

/// Interlinear annotation, U+FFF9 to U+FFFB.
pub const ANNOTATION: &str = "hidden/annotation";

/// The object replacement character.
pub const OBJECT_REPLACEMENT: &str = "hidden/object-replacement";

/// Code points that Unicode keeps free for invisible characters of the future.
pub const IGNORABLE: &str = "hidden/ignorable";

/// Noncharacters, such as U+FFFE.
pub const NONCHARACTER: &str = "hidden/noncharacter";

/// Private-use characters: each font, and each model, reads them in its own way.
pub const PRIVATE_USE: &str = "hidden/private-use";

/// C0 and C1 control characters that are not line breaks.
pub const CONTROL: &str = "hidden/control";

/// A terminal escape sequence (ECMA-48 CSI, OSC, DCS and others), as one finding.
pub const ESCAPE_SEQUENCE: &str = "hidden/escape-sequence";

/// A carriage return that no line feed follows: on a terminal it writes over the line before it.
pub const CARRIAGE_RETURN: &str = "hidden/carriage-return";

/// Line and paragraph separator, next line, vertical tab and form feed.
pub const LINE_SEPARATOR: &str = "hidden/line-separator";

/// A line break or a tab in a field that has one line.
pub const LINE_BREAK: &str = "hidden/line-break";

/// More than eight combining marks on one character.
pub const COMBINING_RUN: &str = "hidden/combining-run";

/// Space that pushes what follows it out of sight: five line breaks, or sixty spaces, and then more.
pub const PADDING: &str = "structure/padding";

/// A description longer than 8 KiB (a warning) or 16 KiB.
pub const LENGTH: &str = "structure/length";

/// A word of Latin letters and of look-alikes from another alphabet (UTS #39).
pub const MIXED_SCRIPT: &str = "structure/mixed-script";

/// A Markdown link that shows the address of one host and leads to another.
pub const LINK_MISMATCH: &str = "structure/link-mismatch";

/// A link that runs code when it is followed: `javascript:`, `data:text/html`.
pub const ACTIVE_LINK: &str = "structure/active-link";

/// The name of a parameter that asks for a secret or for the conversation.
pub const PARAMETER: &str = "structure/parameter";

/// All rules.
///
/// ```
/// use mcp_secure_text::rule;
/// assert!(rule::ALL.contains(&rule::ZERO_WIDTH));
/// ```
pub const ALL: &[&str] = &[
    TAG_CHARACTER,
    VARIATION_SELECTOR,
    ZERO_WIDTH,
    BIDI_CONTROL,
    DIRECTION_MARK,
    FILLER,
    BRAILLE_BLANK,
    GRAPHEME_JOINER,
    SOFT_HYPHEN,
    MATH_OPERATOR,
    DEPRECATED_FORMAT,
    FORMAT_CHARACTER,
    ANNOTATION,
    OBJECT_REPLACEMENT,
    IGNORABLE,
    NONCHARACTER,
    PRIVATE_USE,
    CONTROL,
    ESCAPE_SEQUENCE,
    CARRIAGE_RETURN,
    LINE_SEPARATOR,
    LINE_BREAK,
    COMBINING_RUN,
    PADDING,
    LENGTH,
    MIXED_SCRIPT,
    LINK_MISMATCH,
    ACTIVE_LINK,
    PARAMETER,
];

/// What to do about a finding of `rule`, in one sentence for the author of the text.
pub(crate) fn advice(rule: &'static str) -> &'static str {
    match rule {
        TAG_CHARACTER => "remove it: tag characters spell text that only a model reads",
        VARIATION_SELECTOR => "remove it: a selector belongs after an emoji or an ideograph, once",
        ZERO_WIDTH => "remove it: it splits or hides words without a trace",
        BIDI_CONTROL => "remove it: it shows the text in another order than it is read",
        DIRECTION_MARK => "remove it: a direction mark belongs next to right-to-left text, once",
        FILLER | BRAILLE_BLANK => "remove it, or write a space",
        GRAPHEME_JOINER => "remove it: it belongs between two combining marks",
        SOFT_HYPHEN => "remove it: nothing here hyphenates",
        MATH_OPERATOR => "remove it, or write the operator",
        DEPRECATED_FORMAT => "remove it: Unicode has deprecated it",
        FORMAT_CHARACTER => "remove it: what it formats is not here",
        ANNOTATION => "remove it, and write the annotation in brackets",
        OBJECT_REPLACEMENT => "remove it: the object it stands for is not here",
        IGNORABLE | NONCHARACTER => "remove it: it is no character",
        PRIVATE_USE => "remove it: it means something else in every font",
        CONTROL => "remove it",
        ESCAPE_SEQUENCE => "remove it: on a terminal it changes or hides what is shown",
        CARRIAGE_RETURN => "write a line feed",
        LINE_SEPARATOR => "write a line feed, or a space where there is one line",
        LINE_BREAK => "write a space: this field has one line",
        COMBINING_RUN => "keep the first eight marks",
        PADDING => "remove it: it pushes what follows out of sight",
        LENGTH => "shorten it: nobody reads that much before approving a tool",
        MIXED_SCRIPT => "write the word in one alphabet",
        LINK_MISMATCH => "show the address that the link leads to",
        ACTIVE_LINK => "remove it: following it runs code",
        PARAMETER => "ask for what the tool needs under its own name",
        _ => "remove it",
    }
}
