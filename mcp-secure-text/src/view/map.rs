//! Where the bytes of a rewritten text came from.

use std::ops::Range;

/// A stretch of units: each `from` bytes of the source became `to` bytes of the text.
///
/// A piece reaches up to where the next one starts. Copied text has units of one byte; everything
/// else has units of whole characters, so that no unit ends inside one.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    source: usize,
    from: usize,
    to: usize,
}

/// The pieces of one text, in order.
#[derive(Debug, Default)]
pub(super) struct Map {
    pieces: Vec<Piece>,
    source_len: usize,
}

impl Map {
    /// The bytes of the source that `range` of the text came from.
    pub(super) fn span(&self, range: Range<usize>) -> Range<usize> {
        let Some((piece, units)) = self.find(range.start) else {
            return 0..self.source_len;
        };
        let start = piece
            .source
            .saturating_add(units.saturating_mul(piece.from))
            .min(self.source_len);
        if range.end <= range.start {
            return start..start;
        }
        let end = self.find(range.end - 1).map_or(start, |(piece, units)| {
            piece
                .source
                .saturating_add((units + 1).saturating_mul(piece.from))
        });
        start..end.clamp(start, self.source_len)
    }

    fn find(&self, at: usize) -> Option<(&Piece, usize)> {
        let next = self.pieces.partition_point(|piece| piece.at <= at);
        let piece = self.pieces.get(next.checked_sub(1)?)?;
        Some((piece, (at - piece.at) / piece.to.max(1)))
    }
}

/// A text in the making, with its map.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) text: String,
    map: Map,
}

impl Builder {
    pub(super) fn new(source_len: usize) -> Self {
        Self {
            text: String::with_capacity(source_len),
            map: Map {
                pieces: Vec::new(),
                source_len,
            },
        }
    }

    /// Copies `text`, which stands at byte `source`.
    pub(super) fn copy(&mut self, source: usize, text: &str) {
        self.note(self.text.len(), source, 1, 1);
        self.text.push_str(text);
    }

    /// Puts `to` for the `from` bytes at `source`.
    pub(super) fn put(&mut self, source: usize, from: usize, to: char) {
        let at = self.text.len();
        self.text.push(to);
        self.made(at, source, from);
    }

    /// Says that what stands from `at` on was made of the `from` bytes at `source`.
    pub(super) fn made(&mut self, at: usize, source: usize, from: usize) {
        let to = self.text.len().saturating_sub(at);
        match to {
            0 => {}
            // One character for one of the same length.
            _ if to == from && self.is_one_char(at) => self.note(at, source, 1, 1),
            _ => self.note(at, source, from, to),
        }
    }

    /// Takes everything from `at` on back.
    pub(super) fn truncate(&mut self, at: usize) {
        self.text.truncate(at);
        let kept = self.map.pieces.partition_point(|piece| piece.at < at);
        self.map.pieces.truncate(kept);
    }

    pub(super) fn finish(self) -> (String, Map) {
        (self.text, self.map)
    }

    fn is_one_char(&self, at: usize) -> bool {
        let mut chars = self.text.get(at..).unwrap_or_default().chars();
        chars.next().is_some() && chars.next().is_none()
    }

    /// Adds a piece, unless the last one goes on.
    fn note(&mut self, at: usize, source: usize, from: usize, to: usize) {
        if let Some(last) = self.map.pieces.last()
            && (last.from, last.to) == (from, to)
            && last.source + (at - last.at) / to * from == source
        {
            return;
        }
        self.map.pieces.push(Piece {
            at,
            source,
            from,
            to,
        });
    }
}
