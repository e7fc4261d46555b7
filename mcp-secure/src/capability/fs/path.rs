//! A path as a tool argument: parsed once, relative, and spelled in exactly one way.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::FsError;

/// Bytes in a path, as `PATH_MAX` counts them.
pub(super) const MAX_PATH: usize = 4096;
/// Bytes in one component, as `NAME_MAX` counts them.
pub(super) const MAX_NAME: usize = 255;

/// A path below a granted folder.
///
/// A tool takes it as an argument (`name: RelPath`), so a path that tries to leave the
/// folder is refused before the tool runs, and the published schema says so. There is one
/// spelling for each path: what a person approved, what the audit log shows and what the
/// policy checked is the same text. Therefore nothing is normalised; these are refused:
///
/// * an empty path, an absolute one, one that starts with `~`, a drive letter (`C:…`);
/// * `\` anywhere, which also covers UNC and device paths (`\\server\share`, `\\?\…`);
/// * the components `.` and `..`, and empty components (`a//b`, `a/`), so also `./a`;
/// * control characters (NUL among them) and the bidirectional embeddings, overrides and
///   isolates, with which one name can be displayed as another;
/// * more than 4096 bytes, or more than 255 in a component.
///
/// The folder itself is written `.`, alone. Nothing is decoded: `%2e%2e` is a literal name.
/// Names are not Unicode-normalised; two normal forms of one name are two names, as they
/// are for the kernel (the component policy compares folded forms on its own).
///
/// It does not convert into [`std::path::Path`] on purpose: it means something only
/// together with a handle.
///
/// ```
/// use mcp_secure::capability::fs::RelPath;
///
/// let path: RelPath = "journal/2026/may.md".parse()?;
/// assert_eq!(path.file_name(), Some("may.md"));
/// assert!(RelPath::parse("../etc/passwd").is_err());
/// # Ok::<(), mcp_secure::capability::fs::FsError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Cow<'static, str>);

impl RelPath {
    /// Parses a path.
    ///
    /// # Errors
    ///
    /// [`FsError::Invalid`] with the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, FsError> {
        check(text)?;
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// The granted folder itself, written `.`.
    pub const fn root() -> Self {
        Self(Cow::Borrowed("."))
    }

    /// Whether this is the folder itself.
    pub fn is_root(&self) -> bool {
        self.0 == "."
    }

    /// The path as text, which is the text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component; `None` for the folder itself.
    pub fn file_name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// What follows the last dot of the last component, unless that is its first character.
    pub fn extension(&self) -> Option<&str> {
        match self.file_name()?.rsplit_once('.')? {
            ("", _) => None,
            (_, extension) => Some(extension),
        }
    }

    /// The path without its last component; `None` for the folder itself.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rsplit_once('/') {
            Some((parent, _)) => Self(Cow::Owned(parent.to_owned())),
            None => Self::root(),
        })
    }

    /// This path, continued by another.
    ///
    /// # Errors
    ///
    /// [`FsError::Invalid`] if the whole is too long.
    pub fn join(&self, rest: &Self) -> Result<Self, FsError> {
        match (self.is_root(), rest.is_root()) {
            (true, _) => Ok(rest.clone()),
            (_, true) => Ok(self.clone()),
            _ => Self::parse(&format!("{self}/{rest}")),
        }
    }

    /// The components, from the top; none for the folder itself.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|component| *component != ".")
    }

    /// The folder and the name in it; `None` for the folder itself.
    pub(super) fn split_last(&self) -> Option<(Self, &str)> {
        Some((self.parent()?, self.file_name()?))
    }
}

impl FromStr for RelPath {
    type Err = FsError;

    fn from_str(text: &str) -> Result<Self, FsError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RelPath {
    type Error = FsError;

    fn try_from(text: String) -> Result<Self, FsError> {
        check(&text)?;
        Ok(Self(Cow::Owned(text)))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = RelPath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a relative path")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RelPath, E> {
                RelPath::parse(text).map_err(E::custom)
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<RelPath, E> {
                RelPath::try_from(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_string(Text)
    }
}

impl JsonSchema for RelPath {
    fn schema_name() -> Cow<'static, str> {
        "RelPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": DESCRIPTION,
            "minLength": 1,
            "maxLength": MAX_PATH,
            "pattern": pattern(),
        })
    }
}

const DESCRIPTION: &str = "A path relative to the granted folder, with `/` between names, such \
    as `notes/today.md`. No leading `/`, `./` or `~`, no `..`, no `\\`, no trailing `/`. The \
    folder itself is `.`.";

fn check(text: &str) -> Result<(), FsError> {
    let refuse = |reason| Err(FsError::Invalid { reason });
    if text == "." {
        return Ok(());
    }
    if text.is_empty() {
        return refuse("a path may not be empty; the folder itself is `.`");
    }
    if text.len() > MAX_PATH {
        return refuse("a path may not be longer than 4096 bytes");
    }
    // One pass over the characters; the rest is over components.
    for c in text.chars() {
        match c {
            '\\' => return refuse("a path may not contain `\\`; names are separated by `/`"),
            c if c.is_control() => return refuse("a path may not contain control characters"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                return refuse("a path may not contain characters that reorder its display");
            }
            _ => {}
        }
    }
    match text.as_bytes() {
        [b'/', ..] => return refuse("a path may not be absolute"),
        [b'~', ..] => return refuse("a path may not start with `~`"),
        [drive, b':', ..] if drive.is_ascii_alphabetic() => {
            return refuse("a path may not start with a drive letter");
        }
        _ => {}
    }
    for component in text.split('/') {
        match component {
            "" => return refuse("a path may not contain an empty name or end with `/`"),
            "." => return refuse("a path may not contain the component `.`"),
            ".." => return refuse("a path may not contain the component `..`"),
            name if name.len() > MAX_NAME => {
                return refuse("a name in a path may not be longer than 255 bytes");
            }
            _ => {}
        }
    }
    Ok(())
}

/// The same rules as a regular expression that both ECMA-262 and linear-time engines read
/// (no look-around); lengths in bytes are left to the parser.
fn pattern() -> String {
    // What no name contains.
    const NOT: &str = r"/\\\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069";
    // `.x…`, `..x…`: a leading dot, but neither `.` nor `..`.
    let dotted = format!(r"\.[^.{NOT}][^{NOT}]*|\.\.[^{NOT}]+");
    let name = format!(r"[^.{NOT}][^{NOT}]*|{dotted}");
    // The first name starts neither with `~` nor with a drive letter.
    let first = format!(r"[^.~a-zA-Z{NOT}][^{NOT}]*|[a-zA-Z]([^:{NOT}][^{NOT}]*)?|{dotted}");
    format!(r"^(\.|({first})(/({name}))*)$")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &[&str] = &[
        ".",
        "a",
        "a/b",
        "a.md",
        "..test",
        "test..",
        "te..st",
        "...",
        "....",
        "a/...",
        ".hidden",
        ".a/.b",
        "%2e%2e",
        "%2e%2e/%2f",
        "my-project (v2)/x",
        "café",
        "cafe\u{301}",
        "report_50%.pdf",
        "a b/c",
        "ab:c",
        "1:x",
        "x/~",
        "a~",
        "日本語/ファイル",
        "x/c:",
        "\u{2025}",
        "\u{ff0e}\u{ff0e}",
    ];
    const BAD: &[&str] = &[
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/..",
        "a/../b",
        "a/./b",
        "./a",
        "a/.",
        "a//b",
        "a/",
        "//a",
        "~",
        "~/x",
        "~root/x",
        "C:",
        "c:/x",
        "C:x",
        "\\\\server\\share",
        "a\\b",
        "\\",
        "a\0b",
        "\0",
        "a\nb",
        "a\u{7f}",
        "a\u{85}b",
        "\u{202e}dm.txt",
        "a/\u{2066}b",
        "..\\..\\x",
    ];

    #[test]
    fn every_way_out_is_refused_and_odd_names_are_kept() {
        for good in GOOD {
            assert_eq!(RelPath::parse(good).unwrap().as_str(), *good);
        }
        for bad in BAD {
            assert!(
                matches!(RelPath::parse(bad), Err(FsError::Invalid { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_published_pattern_agrees_with_the_parser() {
        let schema = schemars::schema_for!(RelPath).to_value();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for text in GOOD.iter().chain(BAD) {
            let parsed = RelPath::parse(text).is_ok();
            assert_eq!(
                validator.is_valid(&serde_json::json!(text)),
                parsed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn lengths_count_bytes() {
        assert!(RelPath::parse(&"a".repeat(255)).is_ok());
        assert!(RelPath::parse(&"a".repeat(256)).is_err());
        assert!(RelPath::parse(&"é".repeat(128)).is_err());
        assert!(RelPath::parse(&"a/".repeat(2048)[..4095]).is_ok());
        assert!(RelPath::parse(&format!("{}b", "aa/".repeat(1366))).is_err());
    }

    #[test]
    fn serde_reads_only_strings_that_parse() {
        assert!(serde_json::from_str::<RelPath>("\"a/b\"").is_ok());
        for bad in ["\"../b\"", "1", "null", "{}", "[]", "\"a\\u0000b\""] {
            assert!(serde_json::from_str::<RelPath>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn joining_and_taking_apart() {
        let path = RelPath::parse("a/b.md").unwrap();
        assert_eq!(RelPath::root().join(&path).unwrap(), path);
        assert_eq!(path.join(&RelPath::root()).unwrap(), path);
        assert_eq!(
            path.parent().unwrap().join(&path).unwrap().as_str(),
            "a/a/b.md"
        );
        assert_eq!(path.extension(), Some("md"));
        assert_eq!(RelPath::parse(".md").unwrap().extension(), None);
        assert_eq!(RelPath::parse("a").unwrap().parent(), Some(RelPath::root()));
        assert!(RelPath::root().parent().is_none() && RelPath::root().file_name().is_none());
        assert_eq!(RelPath::root().components().count(), 0);
    }
}
