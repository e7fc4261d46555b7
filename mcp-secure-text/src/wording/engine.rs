//! From words to rules: the words of a text are found, and each rule waits for its words in turn.
//!
//! A pattern is a list of classes with the largest gap before each. It keeps, for each of its
//! places, the latest chain of words that reached it; a word extends the chains that end close
//! enough before it. So the work is the number of words times the patterns a class stands in,
//! whatever the text. Where the words of two neighbouring blocks have not all classes of any
//! pattern, no chain is kept at all: a pattern is shorter than a block.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::lexicon::{self, COMMON, Classes, FREQUENT};
use super::rules::{RULES, Rule};
use super::words::{Ends, Hit, Words};
use crate::view::fold;

/// One word of the lists, as the automaton knows it.
struct Lexeme {
    /// As it stands in the list, for evidence.
    word: &'static str,
    classes: Classes,
}

/// The words and the patterns, compiled once.
pub(super) struct Engine {
    lexemes: Vec<Lexeme>,
    pub(super) words: Words,
    /// Classes of which a text has one if any rule matches.
    anchors: Classes,
    patterns: Vec<Pattern>,
    /// For each class, the places that wait for it, last places first.
    waiting: [Vec<(usize, usize)>; 128],
    places: usize,
    /// More bytes than any match has.
    block: usize,
}

struct Pattern {
    rule: &'static Rule,
    slots: &'static [(usize, Classes)],
    /// Where its places begin in the table of chains.
    first: usize,
}

/// A rule that matched.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) rule: &'static Rule,
    pub(super) span: Range<usize>,
    pub(super) words: Vec<&'static str>,
}

/// The longest pattern.
pub(super) const MAX_SLOTS: usize = 6;

#[derive(Clone, Copy)]
struct Chain {
    start: usize,
    end: usize,
    words: [u16; MAX_SLOTS],
}

/// Whether `word` is certainly as folding would leave it: most are, and there are thousands.
pub(super) fn is_folded(word: &str) -> bool {
    word.bytes()
        .all(|b| matches!(b, b'!'..=b'@' | b'['..=b'~' | b' '))
        && !word.contains("  ")
}

pub(super) static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);

impl Engine {
    fn new() -> Self {
        let most = lexicon::ALL.iter().flat_map(|list| list.iter());
        let most = most.map(|(_, words)| words.len()).sum();
        let mut lexemes: Vec<Lexeme> = Vec::with_capacity(most);
        let mut needles: Vec<(String, (bool, bool))> = Vec::with_capacity(most);
        let mut known = HashMap::<(String, bool, bool), usize>::with_capacity(most);
        for &(classes, words) in lexicon::ALL.iter().flat_map(|list| list.iter()) {
            for &word in words {
                let bare = word.strip_prefix('…').unwrap_or(word);
                let open_start = bare.len() < word.len();
                let trimmed = bare.strip_suffix('…').unwrap_or(bare);
                let open_end = trimmed.len() < bare.len();
                let folded = if is_folded(trimmed) {
                    trimmed.to_owned()
                } else {
                    fold(trimmed).text
                };
                let key = (folded.clone(), open_start, open_end);
                if let Some(lexeme) = known.get(&key).and_then(|&at| lexemes.get_mut(at)) {
                    lexeme.classes |= classes;
                    continue;
                }
                known.insert(key, lexemes.len());
                // `.env` is a file, and the end of `process.env` is not.
                let edge = |c: Option<char>, open: bool| {
                    !open && c.is_some_and(|c| is_word(c) || c == '.')
                };
                let edges = (
                    edge(folded.chars().next(), open_start),
                    edge(folded.chars().next_back(), open_end),
                );
                lexemes.push(Lexeme { word, classes });
                needles.push((folded, edges));
            }
        }
        let words = Words::new(needles.iter().map(|(word, edges)| (word.as_str(), *edges)));
        let mut longest_pattern = 0;
        let mut patterns = Vec::new();
        let mut waiting: [Vec<(usize, usize)>; 128] = std::array::from_fn(|_| Vec::new());
        let mut anchors: Classes = 0;
        let mut places = 0;
        for rule in RULES {
            for slots in rule.patterns {
                let rare = |leave: Classes| slots.iter().find(|(_, c)| c & leave == 0);
                if let Some(&(_, anchor)) = rare(COMMON | FREQUENT).or_else(|| rare(COMMON)) {
                    anchors |= anchor;
                }
                let gaps: usize = slots.iter().map(|(gap, _)| gap).sum();
                longest_pattern = longest_pattern.max(gaps + slots.len() * words.longest);
                for (place, &(_, classes)) in slots.iter().enumerate() {
                    for (class, list) in waiting.iter_mut().enumerate() {
                        if classes & (1 << class) != 0 {
                            list.push((patterns.len(), place));
                        }
                    }
                }
                patterns.push(Pattern {
                    rule,
                    slots,
                    first: places,
                });
                places += slots.len();
            }
        }
        for list in &mut waiting {
            list.sort_by_key(|&(_, place)| std::cmp::Reverse(place));
        }
        Self {
            lexemes,
            words,
            anchors,
            patterns,
            waiting,
            places,
            block: longest_pattern.max(1024),
        }
    }

    /// The words of which a text has one if any rule matches.
    pub(super) fn anchors(&self) -> impl Iterator<Item = &'static str> {
        let anchors = |lexeme: &&Lexeme| lexeme.classes & self.anchors != 0;
        let words = self.lexemes.iter().filter(anchors);
        words.map(|lexeme| lexeme.word)
    }

    /// Whether any rule could match `text`, which need not be folded if it is ASCII.
    pub(super) fn may_match(&self, text: &str) -> bool {
        let mut before = 0;
        Window::each(text.as_bytes(), |bytes, starts| {
            let mut classes = 0;
            self.words.find(bytes, starts, Ends::Words, &mut |hit| {
                classes |= self.classes(hit);
            });
            let may = self.may_hold(before | classes);
            before = classes;
            may
        })
    }

    /// Whether words of these classes are enough for any pattern.
    fn may_hold(&self, classes: Classes) -> bool {
        let all = |pattern: &Pattern| pattern.slots.iter().all(|(_, slot)| slot & classes != 0);
        classes & self.anchors != 0 && self.patterns.iter().any(all)
    }

    fn classes(&self, hit: Hit) -> Classes {
        let lexeme = self.lexemes.get(usize::from(hit.word));
        lexeme.map_or(0, |lexeme| lexeme.classes)
    }

    /// Every rule that matches the folded `text`; `joined` where words have no ends.
    pub(super) fn matches(&self, text: &str, joined: bool, found: &mut Vec<Match>) {
        let spaced;
        let line = if text.contains('\n') {
            spaced = text.replace('\n', " ");
            &spaced
        } else {
            text
        };
        let ends = if joined { Ends::Anywhere } else { Ends::Words };
        let mut hits = Vec::new();
        let mut blocks: Vec<Classes> = vec![0; line.len() / self.block + 2];
        self.words
            .find(line.as_bytes(), 0..line.len(), ends, &mut |hit| {
                if let Some(block) = blocks.get_mut(hit.start / self.block) {
                    *block |= self.classes(hit);
                }
                hits.push(hit);
            });
        let mut kept = vec![false; blocks.len()];
        let mut any = false;
        for (at, pair) in blocks.windows(2).enumerate() {
            if self.may_hold(pair.iter().fold(0, |all, classes| all | classes)) {
                any = true;
                kept.iter_mut().skip(at).take(2).for_each(|k| *k = true);
            }
        }
        if !any {
            return;
        }
        hits.retain(|hit| kept.get(hit.start / self.block) == Some(&true));
        // In the order in which they end, and of two that end together the longer one first.
        hits.sort_unstable_by_key(|hit| (hit.end, hit.start, hit.word));
        let mut chains = Chains {
            places: vec![0; self.places],
            chains: Vec::new(),
        };
        for hit in hits {
            let mut classes = self.classes(hit);
            while classes != 0 {
                let class = classes.trailing_zeros() as usize;
                classes &= classes - 1;
                for &(pattern, place) in self.waiting.get(class).into_iter().flatten() {
                    self.extend(pattern, place, hit, &mut chains, found);
                }
            }
        }
    }

    fn extend(
        &self,
        pattern: usize,
        place: usize,
        Hit { start, end, word }: Hit,
        chains: &mut Chains,
        found: &mut Vec<Match>,
    ) -> Option<()> {
        let pattern = self.patterns.get(pattern)?;
        let &(gap, _) = pattern.slots.get(place)?;
        let mut chain = match place.checked_sub(1) {
            None => Chain {
                start,
                end,
                words: [u16::MAX; MAX_SLOTS],
            },
            Some(before) => {
                let before = *chains.get(pattern.first + before)?;
                if start < before.end || start - before.end > gap {
                    return None;
                }
                before
            }
        };
        chain.end = end;
        *chain.words.get_mut(place)? = word;
        if place + 1 < pattern.slots.len() {
            chains.put(pattern.first + place, chain);
        } else {
            found.push(Match {
                rule: pattern.rule,
                span: chain.start..chain.end,
                words: chain
                    .words
                    .iter()
                    .filter_map(|&word| Some(self.lexemes.get(usize::from(word))?.word))
                    .collect(),
            });
        }
        None
    }
}

/// The chains that reached a place, if any did.
struct Chains {
    /// For each place the number of its chain, from one on.
    places: Vec<u16>,
    chains: Vec<Chain>,
}

impl Chains {
    fn get(&self, place: usize) -> Option<&Chain> {
        let number = self.places.get(place)?.checked_sub(1)?;
        self.chains.get(usize::from(number))
    }

    fn put(&mut self, place: usize, chain: Chain) -> Option<()> {
        let number = self.places.get_mut(place)?;
        match number.checked_sub(1) {
            Some(known) => {
                let old = self.chains.get_mut(usize::from(known))?;
                // Of two words that end together the longer one stays: it began earlier.
                if old.end < chain.end || old.start > chain.start {
                    *old = chain;
                }
            }
            None => {
                self.chains.push(chain);
                *number = u16::try_from(self.chains.len()).ok()?;
            }
        }
        None
    }
}

/// A stretch of a text in ASCII, folded: lower case, one space for any whitespace.
struct Window;

impl Window {
    const SIZE: usize = 3072;
    /// What is kept of the text before, and how far ahead is looked: more than a word.
    const AROUND: usize = 256;

    /// Gives each window to `check`, with the bytes that are new in it, until that says yes. New
    /// are more bytes than a match can have.
    fn each(text: &[u8], check: impl FnMut(&[u8], Range<usize>) -> bool) -> bool {
        if text.len() <= 2 * Self::AROUND {
            Self::each_of(&mut [0; 2 * Self::AROUND], text, check)
        } else {
            Self::each_of(&mut [0; Self::SIZE], text, check)
        }
    }

    fn each_of(
        window: &mut [u8],
        text: &[u8],
        mut check: impl FnMut(&[u8], Range<usize>) -> bool,
    ) -> bool {
        let (mut rest, mut filled, mut from) = (text, 0, 0);
        loop {
            rest = fill(rest, window, &mut filled);
            let to = if rest.is_empty() {
                filled
            } else {
                filled - Self::AROUND
            };
            if check(window.get(..filled).unwrap_or_default(), from..to) {
                return true;
            }
            if rest.is_empty() {
                return false;
            }
            window.copy_within(to - Self::AROUND..filled, 0);
            from = Self::AROUND;
            filled = 2 * Self::AROUND;
        }
    }
}

/// Folds as much of `text` as there is room for behind what is `filled`; the rest of it.
fn fill<'t>(text: &'t [u8], window: &mut [u8], filled: &mut usize) -> &'t [u8] {
    const BLOCK: usize = 32;
    let mut rest = text;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>()
        && let Some(out) = window.get_mut(*filled..*filled + BLOCK)
    {
        let mut spaces = [0_u8; BLOCK];
        let mut odd = 0;
        for ((&b, space), out) in block.iter().zip(&mut spaces).zip(out) {
            *space = u8::from((b == b' ') | (b.wrapping_sub(b'\t') < 5));
            odd |= u8::from((b < b' ') | (b == 0x7F)) & !*space;
            *out = if *space != 0 {
                b' '
            } else {
                b.to_ascii_lowercase()
            };
        }
        let next = spaces.iter().skip(1);
        odd |= spaces.iter().zip(next).fold(0, |odd, (a, b)| odd | a & b);
        let [first, ..] = spaces;
        if odd | first & u8::from(ends_in_space(window, *filled)) == 0 {
            *filled += BLOCK;
        } else {
            for &b in block {
                put(b, window, filled);
            }
        }
        rest = after;
    }
    while let Some((&b, after)) = rest.split_first()
        && *filled < window.len()
    {
        put(b, window, filled);
        rest = after;
    }
    rest
}

fn put(b: u8, window: &mut [u8], filled: &mut usize) {
    let b = match b {
        b' ' | b'\t'..=b'\r' if ends_in_space(window, *filled) => return,
        b' ' | b'\t'..=b'\r' => b' ',
        0..b' ' | 0x7F => return,
        _ => b.to_ascii_lowercase(),
    };
    if let Some(out) = window.get_mut(*filled) {
        *out = b;
        *filled += 1;
    }
}

fn ends_in_space(window: &[u8], filled: usize) -> bool {
    filled.checked_sub(1).and_then(|last| window.get(last)) == Some(&b' ')
}

/// Letters and digits that belong to a word. Scripts without spaces have no word edges.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || (c.is_alphanumeric() && c > '\u{7F}' && !is_spaceless(c))
}

fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{EFF}' | '\u{1100}'..='\u{11FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Whether the last character before `at` is part of a word.
pub(super) fn ends_in_word(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    match before.last() {
        None => false,
        Some(b) if b.is_ascii() => b.is_ascii_alphanumeric(),
        Some(_) => {
            let ends = before.iter().rposition(|&b| b >= 0xC0).unwrap_or_default();
            first(before.get(ends..).unwrap_or_default()).is_some_and(is_word)
        }
    }
}

/// Whether the character at `at` is part of a word.
pub(super) fn begins_in_word(text: &[u8], at: usize) -> bool {
    let after = text.get(at..).unwrap_or_default();
    match after.first() {
        None => false,
        Some(b) if b.is_ascii() => b.is_ascii_alphanumeric(),
        Some(_) => first(after).is_some_and(is_word),
    }
}

fn first(utf8: &[u8]) -> Option<char> {
    let length = match utf8.first()? {
        0xF0.. => 4,
        0xE0.. => 3,
        _ => 2,
    };
    str::from_utf8(utf8.get(..length)?).ok()?.chars().next()
}
