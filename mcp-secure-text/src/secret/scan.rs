//! One walk over a text, or over the part of a stream that has arrived.
//!
//! The walk looks at pairs of bytes and stops at few of them: a pair that is rare in text and part
//! of a token's prefix, a separator behind which a value may stand, a marker. At such a place the
//! detectors see a window: [`BEHIND`] bytes before it and [`AHEAD`] bytes from it on, never more.
//! That bounds the time, and makes a stream's result the one of the whole text.

use super::class::{self, BASE64URL, Class, WORD};
use super::{Kinds, assign, jwt, pem, personal, token};

/// How far detectors look behind a place.
pub(super) const BEHIND: usize = 88;

/// How far they look ahead.
pub(super) const AHEAD: usize = 1024;

/// A secret, as a detector sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) id: &'static str,
    pub(super) start: usize,
    pub(super) end: usize,
    /// How it goes on behind `end`, where it may be longer than a window.
    pub(super) tail: Option<Tail>,
    /// A secret that belongs to this one and stands behind it.
    pub(super) also: Option<(&'static str, usize, usize)>,
}

impl Hit {
    pub(super) fn new(id: &'static str, start: usize, end: usize) -> Self {
        Self {
            id,
            start,
            end,
            tail: None,
            also: None,
        }
    }
}

/// How a secret goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// As long as there are such characters.
    Run(Class),
    /// In the further parts of a JSON Web Token.
    Jwt { dots: u8 },
    /// In the lines of a key.
    Pem,
}

impl Tail {
    /// Where it ends, or how far it goes for sure, and whether that is its end.
    fn follow(&mut self, bytes: &[u8], at: usize, eof: bool) -> (usize, bool) {
        match self {
            Self::Run(class) => {
                let rest = bytes.get(at..).unwrap_or_default();
                match rest.iter().position(|&b| !class::is(b, *class)) {
                    Some(length) => (at + length, true),
                    None => (bytes.len().max(at), eof),
                }
            }
            Self::Jwt { dots } => jwt::follow(bytes, at, dots, eof),
            Self::Pem => pem::follow(bytes, at, eof),
        }
    }
}

/// What a detector may see.
pub(super) struct View<'t> {
    bytes: &'t [u8],
    /// Where the last secret ended.
    floor: Option<usize>,
    /// Whether the text goes on behind the bytes.
    cut: bool,
}

impl<'t> View<'t> {
    /// The byte at `i`. What is part of the last secret reads as it will when that is replaced, so
    /// that a second run finds nothing that the first did not.
    pub(super) fn at(&self, i: usize) -> Option<u8> {
        if self.floor.is_some_and(|floor| i < floor) {
            return Some(b']');
        }
        self.bytes.get(i).copied()
    }

    /// The bytes from `start` up to `end`, if they are all there.
    pub(super) fn slice(&self, start: usize, end: usize) -> Option<&'t [u8]> {
        self.bytes.get(start..end)
    }

    /// Where the bytes of `class` that start at `from` end, or `max` bytes on.
    pub(super) fn run(&self, from: usize, max: usize, class: Class) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let length = rest
            .iter()
            .take(max)
            .take_while(|&&b| class::is(b, class))
            .count();
        super::steps(length);
        from + length
    }

    /// Where the bytes of `class` that end at `to` start, or `max` bytes before.
    pub(super) fn run_back(&self, to: usize, max: usize, class: Class) -> usize {
        let floor = self.floor.unwrap_or(0).min(to);
        let before = self.bytes.get(floor..to).unwrap_or_default();
        let length = before
            .iter()
            .rev()
            .take(max)
            .take_while(|&&b| class::is(b, class))
            .count();
        super::steps(length);
        to - length
    }

    /// Whether a token may start at `i`: not inside a word. Escapes of strings and of URLs are
    /// no words, nor is the minus sign that starts a line of a patch.
    pub(super) fn starts(&self, i: usize) -> bool {
        let before = |n: usize| i.checked_sub(n).and_then(|i| self.at(i));
        match before(1) {
            None => true,
            Some(b'-') => before(2).is_none_or(|b| !class::is(b, BASE64URL)),
            Some(b) if !class::is(b, WORD) => true,
            Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
            Some(b) => {
                before(3) == Some(b'%')
                    && before(2).is_some_and(|b| b.is_ascii_hexdigit())
                    && b.is_ascii_hexdigit()
            }
        }
    }

    /// Whether a token of `class` may end at `i`: neither a word nor the token goes on.
    pub(super) fn ends(&self, i: usize, class: Class) -> bool {
        match self.at(i) {
            Some(b) => !class::is(b, class | WORD),
            None => !self.cut,
        }
    }
}

/// The walk. It keeps no text, so the text may grow, and lose its beginning, between the steps.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    kinds: Kinds,
    /// The next place to look at.
    at: usize,
    /// Where the last secret ended.
    floor: Option<usize>,
    tail: Option<Tail>,
    /// Secrets behind `at`, in order.
    waiting: [Option<Hit>; WAITING],
}

const WAITING: usize = 4;

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A secret of this kind starts here. [`Scan::end`] says where it ends.
    Found(&'static str, usize),
    /// Nothing can be said without more text.
    More,
    /// There is nothing else.
    Done,
}

impl Scan {
    pub(super) fn new(kinds: Kinds) -> Self {
        Self {
            kinds,
            at: 0,
            floor: None,
            tail: None,
            waiting: [None; WAITING],
        }
    }

    /// Where the last secret ended; nothing before it is part of another one.
    pub(super) fn floor(&self) -> usize {
        self.floor.unwrap_or(0)
    }

    /// Everything that is not yet found starts at or behind this place.
    pub(super) fn settled(&self) -> usize {
        self.floor().max(self.at.saturating_sub(BEHIND))
    }

    /// Forgets the first `count` bytes, which must be at least [`BEHIND`] bytes behind.
    pub(super) fn shift(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
        self.floor = self.floor.and_then(|floor| floor.checked_sub(count));
        for waiting in self.waiting.iter_mut().flatten() {
            waiting.start = waiting.start.saturating_sub(count);
            waiting.end = waiting.end.saturating_sub(count);
        }
    }

    /// How far back the detectors may still look.
    pub(super) fn behind(&self) -> usize {
        self.at.saturating_sub(BEHIND)
    }

    /// Where the secret just found ends, in a text that is all there.
    pub(super) fn end(&mut self, bytes: &[u8]) -> usize {
        self.follow(bytes, true);
        self.floor()
    }

    /// The next secret in `bytes`, the text so far, of which nothing is missing if `eof`.
    pub(super) fn step(&mut self, bytes: &[u8], eof: bool) -> Step {
        if !self.follow(bytes, eof) {
            return Step::More;
        }
        loop {
            let place = next_place(bytes, self.at, self.kinds);
            let waits = self.waiting.first().copied().flatten();
            if let Some(hit) = waits
                && place.is_none_or(|at| at >= hit.start)
            {
                return self.take(hit);
            }
            let Some(at) = place else {
                // The last byte and the next one are a pair as well.
                self.at = bytes.len().saturating_sub(1).max(self.at);
                return if eof { Step::Done } else { Step::More };
            };
            self.at = at;
            if !eof && at + AHEAD > bytes.len() {
                return Step::More;
            }
            self.at += 1;
            let view = View {
                bytes: bytes.get(..at + AHEAD).unwrap_or(bytes),
                floor: self.floor,
                cut: at + AHEAD < bytes.len(),
            };
            super::steps(1);
            match detect(&view, at, self.kinds) {
                Some(hit) if hit.start < self.floor() => {}
                Some(hit) if hit.start <= at => return self.take(hit),
                // Something else may start between here and there.
                Some(hit) => self.wait(hit),
                None => {}
            }
        }
    }

    fn take(&mut self, hit: Hit) -> Step {
        self.settle(hit.end);
        self.tail = hit.tail;
        if let Some((id, start, end)) = hit.also {
            self.wait(Hit::new(id, start, end));
        }
        Step::Found(hit.id, hit.start)
    }

    /// Goes on to the end of the last secret; whether it has come.
    pub(super) fn follow(&mut self, bytes: &[u8], eof: bool) -> bool {
        let Some(mut tail) = self.tail else {
            return true;
        };
        let from = self.floor();
        let (end, known) = tail.follow(bytes, from, eof);
        super::steps(end - from);
        self.settle(end);
        self.tail = (!known).then_some(tail);
        known
    }

    fn settle(&mut self, end: usize) {
        self.floor = Some(end);
        self.at = end.max(self.at);
        let mut kept = [None; WAITING];
        let later = self.waiting.iter().flatten().filter(|hit| hit.start >= end);
        for (slot, hit) in kept.iter_mut().zip(later) {
            *slot = Some(*hit);
        }
        self.waiting = kept;
    }

    fn wait(&mut self, hit: Hit) {
        let overlaps = |other: &Hit| hit.start < other.end && other.start < hit.end;
        if self.waiting.iter().flatten().any(overlaps) {
            return;
        }
        if let [.., last @ None] = &mut self.waiting {
            *last = Some(hit);
            self.waiting
                .sort_unstable_by_key(|hit| hit.map_or(usize::MAX, |hit| hit.start));
        }
    }
}

const CREDENTIALS: u8 = Kinds::CREDENTIALS.bits();
const CARDS: u8 = Kinds::CARDS.bits();
const EMAIL: u8 = Kinds::EMAIL.bits();
const IBAN: u8 = Kinds::IBAN.bits();
const SSN: u8 = Kinds::US_SSN.bits();

/// For each pair of bytes the kinds that begin there or near it. Bytes above 127 share the places
/// of those below: a pair too many is looked at and dismissed, and the table stays in the cache.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static PAIRS: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut spec = 0;
    while spec < token::SPECS.len() {
        let (a, b) = token::SPECS[spec].pair();
        table[pair(a, b)] |= CREDENTIALS;
        spec += 1;
    }
    let mut i = 0;
    while i < token::PAIRS.len() {
        let [a, b] = *token::PAIRS[i];
        table[pair(a, b)] |= CREDENTIALS;
        i += 1;
    }
    let mut b = 0;
    while b < 128 {
        table[pair(b':', b)] |= CREDENTIALS;
        table[pair(b'=', b)] |= CREDENTIALS;
        table[pair(b'@', b)] |= EMAIL;
        b += 1;
    }
    let mut a = b'0';
    while a <= b'9' {
        let mut b = b'0';
        while b <= b'9' {
            table[pair(a, b)] |= CARDS | SSN;
            b += 1;
        }
        a += 1;
    }
    let mut i = 0;
    while i < personal::COUNTRIES.len() {
        let ([a, b], _) = *personal::COUNTRIES[i];
        table[pair(a, b)] |= IBAN;
        i += 1;
    }
    table
};

const fn pair(a: u8, b: u8) -> usize {
    ((a as usize & 127) << 7) | (b as usize & 127)
}

/// The next place at or after `from` where something may be found.
fn next_place(bytes: &[u8], from: usize, kinds: Kinds) -> Option<usize> {
    /// So many pairs are looked at before it is asked whether one of them counts.
    const STRIDE: usize = 16;
    let mask = kinds.bits();
    let kinds_of = |pair_of: &[u8]| match *pair_of {
        [a, b] => PAIRS.get(pair(a, b)).copied().unwrap_or(0),
        _ => 0,
    };
    let mut at = from;
    while let Some(stride) = bytes.get(at..at + STRIDE + 1) {
        let here = stride.windows(2).fold(0, |all, pair| all | kinds_of(pair));
        if here & mask != 0 {
            break;
        }
        at += STRIDE;
    }
    let rest = bytes.get(at..)?;
    let found = rest.windows(2).position(|pair| kinds_of(pair) & mask != 0);
    super::steps(at - from + found.unwrap_or(rest.len()));
    found.map(|found| at + found)
}

/// What is found at a place.
fn detect(view: &View<'_>, at: usize, kinds: Kinds) -> Option<Hit> {
    let (a, b) = (view.at(at)?, view.at(at + 1)?);
    let is = |kind| kinds.contains(kind);
    match a {
        b'0'..=b'9' if is(Kinds::CARDS) || is(Kinds::US_SSN) => {
            personal::number(view, at, kinds).or_else(|| token::find(view, at, a, b, kinds))
        }
        b'@' if is(Kinds::EMAIL) => personal::email(view, at),
        b':' | b'=' if is(Kinds::CREDENTIALS) => assign::find(view, at, a),
        b'A'..=b'Z' if is(Kinds::IBAN) => {
            personal::iban(view, at).or_else(|| token::find(view, at, a, b, kinds))
        }
        _ => token::find(view, at, a, b, kinds),
    }
}
