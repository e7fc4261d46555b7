//! Exceptions end: somebody looks at them again.
//!
//! A build never asks for the date, so that the same code gives the same bytes tomorrow. The
//! verbs `check` and `manifest` do, and fail; a server that starts says so in its log.

use std::{fmt, time::SystemTime};

use chrono::{DateTime, NaiveDate, Utc};
use mcp_secure_text::{Policy, sanitize};

use super::{Exception, Manifest};
use crate::{Error, Result};

/// An exception from a text rule whose last day has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// Which row: ``tool `read_note` ``.
    pub row: String,
    /// The rule.
    pub rule: String,
    /// The last day.
    pub until: String,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!(
            "{} sets `{}` aside until {}",
            self.row, self.rule, self.until
        );
        f.write_str(sanitize(line, Policy::Escape).as_str())
    }
}

impl Manifest {
    /// The exceptions whose last day, in UTC, is over. One that names no day is over as well.
    pub fn expired(&self, now: SystemTime) -> Vec<Expired> {
        let today = DateTime::<Utc>::from(now).date_naive();
        self.exceptions()
            .filter(|(_, exception)| day(&exception.until).is_none_or(|until| until < today))
            .map(|(row, exception)| Expired {
                row,
                rule: exception.rule.clone(),
                until: exception.until.clone(),
            })
            .collect()
    }

    /// Fails if an exception is over.
    ///
    /// # Errors
    ///
    /// When [`expired`](Self::expired) finds one.
    pub fn check_expiry(&self, now: SystemTime) -> Result<()> {
        let expired = self.expired(now);
        if expired.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = expired.iter().map(|one| format!("\n  {one}")).collect();
        Err(
            Error::new(format!("exceptions are over:{}", lines.concat())).help(
                "look at each again: change the text, or give `allow_text` another day in `until`",
            ),
        )
    }

    /// Every exception, with its row.
    pub(super) fn exceptions(&self) -> impl Iterator<Item = (String, &Exception)> {
        fn of(row: String, exceptions: &[Exception]) -> impl Iterator<Item = (String, &Exception)> {
            exceptions.iter().map(move |one| (row.clone(), one))
        }
        let server = of("server".to_owned(), &self.server.exceptions);
        let capabilities = self
            .capabilities
            .iter()
            .flat_map(|row| of(format!("capability `{}`", row.name), &row.exceptions));
        let entries = self
            .entries()
            .flat_map(|(kind, row)| of(format!("{kind} `{}`", row.name), &row.exceptions));
        let completions = self
            .completions
            .iter()
            .flat_map(|row| of(row.label(), &row.exceptions));
        server.chain(capabilities).chain(entries).chain(completions)
    }
}

/// `YYYY-MM-DD` and nothing else.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.parse().ok()?;
    (day.to_string() == text).then_some(day)
}
