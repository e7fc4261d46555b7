//! The grammar of names.

use std::fmt;

use crate::describe::Described;

/// The longest name MCP allows.
pub const MAX_NAME_LEN: usize = 128;

/// Checks a tool name: 1 to 128 of `A` to `Z`, `a` to `z`, `0` to `9`, `_`, `.` and `-`.
///
/// MCP recommends this grammar (Tools, "Tool Names"); here it is the rule, since a name of ASCII
/// has no look-alike in another script.
///
/// # Errors
///
/// Says which character is wrong, without repeating one that cannot be seen.
///
/// ```
/// use mcp_secure_text::check_name;
///
/// assert!(check_name("notes.read_note-2").is_ok());
/// assert_eq!(
///     check_name("read\u{200B}").unwrap_err().to_string(),
///     "the name has U+200B ZERO WIDTH SPACE at byte 4: only A-Z, a-z, 0-9, `_`, `.` and `-` are allowed",
/// );
/// ```
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME_LEN && name.is_ascii() {
        return Err(NameError::TooLong { len: name.len() });
    }
    for (at, character) in name.char_indices() {
        if !matches!(character, 'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '.' | '-') {
            return Err(NameError::Character { character, at });
        }
    }
    Ok(())
}

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// It has no characters.
    Empty,
    /// It has more than [`MAX_NAME_LEN`] characters.
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// It has a character that names cannot have.
    Character {
        /// The first of them.
        character: char,
        /// Where it stands, in bytes.
        at: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty"),
            Self::TooLong { len } => {
                write!(
                    f,
                    "the name has {len} characters: at most {MAX_NAME_LEN} are allowed"
                )
            }
            Self::Character { character, at } => write!(
                f,
                "the name has {} at byte {at}: only A-Z, a-z, 0-9, `_`, `.` and `-` are allowed",
                Described(*character),
            ),
        }
    }
}

impl std::error::Error for NameError {}
