//! What has passed through a session and cannot be taken back: its model may have read it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// What the client of a session has been sent so far.
///
/// It is set by the guard and by the layer for flows, and never cleared: a model that has read something
/// cannot unread it. A clone looks at the same session, so a layer that keeps one from before a
/// call sees what the call has added.
///
/// It belongs to a session where the protocol has one (2025-11-25), and to the connection on
/// stdio. In the 2026-07-28 revision over HTTP each request stands alone: there
/// the layer for flows keeps it by principal, for an hour after the last request. A layer of yours
/// is outside of it and sees it fresh. The audit log has it of every request.
#[derive(Clone, Default)]
pub struct Taint(Arc<AtomicU8>);

const UNTRUSTED_TEXT: u8 = 1;
const SECRET: u8 = 2;
const PRIVATE: u8 = 4;
const EVERYTHING: u8 = UNTRUSTED_TEXT | SECRET | PRIVATE;

impl Taint {
    /// Something was sent in which a rule found what has no honest use: hidden characters, or
    /// words that speak to a model. The characters were taken out; words are sent as they are.
    pub fn has_untrusted_text(&self) -> bool {
        self.is(UNTRUSTED_TEXT)
    }

    /// A tool has come upon a secret. It was redacted; but what holds one may hold another.
    pub fn has_met_secrets(&self) -> bool {
        self.is(SECRET)
    }

    /// A primitive has answered that holds a handle on something `private`.
    pub fn has_read_private(&self) -> bool {
        self.is(PRIVATE)
    }

    /// Whether none of this has happened.
    pub fn is_clean(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    pub(crate) fn add_untrusted_text(&self) {
        self.0.fetch_or(UNTRUSTED_TEXT, Ordering::AcqRel);
    }

    pub(crate) fn add_secret(&self) {
        self.0.fetch_or(SECRET, Ordering::AcqRel);
    }

    pub(crate) fn add_private(&self) {
        self.0.fetch_or(PRIVATE, Ordering::AcqRel);
    }

    pub(crate) fn add_all_of(&self, other: &Self) {
        self.0
            .fetch_or(other.0.load(Ordering::Acquire), Ordering::AcqRel);
    }

    pub(crate) fn add_everything(&self) {
        self.0.fetch_or(EVERYTHING, Ordering::AcqRel);
    }

    /// For the audit log.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.has_untrusted_text(), "untrusted_text"),
            (self.has_met_secrets(), "secret"),
            (self.has_read_private(), "private"),
        ];
        all.into_iter()
            .filter_map(|(is, name)| is.then_some(name))
            .collect()
    }

    fn is(&self, bit: u8) -> bool {
        self.0.load(Ordering::Acquire) & bit != 0
    }
}

impl fmt::Debug for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Taint").field(&self.names()).finish()
    }
}
