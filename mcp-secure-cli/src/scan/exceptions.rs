//! Findings that a person has reviewed, with a reason and a last day.

use std::{cell::Cell, path::Path};

use chrono::NaiveDate;
use mcp_secure_text::{
    Verdict, inspect,
    toolset::{EntryKind, Found},
};
use serde::Deserialize;

use super::{Result, print::safe, rules, whole};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    exception: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rule: String,
    entry: String,
    reason: String,
    until: toml::Value,
}

/// One exception that holds.
struct Exception {
    rule: String,
    entry: String,
    used: Cell<bool>,
}

/// The exceptions of a file.
#[derive(Default)]
pub(super) struct Exceptions {
    holding: Vec<Exception>,
    /// Those that are over, a line for each.
    pub(super) expired: Vec<String>,
}

impl Exceptions {
    /// Reads a file; `today` is the day in UTC.
    pub(super) fn read(file: &Path, today: NaiveDate) -> Result<Self> {
        let shown = file.display();
        let text =
            String::from_utf8(whole(file)?).map_err(|_| format!("`{shown}` is not UTF-8"))?;
        let rows: File = toml::from_str(&text).map_err(|error| format!("`{shown}`: {error}"))?;
        let mut exceptions = Self::default();
        for (at, row) in rows.exception.into_iter().enumerate() {
            let number = at + 1;
            let wrong = |what: &str| format!("`{shown}`: exception {number}: {what}");
            if !rules::is_known(&row.rule) {
                return Err(wrong("there is no such rule (`scan --rules` lists them)"));
            }
            if row.reason.trim().is_empty() {
                return Err(wrong("a reason is missing"));
            }
            let until =
                day(&row.until).ok_or_else(|| wrong("`until` is no day, such as 2030-12-31"))?;
            if until < today {
                exceptions.expired.push(wrong(&format!(
                    "`{}` for {} was over on {until}: look at it again",
                    row.rule,
                    named(&row.entry)
                )));
            } else {
                exceptions.holding.push(Exception {
                    rule: row.rule,
                    entry: row.entry,
                    used: Cell::new(false),
                });
            }
        }
        Ok(exceptions)
    }

    /// Whether an exception covers the finding; it has been used then.
    pub(super) fn excuses(&self, found: &Found) -> bool {
        let mut excused = false;
        for exception in &self.holding {
            let entry = match found.kind {
                EntryKind::Server => "server",
                _ => &found.entry,
            };
            if exception.rule == found.finding.rule && exception.entry == entry {
                exception.used.set(true);
                excused = true;
            }
        }
        excused
    }

    /// Those that covered nothing, a line for each.
    pub(super) fn unused(&self) -> impl Iterator<Item = String> {
        self.holding
            .iter()
            .filter(|exception| !exception.used.get())
            .map(|exception| {
                format!(
                    "an exception from `{}` for {} excuses nothing: remove it",
                    exception.rule,
                    named(&exception.entry)
                )
            })
    }
}

/// The reviewer's own words may be pasted from a list.
fn named(entry: &str) -> String {
    let clean = inspect(entry, mcp_secure_text::Field::Title).verdict() == Verdict::Clean;
    if clean && entry.len() <= 128 {
        format!("`{}`", safe(entry))
    } else {
        "an entry".to_owned()
    }
}

/// A date of TOML, or a string that says one.
fn day(value: &toml::Value) -> Option<NaiveDate> {
    match value {
        toml::Value::Datetime(datetime) => {
            let date = datetime.date?;
            NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
        }
        toml::Value::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        _ => None,
    }
}
