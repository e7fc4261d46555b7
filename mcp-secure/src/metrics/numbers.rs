//! The series, and what readiness is made of.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::Ended;

pub(super) struct Numbers {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Kind, Histogram, fn() -> Histogram>,
    denials: Family<Denial, Counter>,
    pub(super) in_flight: Gauge,
    pub(super) waiting: Gauge,
    lines: Counter,
    failures: Counter,
    #[cfg(feature = "net")]
    anchored: Counter,
    #[cfg(feature = "net")]
    not_anchored: Counter,
    /// Controls that have a series, in the order in which they denied first.
    controls: Mutex<Vec<&'static str>>,
    /// The last record could be written.
    writes: AtomicBool,
    serves: AtomicBool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    op: &'static str,
    target: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    op: &'static str,
    target: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Denial {
    control: &'static str,
}

impl Default for Numbers {
    fn default() -> Self {
        let mut numbers = Self {
            registry: Registry::with_prefix("mcp_secure"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            denials: Family::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            lines: Counter::default(),
            failures: Counter::default(),
            #[cfg(feature = "net")]
            anchored: Counter::default(),
            #[cfg(feature = "net")]
            not_anchored: Counter::default(),
            controls: Mutex::default(),
            writes: AtomicBool::new(true),
            serves: AtomicBool::new(false),
        };
        let registry = &mut numbers.registry;
        registry.register(
            "requests",
            "Requests that ended, by method, tool and outcome",
            numbers.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "From the first layer to the end, waiting for a person included",
            Unit::Seconds,
            numbers.durations.clone(),
        );
        registry.register(
            "denials",
            "Refusals, by control; those of limits are `rate/…`, `http/rate` and the like",
            numbers.denials.clone(),
        );
        registry.register("in_flight", "Requests under way", numbers.in_flight.clone());
        registry.register(
            "approvals_waiting",
            "Calls that wait for a person",
            numbers.waiting.clone(),
        );
        registry.register(
            "audit_lines",
            "Audit records written",
            numbers.lines.clone(),
        );
        registry.register(
            "audit_failures",
            "Audit records that could not be written",
            numbers.failures.clone(),
        );
        #[cfg(feature = "net")]
        {
            registry.register(
                "audit_anchored",
                "Checkpoints of the audit log that were posted elsewhere",
                numbers.anchored.clone(),
            );
            registry.register(
                "audit_anchor_failures",
                "Attempts to post one that came to nothing",
                numbers.not_anchored.clone(),
            );
        }
        numbers
    }
}

impl Numbers {
    pub(super) fn ended(&self, ended: &Ended) {
        let target = ended.target.unwrap_or("");
        let (op, outcome) = (ended.op, ended.outcome);
        self.requests
            .get_or_create(&Request {
                op,
                target,
                outcome,
            })
            .inc();
        self.durations
            .get_or_create(&Kind { op, target })
            .observe(ended.took.as_secs_f64());
    }

    /// Returns the name of the series.
    pub(super) fn denied(&self, control: &'static str, count: u64) -> &'static str {
        // Layers of the author's own name controls, too: bounded, whatever they do.
        let mut controls = self.controls.lock().unwrap_or_else(PoisonError::into_inner);
        let control = if controls.contains(&control) {
            control
        } else if controls.len() < MOST {
            controls.push(control);
            control
        } else {
            "(others)"
        };
        drop(controls);
        self.denials
            .get_or_create(&Denial { control })
            .inc_by(count);
        control
    }

    pub(super) fn wrote(&self, well: bool) {
        match well {
            true => self.lines.inc(),
            false => self.failures.inc(),
        };
        self.writes.store(well, Ordering::Relaxed);
    }

    #[cfg(feature = "net")]
    pub(super) fn anchored(&self, well: bool) {
        match well {
            true => self.anchored.inc(),
            false => self.not_anchored.inc(),
        };
    }

    pub(super) fn serves(&self, yes: bool) {
        self.serves.store(yes, Ordering::Relaxed);
    }

    /// What keeps it from being asked, if anything.
    pub(super) fn unready(&self) -> Option<&'static str> {
        if !self.serves.load(Ordering::Relaxed) {
            return Some("not serving: starting or shutting down");
        }
        if !self.writes.load(Ordering::Relaxed) {
            return Some("the audit log cannot be written");
        }
        None
    }

    pub(super) fn text(&self) -> Option<String> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).ok()?;
        Some(out)
    }
}

/// From half a millisecond to the longest wait for a person.
pub(crate) const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 300.0,
];

/// Controls that have a series each.
const MOST: usize = 256;
