//! What became wider since somebody looked: a manifest against its checked-in copy.

use std::{collections::BTreeSet, fmt};

use mcp_secure_text::{Policy, sanitize};

use super::{
    Access, Approval, CallLimits, Capability, Effects, Entry, Exception, HandleRow, Manifest,
    RateRow, ServerLimits, Source, expiry::day,
};

/// One row that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Whether more is possible now.
    pub direction: Direction,
    /// Which row: ``tool `delete_note` ``.
    pub row: String,
    /// What changed.
    pub what: String,
}

/// Whether a change lets the server, or those who call it, do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// More is possible, or a person who reviewed it reviewed something else.
    Wider,
    /// Less is possible.
    Narrower,
    /// Neither: a version, a title of a capability.
    Neutral,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Wider => "wider   ",
            Direction::Narrower => "narrower",
            Direction::Neutral => "neutral ",
        };
        // The checked-in file may have been written by anybody; it reaches a terminal here.
        let line = format!("{}: {}", self.row, self.what);
        write!(
            f,
            "{direction}  {}",
            sanitize(line, Policy::Escape).as_str()
        )
    }
}

impl Manifest {
    /// What differs from `locked`, the copy that was reviewed; only the compiled parts.
    ///
    /// Changed words or schemas count as wider: what a person agreed to is not what the model
    /// will read (a "rug pull").
    pub fn diff(&self, locked: &Self) -> Vec<Change> {
        let mut changes = Changes(Vec::new());
        changes.server(locked, self);
        changes.set(
            "protocol version",
            &locked.protocol_versions,
            &self.protocol_versions,
        );
        changes.set("transport", &locked.transports, &self.transports);
        changes.limits(&locked.limits, &self.limits);
        changes.capabilities(&locked.capabilities, &self.capabilities);
        changes.set("sandbox", &locked.sandbox, &self.sandbox);
        changes.terms("callers", &locked.callers, &self.callers);
        changes.terms("policies", &locked.policies, &self.policies);
        changes.terms("store", &locked.store, &self.store);
        changes.terms("approvals", &locked.approvals, &self.approvals);
        changes.handles("`#[init]`", &locked.init, &self.init);
        changes.entries("tool", &locked.tools, &self.tools);
        changes.entries("prompt", &locked.prompts, &self.prompts);
        changes.entries("resource", &locked.resources, &self.resources);
        changes.completions(locked, self);
        changes.0
    }

    /// Only what became wider.
    pub fn widened_since(&self, locked: &Self) -> Vec<Change> {
        let mut changes = self.diff(locked);
        changes.retain(|change| change.direction == Direction::Wider);
        changes
    }
}

/// Collects; in every function the older side comes first.
struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, direction: Direction, row: &str, what: impl Into<String>) {
        self.0.push(Change {
            direction,
            row: row.to_owned(),
            what: what.into(),
        });
    }

    fn server(&mut self, was: &Manifest, is: &Manifest) {
        if was.server.name != is.server.name {
            self.push(
                Direction::Wider,
                "server",
                format!("is named `{}`, was `{}`", is.server.name, was.server.name),
            );
        }
        if was.server.version != is.server.version {
            self.push(
                Direction::Neutral,
                "server",
                format!(
                    "version `{}`, was `{}`",
                    is.server.version, was.server.version
                ),
            );
        }
        match (&was.server.instructions, &is.server.instructions) {
            (Some(_), None) => self.push(Direction::Narrower, "instructions", "removed"),
            (None, Some(_)) => self.push(Direction::Wider, "instructions", "new"),
            (Some(a), Some(b)) if a != b => {
                self.push(Direction::Wider, "instructions", "changed");
            }
            _ => {}
        }
        self.exceptions("server", &was.server.exceptions, &is.server.exceptions);
    }

    fn set(&mut self, row: &str, was: &[String], is: &[String]) {
        for new in is.iter().filter(|one| !was.contains(one)) {
            self.push(Direction::Wider, row, format!("`{new}` is new"));
        }
        for gone in was.iter().filter(|one| !is.contains(one)) {
            self.push(Direction::Narrower, row, format!("`{gone}` is gone"));
        }
    }

    /// Lines of which one less can mean more is let in: `bound to a key`.
    fn terms(&mut self, row: &str, was: &[String], is: &[String]) {
        for new in is.iter().filter(|one| !was.contains(one)) {
            self.push(Direction::Wider, row, format!("`{new}` is new"));
        }
        for gone in was.iter().filter(|one| !is.contains(one)) {
            self.push(Direction::Wider, row, format!("`{gone}` is gone"));
        }
    }

    fn limits(&mut self, was: &ServerLimits, is: &ServerLimits) {
        // Without `..`: a new limit does not compile until it is compared here.
        let ServerLimits {
            concurrency,
            queue,
            queue_wait_ms,
            tool_concurrency,
            principal_concurrency,
            principal_per_minute,
            principal_burst,
            client_per_minute,
            client_burst,
            address_per_minute,
            repeats_per_minute,
            limit_keys,
            pending_approvals,
            approval_timeout_ms,
            timeout_ms,
            max_timeout_ms,
            max_output,
            max_message,
            max_depth,
            page_size,
        } = *is;
        for (name, was, is) in [
            ("concurrency", was.concurrency, concurrency),
            ("queue", was.queue, queue),
            ("queue_wait_ms", was.queue_wait_ms, queue_wait_ms),
            ("tool_concurrency", was.tool_concurrency, tool_concurrency),
            (
                "principal_concurrency",
                was.principal_concurrency,
                principal_concurrency,
            ),
            (
                "principal_per_minute",
                was.principal_per_minute,
                principal_per_minute,
            ),
            ("principal_burst", was.principal_burst, principal_burst),
            (
                "client_per_minute",
                was.client_per_minute,
                client_per_minute,
            ),
            ("client_burst", was.client_burst, client_burst),
            (
                "address_per_minute",
                was.address_per_minute.unwrap_or(u64::MAX),
                address_per_minute.unwrap_or(u64::MAX),
            ),
            (
                "repeats_per_minute",
                was.repeats_per_minute,
                repeats_per_minute,
            ),
            ("limit_keys", was.limit_keys, limit_keys),
            (
                "pending_approvals",
                was.pending_approvals,
                pending_approvals,
            ),
            (
                "approval_timeout_ms",
                was.approval_timeout_ms,
                approval_timeout_ms,
            ),
            ("timeout_ms", was.timeout_ms, timeout_ms),
            ("max_timeout_ms", was.max_timeout_ms, max_timeout_ms),
            ("max_output", was.max_output, max_output),
            ("max_message", was.max_message, max_message),
            ("max_depth", was.max_depth, max_depth),
            ("page_size", was.page_size, page_size),
        ] {
            self.number("limits", name, was, is);
        }
    }

    fn number(&mut self, row: &str, name: &str, was: u64, is: u64) {
        let direction = match is.cmp(&was) {
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Greater => Direction::Wider,
            std::cmp::Ordering::Less => Direction::Narrower,
        };
        self.push(direction, row, format!("{name} is {is}, was {was}"));
    }

    fn flag(&mut self, row: &str, name: &str, was: bool, is: bool) {
        match (was, is) {
            (false, true) => self.push(Direction::Wider, row, format!("{name} is new")),
            (true, false) => self.push(Direction::Narrower, row, format!("{name} is gone")),
            _ => {}
        }
    }

    fn capabilities(&mut self, was: &[Capability], is: &[Capability]) {
        for new in is {
            let row = format!("capability `{}`", new.name);
            let Some(old) = was.iter().find(|old| old.name == new.name) else {
                self.push(Direction::Wider, &row, "new");
                continue;
            };
            if old.kind != new.kind {
                self.push(
                    Direction::Wider,
                    &row,
                    format!("is of kind `{}`, was `{}`", new.kind, old.kind),
                );
            }
            // The mark is what keeps its data from open sinks: losing it is the wider side.
            match (old.private, new.private) {
                (true, false) => self.push(Direction::Wider, &row, "is no longer private"),
                (false, true) => self.push(Direction::Narrower, &row, "is private now"),
                _ => {}
            }
            match (old.source, new.source) {
                (Source::Operator, Source::Code) => {
                    self.push(
                        Direction::Wider,
                        &row,
                        "is bound by the code, was by the operator",
                    );
                }
                (Source::Code, Source::Operator) => {
                    self.push(
                        Direction::Narrower,
                        &row,
                        "is bound by the operator, was by the code",
                    );
                }
                _ => {}
            }
            // Whether another address or another term is less is not for a program to say.
            if old.reaches != new.reaches {
                let name = |one: &Option<String>| match one {
                    Some(target) => format!("`{target}`"),
                    None => "what the operator names".to_owned(),
                };
                self.push(
                    Direction::Wider,
                    &row,
                    format!("reaches {}, was {}", name(&new.reaches), name(&old.reaches)),
                );
            }
            for term in new.terms.iter().filter(|term| !old.terms.contains(term)) {
                self.push(Direction::Wider, &row, format!("says `{term}` now"));
            }
            for term in old.terms.iter().filter(|term| !new.terms.contains(term)) {
                self.push(Direction::Wider, &row, format!("no longer says `{term}`"));
            }
            if old.doc != new.doc {
                self.push(Direction::Neutral, &row, "its doc comment changed");
            }
            self.exceptions(&row, &old.exceptions, &new.exceptions);
        }
        for gone in was
            .iter()
            .filter(|old| !is.iter().any(|new| new.name == old.name))
        {
            self.push(
                Direction::Narrower,
                &format!("capability `{}`", gone.name),
                "gone",
            );
        }
    }

    fn entries(&mut self, kind: &str, was: &[Entry], is: &[Entry]) {
        let same = |a: &Entry, b: &Entry| a.name == b.name && a.uri == b.uri;
        let label = |entry: &Entry| match &entry.uri {
            Some(uri) => format!("{kind} `{}` ({uri})", entry.name),
            None => format!("{kind} `{}`", entry.name),
        };
        for new in is {
            match was.iter().find(|old| same(old, new)) {
                Some(old) => self.entry(&label(new), old, new),
                None => self.push(Direction::Wider, &label(new), "new"),
            }
        }
        for gone in was
            .iter()
            .filter(|old| !is.iter().any(|new| same(old, new)))
        {
            self.push(Direction::Narrower, &label(gone), "gone");
        }
    }

    fn entry(&mut self, row: &str, was: &Entry, is: &Entry) {
        for (what, changed) in [
            ("the title changed", was.title != is.title),
            ("the description changed", was.description != is.description),
            ("the media type changed", was.mime_type != is.mime_type),
            (
                "the arguments changed",
                was.input != is.input || was.arguments != is.arguments,
            ),
            ("the output schema changed", was.output != is.output),
        ] {
            if changed {
                self.push(Direction::Wider, row, what);
            }
        }
        self.access(row, &was.access, &is.access);
        match (was.hidden, is.hidden) {
            (true, false) => self.push(Direction::Wider, row, "is no longer hidden"),
            (false, true) => self.push(Direction::Narrower, row, "is hidden now"),
            _ => {}
        }
        self.number(
            row,
            "timeout_ms",
            was.limits.timeout_ms,
            is.limits.timeout_ms,
        );
        self.number(
            row,
            "max_output",
            was.limits.max_output,
            is.limits.max_output,
        );
        let permits = |entry: &Entry| entry.limits.concurrency.unwrap_or(u64::MAX);
        self.number(row, "concurrency", permits(was), permits(is));
        self.rates(row, &was.limits, &is.limits);
        self.effects(row, was.effects, is.effects);
        self.handles(row, &was.handles, &is.handles);
        self.approval(row, was, is);
        self.allowances(row, was, is);
        self.exceptions(row, &was.exceptions, &is.exceptions);
        if was.annotations != is.annotations {
            // With other effects they follow the handles; with the same, they are the
            // author's word alone, on which clients decide whether to ask a person.
            let direction = if was.effects == is.effects {
                Direction::Wider
            } else {
                Direction::Neutral
            };
            self.push(direction, row, "the annotations changed");
        }
    }

    /// What is gone admits any number.
    fn rates(&mut self, row: &str, was: &CallLimits, is: &CallLimits) {
        for (name, was, is) in [
            ("rate", &was.rate, &is.rate),
            ("total_rate", &was.total_rate, &is.total_rate),
        ] {
            if was == is {
                continue;
            }
            let direction = match (was, is) {
                (None, Some(_)) => Direction::Narrower,
                (Some(was), Some(is)) if is.is_within(was) => Direction::Narrower,
                _ => Direction::Wider,
            };
            let shown = |rate: &Option<RateRow>| match rate {
                Some(rate) => rate.to_string(),
                None => "none".to_owned(),
            };
            let what = format!("{name} is {}, was {}", shown(is), shown(was));
            self.push(direction, row, what);
        }
        // A call that takes more is the narrower one.
        let cost = |limits: &CallLimits| u64::MAX - limits.cost.unwrap_or(1).max(1);
        if cost(was) != cost(is) {
            let direction = if cost(is) > cost(was) {
                Direction::Wider
            } else {
                Direction::Narrower
            };
            let shown = |limits: &CallLimits| limits.cost.unwrap_or(1).max(1);
            let what = format!("cost is {}, was {}", shown(is), shown(was));
            self.push(direction, row, what);
        }
        // Zero is any number; where a tool says nothing, the server's holds, which is less.
        let repeats = |repeat: Option<u64>| match repeat {
            None => Some(u64::MAX - 1),
            Some(0) => None,
            some => some,
        };
        for (name, was, is) in [
            ("quota", was.quota, is.quota),
            ("output_quota", was.output_quota, is.output_quota),
            ("repeat", repeats(was.repeat), repeats(is.repeat)),
        ] {
            let most = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
            let shown = |limit: Option<u64>| match limit {
                None => "none".to_owned(),
                Some(most) if most == u64::MAX - 1 => "the server's".to_owned(),
                Some(most) => most.to_string(),
            };
            let direction = match most(is).cmp(&most(was)) {
                std::cmp::Ordering::Equal => continue,
                std::cmp::Ordering::Greater => Direction::Wider,
                std::cmp::Ordering::Less => Direction::Narrower,
            };
            let what = format!("{name} is {}, was {}", shown(is), shown(was));
            self.push(direction, row, what);
        }
    }

    fn access(&mut self, row: &str, was: &Access, is: &Access) {
        match (was, is) {
            (Access::Scopes(_), Access::Public) => {
                self.push(Direction::Wider, row, "is public, needed scopes before");
            }
            (Access::Public, Access::Scopes(_)) => {
                self.push(Direction::Narrower, row, "needs scopes, was public");
            }
            (Access::Scopes(was), Access::Scopes(is)) => {
                for lost in was.iter().filter(|scope| !is.contains(scope)) {
                    self.push(
                        Direction::Wider,
                        row,
                        format!("no longer needs scope `{lost}`"),
                    );
                }
                for added in is.iter().filter(|scope| !was.contains(scope)) {
                    self.push(
                        Direction::Narrower,
                        row,
                        format!("needs scope `{added}` now"),
                    );
                }
            }
            (Access::Public, Access::Public) => {}
        }
    }

    fn effects(&mut self, row: &str, was: Effects, is: Effects) {
        let Effects {
            writes,
            destructive,
            open_world,
            private,
            open_sink,
        } = is;
        self.flag(row, "writing", was.writes, writes);
        self.flag(row, "destroying", was.destructive, destructive);
        self.flag(row, "reaching beyond the host", was.open_world, open_world);
        self.flag(row, "reading private data", was.private, private);
        self.flag(row, "sending to an open sink", was.open_sink, open_sink);
    }

    fn handles(&mut self, row: &str, was: &[HandleRow], is: &[HandleRow]) {
        let old: BTreeSet<&HandleRow> = was.iter().collect();
        let new: BTreeSet<&HandleRow> = is.iter().collect();
        for handle in new.difference(&old) {
            // The same right, now behind a witness, is no new right.
            let twin = HandleRow {
                approved: !handle.approved,
                ..(*handle).clone()
            };
            let narrower = handle.approved && old.contains(&twin);
            let direction = if narrower {
                Direction::Narrower
            } else {
                Direction::Wider
            };
            self.push(direction, row, format!("handle `{handle}` is new"));
        }
        for handle in old.difference(&new) {
            let twin = HandleRow {
                approved: !handle.approved,
                ..(*handle).clone()
            };
            // Reported above, as the one that took its place.
            if !new.contains(&twin) {
                self.push(
                    Direction::Narrower,
                    row,
                    format!("handle `{handle}` is gone"),
                );
            }
        }
    }

    fn approval(&mut self, row: &str, was: &Entry, is: &Entry) {
        let strictness = |approval: &Approval| match approval {
            Approval::Required => 2,
            Approval::NotNeeded => 1,
            Approval::Waived(_) | Approval::Missing => 0,
        };
        let (old, new) = (strictness(&was.approval), strictness(&is.approval));
        // Where every right that is left was there before, as it is, an approval that went away
        // went with the right that it was for. A right that is still marked as approved did
        // not go.
        let only_lost_rights = is.approval == Approval::NotNeeded
            && !is.handles.iter().any(|handle| handle.approved)
            && is.handles.iter().all(|handle| was.handles.contains(handle));
        match new.cmp(&old) {
            std::cmp::Ordering::Less if only_lost_rights => {
                self.push(
                    Direction::Narrower,
                    row,
                    "needs no approval, with the right it was for",
                );
            }
            std::cmp::Ordering::Less if old == 2 => {
                self.push(Direction::Wider, row, "no longer needs a person's approval");
            }
            std::cmp::Ordering::Less => {
                self.push(Direction::Wider, row, "waives a person's approval");
            }
            std::cmp::Ordering::Greater if new == 2 => {
                self.push(Direction::Narrower, row, "needs a person's approval now");
            }
            std::cmp::Ordering::Greater => {
                self.push(Direction::Narrower, row, "waives no approval any more");
            }
            std::cmp::Ordering::Equal => {}
        }
    }

    fn allowances(&mut self, row: &str, was: &Entry, is: &Entry) {
        for new in &is.allowances {
            match was.allowances.iter().find(|old| old.rule == new.rule) {
                None => self.push(
                    Direction::Wider,
                    row,
                    format!("allowance `{}` is new: {}", new.rule, new.reason),
                ),
                Some(old) if old.reason != new.reason => self.push(
                    Direction::Wider,
                    row,
                    format!(
                        "allowance `{}` has another reason: {}",
                        new.rule, new.reason
                    ),
                ),
                Some(_) => {}
            }
        }
        for gone in &was.allowances {
            if !is.allowances.iter().any(|new| new.rule == gone.rule) {
                self.push(
                    Direction::Narrower,
                    row,
                    format!("allowance `{}` is gone", gone.rule),
                );
            }
        }
    }

    fn exceptions(&mut self, row: &str, was: &[Exception], is: &[Exception]) {
        for new in is {
            let Some(old) = was.iter().find(|old| old.rule == new.rule) else {
                self.push(
                    Direction::Wider,
                    row,
                    format!(
                        "text rule `{}` is set aside until {}: {}",
                        new.rule, new.until, new.reason
                    ),
                );
                continue;
            };
            if old.reason != new.reason {
                self.push(
                    Direction::Wider,
                    row,
                    format!(
                        "text rule `{}` is set aside for another reason: {}",
                        new.rule, new.reason
                    ),
                );
            }
            if old.until != new.until {
                // What is no day cannot have come sooner.
                let sooner = matches!((day(&old.until), day(&new.until)),
                    (Some(old), Some(new)) if new < old);
                let direction = if sooner {
                    Direction::Narrower
                } else {
                    Direction::Wider
                };
                self.push(
                    direction,
                    row,
                    format!(
                        "text rule `{}` is set aside until {}, was {}",
                        new.rule, new.until, old.until
                    ),
                );
            }
        }
        for gone in was {
            if !is.iter().any(|new| new.rule == gone.rule) {
                self.push(
                    Direction::Narrower,
                    row,
                    format!("text rule `{}` is no longer set aside", gone.rule),
                );
            }
        }
    }

    fn completions(&mut self, was: &Manifest, is: &Manifest) {
        for new in &is.completions {
            let old = was
                .completions
                .iter()
                .find(|old| old.target == new.target && old.argument == new.argument);
            match old {
                None => self.push(Direction::Wider, &new.label(), "new"),
                Some(old) => {
                    self.effects(&new.label(), old.effects, new.effects);
                    self.handles(&new.label(), &old.handles, &new.handles);
                    self.exceptions(&new.label(), &old.exceptions, &new.exceptions);
                }
            }
        }
        for gone in &was.completions {
            let kept = is
                .completions
                .iter()
                .any(|new| new.target == gone.target && new.argument == gone.argument);
            if !kept {
                self.push(Direction::Narrower, &gone.label(), "gone");
            }
        }
    }
}

impl RateRow {
    /// Whether it admits nothing that the other one does not.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        product(self.count, other.period_ms) <= product(other.count, self.period_ms)
            && self.burst <= other.burst
    }
}

impl fmt::Display for RateRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate().fmt(f)
    }
}

impl fmt::Display for HandleRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        for part in [&self.capability, &self.access]
            .into_iter()
            .filter(|part| !part.is_empty())
        {
            write!(f, " {part}")?;
        }
        if self.approved {
            f.write_str(" (approved)")
        } else {
            Ok(())
        }
    }
}
