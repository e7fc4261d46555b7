//! A text that a model will read, and where each line of it was written.

use proc_macro2::Span;
use syn::LitStr;

/// A literal, or a doc comment of several lines.
#[derive(Default, Clone)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// Where each line starts in `value`, and where it was written.
    lines: Vec<(usize, Span)>,
}

impl Text {
    pub(crate) fn new(value: impl Into<String>, span: Span) -> Self {
        Self {
            value: value.into(),
            lines: vec![(0, span)],
        }
    }

    pub(crate) fn literal(literal: &LitStr) -> Self {
        Self::new(literal.value(), literal.span())
    }

    pub(crate) fn push_line(&mut self, line: &str, span: Span) {
        if !self.lines.is_empty() {
            self.value.push('\n');
        }
        self.lines.push((self.value.len(), span));
        self.value.push_str(line);
    }

    /// Where it begins.
    pub(crate) fn span(&self) -> Span {
        self.span_at(0)
    }

    /// Where the line with byte `at` was written.
    pub(crate) fn span_at(&self, at: usize) -> Span {
        self.lines
            .iter()
            .take_while(|(start, _)| *start <= at)
            .last()
            .map_or_else(Span::call_site, |(_, span)| *span)
    }

    /// Without empty lines at either end; `None` if nothing is left.
    pub(crate) fn trimmed(mut self) -> Option<Self> {
        self.value
            .truncate(self.value.trim_end_matches([' ', '\n']).len());
        let cut = self.value.len() - self.value.trim_start_matches('\n').len();
        self.value.drain(..cut);
        self.lines.retain(|(start, _)| *start >= cut);
        for (start, _) in &mut self.lines {
            *start -= cut;
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
            text.push_line(line, Span::call_site());
        }
        let text = text.trimmed().map(|text| (text.value, text.lines.len()));
        assert_eq!(text, Some(("One.\n\nTwo.".to_owned(), 4)));
    }

    #[test]
    fn a_comment_of_blank_lines_says_nothing() {
        let mut text = Text::default();
        text.push_line("", Span::call_site());
        text.push_line("", Span::call_site());
        assert!(text.trimmed().is_none());
    }
}
