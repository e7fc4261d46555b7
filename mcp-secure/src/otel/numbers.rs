//! The numbers of the operator's page, as instruments of OpenTelemetry.
//!
//! The duration has the name of the semantic conventions for MCP; what they have no name for
//! is called as on the page.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, MeterProvider as _, UpDownCounter},
};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, RetryPolicy, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};

use super::{post::Post, spans::semconv};
use crate::metrics::Ended;

pub(crate) struct Instruments {
    requests: Counter<u64>,
    durations: Histogram<f64>,
    denials: Counter<u64>,
    pub(crate) in_flight: UpDownCounter<i64>,
    pub(crate) waiting: UpDownCounter<i64>,
    lines: Counter<u64>,
    failures: Counter<u64>,
    lost: Counter<u64>,
}

pub(super) fn provider(
    post: &Post,
    resource: &Resource,
    every: Duration,
) -> Result<SdkMeterProvider, ExporterBuildError> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(post.to("metrics"))
        .with_endpoint(super::worker::ANYWHERE)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(super::worker::PATIENCE)
        .with_retry_policy(RetryPolicy::disabled())
        .build()?;
    let reader = PeriodicReader::builder(exporter)
        .with_interval(every)
        .build();
    Ok(SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_reader(reader)
        .build())
}

impl Instruments {
    pub(super) fn of(provider: &SdkMeterProvider) -> Self {
        let meter = provider.meter("mcp-secure");
        Self {
            requests: meter.u64_counter("mcp_secure.requests").build(),
            durations: meter
                .f64_histogram("mcp.server.operation.duration")
                .with_unit("s")
                .with_boundaries(crate::metrics::BUCKETS.to_vec())
                .build(),
            denials: meter.u64_counter("mcp_secure.denials").build(),
            in_flight: meter.i64_up_down_counter("mcp_secure.in_flight").build(),
            waiting: meter
                .i64_up_down_counter("mcp_secure.approvals_waiting")
                .build(),
            lines: meter.u64_counter("mcp_secure.audit.lines").build(),
            failures: meter.u64_counter("mcp_secure.audit.failures").build(),
            lost: meter.u64_counter("mcp_secure.telemetry.lost").build(),
        }
    }

    pub(crate) fn ended(&self, ended: &Ended) {
        let target = ended.target.unwrap_or("");
        self.requests.add(
            1,
            &[
                KeyValue::new("op", ended.op),
                KeyValue::new("target", target),
                KeyValue::new("outcome", ended.outcome),
            ],
        );
        let mut about = vec![KeyValue::new(semconv::METHOD, ended.op)];
        if let Some((name, target)) = semconv::named(ended.op, target) {
            about.push(KeyValue::new(name, target.to_owned()));
        }
        if !semconv::is_well(ended.outcome) {
            about.push(KeyValue::new(semconv::ERROR, ended.outcome));
        }
        self.durations.record(ended.took.as_secs_f64(), &about);
    }

    /// The control is one of those that have a series.
    pub(crate) fn denied(&self, control: &'static str, count: u64) {
        self.denials
            .add(count, &[KeyValue::new("control", control)]);
    }

    pub(crate) fn wrote(&self, well: bool) {
        match well {
            true => self.lines.add(1, &[]),
            false => self.failures.add(1, &[]),
        }
    }

    pub(super) fn lost(&self, count: u64) {
        self.lost.add(count, &[]);
    }
}
