//! The texts of the speed benchmarks: made up here, the same on every run, no corpus needed.

mod attacks;
mod prose;

pub use attacks::{ANCHORS, hostile};
pub use prose::{clean, descriptions};

/// A text to be timed.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is, as the report calls it.
    pub name: &'static str,
    /// The text.
    pub text: String,
}

const SMALL: usize = 64 << 10;
const LARGE: usize = 1 << 20;

/// A small generator (xorshift64), so that a benchmark needs no crate for it.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        let at = usize::try_from(self.roll() % from.len() as u64);
        #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
        from[at.unwrap_or(0)]
    }
}

/// Pieces until the text has `size` bytes; cut to it where a character ends.
fn filled(size: usize, mut piece: impl FnMut(&mut String)) -> String {
    let mut text = String::with_capacity(size + 256);
    while text.len() < size {
        piece(&mut text);
    }
    let end = (0..=size).rev().find(|&at| text.is_char_boundary(at));
    text.truncate(end.unwrap_or(0));
    text
}

#[cfg(test)]
mod tests {
    use mcp_secure_text::{Field, inspect};

    use super::*;

    #[test]
    fn clean_texts_have_their_size_and_are_clean() {
        for Sample { name, text } in clean() {
            let size = if name.ends_with("1 MiB") {
                LARGE
            } else {
                SMALL
            };
            assert!((size - 3..=size).contains(&text.len()), "{name}");
            let report = inspect(&text, Field::ToolOutput);
            assert!(report.is_clean(), "{name}: {:?}", report.findings.first());
        }
        for text in descriptions() {
            let report = inspect(&text, Field::Description);
            assert!(report.is_clean(), "{text}: {:?}", report.findings.first());
        }
        assert_eq!(descriptions().len(), 100);
    }

    #[test]
    fn texts_are_the_same_on_every_run() {
        let texts = || {
            [clean(), hostile()]
                .concat()
                .into_iter()
                .map(|sample| sample.text)
        };
        assert!(texts().eq(texts()));
        assert_eq!(descriptions(), descriptions());
    }

    #[test]
    fn hostile_texts_have_their_size() {
        for Sample { name, text } in hostile() {
            assert!((SMALL - 3..=SMALL).contains(&text.len()), "{name}");
        }
    }
}
