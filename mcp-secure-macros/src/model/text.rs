//! A text that a model will read, and where each line of it was written.

use proc_macro2::Span;
use syn::LitStr;

/// A literal, or a doc comment of several lines.
#[derive(Default, Clone)]
pub(crate) struct Text {
    pub(crate) value: String,
    lines: Vec<Line>,
}

/// What one literal holds: all of a text, or one line of a comment.
#[derive(Clone)]
struct Line {
    /// Where it starts in `value`.
    start: usize,
    /// How much of the literal was left out before that.
    skipped: usize,
    /// Where it was written.
    span: Span,
}

impl Text {
    pub(crate) fn new(value: impl Into<String>, span: Span) -> Self {
        Self {
            value: value.into(),
            lines: vec![Line {
                start: 0,
                skipped: 0,
                span,
            }],
        }
    }

    pub(crate) fn literal(literal: &LitStr) -> Self {
        Self::new(literal.value(), literal.span())
    }

    /// A line without the `skipped` bytes that it was written with.
    pub(crate) fn push_line(&mut self, line: &str, skipped: usize, span: Span) {
        if !self.lines.is_empty() {
            self.value.push('\n');
        }
        self.lines.push(Line {
            start: self.value.len(),
            skipped,
            span,
        });
        self.value.push_str(line);
    }

    /// Where it begins.
    pub(crate) fn span(&self) -> Span {
        self.span_at(0)
    }

    /// Where the line with byte `at` was written.
    pub(crate) fn span_at(&self, at: usize) -> Span {
        self.line_at(at)
            .map_or_else(Span::call_site, |line| line.span)
    }

    /// The line and column of byte `at` in the file, where the compiler tells.
    pub(crate) fn place_of(&self, at: usize) -> Option<(usize, usize)> {
        let line = self.line_at(at)?;
        let c = self.value.get(at..)?.chars().next()?;
        super::place::of(line.span, at - line.start + line.skipped, c)
    }

    fn line_at(&self, at: usize) -> Option<&Line> {
        self.lines.iter().take_while(|line| line.start <= at).last()
    }

    /// Without empty lines at either end; `None` if nothing is left.
    pub(crate) fn trimmed(mut self) -> Option<Self> {
        self.value
            .truncate(self.value.trim_end_matches([' ', '\n']).len());
        let cut = self.value.len() - self.value.trim_start_matches('\n').len();
        self.value.drain(..cut);
        self.lines.retain(|line| line.start >= cut);
        for line in &mut self.lines {
            line.start -= cut;
        }
        (!self.value.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_loses_its_empty_ends_and_keeps_its_paragraphs() {
        let mut text = Text::default();
        for line in ["", "One.", "", "Two.", ""] {
            text.push_line(line, 0, Span::call_site());
        }
        let text = text.trimmed().map(|text| (text.value, text.lines.len()));
        assert_eq!(text, Some(("One.\n\nTwo.".to_owned(), 4)));
    }

    #[test]
    fn a_comment_of_blank_lines_says_nothing() {
        let mut text = Text::default();
        text.push_line("", 0, Span::call_site());
        text.push_line("", 0, Span::call_site());
        assert!(text.trimmed().is_none());
    }
}
