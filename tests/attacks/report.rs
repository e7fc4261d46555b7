//! An attack, what came of it, and the line that says so.

use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::{
    corpus::{Advisory, advisory},
    harness::Trial,
};

/// One input that is sent to a naive server and to ours.
pub struct Attack {
    pub advisory: Advisory,
    /// Tells the attacks of one advisory apart.
    pub variant: &'static str,
    /// What the attacker does, in words.
    pub words: &'static str,
    pub play: Box<dyn FnOnce() -> Played>,
}

/// What came of it. A value of this type is proof that the twin was hurt and ours was not:
/// the code that makes one asserts both.
pub struct Played {
    pub transport: &'static str,
    /// What the twin lost.
    pub twin: String,
    /// What the attacker saw of ours.
    pub caller: String,
    pub stopped: Stopped,
}

/// What stopped the attack, and where that is written down.
pub enum Stopped {
    /// A control refused; its record in the audit log.
    Refused(Value),
    /// Nothing had to refuse: the request ran and could do no harm. Why, and the record.
    Harmless(&'static str, Value),
    /// It left without what does harm, by this rule; the record that counts what was done.
    Cleaned(&'static str, Value),
    /// It left as it was, with a note that names this rule; the record that has it, too.
    Noted(&'static str, Value),
    /// The server did not start, so there is nobody to write a record.
    AtTheStart(&'static str),
}

impl Attack {
    pub fn new(
        key: &str,
        variant: &'static str,
        words: &'static str,
        play: impl FnOnce() -> Played + 'static,
    ) -> Self {
        Self {
            advisory: advisory(key),
            variant,
            words,
            play: Box::new(play),
        }
    }

    /// The test's name: class, advisory and variant.
    pub fn name(&self) -> String {
        let plain = |text: &str| -> String {
            let plain = |c: char| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '_'
                }
            };
            text.split(" (")
                .next()
                .unwrap_or(text)
                .chars()
                .map(plain)
                .collect()
        };
        let class = self.advisory.cls.to_ascii_lowercase();
        let name = format!("{class}::{}", plain(self.advisory.key()));
        if self.variant.is_empty() {
            return name;
        }
        format!("{name}::{}", plain(self.variant))
    }

    /// The test.
    pub fn into_trial(self) -> Trial {
        let name = self.name();
        Trial {
            name,
            run: Box::new(move || {
                let Self {
                    advisory,
                    variant,
                    words,
                    play,
                } = self;
                write(&advisory, variant, words, play());
            }),
        }
    }
}

/// The stage of the request's way to which a control belongs.
pub fn stage(control: &str) -> &'static str {
    match control.split('/').next().unwrap_or_default() {
        "stdio" => "transport: stdio",
        "http" | "unix" | "oauth" => "transport: HTTP ring",
        "identity" => "identity",
        "authorize" => "authorize",
        "validate" => "validate",
        "approve" => "approve",
        "fs" => "tool: file handle",
        "exec" => "tool: program handle",
        "sql" => "tool: database handle",
        "net" => "tool: network handle",
        "cancel" => "cancel",
        "genuine" => "genuine",
        "tool" => "handler",
        other => panic!("no stage is known for the control `{other}`"),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    advisory: &'a str,
    product: &'a str,
    class: &'a str,
    cause: &'a str,
    variant: &'a str,
    attack: &'a str,
    transport: &'a str,
    twin: &'a str,
    stage: &'a str,
    control: &'a str,
    caller: &'a str,
    audit: Option<&'a Value>,
}

fn write(advisory: &Advisory, variant: &str, attack: &str, played: Played) {
    let (stage, control, audit) = match &played.stopped {
        Stopped::Refused(record) => {
            let control = record["control"].as_str().unwrap_or_default();
            (stage(control), control, Some(record))
        }
        Stopped::Harmless(why, record) => ("by construction", *why, Some(record)),
        Stopped::Cleaned(rule, record) => ("guard: cleaned", *rule, Some(record)),
        Stopped::Noted(rule, record) => ("guard: noted", *rule, Some(record)),
        Stopped::AtTheStart(what) => ("start", *what, None),
    };
    let line = Line {
        advisory: advisory.key(),
        product: &advisory.product,
        class: &advisory.cls,
        cause: &advisory.cause,
        variant,
        attack,
        transport: played.transport,
        twin: &played.twin,
        stage,
        control,
        caller: &played.caller,
        audit,
    };
    println!("  twin: {}\n  ours: {control}: {}", line.twin, line.caller);
    let Some(file) = std::env::var_os("MCP_SECURE_ATTACKS") else {
        return;
    };
    let mut text = serde_json::to_string(&line).unwrap();
    text.push('\n');
    // One write of one line: tests of several processes append to the same file.
    let file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(file);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}
