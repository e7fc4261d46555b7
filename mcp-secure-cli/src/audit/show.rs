//! `audit tail`: records for a person.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    time::Duration,
};

use chrono::Utc;
use clap::Args;
use mcp_secure::{Error, Result, audit};
use serde_json::Value;

use super::read::{Filter, written};

#[derive(Args)]
pub(crate) struct Tail {
    /// The log
    path: PathBuf,
    /// So many records from the end
    #[arg(long, short = 'n', default_value_t = 10)]
    lines: usize,
    /// Do not wait for what comes
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    filter: Filter,
}

impl Tail {
    pub(super) fn run(&self) -> Result<()> {
        let filter = self.filter.at(Utc::now())?;
        let wrong =
            |e: io::Error| Error::new(format!("`{}` cannot be read: {e}", self.path.display()));
        let mut reader = BufReader::new(File::open(&self.path).map_err(wrong)?);
        let mut last = VecDeque::new();
        let mut line = Vec::new();
        let mut at = 0;
        let mut out = io::stdout().lock();
        let mut follows = false;
        loop {
            let read = reader.read_until(b'\n', &mut line).map_err(wrong)?;
            if let Some(whole) = line.strip_suffix(b"\n") {
                at += line.len() as u64;
                let value: Value = serde_json::from_slice(whole).unwrap_or_default();
                if filter.takes(&value) {
                    let text = shown(&value);
                    if follows {
                        written(writeln!(out, "{text}").and_then(|()| out.flush()))?;
                    } else {
                        last.push_back(text);
                        if last.len() > self.lines {
                            last.pop_front();
                        }
                    }
                }
                line.clear();
                continue;
            }
            if read > 0 {
                continue;
            }
            for text in last.drain(..) {
                written(writeln!(out, "{text}"))?;
            }
            written(out.flush())?;
            if self.once {
                return Ok(());
            }
            follows = true;
            std::thread::sleep(Duration::from_millis(100));
            // A new segment begins in the same file.
            if reader.get_ref().metadata().map_err(wrong)?.len() < at {
                reader.seek(SeekFrom::Start(0)).map_err(wrong)?;
                line.clear();
                at = 0;
            }
        }
    }
}

/// One line for a terminal. Everything in it may come from a client.
fn shown(record: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ts = text(&record["ts"]);
    let mut parts = vec![
        record["seq"].to_string(),
        ts.get(..19).unwrap_or(&ts).to_owned(),
        text(&record["event"]),
    ];
    for value in [
        &record["op"],
        &record["what"],
        &record["target"],
        &record["decision"],
        &record["outcome"],
        &record["control"],
    ] {
        parts.extend(value.as_str().map(str::to_owned));
    }
    for (name, value) in [
        ("by", &record["principal"]["subject"]),
        ("because", &record["reason"]),
        ("count", &record["count"]),
        ("lost", &record["lost"]),
        ("us", &record["duration_us"]),
    ] {
        match value {
            Value::Null => {}
            Value::String(text) => parts.push(format!("{name}={text}")),
            other => parts.push(format!("{name}={other}")),
        }
    }
    // Line ends and what else moves a cursor, too.
    audit::shown(&parts.join(" ")).replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cannot_take_the_terminal_over() {
        let record = serde_json::json!({
            "seq": 7, "ts": "2026-01-02T03:04:05.678Z", "event": "outcome", "op": "tools/call",
            "target": "x\u{1b}[2J\nforged line", "outcome": "denied", "decision": "deny",
            "control": "authorize/unknown", "reason": "a\u{202e}b", "principal": { "subject": "u" },
        });
        let line = shown(&record);
        assert!(
            line.starts_with("7 2026-01-02T03:04:05 outcome tools/call x"),
            "{line}"
        );
        assert!(!line.contains(['\u{1b}', '\n', '\u{202e}']), "{line:?}");
        assert!(
            line.contains("deny denied authorize/unknown by=u because=a"),
            "{line}"
        );
    }
}
