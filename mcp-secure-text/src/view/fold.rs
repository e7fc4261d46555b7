//! One spelling for what is read as one: the walk that folds a text.
//!
//! Each step takes one character with the marks on it. Words are respelled when they end, if they
//! turn out to mix Latin letters with look-alikes; each word is respelled at most twice.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_canonical;
use unicode_normalization::{IsNormalized, is_nfkc_quick};

use super::letters::{
    Kind, enclosed, has_no_case, is_alike, is_hidden, is_line_break, is_mark, is_never_attached,
    is_own_letter, is_russian, is_stable, is_stable_mark, kind, look_alike, plain, sheds_marks,
    stand_in, tag,
};
use super::map::{Builder, Map};

/// So many marks on one character are put in order; more are read as they come.
const MAX_CLUSTER: usize = 32;

/// So many letters that all look Latin are a phrase of their own.
const ALIKE_PHRASE: usize = 10;

/// A text, folded.
pub(super) struct Folded {
    pub(super) text: String,
    pub(super) map: Arc<Map>,
    /// Whether more changed than case and whitespace.
    pub(super) changed: bool,
}

impl Folded {
    /// The same in lower case, if no letter takes more or less room so.
    pub(super) fn lower(&self) -> Option<Self> {
        if self.text.is_ascii() {
            return Some(Self {
                text: self.text.to_ascii_lowercase(),
                map: Arc::clone(&self.map),
                changed: self.changed,
            });
        }
        let mut text = String::with_capacity(self.text.len());
        for c in self.text.chars() {
            match c {
                '\0'..='\u{7F}' => text.push(c.to_ascii_lowercase()),
                '\u{410}'..='\u{42F}' => text.extend(char::from_u32(u32::from(c) + 0x20)),
                '\u{430}'..='\u{44F}' => text.push(c),
                _ if has_no_case(c) => text.push(c),
                _ => {
                    let before = text.len();
                    text.extend(c.to_lowercase());
                    if text.len() - before != c.len_utf8() {
                        return None;
                    }
                }
            }
        }
        Some(Self {
            text,
            map: Arc::clone(&self.map),
            changed: self.changed,
        })
    }
}

/// What becomes of capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    /// For decoders, whose alphabets tell them apart.
    Kept,
}

pub(super) fn fold(text: &str, case: Case) -> Folded {
    if text.is_ascii() {
        return fold_ascii(text, case);
    }
    let mut walk = Walk {
        text,
        case,
        out: Builder::new(text.len()),
        changed: false,
        sheds: true,
        word: None,
        before: None,
        pending: None,
    };
    walk.run();
    let (text, map) = walk.out.finish();
    Folded {
        text,
        map: Arc::new(map),
        changed: walk.changed,
    }
}

fn fold_ascii(text: &str, case: Case) -> Folded {
    let mut out = Builder::new(text.len());
    let mut changed = false;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let bytes = rest.as_bytes();
        let run = bytes
            .iter()
            .zip(bytes.iter().skip(1))
            .position(|(&a, &b)| a < b' ' || a == 0x7F || (a == b' ' && b <= b' '))
            .unwrap_or(bytes.len() - 1);
        if let Some(run) = rest.get(..run).filter(|run| !run.is_empty()) {
            // What was hidden in between is gone, so whitespace may meet here.
            if run.starts_with(' ') {
                space(&mut out, at, 1, false);
                out.copy(at + 1, run.get(1..).unwrap_or_default());
            } else {
                out.copy(at, run);
            }
        }
        at += run;
        let rest = bytes.get(run..).unwrap_or_default();
        let spaces = rest
            .iter()
            .take_while(|&&b| char::from(b).is_whitespace())
            .count();
        if spaces > 0 {
            let breaks = rest
                .iter()
                .take(spaces)
                .any(|&b| is_line_break(char::from(b)));
            space(&mut out, at, spaces, breaks);
            at += spaces;
        } else if let Some(&b) = rest.first() {
            if is_hidden(char::from(b)) {
                changed = true;
            } else {
                out.put(at, 1, char::from(b));
            }
            at += 1;
        }
    }
    if case == Case::Lower {
        out.text.make_ascii_lowercase();
    }
    let (text, map) = out.finish();
    Folded {
        text,
        map: Arc::new(map),
        changed,
    }
}

/// Whitespace of `from` bytes at `source`: one space, or one line feed.
fn space(out: &mut Builder, source: usize, from: usize, breaks: bool) {
    let at = match out.text.chars().next_back() {
        Some('\n') => return,
        Some(' ') if !breaks => return,
        Some(' ') => {
            let at = out.text.len() - 1;
            out.truncate(at);
            at
        }
        _ => out.text.len(),
    };
    out.text.push(if breaks { '\n' } else { ' ' });
    out.made(at, source, from);
}

struct Walk<'t> {
    text: &'t str,
    case: Case,
    out: Builder,
    changed: bool,
    /// Whether marks on the last character are dropped.
    sheds: bool,
    /// The word that has not ended.
    word: Option<Word>,
    /// What the last word was that was Latin or clearly not.
    before: Option<Kind>,
    /// Where the words started that could be Latin by their looks.
    pending: Option<Word>,
}

/// A word, or some of them.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// Where it starts in the output and in the source.
    start: (usize, usize),
    latin: bool,
    /// Letters of other scripts that could be Latin ones by their looks.
    alike: usize,
    /// Letters that could not.
    foreign: bool,
}

impl Walk<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.text.len() {
            if let Some(end) = self.skip(at) {
                at = end;
                continue;
            }
            let sheds = self.sheds;
            let mut start = self.out.text.len();
            let mut end = self.step(at, false);
            if self.word.is_some() && self.leaves_word(start) {
                // The word ended before this step: it may be respelled first.
                self.out.truncate(start);
                self.sheds = sheds;
                self.end_word(at);
                start = self.out.text.len();
                end = self.step(at, false);
            }
            self.follow(start, at);
            at = end;
        }
        self.end_word(at);
        if let Some(pending) = self.pending
            && (self.before == Some(Kind::Latin)
                || (self.before.is_none() && pending.alike >= ALIKE_PHRASE))
        {
            self.respell(pending.start, at);
        }
    }

    /// Copies what stays as it is, if it starts at `at`: whole ASCII words, or a run of letters of
    /// which none is changed by another.
    fn skip(&mut self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        if rest.starts_with(|c: char| c.is_ascii()) {
            if self.word.is_some() || self.out.text.ends_with([' ', '\n']) && rest.starts_with(' ')
            {
                return None;
            }
            let bytes = rest.as_bytes();
            let run = bytes
                .iter()
                .zip(bytes.iter().skip(1))
                .take_while(|(a, b)| {
                    matches!(a, b' '..=b'~') && matches!(b, b' '..=b'~') && **a | **b != b' '
                })
                .count();
            let run = rest.get(..run)?;
            let end = run.rfind(|c: char| !c.is_ascii_alphanumeric())? + 1;
            let run = run.get(..end)?;
            if run.bytes().any(|b| b.is_ascii_alphabetic()) {
                self.end_neighbours(Kind::Latin, at);
            }
            let start = self.out.text.len();
            self.out.copy(at, run);
            if self.case == Case::Lower
                && let Some(copied) = self.out.text.get_mut(start..)
            {
                copied.make_ascii_lowercase();
            }
            self.sheds = true;
            return Some(at + end);
        }
        if rest.starts_with(is_russian) {
            return self.skip_russian(at, rest);
        }
        let mut end = 0;
        for (i, c) in rest.char_indices() {
            if is_stable(c) {
                // The last one may have something attached to it.
                end = i;
            } else if i == 0 || !is_stable_mark(c) {
                break;
            }
        }
        if end == 0 {
            return None;
        }
        self.end_word(at);
        self.end_neighbours(Kind::Other, at);
        self.out.copy(at, rest.get(..end)?);
        self.sheds = false;
        Some(at + end)
    }

    /// Copies a whole word of Russian letters, with a space or a sign of ASCII behind it.
    fn skip_russian(&mut self, at: usize, rest: &str) -> Option<usize> {
        if self.word.is_some() {
            return None;
        }
        let end = rest.find(|c| !is_russian(c))?;
        let behind = rest.as_bytes().get(end)?;
        if !behind.is_ascii() || behind.is_ascii_alphanumeric() || behind.is_ascii_control() {
            return None;
        }
        let word = rest.get(..end)?;
        let start = self.out.text.len();
        if self.case == Case::Kept {
            self.out.copy(at, word);
        } else {
            self.out.copy(at, "");
            self.out.text.extend(word.chars().map(|c| match c {
                '\u{410}'..='\u{42F}' => char::from_u32(u32::from(c) + 0x20).unwrap_or(c),
                _ => c,
            }));
        }
        self.sheds = true;
        let alike = word.chars().take_while(|c| is_alike(*c)).count();
        self.word = Some(Word {
            start: (start, at),
            latin: false,
            alike,
            foreign: word.chars().nth(alike).is_some(),
        });
        self.end_word(at + end);
        Some(at + end)
    }

    fn leaves_word(&self, start: usize) -> bool {
        let made = self.out.text.get(start..).unwrap_or_default();
        let mut kinds = made.chars().map(kind);
        // Digits and marks stay with the word they follow; the first of the rest decides.
        let first = kinds.find(|kind| *kind != Kind::Neutral);
        matches!(first, Some(Kind::Between | Kind::Other))
    }

    /// Follows the words in what was written since `start` for the source at `at`.
    fn follow(&mut self, start: usize, at: usize) {
        let made = self.out.text.get(start..).unwrap_or_default();
        let mut other = false;
        for c in made.chars() {
            let kind = kind(c);
            match kind {
                Kind::Between => continue,
                Kind::Other => {
                    other = true;
                    continue;
                }
                _ => {}
            }
            let word = self.word.get_or_insert(Word {
                start: (start, at),
                latin: false,
                alike: 0,
                foreign: false,
            });
            match kind {
                Kind::Latin => word.latin = true,
                Kind::Alike if word.foreign => {}
                Kind::Alike => {
                    let source = self.text.get(at..).and_then(|s| s.chars().next());
                    if source.is_some_and(|c| is_alike(c) || is_styled_alike(c)) {
                        word.alike += 1;
                    } else {
                        word.foreign = true;
                    }
                }
                _ => {}
            }
        }
        if other {
            self.end_neighbours(Kind::Other, at);
        }
    }

    fn end_word(&mut self, at: usize) {
        let Some(word) = self.word.take() else {
            return;
        };
        match word {
            Word { latin: true, .. } => {
                if word.foreign || word.alike > 0 {
                    self.respell(word.start, at);
                }
                self.end_neighbours(Kind::Latin, at);
            }
            Word { foreign: true, .. } => self.end_neighbours(Kind::Other, at),
            Word { alike: 0, .. } => {}
            _ => match &mut self.pending {
                Some(pending) => pending.alike += word.alike,
                None => self.pending = Some(word),
            },
        }
    }

    /// Words that could be Latin by their looks are, between words that are.
    fn end_neighbours(&mut self, kind: Kind, at: usize) {
        if let Some(pending) = self.pending.take()
            && kind == Kind::Latin
            && self.before != Some(Kind::Other)
        {
            self.respell(pending.start, at);
        }
        self.before = Some(kind);
    }

    /// Writes the source from the start of a word up to `end` again, in Latin letters.
    fn respell(&mut self, (out, source): (usize, usize), end: usize) {
        self.changed = true;
        self.out.truncate(out);
        self.sheds = true;
        let mut at = source;
        while at < end {
            at = self.step(at, true);
        }
    }

    /// Takes the character at `at` with its marks; where the next one starts.
    fn step(&mut self, at: usize, alike: bool) -> usize {
        let Some(c) = self.text.get(at..).and_then(|rest| rest.chars().next()) else {
            return self.text.len();
        };
        let next = at + c.len_utf8();
        // A Braille cell without dots is a space to whoever sees it.
        if c.is_whitespace() || c == '\u{2800}' {
            self.changed |= c == '\u{2800}';
            space(&mut self.out, at, next - at, is_line_break(c));
            self.sheds = true;
            return next;
        }
        if let Some(c) = tag(c) {
            self.changed = true;
            if c == ' ' {
                space(&mut self.out, at, next - at, false);
            } else {
                let c = self.cased(c);
                self.out.put(at, next - at, c);
            }
            self.sheds = true;
            return next;
        }
        if is_hidden(c) {
            self.changed = true;
            return next;
        }
        let end = self.cluster_end(next);
        if end == next && c.is_ascii() {
            let c = self.cased(c);
            self.out.put(at, 1, c);
            self.sheds = true;
            return next;
        }
        let start = self.out.text.len();
        if end == next && !alike && matches!(c, '\u{410}'..='\u{44F}') {
            // Letters of Russian: no other case, and none that is composed of others.
            let lower = if c < '\u{430}' && self.case == Case::Lower {
                char::from_u32(u32::from(c) + 0x20).unwrap_or(c)
            } else {
                c
            };
            self.out.text.push(lower);
            self.sheds = true;
        } else if end > next {
            let cluster = self.text.get(at..end).unwrap_or_default();
            if is_nfkc_quick(cluster.chars()) == IsNormalized::Yes {
                for c in cluster.chars().filter(|&c| !is_hidden(c)) {
                    self.write(c, alike);
                }
            } else {
                for c in cluster.chars().filter(|&c| !is_hidden(c)).nfkc() {
                    self.write(c, alike);
                }
            }
            let made = self.out.text.get(start..).unwrap_or_default();
            self.changed = self.changed
                || !match self.case {
                    Case::Lower => made == cluster,
                    Case::Kept => made
                        .chars()
                        .flat_map(char::to_lowercase)
                        .eq(cluster.chars()),
                };
        } else if is_stable(c) {
            self.sheds = false;
            self.out.text.push(c);
        } else {
            if is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes {
                self.write(c, alike);
            } else {
                for c in std::iter::once(c).nfkc() {
                    self.write(c, alike);
                }
            }
            let made = self.out.text.get(start..).unwrap_or_default();
            let lower = made.chars().flat_map(char::to_lowercase);
            self.changed = self.changed
                || !(lower.clone().eq(std::iter::once(c)) || lower.eq(c.to_lowercase()));
        }
        self.out.made(start, at, end - at);
        end
    }

    /// Where the marks and other attachments end that may start at `next`.
    fn cluster_end(&self, next: usize) -> usize {
        let ends = |b: &u8| matches!(b, b'\t'..=b'\r' | b' '..=b'~');
        if self.text.as_bytes().get(next).is_none_or(ends) {
            return next;
        }
        let rest = self.text.get(next..).unwrap_or_default();
        let mut end = next;
        let mut count = 0;
        for (i, c) in rest.char_indices() {
            if is_hidden(c) {
                continue;
            }
            if count == MAX_CLUSTER || !is_attached(c) {
                break;
            }
            count += 1;
            end = next + i + c.len_utf8();
        }
        end
    }

    /// Writes a character that normalization has left.
    fn write(&mut self, c: char, alike: bool) {
        if c.is_whitespace() {
            if !self.out.text.ends_with([' ', '\n']) {
                self.out.text.push(' ');
            }
            self.sheds = true;
        } else if is_mark(c) {
            if !self.sheds {
                self.out.text.push(c);
            }
        } else if is_hidden(c) {
        } else if let Some(c) = enclosed(c) {
            let c = if self.case == Case::Lower {
                c
            } else {
                c.to_ascii_uppercase()
            };
            self.out.text.push(c);
            self.sheds = true;
        } else {
            self.sheds = sheds_marks(c);
            if alike && kind(c) == Kind::Alike {
                let latin = look_alike(c).or_else(|| {
                    bare(c)
                        .to_lowercase()
                        .next()
                        .and_then(stand_in)
                        .map(str::to_owned)
                });
                if let Some(latin) = latin {
                    return self.write_as(c, &latin);
                }
            }
            self.spell(c);
        }
    }

    fn spell(&mut self, c: char) {
        let base = if self.sheds { bare(c) } else { c };
        let mut lower = base.to_lowercase();
        let ascii = lower
            .next()
            .and_then(plain)
            .filter(|_| lower.next().is_none());
        match ascii {
            Some(ascii) => self.write_as(base, ascii),
            None if self.case == Case::Lower => self.out.text.extend(base.to_lowercase()),
            None => self.out.text.push(base),
        }
    }

    /// Writes `ascii` for `c`, in the case of `c`.
    fn write_as(&mut self, c: char, ascii: &str) {
        let upper = self.case == Case::Kept && c.is_uppercase();
        self.out.text.extend(
            ascii
                .chars()
                .map(|a| if upper { a.to_ascii_uppercase() } else { a }),
        );
    }

    fn cased(&self, c: char) -> char {
        match self.case {
            Case::Lower => c.to_ascii_lowercase(),
            Case::Kept => c,
        }
    }
}

/// `c` without its marks, if it is no letter of its own with them.
fn bare(c: char) -> char {
    if c.is_ascii() || is_own_letter(c) {
        return c;
    }
    let mut first = None;
    decompose_canonical(c, |part| {
        first.get_or_insert(part);
    });
    first.unwrap_or(c)
}

/// Whether `c` is a letter in another style, such as a bold one, that cannot be told from a Latin
/// letter.
fn is_styled_alike(c: char) -> bool {
    is_nfkc_quick(std::iter::once(c)) != IsNormalized::Yes
        && std::iter::once(c).nfkc().next().is_some_and(is_alike)
}

/// Whether `c` may become one with what stands before it.
fn is_attached(c: char) -> bool {
    if is_never_attached(c) {
        return false;
    }
    if is_mark(c) {
        return true;
    }
    match is_nfkc_quick(std::iter::once(c)) {
        IsNormalized::Yes => false,
        IsNormalized::Maybe => true,
        IsNormalized::No => std::iter::once(c).nfkd().next().is_some_and(|first| {
            is_mark(first) || is_nfkc_quick(std::iter::once(first)) == IsNormalized::Maybe
        }),
    }
}
