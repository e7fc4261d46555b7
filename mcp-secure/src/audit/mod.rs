//! What happened, one JSON line each. This room knows records and files, no transport.

mod chain;
mod digest;
mod record;
#[cfg(all(test, feature = "sandbox"))]
mod schema;
mod sink;
mod stamp;
mod tally;
mod trace;
mod values;
mod verify;

pub(crate) use digest::DigestKey;
pub(crate) use record::{Ending, shape};
#[cfg(feature = "testing")]
pub(crate) use sink::MemoryLog;
#[cfg(feature = "sandbox")]
pub(crate) use sink::segments_folder;
pub(crate) use sink::{About, OnFull, Settings, beside};
pub use sink::{AuditAnchor, AuditSink, Cosigner, FileAnchor, init};
pub(crate) use tally::Tally;
pub(crate) use trace::TraceContext;
pub(crate) use values::{Audited, take_marks};
pub use verify::{
    Finding, Kind, Verification, Verify, prove, prove_consistency, segments, verify_consistency,
    verify_proof,
};

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use crate::{
    approval::{Decision, Matter, Memory, Person},
    layer::guard::{cut, for_log},
    metrics::{Ended, Meter},
    pipeline::{Journey, Subject},
};
use record::{Answer, Intent, Outcome, Refused, VERSION};
use sink::Durable;
use stamp::Stamp;

/// What [`Audit::account`] writes down.
#[cfg(feature = "upstream")]
pub(crate) struct Change<'a> {
    pub(crate) what: &'static str,
    pub(crate) grant: Option<&'a str>,
    pub(crate) entry: &'a str,
    pub(crate) whose: &'a Person,
    pub(crate) how: Option<&'static str>,
    pub(crate) taken_back: Option<bool>,
    pub(crate) control: Option<&'static str>,
}

/// Writes records. Shared by all connections.
pub(crate) struct Audit {
    sink: AuditSink,
    transport: &'static str,
    manifest: Arc<str>,
    key: DigestKey,
    meter: Meter,
}

impl Audit {
    pub(crate) fn new(
        sink: AuditSink,
        transport: &'static str,
        manifest: Arc<str>,
        key: DigestKey,
        meter: Meter,
    ) -> Self {
        Self {
            sink,
            transport,
            manifest,
            key,
            meter,
        }
    }

    /// What the digests of its records are made with.
    pub(crate) fn key(&self) -> &DigestKey {
        &self.key
    }

    /// What counts beside it.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The end of a request. If the sink cannot write, the next call with effects is refused
    /// by its intent; an answer without effects is not held back.
    pub(crate) fn outcome(&self, journey: &Journey, ending: &Ending<'_>) {
        #[cfg(feature = "__bench")]
        if self.sink.is_nowhere() {
            return;
        }
        let (outcome, decision, control, reason) = match ending {
            Ending::Answered(outcome) => (*outcome, "allow", None, None),
            Ending::Refused(refusal) => {
                let verdict = refusal.verdict.as_str();
                let decision = if verdict == "denied" || verdict == "overloaded" {
                    "deny"
                } else {
                    "allow"
                };
                (
                    verdict,
                    decision,
                    Some(refusal.control),
                    Some(for_log(cut(&refusal.reason, MAX_REASON))),
                )
            }
            Ending::Dropped => ("dropped", "allow", Some("transport/disconnect"), None),
            Ending::Left => ("cancelled", "allow", Some("cancel"), None),
        };
        let record = Outcome {
            v: VERSION,
            event: "outcome",
            ts: now(),
            about: record::About::of(journey, self.transport, &self.key),
            decision,
            outcome,
            control,
            reason: reason.as_deref(),
            challenged: journey.challenged.get().copied(),
            flow: journey.flow.get().copied(),
            policies: journey.policies.get().map_or(&[], Vec::as_slice),
            bytes_out: journey.bytes_out.load(Ordering::Relaxed),
            text: journey.text_tally(),
            limits: journey
                .limited_locally
                .load(Ordering::Relaxed)
                .then_some("local"),
            taint: journey.taint.names(),
            steps: journey
                .trail
                .steps(|path| self.key.short("file", path.as_bytes())),
            duration_us: micros(journey.started),
            phases: journey.phases(),
            manifest: &self.manifest,
        };
        self.meter.ended(&Ended {
            op: journey.method,
            target: match journey.subject.get() {
                Some(Subject::Known(name)) => Some(name),
                _ => None,
            },
            outcome,
            denied_by: match ending {
                Ending::Refused(refusal) if decision == "deny" => Some(refusal.control),
                _ => None,
            },
            took: journey.started.elapsed(),
        });
        self.meter.record(&record);
        self.written(self.sink.write(&record));
    }

    fn written(&self, done: std::io::Result<()>) {
        self.meter.wrote(done.is_ok() && self.sink.is_well());
        if let Err(error) = done {
            tracing::error!(%error, "an audit record could not be written");
        }
    }

    /// Whether there is room for the records of one more request.
    pub(crate) fn admits(&self) -> bool {
        self.sink.admits()
    }

    /// What is about to have an effect; on disk before it does, when the answer has been waited
    /// for.
    pub(crate) fn intent(&self, journey: &Journey) -> Durable {
        let record = Intent {
            v: VERSION,
            event: "intent",
            ts: now(),
            about: record::About::of(journey, self.transport, &self.key),
            manifest: &self.manifest,
        };
        self.meter.record(&record);
        self.sink.write_durably(&record)
    }

    /// A person's answer.
    pub(crate) fn answered(&self, id: &str, matter: &Matter, decision: &Decision) {
        let answer = match decision.yes {
            true => "yes",
            false => "no",
        };
        self.answer(id, matter, answer, Some(decision));
    }

    /// There was no answer: nobody said anything, or whoever asked is no more there to hear it.
    pub(crate) fn unanswered(&self, id: &str, matter: &Matter, answer: &'static str) {
        self.answer(id, matter, answer, None);
    }

    fn answer(&self, id: &str, matter: &Matter, answer: &'static str, decision: Option<&Decision>) {
        let id = self.key.short("approval", id.as_bytes());
        let record = Answer {
            v: VERSION,
            event: "approval",
            ts: now(),
            transport: self.transport,
            answer,
            approval_id: &id,
            remembered: None,
            by: decision.map(record::AnsweredBy::of),
            people: matter.people,
            target: &matter.tool,
            principal: record::AskedFor::of(matter),
            arguments: &matter.arguments,
            arguments_digest: matter.arguments_digest.as_deref(),
            key: self.key.id(),
            manifest: &self.manifest,
        };
        self.meter.record(&record);
        self.written(self.sink.write(&record));
    }

    /// A decision holds for a while from now on, or no more.
    pub(crate) fn remembered(
        &self,
        question: Option<&str>,
        memory: &Memory,
        what: &'static str,
        by: &Person,
    ) {
        let short = |id: &str| self.key.short("approval", id.as_bytes());
        let remembered = short(&memory.id);
        let id = question.map_or_else(|| remembered.clone(), short);
        let said = Decision::now(true, by.clone(), memory.decision.how);
        let record = Answer {
            v: VERSION,
            event: "approval",
            ts: now(),
            transport: self.transport,
            answer: what,
            approval_id: &id,
            remembered: Some(&remembered),
            by: Some(record::AnsweredBy::of(&said)),
            people: 1,
            target: &memory.matter.tool,
            principal: record::AskedFor::of(&memory.matter),
            arguments: &memory.matter.arguments,
            arguments_digest: memory.matter.arguments_digest.as_deref(),
            key: self.key.id(),
            manifest: &self.manifest,
        };
        self.meter.record(&record);
        self.written(self.sink.write(&record));
    }

    /// A person gave this server something for calls in their name, took it back, or lost it.
    #[cfg(feature = "upstream")]
    pub(crate) fn account(&self, change: &Change<'_>) {
        let record = record::Account {
            v: VERSION,
            event: "account",
            ts: now(),
            transport: self.transport,
            what: change.what,
            target: change.grant,
            entry: change.entry,
            principal: record::Whose {
                issuer: &change.whose.issuer,
                subject: &change.whose.subject,
            },
            how: change.how,
            taken_back: change.taken_back,
            control: change.control,
            manifest: &self.manifest,
        };
        self.meter.record(&record);
        self.written(self.sink.write(&record));
    }

    /// Refusals before anybody was identified, counted: nobody can fill the disk without an
    /// identity.
    pub(crate) fn refused(&self, reason: &'static str, peer: &str, count: u64) {
        let record = Refused {
            v: VERSION,
            event: "refused",
            ts: now(),
            transport: self.transport,
            control: reason,
            peer,
            count,
        };
        self.meter.refused(reason, count);
        self.meter.record(&record);
        self.written(self.sink.write(&record));
    }
}

/// What the kernel keeps, once, when a server starts.
#[cfg(feature = "sandbox")]
pub(crate) fn sandbox(
    sink: &AuditSink,
    transport: &'static str,
    manifest: &str,
    report: &crate::sandbox::SandboxReport,
) {
    let record = record::Sandbox {
        v: VERSION,
        event: "sandbox",
        ts: now(),
        transport,
        report,
        manifest,
    };
    if let Err(error) = sink.write(&record) {
        tracing::error!(%error, "an audit record could not be written");
    }
}

/// Records that a collector of telemetry did not get. Here they are.
#[cfg(feature = "otel")]
pub(crate) fn telemetry_lost(sink: &AuditSink, transport: &'static str, lost: u64) {
    let record = record::Telemetry {
        v: VERSION,
        event: "telemetry",
        ts: now(),
        transport,
        lost,
    };
    if let Err(error) = sink.write(&record) {
        tracing::error!(%error, "an audit record could not be written");
    }
}

/// Text of a record as it may be shown in a terminal: what is hidden is seen, secrets are not.
pub fn shown(text: &str) -> String {
    for_log(text).into_owned()
}

/// What the benchmark reaches. Not part of the API.
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub mod bench {
    use super::AuditSink;

    pub fn write(sink: &AuditSink, record: &impl serde::Serialize) -> std::io::Result<()> {
        sink.write(record)
    }

    pub async fn write_durably(
        sink: &AuditSink,
        record: &impl serde::Serialize,
    ) -> std::io::Result<()> {
        sink.write_durably(record).wait().await
    }

    /// Each sync takes so much longer from now on.
    pub fn slow_syncs(by: std::time::Duration) {
        super::sink::SLOWER.store(
            u64::try_from(by.as_micros()).unwrap_or(u64::MAX),
            std::sync::atomic::Ordering::Relaxed,
        );
    }

    /// Makes no record.
    pub(crate) fn nowhere() -> AuditSink {
        AuditSink::nowhere()
    }

    pub fn close(sink: &AuditSink) {
        sink.close();
    }
}

/// The words of an error may be as long as what it is about.
const MAX_REASON: usize = 16 * 1024;

fn now() -> Stamp {
    Stamp::now()
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
