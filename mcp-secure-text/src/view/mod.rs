//! Readings of a text, for matching only: what a model reads in it besides the letters.
//!
//! Nothing made here is ever sent. Readings know where in the text they came from, and nothing of
//! rules. Time and memory are linear in the text, whatever is hidden in what.

mod fold;
mod letters;
mod map;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use crate::report::View;
use fold::Case;
use map::Map;

/// One way to read a text.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) view: View,
    pub(crate) text: String,
    /// From the text that was given to this one, step by step.
    maps: Vec<Arc<Map>>,
}

impl Reading {
    /// The bytes of the original that `range` of [`Reading::text`] was read from.
    ///
    /// They start and end between characters.
    pub(crate) fn span(&self, range: Range<usize>) -> Range<usize> {
        let length = self.text.len();
        let start = floor(&self.text, range.start.min(length));
        let end = ceil(&self.text, range.end.clamp(start, length));
        self.maps
            .iter()
            .rev()
            .fold(start..end, |range, map| map.span(range))
    }
}

/// `text` with one spelling for what is read as one: no hidden characters, compatibility forms and
/// case folded, accents dropped, look-alikes respelled in Latin words, one space or one line feed
/// for any whitespace.
pub(crate) fn fold(text: &str) -> Reading {
    let folded = fold::fold(text, Case::Lower);
    Reading {
        view: if folded.changed {
            View::Folded
        } else {
            View::Text
        },
        text: folded.text,
        maps: vec![Arc::new(folded.map)],
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// Whether [`others`] has anything to read in `text`.
pub(crate) fn is_suspect(_text: &str) -> bool {
    false
}

/// All other readings of `text`.
pub(crate) fn others(_text: &str, _each: &mut dyn FnMut(Reading)) {}
