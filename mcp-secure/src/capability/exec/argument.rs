//! What may stand on a command line, by type.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::ExecError;
use crate::capability::{fs::RelPath, sealed::Sealed};

/// An option of the code: a literal, or a closed set of them.
///
/// ```
/// use mcp_secure::capability::exec::Flag;
///
/// enum Order { Oldest, Newest }
///
/// impl Flag for Order {
///     fn as_flag(&self) -> &'static str {
///         match self { Self::Oldest => "--reverse", Self::Newest => "--no-reverse" }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an option of a program",
    label = "not a flag",
    note = "an option is a literal of the code; let an enum choose between literals and implement `Flag` for it"
)]
pub trait Flag {
    /// The option as the program reads it, such as `--oneline`.
    fn as_flag(&self) -> &'static str;
}

impl Flag for &'static str {
    fn as_flag(&self) -> &'static str {
        self
    }
}

/// A value on a command line: [`RelPath`], [`Identifier`], [`Text`], an integer, or a word of the
/// code. A `String` is none, because nobody said what it may be.
///
/// Implemented by these types only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a program",
    label = "not a typed argument",
    note = "take `Identifier` or `RelPath` as the tool's parameter, or `Text` for free text"
)]
pub trait Argument: Sealed {
    #[doc(hidden)]
    fn render(&self) -> Cow<'_, str>;
}

impl Sealed for RelPath {}
impl Argument for RelPath {
    /// With `./` in front, so that a file named `-rf`, `@list` or `:(top)` is a file.
    fn render(&self) -> Cow<'_, str> {
        match self.as_str() {
            "." => ".".into(),
            path => format!("./{path}").into(),
        }
    }
}

impl Sealed for &'static str {}
impl Argument for &'static str {
    fn render(&self) -> Cow<'_, str> {
        (*self).into()
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Sealed for $int {}
        impl Argument for $int {
            fn render(&self) -> Cow<'_, str> {
                self.to_string().into()
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<T: Argument> Sealed for &T {}
impl<T: Argument> Argument for &T {
    fn render(&self) -> Cow<'_, str> {
        T::render(self)
    }
}

/// A name: of a branch, a package, a resource. Letters, digits, `_` and `-`, in parts between
/// single `.` or `/`; it does not begin with `-`, `.` or `/`, and `..` is not in it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(String);

impl Identifier {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`ExecError::Argument`].
    pub fn parse(text: &str) -> Result<Self, ExecError> {
        let refuse = |reason| Err(ExecError::Argument { reason });
        if text.len() > MAX_IDENTIFIER {
            return refuse("a name may not be longer than 256 bytes");
        }
        let mut last = b'/';
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
                b'-' if at > 0 => {}
                b'.' | b'/' if !matches!(last, b'.' | b'/') => {}
                _ => {
                    return refuse(
                        "a name is made of letters, digits, `_`, `-`, and single `.` or `/` \
                         between them",
                    );
                }
            }
            last = byte;
        }
        if matches!(last, b'.' | b'/') {
            return refuse("a name may not be empty, or end with `.` or `/`");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Free text: a message, a query. Any characters but control characters other than tab and new
/// line; at most 8192 bytes.
///
/// Where it stands decides what else it may be: without a separator in front it may not begin
/// like an option.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`ExecError::Argument`].
    pub fn parse(text: &str) -> Result<Self, ExecError> {
        let refuse = |reason| Err(ExecError::Argument { reason });
        if text.len() > MAX_TEXT {
            return refuse("a text may not be longer than 8192 bytes");
        }
        if text.chars().any(|c| c.is_control() && !"\t\n".contains(c)) {
            return refuse("a text may not contain control characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text {
    ($name:ident, $schema:expr) => {
        impl Sealed for $name {}
        impl Argument for $name {
            fn render(&self) -> Cow<'_, str> {
                self.as_str().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text!(
    Identifier,
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_IDENTIFIER,
        "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$",
    })
);
text!(
    Text,
    json_schema!({
        "type": "string",
        "maxLength": MAX_TEXT,
        "pattern": r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$",
    })
);

const MAX_IDENTIFIER: usize = 256;
const MAX_TEXT: usize = 8192;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn agrees<T: JsonSchema>(text: &str, parsed: bool) {
        let schema = schemars::schema_for!(T).to_value();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert_eq!(
            validator.is_valid(&serde_json::json!(text)),
            parsed,
            "{text:?}"
        );
    }

    #[test]
    fn a_name_is_nothing_but_a_name_and_the_schema_says_the_same() {
        for good in [
            "a",
            "main",
            "v1.2.3",
            "feature/x-1",
            "_x",
            "0",
            "refs/heads/-x",
        ] {
            assert!(Identifier::parse(good).is_ok(), "{good:?}");
            agrees::<Identifier>(good, true);
        }
        for bad in [
            "",
            "-x",
            "--output=x",
            "+x",
            "@x",
            ".x",
            "/x",
            "x/",
            "x.",
            "a..b",
            "a//b",
            "a./b",
            "a b",
            "a\nb",
            "a\0b",
            "a;b",
            "$(id)",
            "a:b",
            "a=b",
            "~",
            "ä",
            "a\n",
        ] {
            assert!(Identifier::parse(bad).is_err(), "{bad:?}");
            agrees::<Identifier>(bad, false);
        }
        assert!(Identifier::parse(&"a".repeat(257)).is_err());
    }

    #[test]
    fn a_text_has_no_control_characters_and_the_schema_says_the_same() {
        for good in ["", "a b", "a\n\tb", "-x", "@x", "'; id; '", "ä"] {
            assert!(Text::parse(good).is_ok(), "{good:?}");
            agrees::<Text>(good, true);
        }
        for bad in ["a\0", "\u{1b}[2J", "a\rb", "\u{85}", "\u{7f}"] {
            assert!(Text::parse(bad).is_err(), "{bad:?}");
            agrees::<Text>(bad, false);
        }
        assert!(Text::parse(&"a".repeat(8193)).is_err());
    }

    #[test]
    fn a_path_is_a_path_whatever_its_name_begins_with() {
        for (path, rendered) in [
            ("-rf", "./-rf"),
            ("@x", "./@x"),
            (".", "."),
            ("a/b", "./a/b"),
        ] {
            assert_eq!(RelPath::parse(path).unwrap().render(), rendered);
        }
    }
}
