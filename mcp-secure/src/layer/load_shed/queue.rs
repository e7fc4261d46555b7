//! Who waits, in the order in which they came. It is short, so it is looked through.

use std::collections::VecDeque;

/// One that waits. None is given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

pub(super) struct Queue<A, T> {
    next: u64,
    waiting: VecDeque<(Ticket, A, T)>,
}

impl<A, T> Default for Queue<A, T> {
    fn default() -> Self {
        Self {
            next: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<A, T> Queue<A, T> {
    pub(super) fn push(&mut self, asked: A, tell: T) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.push_back((ticket, asked, tell));
        ticket
    }

    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<(A, T)> {
        let place = self.waiting.binary_search_by_key(&ticket, |one| one.0);
        let (_, asked, tell) = self.waiting.remove(place.ok()?)?;
        Some((asked, tell))
    }

    /// The one with the smallest rank, and of several the first; not those that have none.
    pub(super) fn best(&self, rank: impl Fn(&A) -> Option<usize>) -> Option<Ticket> {
        let ranked = self.waiting.iter();
        let ranked = ranked.filter_map(|(ticket, asked, _)| Some((rank(asked)?, *ticket)));
        ranked.min().map(|(_, ticket)| ticket)
    }

    pub(super) fn take_all(&mut self) -> Vec<(A, T)> {
        let all = self.waiting.drain(..);
        all.map(|(_, asked, tell)| (asked, tell)).collect()
    }
}
