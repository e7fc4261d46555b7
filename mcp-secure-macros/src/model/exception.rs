//! Reviewed exceptions from the text rules.

use proc_macro2::Span;

use super::Text;

/// `allow_text("rule", reason = "why", until = "2027-06-30")`.
pub(crate) struct Exception {
    /// Where the option begins.
    pub(crate) span: Span,
    /// The rule, by its name in `mcp_secure_text::rule`.
    pub(crate) rule: &'static str,
    pub(crate) reason: Text,
    /// The last day, as written.
    pub(crate) until: String,
    /// A text that was seen here breaks the rule.
    pub(crate) spent: bool,
}

/// All of one entry.
#[derive(Default)]
pub(crate) struct Exceptions(pub(crate) Vec<Exception>);

impl Exceptions {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn rules(&self) -> Vec<&'static str> {
        self.0.iter().map(|exception| exception.rule).collect()
    }

    /// A text breaks `rule`.
    pub(crate) fn spend(&mut self, rule: &str) {
        for exception in self.0.iter_mut().filter(|one| one.rule == rule) {
            exception.spent = true;
        }
    }

    pub(crate) fn unspent(&self) -> impl Iterator<Item = &Exception> {
        self.0.iter().filter(|exception| !exception.spent)
    }
}
