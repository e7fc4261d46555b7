//! Finished text: one event is one line, whatever is in it.

use std::io::{self, Write};

use crate::layer::guard::for_log;

/// A writer for one event at a time, as `tracing_subscriber::fmt` uses it: the event stays one
/// line, without what a terminal obeys, hidden characters and secrets.
///
/// It sees names of fields and targets as well, which [`Redact`](super::Redact) can only refuse.
pub struct Lines<W>(W);

impl<W: Write> Lines<W> {
    /// Around a writer, such as standard error.
    pub fn new(inner: W) -> Self {
        Self(inner)
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let clean = for_log(text);
        let mut line = String::with_capacity(clean.len() + 1);
        for part in clean.split(is_line_end) {
            if !line.is_empty() {
                line.push_str("\\n");
            }
            line.push_str(part);
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Everything that a terminal, an editor or a collector of logs may take for the end of a line.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}
