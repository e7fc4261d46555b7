//! From words to rules: one automaton finds the words, and each rule waits for its words in turn.
//!
//! A pattern is a list of classes with the largest gap before each. It keeps, for each of its
//! places, the latest chain of words that reached it; a word extends the chains that end close
//! enough before it. So the work is the number of words times the patterns a class stands in,
//! whatever the text.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use super::lexicon::{self, COMMON, Classes};
use super::rules::{RULES, Rule};
use crate::view::fold;

/// One word of the lists, as the automaton knows it.
struct Lexeme {
    /// As it stands in the list, for evidence.
    word: &'static str,
    classes: Classes,
    /// Whether the word must begin, and end, where a word of the text does.
    edges: (bool, bool),
}

/// The words and the patterns, compiled once.
pub(super) struct Engine {
    lexemes: Vec<Lexeme>,
    words: AhoCorasick,
    /// Words that some rule cannot do without.
    gate: AhoCorasick,
    patterns: Vec<Pattern>,
    /// For each class, the places that wait for it, last places first.
    waiting: [Vec<(usize, usize)>; 128],
    places: usize,
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

pub(super) static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);

impl Engine {
    fn new() -> Self {
        let mut lexemes: Vec<Lexeme> = Vec::new();
        let mut needles: Vec<String> = Vec::new();
        let mut known = std::collections::HashMap::<String, usize>::new();
        for &(classes, words) in lexicon::ALL.iter().flat_map(|list| list.iter()) {
            for &word in words {
                let bare = word.strip_prefix('…').unwrap_or(word);
                let open_start = bare.len() < word.len();
                let trimmed = bare.strip_suffix('…').unwrap_or(bare);
                let open_end = trimmed.len() < bare.len();
                let folded = fold(trimmed).text;
                let key = format!("{open_start}{open_end}{folded}");
                if let Some(lexeme) = known.get(&key).and_then(|&at| lexemes.get_mut(at)) {
                    lexeme.classes |= classes;
                    continue;
                }
                known.insert(key, lexemes.len());
                // `.env` is a file, and the end of `process.env` is not.
                let edge = |c: Option<char>, open: bool| {
                    !open && c.is_some_and(|c| is_word(c) || c == '.')
                };
                lexemes.push(Lexeme {
                    word,
                    classes,
                    edges: (
                        edge(folded.chars().next(), open_start),
                        edge(folded.chars().next_back(), open_end),
                    ),
                });
                needles.push(folded);
            }
        }
        let mut patterns = Vec::new();
        let mut waiting: [Vec<(usize, usize)>; 128] = std::array::from_fn(|_| Vec::new());
        let mut anchors: Classes = 0;
        let mut places = 0;
        for rule in RULES {
            for slots in rule.patterns {
                if let Some(&(_, anchor)) = slots.iter().find(|(_, c)| c & COMMON == 0) {
                    anchors |= anchor;
                }
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
        let gate: Vec<&str> = needles
            .iter()
            .zip(&lexemes)
            .filter(|(_, lexeme)| lexeme.classes & anchors != 0)
            .map(|(needle, _)| needle.as_str())
            .collect();
        let gate = automaton(&gate, true);
        Self {
            words: automaton(&needles, false),
            gate,
            lexemes,
            patterns,
            waiting,
            places,
        }
    }

    /// Whether any rule could match `text`, which need not be folded if it is ASCII.
    pub(super) fn may_match(&self, text: &str) -> bool {
        self.gate.is_match(text)
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
        let mut chains: Vec<Option<Chain>> = vec![None; self.places];
        for hit in self.words.find_overlapping_iter(line) {
            let Some(lexeme) = self.lexemes.get(hit.pattern().as_usize()) else {
                continue;
            };
            let (start, end) = (hit.start(), hit.end());
            let fits = if joined {
                end - start >= 4
            } else {
                (!lexeme.edges.0 || !ends_in_word(line, start))
                    && (!lexeme.edges.1 || !begins_in_word(line, end))
            };
            if !fits {
                continue;
            }
            let word = u16::try_from(hit.pattern().as_usize()).unwrap_or(u16::MAX);
            let mut classes = lexeme.classes;
            while classes != 0 {
                let class = classes.trailing_zeros() as usize;
                classes &= classes - 1;
                let Some(waiting) = self.waiting.get(class) else {
                    continue;
                };
                for &(pattern, place) in waiting {
                    self.extend(pattern, place, (start, end, word), &mut chains, found);
                }
            }
        }
    }

    fn extend(
        &self,
        pattern: usize,
        place: usize,
        (start, end, word): (usize, usize, u16),
        chains: &mut [Option<Chain>],
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
                let before = (*chains.get(pattern.first + before)?)?;
                if start < before.end || start - before.end > gap {
                    return None;
                }
                before
            }
        };
        chain.end = end;
        *chain.words.get_mut(place)? = word;
        if place + 1 < pattern.slots.len() {
            let slot = chains.get_mut(pattern.first + place)?;
            // Of two words that end together the longer one stays: it began earlier.
            if slot.is_none_or(|old| old.end < end || old.start > chain.start) {
                *slot = Some(chain);
            }
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

fn automaton<P: AsRef<[u8]>>(needles: &[P], any_case: bool) -> AhoCorasick {
    let built = AhoCorasickBuilder::new()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .ascii_case_insensitive(any_case)
        .build(needles);
    match built {
        Ok(built) => built,
        // The lists are constants of a few thousand bytes: they cannot be too large.
        Err(error) => unreachable!("{error}"),
    }
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

fn ends_in_word(text: &str, at: usize) -> bool {
    text.get(..at)
        .and_then(|before| before.chars().next_back())
        .is_some_and(is_word)
}

fn begins_in_word(text: &str, at: usize) -> bool {
    text.get(at..)
        .and_then(|after| after.chars().next())
        .is_some_and(is_word)
}
