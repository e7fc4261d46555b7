//! What becomes of text on its way out.

use crate::output::Spotlight;

/// What becomes of text that leaves the server: answers, errors, progress, log lines, questions.
///
/// Some of it cannot be switched off: what a person cannot see never leaves as it is, and what
/// speaks in the place of a chat role is made harmless. The rest has defaults that suit a server
/// which does not know what it reads. The operator may make them stricter, never looser.
///
/// ```
/// use mcp_secure::{Secret, TextPolicy};
///
/// let policy = TextPolicy::default().redact(Secret::Email);
/// assert!(policy.redacts(Secret::Credential) && policy.redacts(Secret::Email));
/// assert!(!TextPolicy::default().redacts(Secret::Email));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPolicy {
    hidden: Hidden,
    spotlight: Spotlight,
    annotate: bool,
    redact: [bool; Secret::ALL.len()],
}

/// What becomes of characters that a person does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hidden {
    /// They are taken out. The channel is gone, and a key that was split with them is whole
    /// again when secrets are looked for. Emoji, Persian, Hindi and all other text in which such
    /// characters are at home stay as they are.
    Strip,
    /// They are written as `\u{200B}`: for tools whose purpose is to show what is in a text. The
    /// message in them can still be read, by people and by models.
    Escape,
}

/// What is replaced with its name, as in `[redacted: github-token]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret {
    /// Keys, tokens and passwords that can be told by their shape. By default redacted.
    Credential,
    /// Numbers of payment cards. By default redacted.
    Card,
    /// International bank account numbers. By default redacted.
    Iban,
    /// E-mail addresses. By default they are let through: most are no secret.
    Email,
}

impl Secret {
    pub(crate) const ALL: [Self; 4] = [Self::Credential, Self::Card, Self::Iban, Self::Email];

    /// As the operator writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credentials",
            Self::Card => "cards",
            Self::Iban => "iban",
            Self::Email => "email",
        }
    }
}

impl Default for TextPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TextPolicy {
    pub(crate) const DEFAULT: Self = Self {
        hidden: Hidden::Strip,
        spotlight: Spotlight::Delimited,
        annotate: true,
        redact: [true, true, true, false],
    };

    /// For what was redacted before, or must be shown as it is.
    pub(crate) const NOTHING_REDACTED: Self = Self {
        redact: [false; Secret::ALL.len()],
        ..Self::DEFAULT
    };

    /// Says what becomes of characters that a person does not see.
    #[must_use]
    pub const fn hidden(mut self, hidden: Hidden) -> Self {
        self.hidden = hidden;
        self
    }

    /// Says how text of [`Untrusted`](crate::Untrusted) content is set apart.
    #[must_use]
    pub const fn spotlight(mut self, spotlight: Spotlight) -> Self {
        self.spotlight = spotlight;
        self
    }

    /// Replaces this, too.
    #[must_use]
    pub fn redact(mut self, secret: Secret) -> Self {
        self.set(secret, true);
        self
    }

    /// Leaves the notes out that tell a client what was found in an answer, under
    /// `io.github.mcp-secure/text` in its `_meta`. What was found is in the audit log all the same.
    #[must_use]
    pub const fn without_notes(mut self) -> Self {
        self.annotate = false;
        self
    }

    /// Whether this is replaced.
    pub fn redacts(&self, secret: Secret) -> bool {
        self.redact.get(secret as usize).copied().unwrap_or(true)
    }

    pub(crate) fn set(&mut self, secret: Secret, on: bool) {
        if let Some(slot) = self.redact.get_mut(secret as usize) {
            *slot = on;
        }
    }

    pub(super) fn spotlights(&self) -> Spotlight {
        self.spotlight
    }

    pub(crate) fn strips(&self) -> bool {
        self.hidden == Hidden::Strip
    }

    pub(crate) fn annotates(&self) -> bool {
        self.annotate
    }

    pub(crate) fn annotate(&mut self) {
        self.annotate = true;
    }
}
