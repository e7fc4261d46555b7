//! `capabilities.lock`: what a person has seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use serde::Deserialize;

use super::{authority::Authority, report::Key};

/// The rows of the file.
#[derive(Default)]
pub(super) struct Lock {
    rows: BTreeMap<Key, Row>,
}

/// What one crate may have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) can: BTreeSet<Authority>,
    /// Why that is right. Written by hand.
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    crates: BTreeMap<String, Row>,
}

const VERSION: u32 = 1;

const HEADER: &str = "\
# What the crates of this server can reach beyond what they are handed, as `mcp-secure verify` found
# it. Rows are written by `mcp-secure verify --update`; reasons by people, and kept. A crate of the
# server's own needs one. Linux, and the features named in the command.
";

impl Lock {
    /// Reads the file. One that is not there has no rows.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
        };
        Self::parse(&text).map_err(|error| format!("`{}`: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!(
                "version {} is not known, only {VERSION}",
                file.version
            ));
        }
        let mut rows = BTreeMap::new();
        for (name, row) in file.crates {
            let (name, version) = name
                .rsplit_once(' ')
                .ok_or_else(|| format!("`{name}` is not a name and a version"))?;
            let key = Key {
                name: name.to_owned(),
                version: version.to_owned(),
            };
            rows.insert(key, row);
        }
        Ok(Self { rows })
    }

    /// The row for a crate. A version that has none is held to the rows of the others: an update
    /// that reaches no further is nothing to review.
    pub(super) fn row(&self, key: &Key) -> Option<Row> {
        if let Some(row) = self.rows.get(key) {
            return Some(row.clone());
        }
        let mut others = self.rows.iter().filter(|(other, _)| other.name == key.name);
        let (_, first) = others.next()?;
        Some(others.fold(first.clone(), |mut all, (_, row)| {
            all.can.extend(&row.can);
            if all.reason.is_empty() {
                all.reason.clone_from(&row.reason);
            }
            all
        }))
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.rows.contains_key(key)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.iter()
    }

    /// The same reasons for what was found now.
    pub(super) fn updated(&self, found: impl Iterator<Item = (Key, BTreeSet<Authority>)>) -> Self {
        let rows = found
            .map(|(key, can)| {
                let reason = self.row(&key).map(|row| row.reason).unwrap_or_default();
                (key, Row { can, reason })
            })
            .collect();
        Self { rows }
    }

    /// The text of the file.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}version = {VERSION}\n\n[crates]\n");
        for (key, row) in &self.rows {
            let can: Vec<_> = row.can.iter().map(|a| format!("\"{a}\"")).collect();
            let reason = match row.reason.as_str() {
                "" => String::new(),
                // A string of JSON is one of TOML.
                reason => format!(", reason = {}", serde_json::Value::from(reason)),
            };
            // Writing to a string does not fail.
            let _ = writeln!(text, "\"{key}\" = {{ can = [{}]{reason} }}", can.join(", "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, version: &str) -> Key {
        Key {
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_reasons_are_kept_across_versions() {
        let old = "version = 1\n[crates]\n\
            \"pad 1.0.0\" = { can = [\"fs\"], reason = 'reads \"a\" \\ b' }\n";
        let lock = Lock::parse(old).unwrap();
        let found = [(
            key("pad", "1.1.0"),
            BTreeSet::from([Authority::Fs, Authority::Net]),
        )];
        let text = lock.updated(found.into_iter()).to_text();
        let row = Lock::parse(&text)
            .unwrap()
            .row(&key("pad", "1.1.0"))
            .unwrap();
        assert_eq!(row.reason, "reads \"a\" \\ b");
        assert_eq!(row.can.len(), 2);
    }

    #[test]
    fn a_file_that_is_not_understood_is_an_error() {
        for (text, word) in [
            ("version = 2\n", "version 2"),
            (
                "version = 1\n[crates]\nx = { can = [] }\n",
                "name and a version",
            ),
            (
                "version = 1\n[crates]\n\"x 1\" = { can = [\"everything\"] }\n",
                "everything",
            ),
            (
                "version = 1\n[crates]\n\"x 1\" = { can = [], because = \"\" }\n",
                "because",
            ),
        ] {
            let error = Lock::parse(text).err().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }
}
