//! What the targets share: texts and pieces of texts from any bytes.

use std::borrow::Cow;

/// Bytes as text. What is no UTF-8 becomes U+FFFD, so that no mutation is lost.
pub fn text_of(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// A text in pieces of uneven lengths.
pub struct Chunks<'t> {
    rest: &'t str,
    state: u32,
}

impl<'t> Chunks<'t> {
    /// Cuts `text` in a way that `seed` says.
    pub fn new(text: &'t str, seed: u8) -> Self {
        Self {
            rest: text,
            state: u32::from(seed) * 2 + 1,
        }
    }
}

impl<'t> Iterator for Chunks<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        self.state = self.state.wrapping_mul(747_796_405).wrapping_add(1);
        // Many short ones, and some as long as a buffer.
        let most = 1 << ((self.state >> 28) % 14);
        let mut end = 1 + (self.state >> 8) as usize % most;
        end = end.min(self.rest.len());
        while !self.rest.is_char_boundary(end) {
            end += 1;
        }
        let (chunk, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(chunk)
    }
}
