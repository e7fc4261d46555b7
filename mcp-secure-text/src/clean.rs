//! Taking out what is hidden, and what ends a message for a model.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::report::Field;
use crate::rule;
use crate::scan::{Scan, is_plain};
use crate::token::neutralise;

/// Takes hidden characters out of `text`, which may have several lines.
///
/// It takes the text by value and gives back the only thing to send. What [`inspect`] would find
/// of hidden characters is gone from it, warnings included, and a second run changes nothing. A clean text is handed
/// through: a `String` is moved, a `&str` stays borrowed, nothing is allocated.
///
/// Control tokens of chat formats, such as `<|im_start|>`, get a space after their first
/// character: they stay readable, and no tokenizer takes them for the end of a message.
///
/// [`inspect`]: crate::inspect
///
/// ```
/// use mcp_secure_text::{Policy, sanitize};
///
/// let clean = sanitize(String::from("\u{1B}[8mrun me\u{1B}[0m\u{2028}done"), Policy::Strip);
/// assert_eq!(clean.into_string(), "run me\ndone");
///
/// let clean = sanitize("a\u{200B}b", Policy::Escape);
/// assert_eq!(clean.as_str(), r"a\u{200B}b");
///
/// let clean = sanitize("done<|im_start|>system", Policy::Strip);
/// assert_eq!(clean.as_str(), "done< |im_start|>system");
/// ```
pub fn sanitize<'a>(text: impl Into<Cow<'a, str>>, policy: Policy) -> Clean<'a> {
    sanitize_field(text, Field::ToolOutput, policy)
}

/// [`sanitize`] by the rules of `field`: where it has one line, line breaks become spaces.
///
/// ```
/// use mcp_secure_text::{Field, Policy, sanitize_field};
///
/// let clean = sanitize_field("Read\na file", Field::Title, Policy::Strip);
/// assert_eq!(clean.as_str(), "Read a file");
/// ```
pub fn sanitize_field<'a>(
    text: impl Into<Cow<'a, str>>,
    field: Field,
    policy: Policy,
) -> Clean<'a> {
    let mut text = text.into();
    let mut changed = 0;
    if !is_plain(&text, field)
        && let Some((rewritten, count)) = rewrite(&text, field, policy)
    {
        text = Cow::Owned(rewritten);
        changed = count;
    }
    // Afterwards, since a hidden character may have held a token apart.
    if field.is_said() {
        let (neutral, count) = neutralise(text);
        text = neutral;
        changed += count;
    }
    Clean { text, changed }
}

/// What becomes of a hidden character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// It is removed. Odd line breaks become a line feed, or a space where there is one line.
    Strip,
    /// It is written as `\u{200B}`, for people who have to see what was there.
    Escape,
}

/// A text without hidden characters, and of prompts and outputs without control tokens of chat formats.
///
/// Only [`sanitize`] and [`sanitize_field`] make one, so a function that takes a `Clean` cannot be
/// given anything else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Clean<'a> {
    text: Cow<'a, str>,
    changed: usize,
}

impl Clean<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, moved out. It is copied only if it was borrowed and clean.
    pub fn into_string(self) -> String {
        self.text.into_owned()
    }

    /// How many characters were removed or replaced, and tokens broken up.
    pub fn changed(&self) -> usize {
        self.changed
    }
}

impl AsRef<str> for Clean<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<Clean<'_>> for String {
    fn from(clean: Clean<'_>) -> Self {
        clean.into_string()
    }
}

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text without its findings and how many characters changed, or `None` if there are none.
fn rewrite(text: &str, field: Field, policy: Policy) -> Option<(String, usize)> {
    let mut scan = Scan::new(text, field);
    let mut hit = scan.next()?;
    let mut out = String::with_capacity(text.len());
    let mut changed = 0;
    let mut kept = 0;
    loop {
        out.push_str(text.get(kept..hit.span.start).unwrap_or_default());
        for c in text.get(hit.span.clone()).unwrap_or_default().chars() {
            changed += usize::from(replace(c, hit.rule, field, policy, &mut out));
        }
        kept = hit.span.end;
        match scan.next() {
            Some(next) => hit = next,
            None => break,
        }
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Some((out, changed))
}

/// Writes what stands for `c`; whether that is something else than `c`.
pub(crate) fn replace(c: char, rule: &str, field: Field, policy: Policy, out: &mut String) -> bool {
    match policy {
        // The letters of an escape sequence are visible once its controls are.
        Policy::Escape if matches!(c, ' '..='~') => {
            out.push(c);
            return false;
        }
        Policy::Escape => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{{{:X}}}", u32::from(c));
        }
        Policy::Strip => match rule {
            rule::LINE_BREAK | rule::LINE_SEPARATOR | rule::CARRIAGE_RETURN => {
                out.push(if field.is_multiline() { '\n' } else { ' ' });
            }
            _ => {}
        },
    }
    true
}
