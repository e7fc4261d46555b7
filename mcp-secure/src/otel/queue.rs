//! Records that wait to be exported: so many and no more, whoever sends them.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// There is a whole batch, or nothing more will come.
    pub(super) due: Notify,
    /// Nothing more will come.
    pub(super) closing: Notify,
}

#[derive(Default)]
struct Inner {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    lost: u64,
    /// Taken, and not said to be sent yet.
    under_way: u64,
    closed: bool,
}

impl Queue {
    /// Takes a record, or counts that it was lost. The newest is dropped: an attacker who floods
    /// cannot push out what was there before.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut inner = self.lock();
        let fits = inner.lines.len() < MOST && inner.bytes + line.len() <= MOST_BYTES;
        if !fits || inner.closed {
            inner.lost += 1;
            return;
        }
        inner.bytes += line.len();
        inner.lines.push_back(line);
        if inner.lines.len() == BATCH {
            drop(inner);
            self.due.notify_one();
        }
    }

    /// The oldest, at most a batch.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        let mut inner = self.lock();
        let count = inner.lines.len().min(BATCH);
        let batch: Vec<Vec<u8>> = inner.lines.drain(..count).collect();
        inner.bytes -= batch.iter().map(Vec::len).sum::<usize>();
        inner.under_way = batch.len() as u64;
        batch
    }

    /// How many found no room since this was asked.
    pub(super) fn lost(&self) -> u64 {
        std::mem::take(&mut self.lock().lost)
    }

    /// What was taken is sent, or given up.
    pub(super) fn done(&self) {
        self.lock().under_way = 0;
    }

    /// How many are neither sent nor given up yet.
    pub(super) fn left(&self) -> u64 {
        let inner = self.lock();
        inner.lines.len() as u64 + inner.under_way + inner.lost
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.due.notify_one();
        self.closing.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether there is a batch to send at once.
    pub(super) fn is_due(&self) -> bool {
        let inner = self.lock();
        inner.closed || inner.lines.len() >= BATCH
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records that wait.
const MOST: usize = 4096;
const MOST_BYTES: usize = 8 << 20;

/// Records of one request.
const BATCH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_what_was_there_stays() {
        let queue = Queue::default();
        for n in 0..MOST + 10 {
            queue.push(n.to_string().into_bytes());
        }
        assert_eq!((queue.lost(), queue.lost()), (10, 0));
        let mut all = Vec::new();
        loop {
            let batch = queue.take();
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= BATCH);
            all.extend(batch);
        }
        assert_eq!(all.len(), MOST);
        assert_eq!(all.first().map(Vec::as_slice), Some(&b"0"[..]));
        // By their size, too.
        for _ in 0..20 {
            queue.push(vec![0; 1 << 20]);
        }
        assert_eq!(queue.lost(), 12);
        assert_eq!((queue.take().len(), queue.left()), (8, 8));
        queue.done();
        queue.close();
        queue.push(Vec::new());
        assert_eq!((queue.left(), queue.lost()), (1, 1));
    }
}
