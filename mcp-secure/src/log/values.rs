//! The values of one event or span, as they may be seen.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Value, Visit};

use super::lines::is_line_end;
use crate::layer::guard::for_log;

/// Fields with what is shown of them, in order.
#[derive(Default)]
pub(super) struct Values {
    pub(super) all: Vec<(Field, Shown)>,
    /// The target carries messages: no text of it is shown.
    pub(super) withheld: bool,
    /// Where the event is in its source.
    pub(super) place: Option<(&'static str, u32)>,
}

/// What is shown of a value. Numbers stay numbers, for sinks that tell them apart.
pub(super) enum Shown {
    Float(f64),
    Signed(i64),
    Unsigned(u64),
    Switch(bool),
    /// Text that was a string.
    Text(String),
    /// Text that something printed as.
    Words(Words),
}

/// Prints as itself, without quotes, as `%value` does.
pub(super) struct Words(String);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Shown {
    pub(super) fn record(&self) -> Recorded<'_> {
        match self {
            Self::Float(n) => Recorded::Float(*n),
            Self::Signed(n) => Recorded::Signed(*n),
            Self::Unsigned(n) => Recorded::Unsigned(*n),
            Self::Switch(yes) => Recorded::Switch(*yes),
            Self::Text(text) => Recorded::Text(text),
            Self::Words(words) => Recorded::Words(tracing::field::debug(words)),
        }
    }
}

/// A value that `tracing` takes; it must outlive the set that refers to it.
pub(super) enum Recorded<'a> {
    Float(f64),
    Signed(i64),
    Unsigned(u64),
    Switch(bool),
    Text(&'a str),
    Words(tracing::field::DebugValue<&'a Words>),
}

impl Recorded<'_> {
    pub(super) fn as_value(&self) -> &dyn Value {
        match self {
            Self::Float(n) => n,
            Self::Signed(n) => n,
            Self::Unsigned(n) => n,
            Self::Switch(yes) => yes,
            Self::Text(text) => text,
            Self::Words(words) => words,
        }
    }
}

impl Values {
    fn text(&mut self, field: &Field, text: &dyn fmt::Display, is_string: bool) {
        let name = field.name();
        let is_message = name == "message";
        let shown = if self.withheld && is_message {
            // Text may be put together; where it is says which one it was.
            let (file, line) = self.place.unwrap_or(("?", 0));
            let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
            format!("(text withheld; {file}:{line})")
        } else if self.withheld || is_withheld(name) {
            "(withheld)".to_owned()
        } else {
            let mut cut = Cut(String::new());
            let _ = write!(cut, "{text}");
            clean(&cut.0)
        };
        let shown = match is_string && !is_message {
            true => Shown::Text(shown),
            false => Shown::Words(Words(shown)),
        };
        self.all.push((field.clone(), shown));
    }

    fn number(&mut self, field: &Field, shown: Shown) {
        // A PIN is a number.
        match is_withheld(field.name()) {
            true => self.text(field, &"", false),
            false => self.all.push((field.clone(), shown)),
        }
    }
}

impl Visit for Values {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, Shown::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, Shown::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, Shown::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, Shown::Switch(value));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.text(field, &format_args!("({} bytes)", value.len()), true);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, &value, true);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &value, false);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format_args!("{value:?}"), false);
    }
}

/// One line, without secrets.
fn clean(text: &str) -> String {
    let clean = for_log(text);
    if clean.contains(is_line_end) {
        let parts: Vec<&str> = clean.split(is_line_end).collect();
        return parts.join("\\n");
    }
    clean.into_owned()
}

/// Takes so much text and no more: a value is not read for longer than it is worth.
struct Cut(String);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() >= MOST {
            return Err(fmt::Error);
        }
        let end = text.floor_char_boundary_at(MOST - self.0.len());
        self.0.push_str(text.get(..end).unwrap_or_default());
        if end < text.len() {
            self.0.push('…');
            return Err(fmt::Error);
        }
        Ok(())
    }
}

trait Boundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl Boundary for str {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        let mut end = at.min(self.len());
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        end
    }
}

/// Whether a name says that what it holds is a secret, or what a caller sent. Compared without
/// case and separators, so that `apiKey` and `API-KEY` are one.
fn is_withheld(name: &str) -> bool {
    let mut plain = [0_u8; 64];
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    let mut len = 0;
    for (place, letter) in plain.iter_mut().zip(letters) {
        *place = letter.to_ascii_lowercase();
        len += 1;
    }
    let plain = plain.get(..len).unwrap_or_default();
    let has = |word: &str| {
        plain
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    };
    SECRET.iter().any(|word| has(word)) || SENT.iter().any(|word| plain == word.as_bytes())
}

/// Anywhere in a name.
const SECRET: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "authorization",
    "credential",
    "cookie",
    "sessionid",
];

/// A whole name.
const SENT: [&str; 7] = [
    "arguments",
    "args",
    "params",
    "body",
    "payload",
    "headers",
    "dpop",
];

/// Bytes of one value.
const MOST: usize = 8 * 1024;
