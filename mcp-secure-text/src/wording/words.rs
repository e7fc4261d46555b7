//! Which words of the lists stand in a text.
//!
//! A word is looked up only where it can begin: at the first letter of a word of the text, at a
//! sign, at any letter that is not ASCII. There three bytes say how long the words may be that begin
//! so, and a filter whether there is one of that length, or of eight bytes and more. Words that may begin inside of others are looked up at a sign they hold, or at
//! two letters that seldom meet. An automaton over all lists finds the same words; it is larger
//! than a processor's cache and takes a hundred times as long to build.

use super::engine::{begins_in_word, ends_in_word};

/// The words, in tables.
pub(super) struct Words {
    /// All words, one after another.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// For the hash of three bytes, the lengths of keys that begin so: one bit for each.
    lengths: Box<[u8; 1 << LENGTHS_BITS]>,
    /// One bit for each hash of a key: whether any word has it.
    filter: Box<[u64; 1 << (FILTER_BITS - 6)]>,
    /// The first word with each key, in the slot of its hash or behind it.
    heads: Box<[(u64, u16); HEADS]>,
    /// Two bytes in a row, and the words that are looked up there.
    pairs: Vec<([u8; 2], Vec<u16>)>,
    /// The length of the longest word.
    pub(super) longest: usize,
}

/// A word. Its key is the first eight bytes from those on that it is looked up by, or all of them.
struct Entry {
    /// Where it stands in the bytes.
    at: usize,
    len: usize,
    /// How many bytes of the word stand before its key.
    back: usize,
    edges: (bool, bool),
    /// Whether there is more of the word than its key.
    more: bool,
    /// The next word with the same key.
    next: u16,
}

/// A word that stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) word: u16,
}

/// How words have to stand to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Where words of the text begin and end.
    Words,
    /// Anywhere, if they are not short: the text has no spaces.
    Anywhere,
}

const NONE: u16 = u16::MAX;
const LENGTHS_BITS: u32 = 14;
const FILTER_BITS: u32 = 17;
const HEAD_BITS: u32 = 14;
const HEADS: usize = 1 << HEAD_BITS;
const BLOCK: usize = 64;

/// The shortest word that is found in a text without spaces.
const MIN_ANYWHERE: usize = 4;

/// So many words fit. A table that is full would be searched forever.
const MOST: usize = HEADS / 4 * 3;

impl Words {
    /// How many words there are, and how many there may be.
    #[cfg(test)]
    pub(super) fn filled(&self) -> (usize, usize) {
        (self.entries.len(), MOST)
    }

    /// The tables for `words`, each with whether it must begin, and end, where a word does.
    pub(super) fn new<'w>(words: impl Iterator<Item = (&'w str, (bool, bool))>) -> Self {
        let mut tables = Self {
            bytes: Vec::new(),
            entries: Vec::new(),
            lengths: Box::new([0; 1 << LENGTHS_BITS]),
            filter: Box::new([0; 1 << (FILTER_BITS - 6)]),
            heads: Box::new([(0, NONE); HEADS]),
            pairs: Vec::new(),
            longest: 0,
        };
        for (word, edges) in words {
            tables.add(word.as_bytes(), edges);
        }
        tables
    }

    fn add(&mut self, word: &[u8], edges: (bool, bool)) {
        let Ok(number) = u16::try_from(self.entries.len()) else {
            return;
        };
        // A test sees to it that all of them fit.
        if self.entries.len() >= MOST {
            return;
        }
        let mut entry = Entry {
            at: self.bytes.len(),
            len: word.len(),
            back: 0,
            edges,
            more: true,
            next: NONE,
        };
        self.bytes.extend_from_slice(word);
        self.longest = self.longest.max(word.len());
        match beginning(word, edges.0) {
            Some(back) => {
                let rest = word.get(back..).unwrap_or_default();
                let length = rest.len().min(8);
                entry.back = back;
                entry.more = back > 0 || rest.len() > 8;
                entry.next = self.put(load(rest, 0), length, edges.1, number);
            }
            None => {
                let (back, pair) = rarest_pair(word);
                entry.back = back;
                match self.pairs.iter_mut().find(|(known, _)| *known == pair) {
                    Some((_, words)) => words.push(number),
                    None => self.pairs.push((pair, vec![number])),
                }
            }
        }
        self.entries.push(entry);
    }

    /// Puts a word at the head of those with its key; the one that was there.
    fn put(&mut self, start: u64, length: usize, ends: bool, number: u16) -> u16 {
        let bit = 1 << (length - 1);
        let mut mark = |three: u64| {
            if let Some(lengths) = self.lengths.get_mut(lengths_slot(three)) {
                *lengths |= bit;
            }
        };
        match length {
            // Words of two letters are looked up wherever there are no more of them.
            2 if ends => {}
            2 => (0..=0xFF).for_each(|third| mark(start | third << 16)),
            _ => mark(start),
        }
        let key = key(start, length);
        let (slot, bit) = filter_slot(hash(key));
        if let Some(bits) = self.filter.get_mut(slot) {
            *bits |= 1 << bit;
        }
        // There are more slots than words.
        let mut slot = head_slot(hash(key));
        while let Some(head) = self.heads.get_mut(slot) {
            if head.1 == NONE || head.0 == key {
                return std::mem::replace(head, (key, number)).1;
            }
            slot = (slot + 1) % HEADS;
        }
        NONE
    }

    /// Gives each word in `text` whose place in the tables is found in `starts` to `each`; what
    /// stands around these bytes is looked at and not searched.
    pub(super) fn find(
        &self,
        text: &[u8],
        starts: std::ops::Range<usize>,
        ends: Ends,
        each: &mut impl FnMut(Hit),
    ) {
        let mut before = starts
            .start
            .checked_sub(1)
            .and_then(|at| text.get(at))
            .is_some_and(u8::is_ascii_alphanumeric);
        let mut at = starts.start;
        while at < starts.end {
            let mut padded = [b' '; BLOCK + 1];
            let block = match text.get(at..at + BLOCK + 1).and_then(|b| b.try_into().ok()) {
                Some(block) if at + BLOCK <= starts.end => block,
                _ => {
                    let rest = text.get(at..).unwrap_or_default();
                    let rest = rest.get(..rest.len().min(BLOCK + 1)).unwrap_or_default();
                    for (to, from) in padded.iter_mut().zip(rest) {
                        *to = *from;
                    }
                    &padded
                }
            };
            let (letters, others) = masks(block);
            let mut found = match ends {
                Ends::Words => letters & !(letters << 1 | u64::from(before)) | others,
                Ends::Anywhere => letters | others,
            };
            before = letters >> (BLOCK - 1) != 0;
            if starts.end - at < BLOCK {
                found &= (1 << (starts.end - at)) - 1;
            }
            while found != 0 {
                let start = at + found.trailing_zeros() as usize;
                found &= found - 1;
                self.look_up(text, start, ends, each);
            }
            for ([a, b], words) in &self.pairs {
                let next = block.iter().skip(1);
                let any = block
                    .iter()
                    .zip(next)
                    .fold(0, |any, (x, y)| any | u8::from(x == a) & u8::from(y == b));
                if any == 0 {
                    continue;
                }
                let pairs = block.windows(2).take(starts.end - at).enumerate();
                for (index, _) in pairs.filter(|(_, pair)| pair == &[*a, *b]) {
                    for &word in words {
                        self.check(text, at + index, word, ends, each);
                    }
                }
            }
            at += BLOCK;
        }
    }

    #[inline]
    fn look_up(&self, text: &[u8], at: usize, ends: Ends, each: &mut impl FnMut(Hit)) {
        let window = load(text, at);
        let third = (window >> 16) as u8;
        let mut lengths = self
            .lengths
            .get(lengths_slot(window))
            .copied()
            .unwrap_or(0xFF)
            | u8::from(!third.is_ascii_alphanumeric()) << 1;
        while lengths != 0 {
            let length = lengths.trailing_zeros() as usize + 1;
            lengths &= lengths - 1;
            let key = key(window, length);
            let (slot, bit) = filter_slot(hash(key));
            if self
                .filter
                .get(slot)
                .is_none_or(|bits| bits >> bit & 1 == 0)
            {
                continue;
            }
            let mut slot = head_slot(hash(key));
            while let Some(&(known, first)) = self.heads.get(slot)
                && first != NONE
            {
                if known == key {
                    self.look_through(text, at, first, ends, each);
                    break;
                }
                slot = (slot + 1) % HEADS;
            }
        }
    }

    fn look_through(
        &self,
        text: &[u8],
        at: usize,
        first: u16,
        ends: Ends,
        each: &mut impl FnMut(Hit),
    ) {
        let mut next = first;
        while let Some(entry) = self.entries.get(usize::from(next)) {
            self.check(text, at, next, ends, each);
            next = entry.next;
        }
    }

    /// Gives `word` to `each` if it stands in `text` so that it is looked up at `at`.
    #[inline]
    fn check(&self, text: &[u8], at: usize, word: u16, ends: Ends, each: &mut impl FnMut(Hit)) {
        let Some(entry) = self.entries.get(usize::from(word)) else {
            return;
        };
        let Some(start) = at.checked_sub(entry.back) else {
            return;
        };
        let end = start + entry.len;
        // The key has been compared.
        if entry.more && text.get(start..end) != self.bytes.get(entry.at..entry.at + entry.len) {
            return;
        }
        if end > text.len() {
            return;
        }
        let fits = match ends {
            Ends::Anywhere => entry.len >= MIN_ANYWHERE,
            Ends::Words => {
                (!entry.edges.0 || !ends_in_word(text, start))
                    && (!entry.edges.1 || !begins_in_word(text, end))
            }
        };
        if fits {
            each(Hit { start, end, word });
        }
    }
}

/// Where in a word the bytes begin that it is looked up by, if that is at the first letter of a
/// word, at a sign or at a letter that is not ASCII.
fn beginning(word: &[u8], edge: bool) -> Option<usize> {
    (0..word.len().saturating_sub(1)).find(|&at| {
        let Some(&b) = word.get(at) else {
            return false;
        };
        match b {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => match at.checked_sub(1) {
                None => edge,
                Some(before) => word.get(before) == Some(&b' '),
            },
            b'!'..=b'~' | 0xC0.. => true,
            _ => false,
        }
    })
}

/// The two bytes of `word` that are least common beside each other, and where they stand.
fn rarest_pair(word: &[u8]) -> (usize, [u8; 2]) {
    const COMMON_LAST: &[u8] = b"zqxjkvbpygfwmucldrhsnioate ";
    let rank = |b: u8| COMMON_LAST.iter().position(|&c| c == b).unwrap_or_default();
    let (pairs, last) = (word.windows(2), [b' '; 2]);
    pairs
        .enumerate()
        .filter_map(|(at, pair)| Some((at, <[u8; 2]>::try_from(pair).ok()?)))
        .min_by_key(|(_, [a, b])| (rank(*a) + 1) * (rank(*b) + 1))
        .unwrap_or((0, last))
}

/// The ASCII letters and digits of a block; the signs, and the first bytes of other characters.
#[inline]
fn masks(block: &[u8; BLOCK + 1]) -> (u64, u64) {
    let mut letters = [0_u8; BLOCK];
    let mut others = [0_u8; BLOCK];
    for ((&b, letter), other) in block.iter().zip(&mut letters).zip(&mut others) {
        let is_letter = (b | 0x20).wrapping_sub(b'a') < 26 || b.wrapping_sub(b'0') < 10;
        *letter = u8::from(is_letter);
        *other = u8::from(!is_letter & ((b.wrapping_sub(b'!') <= b'~' - b'!') | (b >= 0xC0)));
    }
    (crate::view::bits(&letters), crate::view::bits(&others))
}

/// Eight bytes from `at` on; zeroes behind the end.
#[inline]
fn load(text: &[u8], at: usize) -> u64 {
    if let Some(Ok(eight)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        return u64::from_le_bytes(eight);
    }
    let mut eight = [0; 8];
    for (to, from) in eight.iter_mut().zip(text.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    u64::from_le_bytes(eight)
}

/// The first bytes of `window`. No word holds a zero byte, so keys of two lengths differ.
#[inline]
fn key(window: u64, length: usize) -> u64 {
    window & u64::MAX >> (64 - 8 * length)
}

#[inline]
fn hash(key: u64) -> u64 {
    (key ^ key >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[inline]
fn lengths_slot(window: u64) -> usize {
    ((window as u32 & 0x00FF_FFFF).wrapping_mul(0x9E37_79B1) >> (32 - LENGTHS_BITS)) as usize
}

/// Which word of the filter, and which bit of it.
#[inline]
fn filter_slot(hash: u64) -> (usize, u64) {
    let slot = hash >> (64 - FILTER_BITS);
    ((slot >> 6) as usize, slot & 63)
}

#[inline]
fn head_slot(hash: u64) -> usize {
    (hash >> (64 - HEAD_BITS)) as usize
}
