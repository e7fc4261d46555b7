//! Taking secrets out.

use std::borrow::Cow;
use std::fmt;

use super::scan::{self, Scan, Step};
use super::{Kinds, find};

/// Takes the secrets of these kinds out of `text`.
///
/// Each becomes `[redacted: …]` with the last part of its [id](super::Detector::id). The text is
/// taken by value and the only thing to send is given back; a clean text is handed through: a
/// `String` is moved, a `&str` stays borrowed, nothing is allocated. A second run finds nothing,
/// unless what stood next to a secret said that it was none and was taken out for another one.
///
/// ```
/// use mcp_secure_text::secret::{Kinds, redact};
///
/// let text = String::from(r#"{"user": "app", "password": "7hX-q0Zr2m"}"#);
/// let clean = redact(text, Kinds::CREDENTIALS);
/// assert_eq!(clean.as_str(), r#"{"user": "app", "password": "[redacted: password]"}"#);
/// assert_eq!(clean.counts().get("secret/password"), 1);
/// ```
pub fn redact<'a>(text: impl Into<Cow<'a, str>>, kinds: Kinds) -> Redacted<'a> {
    let text = text.into();
    let mut counts = Counts::default();
    let mut secrets = find(&text, kinds);
    let Some(mut secret) = secrets.next() else {
        return Redacted { text, counts };
    };
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    loop {
        out.push_str(text.get(kept..secret.span.start).unwrap_or_default());
        replace(secret.id, &mut out);
        counts.add(secret.id);
        kept = secret.span.end;
        match secrets.next() {
            Some(next) => secret = next,
            None => break,
        }
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Redacted {
        text: Cow::Owned(out),
        counts,
    }
}

/// A text without secrets, as far as they are [found](super#what-it-does-not-find).
///
/// Only [`redact`] makes one, so a function that takes it cannot be given anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Redacted<'a> {
    text: Cow<'a, str>,
    counts: Counts,
}

impl Redacted<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, moved out. It is copied only if it was borrowed and clean.
    pub fn into_string(self) -> String {
        self.text.into_owned()
    }

    /// What was taken out.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl AsRef<str> for Redacted<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<Redacted<'_>> for String {
    fn from(redacted: Redacted<'_>) -> Self {
        redacted.into_string()
    }
}

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many secrets of each kind were taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(&'static str, usize)>);

impl Counts {
    /// All of them together.
    pub fn total(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How many of one [id](super::Detector::id).
    pub fn get(&self, id: &str) -> usize {
        let mut counts = self.0.iter();
        counts.find(|(other, _)| *other == id).map_or(0, |c| c.1)
    }

    /// Each id that was found, in the order of the first finding, with its count.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, usize)> {
        self.0.iter().copied()
    }

    fn add(&mut self, id: &'static str) {
        match self.0.iter_mut().find(|(other, _)| *other == id) {
            Some((_, count)) => *count += 1,
            None => self.0.push((id, 1)),
        }
    }
}

/// How much of a text a [`Redactor`] holds back at most between two pushes, in bytes.
// A character that is cut at either end is held back whole.
pub const HOLD_BACK: usize = scan::BEHIND + scan::AHEAD + 2;

/// [`redact`] for a text that comes in pieces.
///
/// What is written is the redacted text, however the pieces are cut: a secret that is split over
/// two of them is found. For that the last [`HOLD_BACK`] bytes are held back until more comes or
/// [`finish`](Self::finish) is called. A secret may be longer: the rest of a private key is dropped
/// as it comes.
///
/// ```
/// use mcp_secure_text::secret::{Kinds, Redactor};
///
/// let mut redactor = Redactor::new(Kinds::CREDENTIALS);
/// let mut out = String::new();
/// redactor.push("pass", &mut out);
/// redactor.push("word=7hX-q0", &mut out);
/// redactor.push("Zr2m\ndone", &mut out);
/// let counts = redactor.finish(&mut out);
/// assert_eq!(out, "password=[redacted: password]\ndone");
/// assert_eq!(counts.total(), 1);
/// ```
#[derive(Clone)]
pub struct Redactor {
    scan: Scan,
    /// What may still be part of a secret, after what detectors may look back at.
    pub(super) held: String,
    /// How much of `held` is written or dropped.
    pub(super) done: usize,
    counts: Counts,
}

impl Redactor {
    /// Starts a text.
    #[must_use]
    pub fn new(kinds: Kinds) -> Self {
        Self {
            scan: Scan::new(kinds),
            held: String::new(),
            done: 0,
            counts: Counts::default(),
        }
    }

    /// Takes the next piece, and appends what can be written to `out`.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        self.held.push_str(chunk);
        self.advance(false, out);
        // What lies behind is not forgotten at each push: moving the rest has a price.
        let behind = floor(&self.held, self.scan.behind().min(self.done));
        if behind > HOLD_BACK {
            self.held.drain(..behind);
            self.scan.shift(behind);
            self.done -= behind;
        }
    }

    /// Ends the text: appends the rest to `out`, and says what was taken out of the whole.
    pub fn finish(mut self, out: &mut String) -> Counts {
        self.advance(true, out);
        self.counts
    }

    fn advance(&mut self, eof: bool, out: &mut String) {
        loop {
            // The rest of the last secret is dropped.
            let ended = self.scan.follow(self.held.as_bytes(), eof);
            self.done = self.done.max(self.scan.floor());
            if !ended {
                return;
            }
            let (until, id) = match self.scan.step(self.held.as_bytes(), eof) {
                Step::Found(id, start) => (start, Some(id)),
                Step::More => (floor(&self.held, self.scan.settled()), None),
                Step::Done => (self.held.len(), None),
            };
            if until > self.done {
                out.push_str(self.held.get(self.done..until).unwrap_or_default());
                self.done = until;
            }
            let Some(id) = id else {
                return;
            };
            replace(id, out);
            self.counts.add(id);
            self.done = self.scan.floor();
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held back is not redacted yet.
        f.debug_struct("Redactor")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// Writes what stands for a secret.
fn replace(id: &'static str, out: &mut String) {
    out.push_str("[redacted: ");
    out.push_str(id.rsplit('/').next().unwrap_or(id));
    out.push(']');
}

/// The character boundary at `at` or before it.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0)
}
