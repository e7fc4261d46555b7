//! Credentials and personal data in text that leaves a server.
//!
//! A tool's answer, an error and a log line may hold what the server knows: the token it called
//! an API with, the environment it printed when it failed, a customer's card. [`find`] says where
//! such secrets stand, [`redact`] takes them out, and [`Redactor`] does so while a large text is
//! written. [`DETECTORS`] lists every kind, who describes it, and how a match is checked.
//!
//! ```
//! use mcp_secure_text::secret::{Kinds, redact};
//!
//! let text = "cannot connect to postgres://app:n0t-4-w0rd@db.internal/orders";
//! let clean = redact(text, Kinds::CREDENTIALS);
//! assert_eq!(
//!     clean.as_str(),
//!     "cannot connect to postgres://app:[redacted: url-password]@db.internal/orders"
//! );
//! ```
//!
//! # How it decides
//!
//! What a vendor documents is verified: the CRC of a GitHub or npm token, the bech32 sum of an age
//! key, the Luhn digit of a card, the two check digits of an IBAN. Where there is no sum, prefix,
//! alphabet, length and parts must fit. A value that only has a name (`password=…`) must look as if
//! a machine or a careful person had made it, and must not refer to one that is kept elsewhere.
//!
//! Examples of manuals are no secrets: a token that says `EXAMPLE`, begins with `your`, counts up
//! (`abcdefg`), repeats itself or has less than eight different characters, a host of RFC 2606, a
//! placeholder (`${KEY}`, `<token>`, `****`). Test numbers of cards are found, because
//! they pass every check that a real one does.
//!
//! Time is linear: each place where something may begin is looked at through a window of fixed
//! size. Text without secrets is neither copied nor allocated.
//!
//! # What it does not find
//!
//! * Secrets without a form of their own or a name next to them: a bare password, a bare secret
//!   access key of AWS, a key of thirty-two hexadecimal digits in a table.
//! * Secrets that are written in another way: in base64 or hexadecimal, split over lines, with
//!   hidden characters in between (run [`sanitize`](crate::sanitize) first), as words.
//! * Named values with spaces or brackets, without a digit, of words only, or longer than 512
//!   bytes; arguments of commands (`--password x`); elements of XML.
//! * PuTTY and SSH2 key files, cookies, and the tokens of vendors that are not in the table.
//! * Telephone numbers, names and postal addresses: nothing in them can be checked.
//!
//! A tool that is asked to give a secret away can do so in a hundred ways. This is a net for
//! accidents, not a wall against the tool's own code.

mod assign;
mod check;
mod class;
mod detectors;
mod jwt;
mod pem;
mod personal;
mod redact;
mod scan;
#[cfg(test)]
mod tests;
mod token;

use core::iter::FusedIterator;
use core::ops::{BitOr, Range};

pub use detectors::{DETECTORS, Detector, Validation};
pub use redact::{Counts, HOLD_BACK, Redacted, Redactor, redact};

use scan::{Scan, Step};

/// Finds the secrets of these kinds in `text`, in order, none within another.
///
/// ```
/// use mcp_secure_text::secret::{Kinds, find};
///
/// let text = "export DB_PASSWORD='7hX-q0Zr2m'";
/// let secret = find(text, Kinds::CREDENTIALS).next().unwrap();
/// assert_eq!(secret.id, "secret/password");
/// assert_eq!(&text[secret.span], "7hX-q0Zr2m");
///
/// let manual = "export DB_PASSWORD='your_password' API_KEY=${API_KEY}";
/// assert_eq!(find(manual, Kinds::CREDENTIALS).next(), None);
/// ```
pub fn find(text: &str, kinds: Kinds) -> Secrets<'_> {
    Secrets {
        text,
        scan: Scan::new(kinds),
    }
}

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Secret {
    /// What it is: the [`Detector::id`].
    pub id: &'static str,
    /// Where it is, in bytes, on character boundaries. Of a URL this is the password, of a key
    /// file what stands between its markers, of a named value the value.
    pub span: Range<usize>,
}

/// The secrets in a text. [`find`] makes it.
#[derive(Clone, Debug)]
pub struct Secrets<'t> {
    text: &'t str,
    scan: Scan,
}

impl Iterator for Secrets<'_> {
    type Item = Secret;

    fn next(&mut self) -> Option<Secret> {
        match self.scan.step(self.text.as_bytes(), true) {
            Step::Found(id, start) => Some(Secret {
                id,
                span: start..self.scan.end(self.text.as_bytes()),
            }),
            Step::More | Step::Done => None,
        }
    }
}

impl FusedIterator for Secrets<'_> {}

/// Which kinds of secrets to look for.
///
/// The default is [`CREDENTIALS`](Self::CREDENTIALS). Personal data is looked for where a policy
/// says so: to many tools an address is what the answer is about.
///
/// ```
/// use mcp_secure_text::secret::{Kinds, redact};
///
/// let text = "card 4111 1111 1111 1111, mail jo@shop.dev";
/// assert_eq!(redact(text, Kinds::default()).as_str(), text);
/// assert_eq!(
///     redact(text, Kinds::CARDS | Kinds::EMAIL).as_str(),
///     "card [redacted: card-number], mail [redacted: email]"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// Tokens, keys and passwords.
    pub const CREDENTIALS: Self = Self(1);
    /// Numbers of payment cards, ISO/IEC 7812.
    pub const CARDS: Self = Self(2);
    /// E-mail addresses.
    pub const EMAIL: Self = Self(4);
    /// International bank account numbers, ISO 13616.
    pub const IBAN: Self = Self(8);
    /// Social security numbers of the United States, written with dashes. They have no check
    /// digit: nine in ten numbers of that form pass.
    pub const US_SSN: Self = Self(16);
    /// All of them.
    pub const ALL: Self = Self(31);

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn bits(self) -> u8 {
        self.0
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::CREDENTIALS
    }
}

impl BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Counts the bytes that are looked at, for the test that they are few.
#[cfg(not(test))]
#[inline(always)]
fn steps(_: usize) {}

#[cfg(test)]
fn steps(count: usize) {
    tests::STEPS.with(|steps| steps.set(steps.get() + count));
}
