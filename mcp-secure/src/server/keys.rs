//! Keys by which two readers of one message would see two messages: one that occurs twice
//! in an object (the first wins here, the last there), and one with a NUL (the end of the
//! key for a reader in C; GHSA-q382-vc8q-7jhj). RFC 8259 section 4 leaves both to the
//! reader, so a message that has one means nothing and is refused.
//!
//! A pass over the bytes as they arrive, beside the parser and not in its place: whatever
//! is not JSON is left to the parser to refuse. It remembers 8 bytes for each key of the
//! message, whose size is capped.

use std::collections::HashSet;

/// Watches the keys of one JSON text.
#[derive(Default)]
pub(crate) struct Keys {
    /// The open objects and arrays, innermost last.
    open: Vec<Container>,
    objects: u32,
    /// Which key was seen in which object, as digests of both. The set hashes them again
    /// with a key of its own, so nobody can choose what collides in it.
    seen: HashSet<u64>,
    state: State,
    /// The digest of the key that is being read, unescaped. Who finds two keys with one
    /// digest gets his own message refused.
    key: u64,
    /// What a `\u` escape has collected, and the first half of a surrogate pair.
    unit: u16,
    high: Option<u16>,
}

/// A key occurs twice, or holds a NUL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OddKey;

enum Container {
    Array,
    Object { number: u32, key_next: bool },
}

#[derive(Default, Clone, Copy)]
enum State {
    #[default]
    Between,
    Text,
    TextEscape,
    Key,
    KeyEscape,
    /// In a `\u` escape of a key, with so many digits to come.
    KeyUnit(u8),
    /// Deeper than the parser goes: it will refuse.
    Over,
}

impl Keys {
    /// The next part of the text.
    ///
    /// # Errors
    ///
    /// When a key in it is odd; the rest need not be fed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), OddKey> {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            // Most of a message is the inside of strings: over it in one go.
            let plain = match self.state {
                State::Text => memchr::memchr2(b'"', b'\\', rest),
                State::Key => self.plain_of_key(rest),
                _ => Some(0),
            }
            .unwrap_or(rest.len());
            if plain == 0 {
                self.step(byte)?;
                rest = tail;
            } else {
                rest = rest.get(plain..).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// A whole text.
    ///
    /// # Errors
    ///
    /// When a key in it is odd.
    pub(crate) fn check(text: &[u8]) -> Result<(), OddKey> {
        Self::default().feed(text)
    }

    fn step(&mut self, byte: u8) -> Result<(), OddKey> {
        self.state = match (self.state, byte) {
            (State::Text, b'"') => State::Between,
            (State::Text, b'\\') => State::TextEscape,
            (State::Text | State::TextEscape, _) => State::Text,

            (State::Key, b'"') => {
                self.end_of_key()?;
                State::Between
            }
            (State::Key, b'\\') => State::KeyEscape,
            (State::Key, 0) => return Err(OddKey),
            (State::Key, _) => self.part_of_key(byte),
            (State::KeyEscape, b'u') => {
                self.unit = 0;
                State::KeyUnit(4)
            }
            (State::KeyEscape, b'b') => self.part_of_key(0x08),
            (State::KeyEscape, b'f') => self.part_of_key(0x0c),
            (State::KeyEscape, b'n') => self.part_of_key(b'\n'),
            (State::KeyEscape, b'r') => self.part_of_key(b'\r'),
            (State::KeyEscape, b't') => self.part_of_key(b'\t'),
            (State::KeyEscape, _) => self.part_of_key(byte),
            (State::KeyUnit(left), _) => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                self.unit = self.unit << 4 | u16::try_from(digit).unwrap_or(0);
                if left > 1 {
                    State::KeyUnit(left - 1)
                } else {
                    self.end_of_unit()?
                }
            }

            (State::Between, b'"') => match self.open.last_mut() {
                Some(Container::Object { key_next, number }) if *key_next => {
                    *key_next = false;
                    self.key = fold(SEED, *number);
                    State::Key
                }
                _ => State::Text,
            },
            (State::Between, b'{') => {
                self.objects = self.objects.wrapping_add(1);
                self.enter(Container::Object {
                    number: self.objects,
                    key_next: true,
                })
            }
            (State::Between, b'[') => self.enter(Container::Array),
            (State::Between, b'}' | b']') => {
                self.open.pop();
                State::Between
            }
            (State::Between, b',') => {
                if let Some(Container::Object { key_next, .. }) = self.open.last_mut() {
                    *key_next = true;
                }
                State::Between
            }
            (State::Between, _) => State::Between,
            (State::Over, _) => State::Over,
        };
        Ok(())
    }

    fn enter(&mut self, container: Container) -> State {
        if self.open.len() >= DEEPEST {
            return State::Over;
        }
        self.open.push(container);
        State::Between
    }

    fn part_of_key(&mut self, byte: u8) -> State {
        self.key = fold(self.key, u32::from(byte));
        State::Key
    }

    /// Takes the bytes of a key that stand for themselves; where they end.
    fn plain_of_key(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut key = self.key;
        let end = bytes.iter().position(|byte| {
            let ends = matches!(byte, b'"' | b'\\' | 0);
            if !ends {
                key = fold(key, u32::from(*byte));
            }
            ends
        });
        self.key = key;
        end
    }

    /// `"meth\u006fd"` is `"method"`.
    fn end_of_unit(&mut self) -> Result<State, OddKey> {
        let pair = match (self.high.take(), self.unit) {
            (_, 0) => return Err(OddKey),
            (_, high @ 0xd800..=0xdbff) => {
                self.high = Some(high);
                return Ok(State::Key);
            }
            (Some(high), low) => [high, low],
            (None, unit) => [unit, unit],
        };
        let units = if (0xdc00..=0xdfff).contains(&pair[1]) {
            &pair[..]
        } else {
            &pair[1..]
        };
        // Half a pair is no JSON for the parser, so it does not matter how it is spelt.
        for char in char::decode_utf16(units.iter().copied()).flatten() {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                self.key = fold(self.key, u32::from(byte));
            }
        }
        Ok(State::Key)
    }

    fn end_of_key(&mut self) -> Result<(), OddKey> {
        if self.seen.capacity() == 0 {
            self.seen.reserve(24);
        }
        if self.seen.insert(self.key) {
            Ok(())
        } else {
            Err(OddKey)
        }
    }
}

/// One step of FNV-1a, 64 bits.
fn fold(digest: u64, part: u32) -> u64 {
    (digest ^ u64::from(part)).wrapping_mul(0x0000_0100_0000_01b3)
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// `serde_json` refuses what nests deeper.
const DEEPEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_odd(text: &str) -> bool {
        let whole = Keys::check(text.as_bytes());
        let mut keys = Keys::default();
        let parts: Result<(), OddKey> = text
            .as_bytes()
            .chunks(3)
            .try_for_each(|part| keys.feed(part));
        assert_eq!(whole, parts, "{text}");
        whole.is_err()
    }

    #[test]
    fn a_key_that_two_readers_would_take_for_two_things_is_odd() {
        for odd in [
            r#"{"method":"ping","method":"tools/call"}"#,
            r#"{"method":"ping","method\u0000":"tools/call"}"#,
            "{\"method\0\":1}",
            r#"{"method":"ping","meth\u006fd":"tools/call"}"#,
            r#"{"method":"ping","m\u0065thod" : 1}"#,
            r#"{"params":{"arguments":{"name":"a","x":[{"b":1}],"name":"c"}}}"#,
            r#"{"a/b":1,"a\/b":2}"#,
            r#"{"😀":1,"\ud83d\ude00":2}"#,
            r#"{"é":1,"\u00e9":2}"#,
            r#"[{"a":1},{"a":1,"a":1}]"#,
            r#"{"":1,"":2}"#,
            r#"{"a\nb":1,"a\u000ab":2}"#,
        ] {
            assert!(is_odd(odd), "{odd}");
        }
    }

    #[test]
    fn the_same_words_elsewhere_are_not_odd() {
        for plain in [
            r#"{"method":"method","params":{"method":["method","method"],"x":{"method":1}}}"#,
            r#"{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}"#,
            r#"{"a":"\u0000","b":"{\"a\":1,\"a\":2}","c":"\"","d":"\\"}"#,
            r#"{"Method":1,"method":2,"method ":3}"#,
            r#"{"😀":1,"😁":2}"#,
            "",
            "not json",
            "]]}}",
        ] {
            assert!(!is_odd(plain), "{plain}");
        }
        assert!(!is_odd(&"[".repeat(100_000)), "left to the parser");
    }
}
