//! The manifest as a page of plain text, for the person who reviews it.

use std::fmt::{self, Write as _};

use mcp_secure_text::{Policy, sanitize};

use super::{
    Access, Annotations, Approval, CallLimits, Effects, Entry, Exception, HandleRow, Manifest,
    Source,
};

impl Manifest {
    /// A page of at most 100 columns. What is worth a second look comes first.
    pub fn to_page(&self) -> String {
        let mut page = Page(String::new());
        self.head(&mut page);
        self.attention(&mut page);
        self.what_is_granted(&mut page);
        for (title, entries) in [
            ("TOOLS", &self.tools),
            ("PROMPTS", &self.prompts),
            ("RESOURCES", &self.resources),
        ] {
            if entries.is_empty() {
                continue;
            }
            page.heading(title);
            for entry in entries {
                entry_rows(&mut page, entry);
            }
        }
        self.completion_rows(&mut page);
        page.0
    }

    fn head(&self, page: &mut Page) {
        let title = format!("{} {}", self.server.name, self.server.version);
        page.wrapped("", "", &title);
        page.wrapped("", "", &"=".repeat(title.chars().count().min(WIDTH)));
        let (form, digest) = match &self.effective {
            None => ("compiled: the ceilings that the code sets", self.digest()),
            Some(_) => (
                "effective: what the operator made of it, on this host",
                self.digest(),
            ),
        };
        page.field("form", form);
        page.field("digest", &digest);
        if let Some(effective) = &self.effective {
            page.field("compiled", &effective.compiled);
            if let Some(transport) = &effective.transport {
                page.field("serving", transport);
            }
            if !effective.denied_tools.is_empty() {
                page.field("taken away", &effective.denied_tools.join(", "));
            }
        }
        page.field("protocol", &self.protocol_versions.join(", "));
        page.field("transports", &or_dash(&self.transports.join(", ")));
        let limits = &self.limits;
        page.field(
            "limits",
            &format!(
                "{} requests at once, {} a tool{}; {} a request, {} at most; {} a message, {} an \
                 answer; depth {}; {} entries a page",
                limits.concurrency,
                limits.tool_concurrency,
                match limits.queue {
                    0 => String::new(),
                    queue => format!(", {queue} wait for up to {}", time(limits.queue_wait_ms)),
                },
                time(limits.timeout_ms),
                time(limits.max_timeout_ms),
                size(limits.max_message),
                size(limits.max_output),
                limits.max_depth,
                limits.page_size,
            ),
        );
        page.field(
            "rates",
            &format!(
                "a caller {} a minute, {} at once, {} running; a client {} a minute, {} at once{}; \
                 the same call {} times a minute; {} keys",
                limits.principal_per_minute,
                limits.principal_burst,
                limits.principal_concurrency,
                limits.client_per_minute,
                limits.client_burst,
                match limits.address_per_minute {
                    None => String::new(),
                    Some(rate) => format!("; all of one network {rate} a minute"),
                },
                limits.repeats_per_minute,
                limits.limit_keys,
            ),
        );
        page.field(
            "approvals",
            &format!(
                "{} may wait at once, {} each",
                limits.pending_approvals,
                time(limits.approval_timeout_ms)
            ),
        );
        if let Some(instructions) = &self.server.instructions {
            page.heading("INSTRUCTIONS");
            page.wrapped("  ", "  ", &instructions.text);
        }
        exceptions(page, &self.server.exceptions);
    }

    /// The rows that a reviewer would search for.
    fn attention(&self, page: &mut Page) {
        page.heading("WORTH A SECOND LOOK");
        let mut quiet = true;
        let mut say = |page: &mut Page, row: &str, what: &str| {
            quiet = false;
            page.wrapped("  ! ", "    ", &format!("{row} {what}"));
        };
        for (kind, entry) in self.entries() {
            let row = format!("{kind} `{}`", entry.name);
            if entry.effects.destructive {
                say(page, &row, "can destroy what it changes");
            } else if entry.effects.writes {
                say(page, &row, "writes");
            }
            if entry.effects.open_world {
                say(page, &row, "reaches beyond this host");
            }
            if entry.effects.open_sink {
                say(
                    page,
                    &row,
                    "can send to an address that is not fixed in code",
                );
            }
            if entry.effects.writes && entry.access == Access::Public {
                say(page, &row, "is public and writes");
            }
            for allowance in &entry.allowances {
                say(
                    page,
                    &row,
                    &format!("sets `{}` aside: {}", allowance.rule, allowance.reason),
                );
            }
            if entry.approval == Approval::Missing {
                say(
                    page,
                    &row,
                    "has a right that needs a person, and no approval",
                );
            }
        }
        for term in &self.sandbox {
            say(page, "the sandbox", &format!("is loosened: {term}"));
        }
        for (row, exception) in self.exceptions() {
            say(page, &row, &set_aside(exception));
        }
        if quiet {
            page.wrapped(
                "  ",
                "  ",
                "nothing: no row writes, reaches out, or sets a rule aside",
            );
        }
    }

    fn what_is_granted(&self, page: &mut Page) {
        page.heading("CAPABILITIES");
        if self.capabilities.is_empty() {
            page.wrapped(
                "  ",
                "  ",
                "none: nothing outside of the calls' own arguments",
            );
        }
        for capability in &self.capabilities {
            let private = if capability.private { ", private" } else { "" };
            let source = match capability.source {
                Source::Operator => "bound by the operator",
                Source::Code => "bound by the code",
            };
            page.wrapped(
                "  ",
                "    ",
                &format!(
                    "{} ({}{private}, {source})",
                    capability.name, capability.kind
                ),
            );
            if !capability.doc.is_empty() {
                page.wrapped("    ", "    ", &capability.doc);
            }
            if let Some(reaches) = &capability.reaches {
                page.field("reaches", reaches);
            }
            for term in &capability.terms {
                page.field("term", term);
            }
            exceptions(page, &capability.exceptions);
            let grants = self
                .effective
                .iter()
                .flat_map(|effective| &effective.grants);
            for grant in grants.filter(|grant| grant.name == capability.name) {
                page.field(
                    "bound to",
                    &format!("{} (by {})", grant.path, grant.bound_by),
                );
            }
        }
        if !self.init.is_empty() {
            page.wrapped("  ", "    ", &format!("at start: {}", handles(&self.init)));
        }
    }

    fn completion_rows(&self, page: &mut Page) {
        if self.completions.is_empty() {
            return;
        }
        page.heading("COMPLETIONS");
        for row in &self.completions {
            page.wrapped("  ", "    ", &format!("{} of {}", row.argument, row.target));
            page.field("handles", &handles(&row.handles));
            page.field("effects", &effects(&row.effects));
            exceptions(page, &row.exceptions);
        }
    }
}

fn entry_rows(page: &mut Page, entry: &Entry) {
    page.blank();
    let title = entry
        .title
        .as_ref()
        .map(|title| format!(" ({title})"))
        .unwrap_or_default();
    page.wrapped("  ", "    ", &format!("{}{title}", entry.name));
    page.wrapped("    ", "    ", &entry.description.text);
    if let Some(uri) = &entry.uri {
        page.field("uri", uri);
    }
    if let Some(mime_type) = &entry.mime_type {
        page.field("media type", mime_type);
    }
    let hidden = if entry.hidden {
        ", hidden from others"
    } else {
        ""
    };
    page.field(
        "access",
        &match &entry.access {
            Access::Public => format!("public{hidden}"),
            Access::Scopes(scopes) => format!("scope {}{hidden}", scopes.join(" and ")),
        },
    );
    page.field("handles", &handles(&entry.handles));
    page.field("effects", &effects(&entry.effects));
    page.field(
        "approval",
        &match &entry.approval {
            Approval::Required => "required for each call".to_owned(),
            Approval::NotNeeded => "not needed".to_owned(),
            Approval::Waived(reason) => format!("waived: {reason}"),
            Approval::Missing => "MISSING".to_owned(),
        },
    );
    for allowance in entry
        .allowances
        .iter()
        .filter(|allowance| allowance.rule != "unapproved")
    {
        page.field(
            "allowance",
            &format!("{}: {}", allowance.rule, allowance.reason),
        );
    }
    exceptions(page, &entry.exceptions);
    page.field("limits", &call_limits(&entry.limits));
    let arguments: Vec<String> = entry
        .arguments
        .iter()
        .map(|argument| {
            let optional = if argument.required { "" } else { "?" };
            format!("{}{optional}", argument.name)
        })
        .collect();
    page.field("arguments", &or_dash(&arguments.join(", ")));
    page.field("  schema", &entry.input);
    if let Some(output) = &entry.output {
        page.field("  output", output);
    }
    if let Some(annotations) = &entry.annotations {
        page.field("told", &told(annotations));
    }
}

fn exceptions(page: &mut Page, rows: &[Exception]) {
    for row in rows {
        page.field(
            "exception",
            &format!("{} until {}: {}", row.rule, row.until, row.reason),
        );
    }
}

fn set_aside(exception: &Exception) -> String {
    format!(
        "sets the text rule `{}` aside until {}: {}",
        exception.rule, exception.until, exception.reason
    )
}

fn handles(rows: &[HandleRow]) -> String {
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    or_dash(&rows.join(", "))
}

fn effects(effects: &Effects) -> String {
    let Effects {
        writes,
        destructive,
        open_world,
        private,
        open_sink,
    } = *effects;
    let words: Vec<&str> = [
        (private, "reads private data"),
        (writes, "writes"),
        (destructive, "can destroy"),
        (open_world, "reaches beyond this host"),
        (open_sink, "can send anywhere"),
    ]
    .into_iter()
    .filter(|(is, _)| *is)
    .map(|(_, word)| word)
    .collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

fn call_limits(limits: &CallLimits) -> String {
    let own = |name: &str| {
        if limits.stated.iter().any(|s| s == name) {
            " (its own)"
        } else {
            ""
        }
    };
    let mut out = format!("{}{}", time(limits.timeout_ms), own("timeout"));
    if let Some(permits) = limits.concurrency {
        let _ = write!(out, ", {permits} at once{}", own("concurrency"));
    }
    let _ = write!(
        out,
        ", {} an answer{}",
        size(limits.max_output),
        own("max_output")
    );
    if let Some(rate) = &limits.rate {
        let _ = write!(out, "; a caller {rate}");
    }
    if let Some(rate) = &limits.total_rate {
        let _ = write!(out, "; all callers together {rate}");
    }
    if let Some(cost) = limits.cost {
        let _ = write!(out, "; a call takes {cost} of the server's rate");
    }
    if let Some(quota) = limits.quota {
        let _ = write!(out, "; {quota} calls a day");
    }
    if let Some(bytes) = limits.output_quota {
        let _ = write!(out, "; {} a day", size(bytes));
    }
    match limits.repeat {
        Some(0) => out.push_str("; the same call any number of times"),
        Some(times) => {
            let _ = write!(out, "; the same call {times} times");
        }
        None => {}
    }
    out
}

fn told(annotations: &Annotations) -> String {
    let words: Vec<String> = [
        ("read-only", annotations.read_only),
        ("destructive", annotations.destructive),
        ("idempotent", annotations.idempotent),
        ("open-world", annotations.open_world),
    ]
    .into_iter()
    .filter_map(|(name, is)| Some(format!("{name} {}", if is? { "yes" } else { "no" })))
    .collect();
    or_dash(&words.join(", "))
}

fn or_dash(text: &str) -> String {
    if text.is_empty() {
        "–".to_owned()
    } else {
        text.to_owned()
    }
}

/// `30 s`, `10 min`, `1500 ms`.
pub(crate) fn time(ms: u64) -> String {
    match ms {
        0 => "0 s".to_owned(),
        ms if ms % 3_600_000 == 0 => format!("{} h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}

/// `256 KiB`, `1 MiB`, `100 bytes`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0 => "0 bytes".to_owned(),
        n if n % (1 << 30) == 0 => format!("{} GiB", n >> 30),
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

struct Page(String);

impl Page {
    fn blank(&mut self) {
        self.0.push('\n');
    }

    fn heading(&mut self, title: &str) {
        self.blank();
        self.0.push_str(title);
        self.0.push('\n');
    }

    fn field(&mut self, name: &str, value: &str) {
        let first = format!("    {name:<11} ");
        self.wrapped(&first, &" ".repeat(16), value);
    }

    /// Words in lines of at most [`WIDTH`] columns. A word that is too long is broken: what a
    /// reviewer does not see at the right edge is where somebody would put it.
    fn wrapped(&mut self, first: &str, next: &str, text: &str) {
        // A page is read in a terminal.
        let text = sanitize(text, Policy::Escape).into_string();
        let mut line = first.to_owned();
        let mut room = WIDTH.saturating_sub(first.chars().count());
        let mut empty = true;
        for word in text.split_whitespace() {
            let mut word: Vec<char> = word.chars().collect();
            if !empty && word.len() + 1 > room {
                self.line(&line);
                line = next.to_owned();
                room = WIDTH.saturating_sub(next.chars().count());
                empty = true;
            }
            if !empty {
                line.push(' ');
                room = room.saturating_sub(1);
            }
            while word.len() > room {
                let rest = word.split_off(room);
                line.extend(word);
                self.line(&line);
                line = next.to_owned();
                room = WIDTH.saturating_sub(next.chars().count());
                word = rest;
            }
            room = room.saturating_sub(word.len());
            line.extend(word);
            empty = false;
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_page())
    }
}

const WIDTH: usize = 100;
