//! The walk over a text: the gate, the one loop, and the verdict on each character.
//!
//! Nothing here allocates, and nothing looks further ahead than it remembers, so the walk is
//! linear, and no further than [`LOOKAHEAD`], so a text can come in pieces. It knows neither
//! reports nor policies.

mod context;
mod escape;

use std::ops::Range;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

use crate::report::{Field, Severity};
use crate::rule;

/// How many marks one character may carry. The tallest stack in ordinary use, in Tibetan, has eight.
const MAX_MARKS: usize = 8;

/// So many hidden characters in a row are no accident of copying.
const HIDDEN_RUN: usize = 3;

/// How far ahead, in bytes, anything is looked for: the end of an escape sequence, the letter that
/// a direction mark belongs to, the Braille after blanks.
pub(crate) const LOOKAHEAD: usize = 4096;

/// How far ahead a character is looked at when none of those is looked for: a flag has 24 bytes.
const NEXT: usize = 32;

/// How much of an unfinished text is not judged yet, at most.
pub(crate) const UNSETTLED: usize = LOOKAHEAD + NEXT;

/// The gate: whether `text` is printable ASCII with the line breaks of `field`, and so clean.
pub(crate) fn is_plain(text: &str, field: Field) -> bool {
    // Whole blocks without a branch inside: this is what lets the compiler vectorise it.
    let multiline = field.is_multiline();
    text.as_bytes().chunks(256).all(|block| {
        block
            .iter()
            .fold(true, |plain, &b| plain & is_plain_byte(b, multiline))
    })
}

#[inline(always)]
fn is_plain_byte(b: u8, multiline: bool) -> bool {
    (b.wrapping_sub(b' ') <= b'~' - b' ') | (multiline & ((b == b'\n') | (b == b'\t')))
}

/// One finding on its way out of the walk.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) span: Range<usize>,
    pub(crate) character: char,
    pub(crate) count: usize,
}

/// The walk. Yields findings in order; neighbours of one rule come as one.
///
/// What makes a hidden character right (`prev`, `base`) is forgotten at each finding, and what
/// makes it wrong (`last`, `marks`) is not. So nothing that was kept turns wrong when the findings around
/// it are taken out or written as ASCII, and sanitizing twice is sanitizing once.
pub(crate) struct Scan<'t> {
    text: &'t str,
    field: Field,
    pos: usize,
    /// The character before `pos`, if it was kept.
    prev: Option<char>,
    /// The last character that was kept.
    last: Option<char>,
    /// The last visible character that is no mark, if since then came only what belongs to it.
    base: Option<char>,
    /// The last visible character, whatever came since.
    seen: Option<char>,
    /// Marks since the last visible character that is no mark.
    marks: usize,
    /// Whether a right-to-left letter came before.
    rtl_seen: bool,
    ahead: Ahead,
    /// Whether more of the text is to come.
    more: bool,
    /// Where the last soft hyphen ended.
    soft_hyphen_end: Option<usize>,
    /// The length and end of the current run of hidden characters.
    run: (usize, usize),
    pending: Option<Hit>,
}

/// What is known of the line from `from` on.
#[derive(Default)]
struct Ahead {
    from: usize,
    /// There is no right-to-left letter from `from` up to this byte.
    to: usize,
    /// How far it is from one to the other.
    distance: usize,
    /// What stands there: a right-to-left letter, or the end of the line.
    ends: Option<bool>,
}

/// How far it is over `c`: as long as it can become when it is written as ASCII, so that nothing
/// is farther away in text that was sanitized.
fn distance(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        _ => r"\u{10FFFF}".len(),
    }
}

enum Verdict {
    /// A character people see.
    Visible,
    /// A combining mark.
    Mark,
    /// A hidden character in its place; up to this byte.
    Kept(usize),
    /// A hidden character out of place.
    Wrong(&'static str, Severity),
    /// The same, up to this byte.
    WrongUntil(&'static str, Severity, usize),
}

use Severity::{Deny, Warn};
use Verdict::{Kept, Mark, Visible, Wrong, WrongUntil};

impl Iterator for Scan<'_> {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        loop {
            let Some(hit) = self.advance() else {
                return self.pending.take();
            };
            match &mut self.pending {
                Some(last)
                    if last.rule == hit.rule
                        && last.span.end == hit.span.start
                        && hit.rule != rule::ESCAPE_SEQUENCE =>
                {
                    last.span.end = hit.span.end;
                    last.count += hit.count;
                    last.severity = last.severity.max(hit.severity);
                }
                pending => {
                    if let Some(done) = pending.replace(hit) {
                        return Some(done);
                    }
                }
            }
        }
    }
}

impl Scan<'static> {
    /// Goes on with a walk that was [detached](Scan::detach), in a text that has `more` to come.
    pub(crate) fn attach(self, text: &str, more: bool) -> Scan<'_> {
        Scan { text, more, ..self }
    }

    /// Goes on behind plain text that ends in `c`.
    pub(crate) fn pass(&mut self, c: char) {
        self.visible(c);
    }
}

impl<'t> Scan<'t> {
    pub(crate) fn new(text: &'t str, field: Field) -> Self {
        Self {
            text,
            field,
            pos: 0,
            prev: None,
            last: None,
            base: None,
            seen: None,
            marks: 0,
            rtl_seen: false,
            ahead: Ahead::default(),
            more: false,
            soft_hyphen_end: None,
            run: (0, usize::MAX),
            pending: None,
        }
    }

    /// How much of the text is judged.
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// The walk without its text, of which the first `gone` bytes are forgotten. How bad the next
    /// finding is may be forgotten with them.
    pub(crate) fn detach(self, gone: usize) -> Scan<'static> {
        let (ahead, soft_hyphen_end, run) = if gone > 0 {
            (Ahead::default(), None, (0, usize::MAX))
        } else {
            (self.ahead, self.soft_hyphen_end, self.run)
        };
        Scan {
            text: "",
            field: self.field,
            pos: self.pos.saturating_sub(gone),
            prev: self.prev,
            last: self.last,
            base: self.base,
            seen: self.seen,
            marks: self.marks,
            rtl_seen: self.rtl_seen,
            ahead,
            more: self.more,
            soft_hyphen_end,
            run,
            pending: self.pending,
        }
    }

    /// Walks to the next character that is out of place.
    fn advance(&mut self) -> Option<Hit> {
        loop {
            self.skip_plain();
            let start = self.pos;
            let c = self.after(start)?;
            let end = start + c.len_utf8();
            if self.more && !self.is_settled(c, start) {
                return None;
            }
            match self.judge(c, start, end) {
                Visible => {
                    self.pos = end;
                    self.visible(c);
                }
                Mark if self.marks < MAX_MARKS => {
                    self.pos = end;
                    self.marks += 1;
                    self.prev = Some(c);
                    self.last = Some(c);
                    self.seen = Some(c);
                }
                Kept(end) => {
                    self.pos = end;
                    // The last character of what was kept: of a tag sequence, the cancel tag.
                    self.prev = self.text.get(..end).and_then(|t| t.chars().next_back());
                    self.last = self.prev;
                }
                Mark => return Some(self.hit(c, rule::COMBINING_RUN, Deny, end)),
                Wrong(rule, severity) => return Some(self.hit(c, rule, severity, end)),
                WrongUntil(rule, severity, end) => return Some(self.hit(c, rule, severity, end)),
            }
        }
    }

    /// Whether `c`, which stands at byte `start`, is judged the same whatever comes after the text
    /// so far.
    fn is_settled(&self, c: char, start: usize) -> bool {
        let far = match c {
            '\u{61C}' | '\u{200E}' | '\u{200F}' => !self.rtl_seen,
            '\u{1B}' | '\u{80}'..='\u{9F}' | '\u{2800}' => true,
            _ => false,
        };
        self.text.len() - start >= if far { UNSETTLED } else { NEXT }
    }

    /// Over the plain ASCII at `pos`, and letters that are nothing but visible.
    fn skip_plain(&mut self) {
        let multiline = self.field.is_multiline();
        let start = self.pos;
        loop {
            let rest = self.text.as_bytes().get(self.pos..).unwrap_or_default();
            let plain = rest
                .iter()
                .take_while(|&&b| is_plain_byte(b, multiline))
                .count();
            let letter = context::visible_letter(rest.get(plain..).unwrap_or_default());
            self.pos += plain + letter;
            if plain + letter == 0 {
                break;
            }
        }
        let skipped = self.text.get(start..self.pos).unwrap_or_default();
        if let Some(last) = skipped.chars().next_back() {
            self.visible(last);
        }
    }

    fn visible(&mut self, c: char) {
        self.prev = Some(c);
        self.last = Some(c);
        self.base = Some(c);
        self.seen = Some(c);
        self.marks = 0;
        self.rtl_seen |= context::is_rtl_letter(c);
    }

    fn hit(&mut self, character: char, rule: &'static str, severity: Severity, end: usize) -> Hit {
        let span = self.pos..end;
        let count = self.text.get(span.clone()).map_or(1, |t| t.chars().count());
        self.pos = end;
        self.prev = None;
        self.base = None;
        self.run.0 = if self.run.1 == span.start {
            self.run.0 + count
        } else {
            count
        };
        self.run.1 = end;
        let breaks = matches!(rule, rule::LINE_BREAK | rule::LINE_SEPARATOR);
        let visible = matches!(rule, rule::BRAILLE_BLANK | rule::PRIVATE_USE);
        let hoard = self.run.0 >= HIDDEN_RUN && !breaks && !visible;
        let severity = if hoard || self.field == Field::Name {
            Deny
        } else {
            severity
        };
        Hit {
            rule,
            severity,
            span,
            character,
            count,
        }
    }

    /// The character at byte `at`.
    fn after(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    /// The verdict on `c`, which stands at `start..end`.
    fn judge(&mut self, c: char, start: usize, end: usize) -> Verdict {
        match c {
            // Plain ones never get here.
            '\n' | '\t' => Wrong(rule::LINE_BREAK, Warn),
            '\r' if self.after(end) != Some('\n') => Wrong(rule::CARRIAGE_RETURN, Deny),
            '\r' if self.field.is_multiline() => Visible,
            '\r' => Wrong(rule::LINE_BREAK, Warn),
            '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                Wrong(rule::LINE_SEPARATOR, Warn)
            }
            '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' => match escape::sequence_end(self.text, start) {
                Some(end) => WrongUntil(rule::ESCAPE_SEQUENCE, Deny, end),
                None => Wrong(rule::CONTROL, Deny),
            },
            '\u{AD}' => self.soft_hyphen(start, end),
            '\u{34F}' => self.grapheme_joiner(end),
            '\u{61C}' | '\u{200E}' | '\u{200F}' => self.direction_mark(end),
            '\u{115F}' | '\u{1160}' => self.hangul_filler(end),
            '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}' => Wrong(rule::FILLER, Deny),
            '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' => {
                self.variation_selector(c, end)
            }
            '\u{180E}' => self.vowel_separator(end),
            '\u{200B}' => self.zero_width_space(end),
            '\u{200C}' | '\u{200D}' => self.joiner(c, end),
            '\u{2060}' | '\u{FEFF}' => Wrong(rule::ZERO_WIDTH, self.zero_width_severity(end)),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Wrong(rule::BIDI_CONTROL, Deny),
            '\u{2061}'..='\u{2064}' => Wrong(rule::MATH_OPERATOR, self.zero_width_severity(end)),
            '\u{206A}'..='\u{206F}' => Wrong(rule::DEPRECATED_FORMAT, Deny),
            '\u{2800}' => self.braille_blank(end),
            '\u{FFF9}'..='\u{FFFB}' => Wrong(rule::ANNOTATION, Deny),
            '\u{FFFC}' => Wrong(rule::OBJECT_REPLACEMENT, Warn),
            '\u{E000}'..='\u{F8FF}' => Wrong(rule::PRIVATE_USE, Warn),
            '\u{FDD0}'..='\u{FDEF}' => Wrong(rule::NONCHARACTER, Deny),
            _ if u32::from(c) & 0xFFFE == 0xFFFE => Wrong(rule::NONCHARACTER, Deny),
            '\u{F0000}'.. => Wrong(rule::PRIVATE_USE, Deny),
            '\u{E0001}' | '\u{E0020}'..='\u{E007F}' => self.tag(start),
            '\u{E0100}'..='\u{E01EF}' => self.variation_selector(c, end),
            // The tag block as a whole: its unassigned code points carry data as well.
            '\u{E0000}'..='\u{E007F}' => Wrong(rule::TAG_CHARACTER, Deny),
            // Default_Ignorable_Code_Point, unassigned.
            '\u{2065}' | '\u{FFF0}'..='\u{FFF8}' | '\u{E0080}'..='\u{E0FFF}' => {
                Wrong(rule::IGNORABLE, Deny)
            }
            _ if context::is_never_mark(c) => Visible,
            _ => match c.general_category() {
                GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => Mark,
                GeneralCategory::Format => self.format(c, end),
                _ => Visible,
            },
        }
    }

    fn soft_hyphen(&mut self, start: usize, end: usize) -> Verdict {
        let crowded = self.soft_hyphen_end.replace(end).is_some_and(|last| {
            let between = self.text.get(last..start).unwrap_or_default();
            between.chars().nth(1).is_none()
        });
        Wrong(rule::SOFT_HYPHEN, if crowded { Deny } else { Warn })
    }

    /// Right between two marks: it keeps normalisation from swapping them.
    fn grapheme_joiner(&mut self, end: usize) -> Verdict {
        // The second mark must be one that is kept.
        let marked = self.prev.is_some_and(context::is_mark)
            && self.after(end).is_some_and(context::is_mark)
            && self.marks + 1 < MAX_MARKS;
        if marked {
            self.marks += 1;
            Kept(end)
        } else {
            Wrong(rule::GRAPHEME_JOINER, Deny)
        }
    }

    fn direction_mark(&mut self, end: usize) -> Verdict {
        let doubled = matches!(self.last, Some('\u{61C}' | '\u{200E}' | '\u{200F}'));
        if !doubled && (self.rtl_seen || self.rtl_ahead(end)) {
            return Kept(end);
        }
        Wrong(rule::DIRECTION_MARK, self.zero_width_severity(end))
    }

    /// Whether a right-to-left letter follows on this line, and near. Looks at each byte twice at
    /// most: when it comes near, and when it is left behind.
    fn rtl_ahead(&mut self, at: usize) -> bool {
        let ahead = &mut self.ahead;
        if at > ahead.to {
            *ahead = Ahead {
                from: at,
                to: at,
                ..Ahead::default()
            };
        }
        let behind = self.text.get(ahead.from..at).unwrap_or_default();
        ahead.distance -= behind.chars().map(distance).sum::<usize>();
        ahead.from = at;
        if ahead.ends.is_none() {
            for c in self.text.get(ahead.to..).unwrap_or_default().chars() {
                // An escape sequence may start here, and what is inside one goes.
                if context::is_rtl_letter(c) || context::is_line_end(c) {
                    ahead.ends = Some(!context::is_line_end(c));
                    break;
                }
                if ahead.distance > LOOKAHEAD {
                    break;
                }
                ahead.distance += distance(c);
                ahead.to += c.len_utf8();
            }
        }
        ahead.ends == Some(true) && ahead.distance <= LOOKAHEAD
    }

    /// A filler stands for a missing jamo, next to one that is there.
    fn hangul_filler(&self, end: usize) -> Verdict {
        let jamo = self.prev.is_some_and(context::is_visible_jamo)
            || self.after(end).is_some_and(context::is_visible_jamo);
        if jamo {
            Kept(end)
        } else {
            Wrong(rule::FILLER, Deny)
        }
    }

    fn vowel_separator(&self, end: usize) -> Verdict {
        let inside = self.prev.is_some_and(context::is_mongolian_letter)
            && self.after(end).is_some_and(context::is_mongolian_letter);
        if inside {
            Kept(end)
        } else {
            Wrong(rule::FILLER, Deny)
        }
    }

    fn variation_selector(&self, c: char, end: usize) -> Verdict {
        // One selector, right after its base.
        let base = self.prev.filter(|_| self.prev == self.base);
        match base {
            Some('0'..='9' | '#' | '*')
                if c == '\u{FE0F}' && self.after(end) == Some('\u{20E3}') =>
            {
                Kept(end)
            }
            Some(base) if context::takes_selector(base, c) => Kept(end),
            // Symbols that look like emoji and are none: pasted, and harmless alone.
            Some(base)
                if !base.is_ascii()
                    && !base.is_alphabetic()
                    && matches!(c, '\u{FE0E}' | '\u{FE0F}') =>
            {
                Wrong(rule::VARIATION_SELECTOR, Warn)
            }
            // A keycap with its selector at the wrong end.
            None if c == '\u{FE0F}' && self.prev == Some('\u{20E3}') => {
                Wrong(rule::VARIATION_SELECTOR, Warn)
            }
            _ => Wrong(rule::VARIATION_SELECTOR, Deny),
        }
    }

    fn zero_width_space(&self, end: usize) -> Verdict {
        let spaceless = self.base.is_some_and(context::is_spaceless)
            || self.after(end).is_some_and(context::is_spaceless);
        if spaceless && self.last != Some('\u{200B}') {
            return Kept(end);
        }
        Wrong(rule::ZERO_WIDTH, self.zero_width_severity(end))
    }

    fn joiner(&mut self, c: char, end: usize) -> Verdict {
        let next = self.after(end);
        let in_emoji = c == '\u{200D}'
            && (self.prev == self.base || matches!(self.prev, Some('\u{FE0E}' | '\u{FE0F}')))
            && self.base.is_some_and(context::is_emoji)
            && next.is_some_and(context::is_emoji);
        let in_word = self.prev.is_some_and(context::is_joining)
            || self.base.is_some_and(context::is_joining)
            || next.is_some_and(|n| {
                context::is_joining(n) && n.is_alphabetic() && !context::is_mark(n)
            });
        if in_emoji || in_word {
            // What follows has to justify the next joiner itself.
            self.base = None;
            return Kept(end);
        }
        Wrong(rule::ZERO_WIDTH, self.zero_width_severity(end))
    }

    /// Inside a word an invisible character splits it; at its edge it was left there.
    fn zero_width_severity(&self, end: usize) -> Severity {
        let next = self
            .text
            .get(end..)
            .unwrap_or_default()
            .chars()
            .take(HIDDEN_RUN);
        let mut next = next.skip_while(|c| matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}'));
        let splits = self.seen.is_some_and(char::is_alphabetic)
            && next.next().is_some_and(char::is_alphabetic);
        if splits { Deny } else { Warn }
    }

    /// Right next to a Braille cell with dots. A run of blanks is one finding.
    fn braille_blank(&self, end: usize) -> Verdict {
        if self.prev.is_some_and(context::is_braille) {
            return Kept(end);
        }
        let rest = self.text.get(end..).unwrap_or_default().chars();
        let blanks = rest.take(LOOKAHEAD / 3).take_while(|c| *c == '\u{2800}');
        let end = end + blanks.count() * '\u{2800}'.len_utf8();
        let dots = |c: char| c != '\u{2800}' && context::is_braille(c);
        if self.after(end).is_some_and(dots) {
            Kept(end)
        } else {
            WrongUntil(rule::BRAILLE_BLANK, Warn, end)
        }
    }

    fn tag(&self, start: usize) -> Verdict {
        let rest = self.text.get(start..).unwrap_or_default();
        let flag = context::FLAG_TAGS
            .iter()
            .find(|&&tags| rest.starts_with(tags));
        match flag {
            Some(tags) if self.prev == Some('\u{1F3F4}') => Kept(start + tags.len()),
            _ => Wrong(rule::TAG_CHARACTER, Deny),
        }
    }

    /// The other format characters: some are seen, the others format a script of their own.
    fn format(&self, c: char, end: usize) -> Verdict {
        if context::is_seen_format(c) {
            return Visible;
        }
        let near = self.prev.is_some_and(|p| context::is_formatted_by(p, c))
            || self
                .after(end)
                .is_some_and(|n| context::is_formatted_by(n, c));
        if near {
            Kept(end)
        } else {
            Wrong(rule::FORMAT_CHARACTER, Deny)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_are_skipped_are_visible() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            if context::visible_letter(text.as_bytes()) > 0 {
                let verdict = Scan::new(&text, Field::Name).judge(c, 0, text.len());
                assert!(matches!(verdict, Visible), "{c:?}");
                assert!(!context::is_rtl_letter(c), "{c:?}");
            }
        }
    }
}
