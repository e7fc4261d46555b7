//! Terminal escape sequences, by ECMA-48 and as terminals read them.

use super::LOOKAHEAD;

/// Where the escape sequence ends that starts at byte `start`; `None` if no sequence starts there.
///
/// A command string (OSC, DCS, SOS, PM, APC) that is not terminated counts only with its
/// introducer: taking it all out would take out the rest of the text. The search for its end stops
/// at any control character, so that a text of introducers is not searched over and over, and after
/// [`LOOKAHEAD`] bytes.
pub(super) fn sequence_end(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?.char_indices();
    let near = rest.take_while(|&(i, _)| i < LOOKAHEAD);
    let mut chars = near.map(|(i, c)| (start + i, c));
    let (_, first) = chars.next()?;
    let after = |at: usize, c: char| at + c.len_utf8();
    let introducer = match first {
        '\u{1B}' => match chars.next() {
            Some((at, c)) => match c {
                '[' => Introducer::Control(after(at, c)),
                ']' | 'P' | 'X' | '^' | '_' => Introducer::Command(after(at, c)),
                ' '..='/' => Introducer::Intermediate(after(at, c)),
                '0'..='~' => return Some(after(at, c)),
                _ => return None,
            },
            None => return None,
        },
        '\u{9B}' => Introducer::Control(after(start, first)),
        '\u{90}' | '\u{98}' | '\u{9D}' | '\u{9E}' | '\u{9F}' => {
            Introducer::Command(after(start, first))
        }
        _ => return None,
    };
    match introducer {
        Introducer::Control(mut end) => {
            for (at, c) in chars {
                match c {
                    ' '..='?' => end = after(at, c),
                    '@'..='~' => return Some(after(at, c)),
                    _ => break,
                }
            }
            Some(end)
        }
        Introducer::Intermediate(mut end) => {
            for (at, c) in chars {
                match c {
                    ' '..='/' => end = after(at, c),
                    '0'..='~' => return Some(after(at, c)),
                    _ => break,
                }
            }
            Some(end)
        }
        Introducer::Command(end) => {
            let mut escaped = false;
            for (at, c) in chars {
                match c {
                    '\\' if escaped => return Some(after(at, c)),
                    _ if escaped => break,
                    '\u{7}' | '\u{9C}' => return Some(after(at, c)),
                    '\u{1B}' => escaped = true,
                    c if c.is_control() => break,
                    _ => {}
                }
            }
            Some(end)
        }
    }
}

/// What an escape sequence starts with, and where that ends.
enum Introducer {
    /// CSI: parameters follow, then one final character.
    Control(usize),
    /// A string follows, up to its terminator.
    Command(usize),
    /// Intermediate characters follow, then one final character.
    Intermediate(usize),
}
