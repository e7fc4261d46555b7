//! The look ahead: which readings could show anything, told from the bytes alone.
//!
//! Blocks of 64 bytes become bit masks, without a branch on what they hold; only what the masks
//! show is looked at again, each time at a bounded number of bytes. A reading is made if and only
//! if its sign is there, so a text without signs has no other readings.

use super::{blobs, escapes, joined, leet, turned};
use crate::report::View;

/// Which signs a text shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Entities, percent encoding or escapes.
    pub(super) escapes: bool,
    /// What Base64, Base32 or hexadecimal could be.
    pub(super) blobs: bool,
    /// Bytes in hexadecimal, one by one.
    pub(super) bytes: bool,
    /// Words with digits for letters.
    pub(super) leet: bool,
    /// Letters one by one.
    pub(super) singles: bool,
    /// Pieces of one length.
    pub(super) groups: bool,
    /// Many letters without a break.
    pub(super) unbroken: bool,
    /// A word that ROT13 hides.
    pub(super) rot13: bool,
    /// A word from last letter to first.
    pub(super) reversed: bool,
}

impl Signs {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    pub(super) fn of(text: &str) -> Self {
        let mut scan = Scan {
            bytes: text.as_bytes(),
            signs: Self::default(),
            leet_before: 0,
        };
        scan.run();
        scan.signs
    }
}

const BLOCK: usize = 64;

/// What stands for the bytes before and after the text.
const BLANK: [u8; BLOCK] = [b' '; BLOCK];

/// The window holds two blocks. What is looked for starts behind its first byte, whose neighbour is
/// not known, and at most at the first byte of the second block: each byte is one such start once.
const STARTS: u128 = ((1 << BLOCK) - 1) << 1;

struct Scan<'t> {
    bytes: &'t [u8],
    signs: Signs,
    leet_before: u32,
}

/// One bit for each byte of a block.
#[derive(Clone, Copy, Default)]
struct Masks {
    letters: u64,
    digits: u64,
    /// `+`, `/`, `-` and `_`.
    joints: u64,
    /// Whether there is any of `&`, `%` and `\`.
    markers: bool,
}

impl Scan<'_> {
    fn run(&mut self) {
        let (blocks, rest) = self.bytes.as_chunks::<BLOCK>();
        let mut last = BLANK;
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let mut before = Masks::default();
        // The last block is followed by one of blanks, so that every window is complete.
        for (index, block) in blocks.iter().chain([&last, &BLANK]).enumerate() {
            let masks = Masks::of(block);
            let start = index * BLOCK;
            self.window(start, before, masks);
            self.turned(start);
            if masks.markers && !self.signs.escapes {
                self.signs.escapes = (start..start + BLOCK)
                    .any(|at| escapes::starts_at(self.bytes.get(at..).unwrap_or_default()));
            }
            before = masks;
        }
    }

    /// Looks at the block at `start` and the one before it.
    fn window(&mut self, start: usize, before: Masks, masks: Masks) {
        let wide = |before: u64, now: u64| u128::from(before) | u128::from(now) << BLOCK;
        let letters = wide(before.letters, masks.letters);
        let digits = wide(before.digits, masks.digits);
        let word = letters | digits;
        let token = word | wide(before.joints, masks.joints);

        // Runs of sixteen, where they start. Each of them has a whole byte of its mask.
        if whole_byte(before.letters | before.digits | before.joints)
            | whole_byte(masks.letters | masks.digits | masks.joints)
        {
            let runs = |mask: u128| {
                let mut runs = mask & mask >> 1;
                runs &= runs >> 2;
                runs &= runs >> 4;
                runs &= runs >> 8;
                runs & !(mask << 1) & STARTS
            };
            let mut runs = runs(token) | runs(word);
            while runs != 0 {
                let rest = self.rest(start, runs.trailing_zeros());
                runs &= runs - 1;
                let (blob, long) = (blobs::starts_at(rest), joined::is_unbroken(rest));
                self.signs.blobs |= blob;
                self.signs.unbroken |= long;
            }
        }

        // Digits with letters on both sides.
        if digits != 0 || self.leet_before != 0 {
            let inner =
                letters << 1 & digits & (letters >> 1 | digits >> 1 & letters >> 2) & STARTS;
            let count = inner.count_ones();
            if !self.signs.leet && count + self.leet_before >= 2 {
                let from = start.saturating_sub(3 * BLOCK);
                let to = self.bytes.len().min(start + BLOCK);
                self.signs.leet = leet::is_leet(self.bytes.get(from..to).unwrap_or_default());
            }
            self.leet_before = count;
        }

        // Letters and digits that stand alone.
        let begins = word & !(word << 1);
        let alone = begins & !(word >> 1);
        if !self.signs.singles && (alone & (STARTS | STARTS << 20)).count_ones() >= 5 {
            let from = start.saturating_sub(BLOCK);
            let to = self.bytes.len().min(start + BLOCK);
            self.signs.singles = joined::has_singles(self.bytes.get(from..to).unwrap_or_default());
        }

        // Words of two, three or four, five times in a row.
        let two = begins & word >> 1 & !(word >> 2);
        let longer = begins & word >> 1 & word >> 2;
        let three = longer & !(word >> 3);
        let four = longer & word >> 3 & !(word >> 4);
        let row = |mask: u128, step: u32| {
            let pairs = mask & mask >> step;
            pairs != 0 && pairs & pairs >> (2 * step) & mask >> (4 * step) & STARTS != 0
        };
        let (twos, fours) = (row(two, 3), row(four, 5));
        self.signs.groups = self.signs.groups || twos || fours || row(three, 4);
        if !self.signs.bytes && (twos || fours || row(two, 4) || row(four, 6)) {
            let from = start.saturating_sub(BLOCK);
            let to = self.bytes.len().min(start + BLOCK);
            self.signs.bytes = blobs::has_bytes(self.bytes.get(from..to).unwrap_or_default());
        }
    }

    fn rest(&self, start: usize, bit: u32) -> &[u8] {
        let at = (start + bit as usize).saturating_sub(BLOCK);
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Looks for words that are turned, in the block at `start`.
    ///
    /// Any six letters hold three in a row that start at a multiple of four.
    fn turned(&mut self, start: usize) {
        let end = self.bytes.len().min(start + BLOCK + 3);
        let block = self.bytes.get(start..end).unwrap_or_default();
        let (fours, _) = block.as_chunks::<4>();
        let hits = fours.iter().fold(0, |hits, four| {
            hits | turned::hint(u32::from_le_bytes(*four))
        });
        // Three letters at the very end are in no four.
        let at_end = end == self.bytes.len() && block.len() % 4 == 3;
        if hits == 0 && !at_end {
            return;
        }
        for (index, four) in block.chunks(4).enumerate() {
            let known = four.try_into().map(u32::from_le_bytes);
            if known.is_ok_and(|four| turned::hint(four) == 0) {
                continue;
            }
            let at = start + 4 * index;
            let around = self.bytes.get(at.saturating_sub(3)..).unwrap_or_default();
            let around = around.get(..around.len().min(9)).unwrap_or_default();
            match turned::find(around) {
                Some(View::Rot13) => self.signs.rot13 = true,
                Some(_) => self.signs.reversed = true,
                None => {}
            }
        }
    }
}

impl Masks {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut letters = [0_u8; BLOCK];
        let mut digits = [0_u8; BLOCK];
        let mut joints = [0_u8; BLOCK];
        let mut markers = 0_u8;
        for (((&b, letter), digit), joint) in block
            .iter()
            .zip(&mut letters)
            .zip(&mut digits)
            .zip(&mut joints)
        {
            *letter = u8::from((b | 0x20).wrapping_sub(b'a') < 26);
            *digit = u8::from(b.wrapping_sub(b'0') < 10);
            *joint = u8::from((b == b'+') | (b == b'/') | (b == b'-') | (b == b'_'));
            markers |= u8::from((b == b'&') | (b == b'%') | (b == b'\\'));
        }
        Self {
            letters: bits(&letters),
            digits: bits(&digits),
            joints: bits(&joints),
            markers: markers != 0,
        }
    }
}

/// Whether all bits of any byte are set.
fn whole_byte(mask: u64) -> bool {
    const LOW: u64 = u64::from_ne_bytes([0x7F; 8]);
    (mask & LOW).wrapping_add(u64::from_ne_bytes([1; 8])) & mask & !LOW != 0
}

/// The lowest bit of each byte, in order.
pub(crate) fn bits(bytes: &[u8; BLOCK]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().rev().fold(0, |bits, word| {
        // Each byte is moved to a bit of the highest byte of its own; none of them meet.
        bits << 8 | u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}
