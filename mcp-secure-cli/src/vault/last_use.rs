//! `mcp-secure vault audit`: what should be renewed, and what nobody spends.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use mcp_secure::{Error, Result, vault::Entry};
use serde_json::Value;

use super::written;

/// A line for each credential. Fails when one is older than it should be, so that a script sees.
pub(super) fn audit(entries: &[Entry], logs: &[PathBuf], old: u64) -> Result<ExitCode> {
    let mut spent = BTreeMap::new();
    for log in logs {
        read(log, &mut spent)?;
    }
    let mut is_old = false;
    let mut out = io::stdout().lock();
    let mut all = || {
        for entry in entries {
            let age = SystemTime::now().duration_since(entry.created());
            let days = age.map_or(0, |age| age.as_secs() / (24 * 3600));
            let late = days >= old && entry.placement() != "canary";
            is_old |= late;
            let key = (entry.name().to_owned(), entry.version());
            let last = match spent.get(&key) {
                Some(when) => format!("spent {when}"),
                None if logs.is_empty() => "no log was read".to_owned(),
                None => "not spent in these logs".to_owned(),
            };
            writeln!(
                out,
                "{}  v{}  {days} days  {last}{}",
                entry.name(),
                entry.version(),
                if late { "  renew it at its issuer" } else { "" }
            )?;
        }
        out.flush()
    };
    let done = all();
    written(done)?;
    Ok(if is_old {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The last time of each version that a log names.
fn read(log: &Path, spent: &mut BTreeMap<(String, u32), String>) -> Result<()> {
    let wrong = |error| Error::new(format!("`{}` cannot be read: {error}", log.display()));
    let file = BufReader::new(File::open(log).map_err(wrong)?);
    for line in file.lines() {
        let line = line.map_err(wrong)?;
        // Most lines are of something else.
        if !line.contains(", spent `") {
            continue;
        }
        let Ok(record) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let when = record.get("ts").and_then(Value::as_str).unwrap_or_default();
        let steps = record.get("steps").and_then(Value::as_array);
        let details = steps.into_iter().flatten().filter_map(|step| {
            let detail = step.get("detail").and_then(Value::as_str)?;
            key(detail.split_once(", spent ")?.1)
        });
        for key in details {
            let last = spent.entry(key).or_default();
            if last.as_str() < when {
                when.clone_into(last);
            }
        }
    }
    Ok(())
}

/// Of `` `github` version 3 ``.
fn key(label: &str) -> Option<(String, u32)> {
    let (name, rest) = label.strip_prefix('`')?.split_once("` version ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((name.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_spent_is_read_out_of_a_record_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let step = |detail: &str, ts: &str| {
            let record = serde_json::json!({"ts": ts, "steps": [{"detail": detail}]});
            format!("{record}\n")
        };
        let lines = [
            step("200, spent `github` version 3", "2026-02-01T00:00:00Z"),
            step(
                "200, spent `github` version 3, and removed it from the response",
                "2026-01-01T00:00:00Z",
            ),
            step(
                "200, spent the caller's `github` version 4",
                "2026-03-01T00:00:00Z",
            ),
            step("200", "2026-03-01T00:00:00Z"),
            "no record, spent `x` version 1\n".to_owned(),
        ];
        std::fs::write(&log, lines.concat()).unwrap();
        let mut spent = BTreeMap::new();
        read(&log, &mut spent).unwrap();
        let key = ("github".to_owned(), 3);
        assert_eq!(
            spent,
            BTreeMap::from([(key, "2026-02-01T00:00:00Z".to_owned())])
        );
    }
}
