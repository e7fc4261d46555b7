//! What becomes known of a request while it travels inward, for the audit layer that waits
//! outside.

use std::{
    borrow::Cow,
    fmt::Write as _,
    net::IpAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use rmcp::model::JsonObject;
use serde::Serialize;

use super::Taint;
use crate::{
    approval::Decision,
    audit::{DigestKey, TraceContext},
    auth::Principal,
    capability::Trail,
    layer::guard::{Notes, TextTally, for_log},
    metrics::{Meter, Underway},
    state::Shelf,
};

/// Filled by the layers as they learn; read once by the audit layer.
pub(crate) struct Journey {
    pub(crate) id: CorrelationId,
    pub(crate) started: Instant,
    pub(crate) method: &'static str,
    pub(crate) principal: OnceLock<Principal>,
    pub(crate) subject: OnceLock<Subject>,
    /// Where the caller is, or the declared proxy says that they are.
    pub(crate) peer: OnceLock<IpAddr>,
    /// What the audit layer sees when the request comes.
    pub(crate) noted: OnceLock<Noted>,
    /// The shape of the arguments.
    pub(crate) arguments: OnceLock<String>,
    /// Their digest, and the size of their canonical form.
    pub(crate) arguments_digest: OnceLock<(String, usize)>,
    /// Those of them that their author wants in the record.
    pub(crate) values: OnceLock<JsonObject>,
    pub(crate) approval: OnceLock<&'static str>,
    pub(crate) approval_id: OnceLock<String>,
    /// Who agreed, where this server knows it.
    pub(crate) approved_by: OnceLock<Vec<Decision>>,
    /// All the scopes that a caller who lacks some of them was told of.
    pub(crate) challenged: OnceLock<&'static [&'static str]>,
    /// Why the flow of data had to be put before a person.
    pub(crate) flow: OnceLock<&'static str>,
    /// The policies that decided.
    pub(crate) policies: OnceLock<Vec<String>>,
    pub(crate) committed: AtomicBool,
    pub(crate) bytes_out: AtomicU64,
    /// How long it waited for a place, in microseconds.
    pub(crate) queued: AtomicU64,
    /// What replicas share has counted it.
    pub(crate) is_counted: AtomicBool,
    /// The shared limits did not answer, and this replica's part of them held.
    pub(crate) limited_locally: AtomicBool,
    pub(crate) taint: Taint,
    /// What tools keep in its session.
    pub(crate) shelf: Arc<Shelf>,
    /// Where its answer is from, if somebody else wrote it.
    pub(crate) untrusted: OnceLock<Cow<'static, str>>,
    /// What its handles did.
    pub(crate) trail: Trail,
    text: Mutex<Text>,
    clock: Clock,
}

/// What is known of a request before anything looked at it.
pub(crate) struct Noted {
    /// What the digests of its record are made with.
    pub(crate) key: DigestKey,
    pub(crate) meter: Meter,
    pub(crate) protocol: Option<&'static str>,
    /// A digest of the session's id.
    pub(crate) session: Option<String>,
    pub(crate) trace: Option<TraceContext>,
}

/// When user code began, and how long a person and user code took, in microseconds.
#[derive(Default)]
struct Clock {
    began: AtomicU64,
    approval: AtomicU64,
    tool: AtomicU64,
}

/// Where the time went. What is left of the whole is checks, and the guard over the answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Phases {
    /// Until user code began, without the wait for a person: checks, queues, the durable intent.
    queue_us: u64,
    /// The wait for a person.
    #[serde(skip_serializing_if = "is_zero")]
    approval_us: u64,
    /// User code.
    tool_us: u64,
}

/// A phase that lasts until this is dropped, however that comes about.
pub(crate) struct Phase<'a> {
    sum: &'a AtomicU64,
    began: Instant,
    _underway: Option<Underway>,
}

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.sum.fetch_add(micros(self.began), Ordering::Relaxed);
    }
}

/// What was found in text that left.
#[derive(Default)]
struct Text {
    /// In the answer and beside it.
    all: TextTally,
    /// In the answer, until it is noted there.
    answer: Option<Notes>,
}

/// What the request is about: a name that we know, or what the client called it.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Known(&'static str),
    Claimed(String),
}

impl Subject {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Claimed(name) => name,
        }
    }

    /// A name that a client sent: cut, and with nothing a terminal or a log reader could
    /// trip over.
    pub(crate) fn claimed(name: &str) -> Self {
        let short: String = name.chars().take(512).collect();
        Self::Claimed(
            for_log(&short)
                .chars()
                .take(128)
                .map(|c| {
                    if c.is_ascii_graphic() || c == ' ' {
                        c
                    } else {
                        '\u{fffd}'
                    }
                })
                .collect(),
        )
    }
}

impl Journey {
    pub(crate) fn new(method: &'static str, taint: Taint, shelf: Arc<Shelf>) -> Self {
        Self {
            id: CorrelationId::new(),
            started: Instant::now(),
            method,
            principal: OnceLock::new(),
            subject: OnceLock::new(),
            peer: OnceLock::new(),
            noted: OnceLock::new(),
            arguments: OnceLock::new(),
            arguments_digest: OnceLock::new(),
            values: OnceLock::new(),
            approval: OnceLock::new(),
            approval_id: OnceLock::new(),
            approved_by: OnceLock::new(),
            challenged: OnceLock::new(),
            flow: OnceLock::new(),
            policies: OnceLock::new(),
            committed: AtomicBool::new(false),
            bytes_out: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            is_counted: AtomicBool::new(false),
            limited_locally: AtomicBool::new(false),
            taint,
            shelf,
            untrusted: OnceLock::new(),
            trail: Trail::default(),
            text: Mutex::default(),
            clock: Clock::default(),
        }
    }

    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer.get().copied()
    }

    /// Notes the shape and the digest of the arguments as they came.
    pub(crate) fn note_arguments(&self, given: &JsonObject) {
        let _ = self.arguments.set(crate::audit::shape(given));
        self.digest_arguments(given);
    }

    pub(crate) fn digest_arguments(&self, given: &JsonObject) {
        if let Some(noted) = self.noted.get()
            && let Some(digest) = noted.key.arguments(given)
        {
            let _ = self.arguments_digest.set(digest);
        }
    }

    /// A person agrees, or has agreed, to this. What is digested is a number that both the
    /// question and the agreement have.
    pub(crate) fn note_approval(&self, number: &str) {
        if let Some(noted) = self.noted.get() {
            let id = noted.key.short("approval", number.as_bytes());
            let _ = self.approval_id.set(id);
        }
    }

    /// The answer has parts that somebody else wrote, or is from somewhere else as a whole.
    pub(crate) fn note_untrusted(&self, source: Option<Cow<'static, str>>) {
        if let Some(source) = source {
            self.taint.add_untrusted_text();
            let _ = self.untrusted.set(source);
        }
    }

    /// User code runs from now on.
    pub(crate) fn user_code(&self) -> Phase<'_> {
        let began = micros(self.started).max(1);
        let _ = self
            .clock
            .began
            .compare_exchange(0, began, Ordering::Relaxed, Ordering::Relaxed);
        Phase {
            sum: &self.clock.tool,
            began: Instant::now(),
            _underway: None,
        }
    }

    /// A person is asked from now on.
    pub(crate) fn waits_for_a_person(&self) -> Phase<'_> {
        Phase {
            sum: &self.clock.approval,
            began: Instant::now(),
            _underway: self
                .noted
                .get()
                .map(|noted| noted.meter.waits_for_a_person()),
        }
    }

    pub(crate) fn phases(&self) -> Phases {
        let load = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let approval_us = load(&self.clock.approval);
        let until = match load(&self.clock.began) {
            0 => micros(self.started),
            began => began,
        };
        Phases {
            queue_us: until.saturating_sub(approval_us),
            approval_us,
            tool_us: load(&self.clock.tool),
        }
    }

    /// The guard has been over the answer.
    pub(crate) fn found_in_answer(&self, notes: Notes) {
        self.found(notes.tally());
        self.text().answer = Some(notes);
    }

    /// What the guard found in the answer; once.
    pub(crate) fn take_answer_notes(&self) -> Option<Notes> {
        self.text().answer.take()
    }

    /// Something was found in text that leaves.
    pub(crate) fn found(&self, tally: &TextTally) {
        if tally.is_empty() {
            return;
        }
        if tally.untrusted {
            self.taint.add_untrusted_text();
        }
        if tally.has_secrets() {
            self.taint.add_secret();
        }
        self.text().all.add(tally);
    }

    /// All that was found so far, if anything.
    pub(crate) fn text_tally(&self) -> Option<TextTally> {
        let text = self.text();
        (!text.all.is_empty()).then(|| text.all.clone())
    }

    fn text(&self) -> std::sync::MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_bytes_out(&self, bytes: usize) {
        self.bytes_out.store(bytes as u64, Ordering::Relaxed);
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Sixteen hex digits that link a masked error with its audit record.
///
/// Unique within the log, not secret: a random start per process and a counter.
#[derive(Clone, Copy)]
pub(crate) struct CorrelationId([u8; 16]);

impl CorrelationId {
    fn new() -> Self {
        static START: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let start = *START.get_or_init(|| {
            let mut bytes = [0_u8; 8];
            // Without randomness ids are still unique in this process.
            let _ = getrandom::fill(&mut bytes);
            u64::from_le_bytes(bytes)
        });
        // An odd multiplier spreads the counter over all digits and stays a bijection.
        let n = start.wrapping_add(
            NEXT.fetch_add(1, Ordering::Relaxed)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15),
        );
        let mut text = Ascii([b'0'; 16], 0);
        let _ = write!(text, "{n:016x}");
        Self(text.0)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

struct Ascii([u8; 16], usize);

impl std::fmt::Write for Ascii {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        for byte in s.bytes() {
            *self.0.get_mut(self.1).ok_or(std::fmt::Error)? = byte;
            self.1 += 1;
        }
        Ok(())
    }
}
