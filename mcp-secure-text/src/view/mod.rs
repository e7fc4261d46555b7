//! Readings of a text, for matching only: what a model reads in it besides the letters.
//!
//! Nothing made here is ever sent. Readings know where in the text they came from, and nothing of
//! rules. Time and memory are linear in the text, whatever is hidden in what.

mod blobs;
mod escapes;
mod fold;
mod joined;
mod leet;
mod letters;
mod map;
mod signs;
#[cfg(test)]
mod tests;
mod turned;

use std::ops::Range;
use std::sync::Arc;

use crate::report::View;
use fold::Case;
use letters::selector_byte;
use map::Map;
use signs::Signs;
pub(crate) use signs::bits;

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
    reading(fold::fold(text, Case::Lower))
}

fn reading(folded: fold::Folded) -> Reading {
    Reading {
        view: if folded.changed {
            View::Folded
        } else {
            View::Text
        },
        text: folded.text,
        maps: vec![folded.map],
    }
}

/// All readings of `text`: folded, and what it says when it is decoded, put
/// together or turned.
///
/// There are at most [`MAX_BLOBS`] decoded blobs with [`MAX_DECODED`] bytes in all, and a few
/// readings as long as the text.
pub(crate) fn readings(text: &str, each: &mut dyn FnMut(Reading)) {
    if text.is_ascii() {
        each(fold(text));
        return ascii(text, each);
    }
    let kept = fold::fold(text, Case::Kept);
    let lower = kept
        .lower()
        .unwrap_or_else(|| fold::fold(text, Case::Lower));
    each(reading(lower));
    let signs = Signs::of(&kept.text);
    let mut others = Others::new(each);
    let mut braille = None;
    if has_rare(text) {
        if let Some((text, map)) = selectors(text) {
            others.give(View::Folded, &text, &[Arc::new(map)]);
        }
        braille = turned::braille(text);
    }
    if braille.is_none() && !signs.any() {
        return;
    }
    let maps = [kept.map];
    if let Some((braille, map)) = braille {
        others.give(View::Braille, &braille, &[Arc::new(map)]);
    }
    others.read(&kept.text, signs, &maps, None);
}

/// The readings of a `text` in ASCII besides itself.
pub(crate) fn ascii(text: &str, each: &mut dyn FnMut(Reading)) {
    let signs = Signs::of(text);
    if signs.any() {
        Others::new(each).read(text, signs, &[], None);
    }
}

/// All readings but the folded one.
#[cfg(test)]
fn others(text: &str, each: &mut dyn FnMut(Reading)) {
    let mut first = true;
    readings(text, &mut |reading| {
        if !std::mem::take(&mut first) {
            each(reading);
        }
    });
}

/// How many blobs of a text are decoded.
const MAX_BLOBS: usize = 64;

/// How many bytes of blobs are decoded in a text, those inside of others included.
const MAX_DECODED: usize = 64 * 1024;

/// How often what was decoded is decoded again.
const MAX_DEPTH: usize = 2;

/// Makes a text of parts of another, if it has any.
type Part = fn(&str) -> Option<(String, Map)>;

/// Makes a text of a whole other.
type Whole = fn(&str) -> (String, Map);

struct Others<'e> {
    each: &'e mut dyn FnMut(Reading),
    blobs: usize,
    bytes: usize,
}

impl<'e> Others<'e> {
    fn new(each: &'e mut dyn FnMut(Reading)) -> Self {
        Self {
            each,
            blobs: MAX_BLOBS,
            bytes: MAX_DECODED,
        }
    }

    /// Reads `text`, which came from the original by `maps`; inside of what was `decoded` before,
    /// and how often, only decoders go on.
    fn read(
        &mut self,
        text: &str,
        signs: Signs,
        maps: &[Arc<Map>],
        decoded: Option<(View, usize)>,
    ) {
        if decoded.is_none() {
            self.rearrange(text, maps, signs);
        }
        let depth = decoded.map_or(0, |(_, depth)| depth);
        let named = |view| decoded.map_or(view, |(first, _)| first);
        if signs.escapes {
            for view in escapes::VIEWS {
                if let Some((out, map)) = escapes::decode(text, view) {
                    self.deeper(&out, maps, map, (named(view), depth + 1));
                }
            }
        }
        let mut found = Vec::new();
        let (blobs, bytes) = (&mut self.blobs, &mut self.bytes);
        let mut keep = |view, span, decoded: String| {
            let fits = *blobs > 0 && decoded.len() <= *bytes;
            if fits {
                *blobs -= 1;
                *bytes -= decoded.len();
                found.push((view, span, decoded));
            }
            fits
        };
        if signs.blobs {
            blobs::decode(text, &mut keep);
        }
        if signs.bytes {
            blobs::decode_bytes(text, &mut keep);
        }
        for (view, span, decoded) in found {
            self.deeper(&decoded, maps, Map::whole(span), (named(view), depth + 1));
        }
    }

    fn rearrange(&mut self, text: &str, maps: &[Arc<Map>], signs: Signs) {
        if signs.leet {
            self.leet(View::Leet, text, maps);
        }
        let pieces: [(bool, Part); 3] = [
            (signs.singles, joined::join_singles),
            (signs.groups, joined::join_pieces),
            (signs.unbroken, joined::unbroken),
        ];
        for (_, join) in pieces.into_iter().filter(|(sign, _)| *sign) {
            if let Some((joined, map)) = join(text) {
                let maps = with(maps, map);
                self.give(View::Joined, &joined, &maps);
                if joined.bytes().any(|b| b.is_ascii_digit()) {
                    self.leet(View::Joined, &joined, &maps);
                }
            }
        }
        let turns: [(bool, View, Whole); 3] = [
            (signs.rot13, View::Rot13, turned::rot13),
            (signs.reversed, View::Reversed, turned::reversed),
            (signs.reversed, View::Reversed, turned::reversed_words),
        ];
        for (_, view, turn) in turns.into_iter().filter(|(sign, ..)| *sign) {
            let (turned, map) = turn(text);
            self.give(view, &turned, &with(maps, map));
        }
    }

    fn leet(&mut self, view: View, text: &str, maps: &[Arc<Map>]) {
        for one in ['i', 'l'] {
            if one == 'i' || leet::has_one(text) {
                let (read, map) = leet::read(text, one);
                self.give(view, &read, &with(maps, map));
            }
        }
    }

    /// Gives what was decoded, and decodes what is in it.
    fn deeper(&mut self, text: &str, maps: &[Arc<Map>], map: Map, decoded: (View, usize)) {
        let maps = with(maps, map);
        self.give(decoded.0, text, &maps);
        if decoded.1 == MAX_DEPTH {
            return;
        }
        if text.is_ascii() {
            self.read(text, Signs::of(text), &maps, Some(decoded));
        } else {
            let folded = fold::fold(text, Case::Kept);
            let signs = Signs::of(&folded.text);
            self.read(
                &folded.text,
                signs,
                &with_shared(&maps, folded.map),
                Some(decoded),
            );
        }
    }

    fn give(&mut self, view: View, text: &str, maps: &[Arc<Map>]) {
        let folded = fold::fold(text, Case::Lower);
        (self.each)(Reading {
            view,
            text: folded.text,
            maps: with_shared(maps, folded.map),
        });
    }
}

fn with(maps: &[Arc<Map>], map: Map) -> Vec<Arc<Map>> {
    with_shared(maps, Arc::new(map))
}

fn with_shared(maps: &[Arc<Map>], map: Arc<Map>) -> Vec<Arc<Map>> {
    let mut maps = maps.to_vec();
    maps.push(map);
    maps
}

/// Whether there may be variation selectors or Braille in `text`, told from two bytes of each.
fn has_rare(text: &str) -> bool {
    let bytes = text.as_bytes();
    let rare = |a: u8, b: u8| {
        (a == 0xE2) & (b.wrapping_sub(0xA0) < 4) | (a == 0xEF) & (b == 0xB8) | (a == 0xF3)
    };
    let next = bytes.iter().skip(1);
    let any = |any, (&a, &b): (&u8, &u8)| any | u8::from(rare(a, b));
    bytes.iter().zip(next).fold(0, any) != 0
}

/// The text that variation selectors carry as bytes, wherever they stand.
fn selectors(text: &str) -> Option<(String, Map)> {
    let mut bytes = Vec::new();
    let mut span = None;
    for (at, c) in text.char_indices() {
        if let Some(byte) = selector_byte(c) {
            let (start, _) = *span.get_or_insert((at, at));
            span = Some((start, at + c.len_utf8()));
            bytes.push(byte);
            if bytes.len() == blobs::MAX_DECODED {
                break;
            }
        }
    }
    let (start, end) = span.filter(|_| bytes.len() >= 4)?;
    let (pairs, _) = bytes.as_chunks::<2>();
    let halves = bytes.iter().all(|byte| *byte < 16);
    let bytes = if halves {
        pairs.iter().map(|[high, low]| high << 4 | low).collect()
    } else {
        bytes
    };
    Some((blobs::readable(bytes)?, Map::whole(start..end)))
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
