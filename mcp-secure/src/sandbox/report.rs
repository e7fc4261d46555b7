//! What was wanted of the kernel, what it gave, and what happened when the forbidden was tried.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// How much of a sandbox is there.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing, or not enough to speak of: the handles are a promise.
    #[default]
    None,
    /// Files and system calls are closed, and something else is not, or not whole.
    Partial,
    /// Everything that this crate knows how to close.
    Full,
}

impl Level {
    /// `none`, `partial` or `full`: as the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the kernel keeps, of one process and its helpers. It is in the audit log when a server
/// starts (`event: "sandbox"`), and the verb `doctor` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SandboxReport {
    /// What all of it adds up to.
    pub level: Level,
    /// The version of Landlock; 0 where there is none.
    pub landlock_abi: u32,
    /// What is kept.
    pub rows: Vec<Row>,
    /// What stays within reach.
    pub files: Vec<Reach>,
    /// What happened when the forbidden was tried.
    pub self_tests: Vec<SelfTest>,
    /// The processes that do what this one may not.
    pub helpers: Vec<HelperReport>,
}

/// One thing that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// What: `files`, `network`.
    pub name: &'static str,
    /// How much of it may be reached.
    pub wanted: String,
    /// How far that holds.
    pub got: Level,
    /// Who holds it, or why not.
    pub because: String,
}

/// A path within reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reach {
    /// The folder or file.
    pub path: String,
    /// `read`, `write`, or `remove`.
    pub access: &'static str,
    /// The capability, or what the server needs it for.
    pub because: String,
}

/// One attempt at what is forbidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SelfTest {
    /// What was tried.
    pub name: &'static str,
    /// Whether the kernel stopped it.
    pub result: Tried,
    /// What the kernel said.
    pub said: String,
}

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tried {
    /// The kernel refused.
    Stopped,
    /// It could have been done.
    NotStopped,
    /// There is no harmless way to try from safe code.
    NotTried,
}

/// A helper and what keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HelperReport {
    /// `dial` or `spawn`.
    pub role: String,
    /// What it works for.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// What all of it adds up to.
    pub level: Level,
    /// As the server's own.
    pub rows: Vec<HelperRow>,
}

/// A row as a helper reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HelperRow {
    /// What: `files`, `network`.
    pub name: String,
    /// How much of it may be reached.
    pub wanted: String,
    /// How far that holds.
    pub got: Level,
    /// Who holds it, or why not.
    pub because: String,
}

impl Row {
    pub(crate) fn new(
        name: &'static str,
        wanted: impl Into<String>,
        got: Level,
        because: impl Into<String>,
    ) -> Self {
        Self {
            name,
            wanted: wanted.into(),
            got,
            because: because.into(),
        }
    }

    /// Done or not, and the kernel says why.
    pub(crate) fn done<E: fmt::Display>(
        name: &'static str,
        wanted: &'static str,
        result: Result<(), E>,
    ) -> Self {
        match result {
            Ok(()) => Self::new(name, wanted, Level::Full, "the kernel"),
            Err(error) => Self::new(name, wanted, Level::None, error.to_string()),
        }
    }
}

/// Without files or system calls there is nothing to speak of; anything else that is missing
/// makes it partial.
pub(crate) fn level<'a>(rows: impl Iterator<Item = (&'a str, Level)> + Clone) -> Level {
    let bearing = |wanted: &str| {
        rows.clone()
            .any(|(name, got)| name == wanted && got >= Level::Partial)
    };
    // What is not reported is not there.
    if !bearing("files") || !bearing("system calls") {
        return Level::None;
    }
    match rows.clone().all(|(_, got)| got == Level::Full) {
        true => Level::Full,
        false => Level::Partial,
    }
}

impl SandboxReport {
    /// Adds it up.
    pub(crate) fn sum(&mut self) {
        let own = level(self.rows.iter().map(|row| (row.name, row.got)));
        let tests = self
            .self_tests
            .iter()
            .any(|test| test.result == Tried::NotStopped);
        let helpers = self.helpers.iter().map(|helper| helper.level).min();
        self.level = own
            .min(if tests { Level::Partial } else { Level::Full })
            .min(helpers.unwrap_or(Level::Full));
    }

    /// What is not whole, a line each.
    pub(crate) fn weak(&self) -> impl Iterator<Item = String> {
        let own = self
            .rows
            .iter()
            .map(|row| (String::new(), row.name, row.got, row.because.as_str()));
        let helpers = self.helpers.iter().flat_map(|helper| {
            helper.rows.iter().map(move |row| {
                let of = format!("helper {} {}: ", helper.role, helper.name);
                (of, row.name.as_str(), row.got, row.because.as_str())
            })
        });
        let rows = own
            .chain(helpers)
            .filter(|(_, _, got, _)| *got < Level::Full)
            .map(|(of, name, got, because)| format!("{of}{name}: {got} ({because})"));
        let tests = self
            .self_tests
            .iter()
            .filter(|test| test.result == Tried::NotStopped)
            .map(|test| format!("self-test {}: {}", test.name, test.said));
        rows.chain(tests)
    }

    /// For a person, or for a program.
    pub(crate) fn shown(&self, json: bool) -> crate::Result<String> {
        if !json {
            return Ok(self.page());
        }
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| crate::Error::new(format!("the report cannot be written: {error}")))
    }

    /// A page to read.
    fn page(&self) -> String {
        let mut page = format!("sandbox: {}", self.level);
        match self.landlock_abi {
            0 => page.push_str(", no Landlock\n\n"),
            abi => page.push_str(&format!(", Landlock ABI {abi}\n\n")),
        }
        for row in &self.rows {
            line(&mut page, row.name, row.got, &row.wanted, &row.because);
        }
        if !self.files.is_empty() {
            page.push_str("\nwithin reach\n");
            for reach in &self.files {
                let Reach {
                    path,
                    access,
                    because,
                } = reach;
                let _ = writeln!(page, "  {access:<7} {path} ({because})");
            }
        }
        for helper in &self.helpers {
            let HelperReport {
                role,
                name,
                pid,
                level,
                rows,
            } = helper;
            let _ = writeln!(page, "\nhelper {role} {name} (process {pid}): {level}");
            for row in rows {
                line(&mut page, &row.name, row.got, &row.wanted, &row.because);
            }
        }
        if !self.self_tests.is_empty() {
            page.push_str("\ntried from inside\n");
            for test in &self.self_tests {
                let result = match test.result {
                    Tried::Stopped => "stopped",
                    Tried::NotStopped => "NOT STOPPED",
                    Tried::NotTried => "not tried",
                };
                let _ = writeln!(page, "  {result:<11} {} ({})", test.name, test.said);
            }
        }
        page
    }
}

fn line(page: &mut String, name: &str, got: Level, wanted: &str, because: &str) {
    let _ = writeln!(page, "  {got:<7} {name}: {wanted} ({because})");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_without_files_or_calls_is_none_and_one_gap_makes_it_partial() {
        let sum = |rows: &[(&str, Level)]| level(rows.iter().copied());
        let whole = [("files", Level::Full), ("system calls", Level::Full)];
        assert_eq!(sum(&whole), Level::Full);
        assert_eq!(
            sum(&[whole[0], whole[1], ("threads", Level::None)]),
            Level::Partial
        );
        assert_eq!(sum(&[("files", Level::Partial), whole[1]]), Level::Partial);
        for gap in [
            &whole[..1],
            &whole[1..],
            &[],
            &[("files", Level::None), whole[1]],
        ] {
            assert_eq!(sum(gap), Level::None, "{gap:?}");
        }
    }

    #[test]
    fn a_self_test_that_gets_through_and_a_helper_that_is_open_lower_it() {
        let mut report = SandboxReport {
            rows: vec![
                Row::new("files", "", Level::Full, ""),
                Row::new("system calls", "", Level::Full, ""),
            ],
            ..SandboxReport::default()
        };
        report.sum();
        assert_eq!(report.level, Level::Full);
        report.self_tests.push(SelfTest {
            name: "x",
            result: Tried::NotStopped,
            said: "it works".to_owned(),
        });
        report.sum();
        assert_eq!(report.level, Level::Partial);
        assert_eq!(report.weak().count(), 1);
        report.self_tests.clear();
        report.helpers.push(HelperReport {
            role: "dial".to_owned(),
            name: "dial".to_owned(),
            pid: 1,
            level: Level::None,
            rows: Vec::new(),
        });
        report.sum();
        assert_eq!(report.level, Level::None);
    }
}
