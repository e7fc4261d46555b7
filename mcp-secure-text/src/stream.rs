//! Sanitizing a text while it comes.

use std::borrow::Cow;
use std::fmt;

use crate::clean::{Policy, replace};
use crate::report::Field;
use crate::scan::{Scan, UNSETTLED, is_plain};
use crate::token::{MAX_TOKEN, TOKENS, neutralise};

/// [`sanitize_field`](crate::sanitize_field) for a text that comes in pieces.
///
/// What is written is the sanitized text, byte by byte, however the pieces are cut. Whatever may
/// still be judged in another way is held back until more comes or [`finish`](Self::finish) is
/// called: at most [`HOLD_BACK`](Self::HOLD_BACK) bytes of the text, and of plain text less than a
/// token of a chat format.
///
/// It takes out what nobody sees. It does not look for words: demands may be encoded, or spread
/// over the text, so that [`inspect`](crate::inspect) has to see it whole.
///
/// ```
/// use mcp_secure_text::{Field, Policy, Sanitizer};
///
/// let mut sanitizer = Sanitizer::new(Field::ToolOutput, Policy::Strip);
/// let mut out = String::new();
/// sanitizer.push("run \u{1B}[8", &mut out);
/// sanitizer.push("mme\u{1B}[0m <|im_", &mut out);
/// sanitizer.push("start|> now", &mut out);
/// let changed = sanitizer.finish(&mut out);
/// assert_eq!(out, "run me < |im_start|> now");
/// assert_eq!(changed, 9);
/// ```
pub struct Sanitizer {
    field: Field,
    policy: Policy,
    scan: Scan<'static>,
    /// The text that is not judged yet, behind some that is.
    held: String,
    /// Judged text that may end in the beginning of a token.
    clean: String,
    changed: usize,
}

impl Sanitizer {
    /// How much of a text is held back at most between two pushes, in bytes.
    pub const HOLD_BACK: usize = UNSETTLED + MAX_TOKEN;

    /// Starts a text.
    #[must_use]
    pub fn new(field: Field, policy: Policy) -> Self {
        Self {
            field,
            policy,
            scan: Scan::new("", field),
            held: String::new(),
            clean: String::new(),
            changed: 0,
        }
    }

    /// Takes the next piece, and appends what can be written to `out`.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        let Some(last) = chunk.chars().next_back() else {
            return;
        };
        if self.held.is_empty() && is_plain(chunk, self.field) {
            self.scan.pass(last);
            if self.clean.is_empty() {
                // Most text: looked at, copied once.
                let ready = self.break_up(chunk, true, out);
                self.clean.push_str(chunk.get(ready..).unwrap_or_default());
                return;
            }
            self.clean.push_str(chunk);
        } else {
            self.held.push_str(chunk);
            self.judge(true);
        }
        self.write(true, out);
    }

    /// Ends the text: appends the rest to `out`. How many characters of the whole were removed or
    /// replaced, and tokens broken up.
    pub fn finish(mut self, out: &mut String) -> usize {
        self.judge(false);
        self.write(false, out);
        self.changed
    }

    /// How many bytes are held back.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.len() - self.scan.pos() + self.clean.len()
    }

    /// Judges what is held, as far as it can be while there is `more` to come.
    fn judge(&mut self, more: bool) {
        let detached = std::mem::replace(&mut self.scan, Scan::new("", self.field));
        let mut scan = detached.attach(&self.held, more);
        let mut kept = scan.pos();
        for hit in scan.by_ref() {
            self.clean
                .push_str(self.held.get(kept..hit.span.start).unwrap_or_default());
            for c in self.held.get(hit.span.clone()).unwrap_or_default().chars() {
                let changed = replace(c, hit.rule, self.field, self.policy, &mut self.clean);
                self.changed += usize::from(changed);
            }
            kept = hit.span.end;
        }
        let pos = scan.pos();
        self.clean
            .push_str(self.held.get(kept..pos).unwrap_or_default());
        // What is judged is not forgotten at each push: moving the rest has a price.
        let gone = if pos == self.held.len() || pos > 4 * UNSETTLED {
            pos
        } else {
            0
        };
        self.scan = scan.detach(gone);
        self.held.drain(..gone);
    }

    /// Writes what is judged, but for the beginning of a token that may go on.
    fn write(&mut self, more: bool, out: &mut String) {
        let mut clean = std::mem::take(&mut self.clean);
        let ready = self.break_up(&clean, more, out);
        clean.drain(..ready);
        self.clean = clean;
    }

    /// Writes `clean` with a space in each token; up to where.
    fn break_up(&mut self, clean: &str, more: bool, out: &mut String) -> usize {
        if !self.field.is_said() {
            out.push_str(clean);
            return clean.len();
        }
        let ready = if more { open_token(clean) } else { clean.len() };
        let (text, count) = neutralise(Cow::Borrowed(clean.get(..ready).unwrap_or_default()));
        out.push_str(&text);
        self.changed += count;
        ready
    }
}

/// Where the beginning of a token starts that `text` ends in; its length if there is none.
fn open_token(text: &str) -> usize {
    let from = text.len().saturating_sub(MAX_TOKEN);
    let is_open = |at: &usize| {
        let rest = text.as_bytes().get(*at..).unwrap_or_default();
        TOKENS.iter().any(|token| {
            let start = token.as_bytes().get(..rest.len());
            rest.len() < token.len() && start.is_some_and(|s| s.eq_ignore_ascii_case(rest))
        })
    };
    (from..text.len()).find(is_open).unwrap_or(text.len())
}

impl fmt::Debug for Sanitizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held back is not sanitized yet.
        f.debug_struct("Sanitizer")
            .field("field", &self.field)
            .field("policy", &self.policy)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}
