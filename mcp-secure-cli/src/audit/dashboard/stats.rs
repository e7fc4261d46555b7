//! What a page shows of a log: sums, and the newest refusals. Bounded: of a large log the end is
//! read, and of many names the first so many are told apart.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
};

use mcp_secure::{Error, Result};

use crate::audit::lines::{self, Line};

#[derive(Default)]
pub(super) struct Stats {
    /// Whether only the end of the log was read.
    pub(super) cut: bool,
    pub(super) passed: u64,
    pub(super) requests: u64,
    pub(super) denied: u64,
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) denials: BTreeMap<String, u64>,
    pub(super) tools: BTreeMap<String, Tool>,
    /// Denials by limits: which, of which tool, to whom.
    pub(super) limits: BTreeMap<(String, String, String), u64>,
    pub(super) newest: VecDeque<Seen>,
    times: Vec<(i64, End)>,
}

#[derive(Default)]
pub(super) struct Tool {
    pub(super) calls: u64,
    pub(super) denied: u64,
    pub(super) failed: u64,
    durations: Vec<u64>,
}

/// A record that is shown in a row of its own.
pub(super) struct Seen {
    pub(super) time: String,
    pub(super) id: String,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) control: String,
    pub(super) reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Denied,
    Failed,
}

/// How many ended how, in one part of the time.
#[derive(Clone, Copy, Default)]
pub(super) struct Bar {
    pub(super) well: u64,
    pub(super) denied: u64,
    pub(super) failed: u64,
}

/// The whole time, in equal parts.
pub(super) struct Over {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) bars: [Bar; BARS],
}

impl Stats {
    /// # Errors
    ///
    /// When the log cannot be read.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let about = std::fs::metadata(file)
            .map_err(|e| Error::new(format!("`{}` cannot be read: {e}", file.display())))?;
        let from = about.len().saturating_sub(MOST);
        let mut stats = Self {
            cut: from > 0,
            ..Self::default()
        };
        stats.passed = lines::read(file, from, |line| {
            stats.add(&line);
            Ok(())
        })?;
        Ok(stats)
    }

    fn add(&mut self, line: &Line) {
        let Some(time) = line.time() else { return };
        let count = line.number("count").unwrap_or(1);
        let control = line.text("control");
        let end = match (line.event(), line.text("decision"), line.text("outcome")) {
            ("refused", ..) => {
                self.refused = self.refused.saturating_add(count);
                End::Denied
            }
            ("outcome", "deny", _) => End::Denied,
            ("outcome", _, "failed" | "panic" | "timeout" | "dropped" | "tool_error") => {
                End::Failed
            }
            ("outcome", ..) => End::Well,
            _ => return,
        };
        self.times.push((time, end));
        if line.event() == "outcome" {
            self.requests += 1;
            self.denied += u64::from(end == End::Denied);
            self.failed += u64::from(end == End::Failed);
            self.add_call(line, end);
        }
        if end == End::Denied {
            *bounded(&mut self.denials, control.to_owned(), "(others)".to_owned()) += count;
            if is_limit(control) || line.text("outcome") == "overloaded" {
                let who = match line.principal("subject") {
                    "" => line.text("peer"),
                    subject => subject,
                };
                let key = (
                    control.to_owned(),
                    line.text("target").to_owned(),
                    who.to_owned(),
                );
                let others = ("(others)".to_owned(), String::new(), String::new());
                *bounded(&mut self.limits, key, others) += count;
            }
            self.newest.push_front(Seen::of(line));
            self.newest.truncate(NEWEST);
        }
    }

    fn add_call(&mut self, line: &Line, end: End) {
        if line.text("op") != "tools/call" {
            return;
        }
        let name = line.text("target").to_owned();
        // A name that is not there is whatever a client made up.
        if line.text("control") == "authorize/unknown" {
            return;
        }
        let tool = bounded(&mut self.tools, name, "(others)".to_owned());
        tool.calls += 1;
        tool.denied += u64::from(end == End::Denied);
        tool.failed += u64::from(end == End::Failed);
        if end != End::Denied && tool.durations.len() < DURATIONS {
            tool.durations.extend(line.number("duration_us"));
        }
    }

    /// In which part of the time how many ended how; `None` for an empty log.
    pub(super) fn over(&self) -> Option<Over> {
        let from = self.times.iter().map(|(time, _)| *time).min()?;
        let until = self.times.iter().map(|(time, _)| *time).max()?;
        let mut bars = [Bar::default(); BARS];
        let width = (until - from) / BARS as i64 + 1;
        for (time, end) in &self.times {
            let at = usize::try_from((time - from) / width).unwrap_or(0);
            if let Some(bar) = bars.get_mut(at) {
                match end {
                    End::Well => bar.well += 1,
                    End::Denied => bar.denied += 1,
                    End::Failed => bar.failed += 1,
                }
            }
        }
        Some(Over { from, until, bars })
    }
}

impl Tool {
    /// The duration that so many of a hundred calls did not exceed, in microseconds.
    pub(super) fn percentile(&self, of_hundred: usize) -> Option<u64> {
        let mut sorted = self.durations.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * of_hundred).div_ceil(100);
        sorted.get(at.saturating_sub(1)).copied()
    }
}

impl Seen {
    fn of(line: &Line) -> Self {
        let who = match (line.principal("subject"), line.text("peer")) {
            ("", peer) => peer.to_owned(),
            (subject, _) => format!("{subject} ({})", line.principal("issuer")),
        };
        Self {
            time: line.text("ts").to_owned(),
            id: line.text("id").to_owned(),
            who,
            what: format!("{} {}", line.text("op"), line.text("target")),
            control: line.text("control").to_owned(),
            reason: line.text("reason").to_owned(),
        }
    }
}

fn is_limit(control: &str) -> bool {
    let first = control.split('/').next().unwrap_or_default();
    matches!(first, "rate" | "load_shed" | "concurrency" | "limit")
        || matches!(control, "http/rate" | "approve/waiting" | "http/sessions")
}

fn bounded<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K, others: K) -> &mut V {
    let key = match map.contains_key(&key) || map.len() < NAMES {
        true => key,
        false => others,
    };
    map.entry(key).or_default()
}

/// Bytes of a log that are read for one page.
const MOST: u64 = 16 << 20;
const NAMES: usize = 200;
const NEWEST: usize = 50;
const DURATIONS: usize = 100_000;
pub(super) const BARS: usize = 24;
