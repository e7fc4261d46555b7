//! The task that sends. It tries again for a while, and what it gives up is counted.

use std::{sync::Arc, time::Duration};

use opentelemetry::{InstrumentationScope, logs::LoggerProvider as _};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider},
    trace::{SpanData, SpanExporter as _},
};
use tokio::time::Instant;

use super::{Shared, post::Post, spans::Record};
use crate::audit::{self, AuditSink};

pub(super) struct Worker {
    spans: SpanExporter,
    logs: LogExporter,
    /// Makes log records; it has no processor.
    logger: SdkLogger,
    scope: InstrumentationScope,
    every: Duration,
    post: Post,
    sink: AuditSink,
    transport: &'static str,
    /// Lost, and not in the audit log yet.
    unsaid: u64,
    said: Option<Instant>,
    /// The collector did not take the last batch.
    troubled: bool,
}

impl Worker {
    pub(super) fn new(
        post: Post,
        resource: &Resource,
        every: Duration,
        sink: AuditSink,
        transport: &'static str,
    ) -> Result<Self, ExporterBuildError> {
        let mut spans = SpanExporter::builder()
            .with_http()
            .with_http_client(post.to("traces"))
            .with_endpoint(ANYWHERE)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        spans.set_resource(resource);
        let mut logs = LogExporter::builder()
            .with_http()
            .with_http_client(post.to("logs"))
            .with_endpoint(ANYWHERE)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        logs.set_resource(resource);
        let logger = SdkLoggerProvider::builder().build().logger("mcp-secure");
        Ok(Self {
            spans,
            logs,
            logger,
            scope: InstrumentationScope::builder("mcp-secure")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
            every,
            post,
            sink,
            transport,
            unsaid: 0,
            said: None,
            troubled: false,
        })
    }

    /// Until the queue is closed and empty.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let queue = &shared.queue;
        loop {
            if !queue.is_due() {
                let _ = tokio::time::timeout(self.every, queue.due.notified()).await;
            }
            let closed = queue.is_closed();
            let batch = queue.take();
            let is_empty = batch.is_empty();
            let mut lost = queue.lost();
            if !is_empty {
                lost += self.send(&shared, &batch).await;
                queue.done();
            }
            lost += self.post.rejected();
            self.say(&shared, lost, closed && is_empty);
            if closed && is_empty {
                return;
            }
        }
    }

    /// Sends a batch. How many of it were lost.
    async fn send(&mut self, shared: &Shared, batch: &[Vec<u8>]) -> u64 {
        let records: Vec<Record> = batch
            .iter()
            .filter_map(|line| Record::parse(line))
            .collect();
        let mut spans: Vec<SpanData> = records
            .iter()
            .filter_map(|record| record.span(&self.scope))
            .collect();
        let mut logs: Vec<SdkLogRecord> = records
            .iter()
            .map(|record| record.log(&self.logger))
            .collect();
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            // What arrived is not sent again with what did not.
            let failed = async {
                let one = match spans.is_empty() {
                    true => Ok(()),
                    false => self.spans.export(spans.clone()).await,
                };
                if one.is_ok() {
                    spans.clear();
                }
                let pairs: Vec<_> = logs.iter().map(|log| (log, &self.scope)).collect();
                let two = match pairs.is_empty() {
                    true => Ok(()),
                    false => self.logs.export(LogBatch::new(&pairs)).await,
                };
                drop(pairs);
                if two.is_ok() {
                    logs.clear();
                }
                one.and(two).err()
            };
            let Some(error) = failed.await else {
                self.troubled = false;
                return 0;
            };
            if !self.troubled {
                // Once, until it is well again.
                tracing::warn!(%error, "the collector of telemetry does not take it");
                self.troubled = true;
            }
            if attempt == ATTEMPTS || shared.queue.is_closed() {
                break;
            }
            let _ = tokio::time::timeout(pause, shared.queue.closing.notified()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        logs.len().max(spans.len()) as u64
    }

    /// Counts what was lost, and says it in the audit log, at most once in a while.
    fn say(&mut self, shared: &Shared, lost: u64, last: bool) {
        if lost > 0
            && let Some(instruments) = shared.instruments.get()
        {
            instruments.lost(lost);
        }
        self.unsaid += lost;
        let may = last || self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY);
        if self.unsaid > 0 && may {
            audit::telemetry_lost(&self.sink, self.transport, self.unsaid);
            self.unsaid = 0;
            self.said = Some(Instant::now());
        }
    }
}

/// What an exporter wants to hear; where a request goes says [`Post`].
pub(super) const ANYWHERE: &str = "http://collector.invalid/";

/// For one request.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// For all that is left at the end. A stdio server has to be gone soon after its client.
pub(super) const LAST_MOMENT: Duration = Duration::from_secs(2);

const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
const SAY_EVERY: Duration = Duration::from_secs(10);
