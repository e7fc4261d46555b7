//! Numbers about a running server, and its health, for its operator.
//!
//! They are on a listener of their own: what clients reach has no page about itself. Numbers are
//! lossy and say nothing of a single call; the audit log does. Nothing that a
//! client wrote becomes a label: names are those of the registry, controls those of the code, so
//! that nobody can make series (and memory) by asking for names that are not there.

#[cfg(feature = "metrics")]
mod numbers;
#[cfg(feature = "metrics")]
mod page;

#[cfg(feature = "metrics")]
pub(crate) use page::Operator;

#[cfg(feature = "otel")]
pub(crate) use numbers::BUCKETS;

#[cfg(feature = "metrics")]
use std::sync::Arc;
use std::time::Duration;

/// Counts what happens, if somebody looks.
#[derive(Clone, Default)]
pub(crate) struct Meter {
    #[cfg(feature = "metrics")]
    numbers: Option<Arc<numbers::Numbers>>,
    /// What leaves the process while it happens.
    #[cfg(feature = "otel")]
    telemetry: crate::otel::Telemetry,
}

/// A request, or a wait, that is under way until this is dropped.
#[derive(Default)]
pub(crate) struct Underway {
    #[cfg(feature = "metrics")]
    gauge: Option<prometheus_client::metrics::gauge::Gauge>,
    #[cfg(feature = "otel")]
    counter: Option<opentelemetry::metrics::UpDownCounter<i64>>,
}

/// The end of a request.
#[cfg_attr(
    not(feature = "metrics"),
    allow(dead_code, reason = "nobody looks at it")
)]
pub(crate) struct Ended {
    pub(crate) op: &'static str,
    /// A name of the registry; never one that a client made up.
    pub(crate) target: Option<&'static str>,
    pub(crate) outcome: &'static str,
    pub(crate) denied_by: Option<&'static str>,
    pub(crate) took: Duration,
}

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self, reason = "nobody looks at what it counts")]
impl Meter {
    pub(crate) fn begin(&self) -> Underway {
        Underway {}
    }

    pub(crate) fn waits_for_a_person(&self) -> Underway {
        Underway {}
    }

    pub(crate) fn ended(&self, _: &Ended) {}

    pub(crate) fn refused(&self, _: &'static str, _: u64) {}

    pub(crate) fn wrote(&self, _: bool) {}

    pub(crate) fn serves(&self) {}

    pub(crate) fn stops(&self) {}

    pub(crate) fn record(&self, _: &impl serde::Serialize) {}

    #[cfg(feature = "net")]
    pub(crate) fn anchored(&self, _: bool) {}
}

#[cfg(feature = "metrics")]
impl Meter {
    /// Counts for the operator's page.
    pub(crate) fn counting(mut self) -> Self {
        self.numbers.get_or_insert_default();
        self
    }

    /// The same numbers, and all records, for a collector.
    #[cfg(feature = "otel")]
    pub(crate) fn exported(telemetry: crate::otel::Telemetry) -> Self {
        Self {
            telemetry,
            ..Self::default().counting()
        }
    }

    /// An audit record, for who collects them.
    #[cfg_attr(
        not(feature = "otel"),
        allow(clippy::unused_self, reason = "nobody collects them")
    )]
    pub(crate) fn record(&self, record: &impl serde::Serialize) {
        #[cfg(feature = "otel")]
        self.telemetry.record(record);
        #[cfg(not(feature = "otel"))]
        let _ = record;
    }

    pub(crate) fn begin(&self) -> Underway {
        let underway = Underway::of(self.numbers.as_ref().map(|numbers| &numbers.in_flight));
        #[cfg(feature = "otel")]
        let underway = underway.exported(self.telemetry.instruments().map(|i| &i.in_flight));
        underway
    }

    pub(crate) fn waits_for_a_person(&self) -> Underway {
        let underway = Underway::of(self.numbers.as_ref().map(|numbers| &numbers.waiting));
        #[cfg(feature = "otel")]
        let underway = underway.exported(self.telemetry.instruments().map(|i| &i.waiting));
        underway
    }

    pub(crate) fn ended(&self, ended: &Ended) {
        #[cfg(feature = "otel")]
        if let Some(instruments) = self.telemetry.instruments() {
            instruments.ended(ended);
        }
        if let Some(numbers) = &self.numbers {
            numbers.ended(ended);
            if let Some(control) = ended.denied_by {
                self.refused(control, 1);
            }
        }
    }

    /// Before anybody was identified.
    pub(crate) fn refused(&self, control: &'static str, count: u64) {
        if let Some(numbers) = &self.numbers {
            let control = numbers.denied(control, count);
            #[cfg(feature = "otel")]
            if let Some(instruments) = self.telemetry.instruments() {
                instruments.denied(control, count);
            }
            #[cfg(not(feature = "otel"))]
            let _ = control;
        }
    }

    /// A record was written, or could not be.
    pub(crate) fn wrote(&self, well: bool) {
        if let Some(numbers) = &self.numbers {
            numbers.wrote(well);
        }
        #[cfg(feature = "otel")]
        if let Some(instruments) = self.telemetry.instruments() {
            instruments.wrote(well);
        }
    }

    /// A checkpoint of the audit log was kept elsewhere, or was not.
    #[cfg(feature = "net")]
    pub(crate) fn anchored(&self, well: bool) {
        if let Some(numbers) = &self.numbers {
            numbers.anchored(well);
        }
    }

    /// From now on it can be asked.
    pub(crate) fn serves(&self) {
        if let Some(numbers) = &self.numbers {
            numbers.serves(true);
        }
    }

    /// From now on it should not be asked any more.
    pub(crate) fn stops(&self) {
        if let Some(numbers) = &self.numbers {
            numbers.serves(false);
        }
    }
}

#[cfg(feature = "metrics")]
impl Underway {
    fn of(gauge: Option<&prometheus_client::metrics::gauge::Gauge>) -> Self {
        let gauge = gauge.cloned();
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        Self {
            gauge,
            #[cfg(feature = "otel")]
            counter: None,
        }
    }

    #[cfg(feature = "otel")]
    fn exported(mut self, counter: Option<&opentelemetry::metrics::UpDownCounter<i64>>) -> Self {
        self.counter = counter.cloned();
        if let Some(counter) = &self.counter {
            counter.add(1, &[]);
        }
        self
    }
}

#[cfg(feature = "metrics")]
impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.dec();
        }
        #[cfg(feature = "otel")]
        if let Some(counter) = &self.counter {
            counter.add(-1, &[]);
        }
    }
}
