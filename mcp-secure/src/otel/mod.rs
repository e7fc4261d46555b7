//! Telemetry while it happens: spans, numbers and audit records over OTLP, to one collector.
//!
//! The exporter of OpenTelemetry makes the bytes; everything else is ours, because three things
//! must hold that its batch processors do not promise. The connection is made by the SDK's own
//! egress, so that the sandbox leaves open one destination and no variable of the environment
//! names another. A call never waits: what finds no room is dropped, counted, and the audit log
//! says how much. And nothing leaves that a caller sent or got: what an audit record says of
//! arguments is left out by a list of what may go.

mod declared;
mod numbers;
mod post;
mod queue;
mod spans;
mod worker;

pub use declared::Otlp;
pub(crate) use numbers::Instruments;

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::{
    Result,
    audit::AuditSink,
    capability::{Opening, net::fetch::Client},
};
use queue::Queue;

/// Where the server leaves what is to be exported. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct Telemetry(Option<Arc<Shared>>);

struct Shared {
    queue: Queue,
    instruments: OnceLock<Instruments>,
}

/// Opened, and waits for the runtime and the sandbox.
pub(crate) struct Pending {
    shared: Arc<Shared>,
    client: Arc<Client>,
    otlp: Otlp,
    headers: http::HeaderMap,
    server: Server,
}

/// What every span says of where it is from.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) manifest: String,
}

/// Exports until it is told to end.
pub(crate) struct Running {
    shared: Arc<Shared>,
    worker: tokio::task::JoinHandle<()>,
    sink: AuditSink,
    transport: &'static str,
    numbers: Option<opentelemetry_sdk::metrics::SdkMeterProvider>,
}

impl Telemetry {
    /// Opens the way to the collector, while it may still be opened, and reads its secrets.
    ///
    /// # Errors
    ///
    /// When the endpoint is none that could be granted, or a file cannot be read.
    pub(crate) fn open(
        otlp: Otlp,
        server: Server,
        opening: &mut Opening,
    ) -> Result<(Self, Pending)> {
        let (client, headers) = otlp.open(opening)?;
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            instruments: OnceLock::new(),
        });
        let pending = Pending {
            shared: Arc::clone(&shared),
            client: Arc::new(client),
            otlp,
            headers,
            server,
        };
        Ok((Self(Some(shared)), pending))
    }

    /// Leaves an audit record. Never waits.
    pub(crate) fn record(&self, record: &impl Serialize) {
        if let Some(shared) = &self.0
            && let Ok(line) = serde_json::to_vec(record)
        {
            shared.queue.push(line);
        }
    }

    /// The numbers, once they are exported.
    pub(crate) fn instruments(&self) -> Option<&Instruments> {
        self.0.as_ref()?.instruments.get()
    }
}

impl Pending {
    /// Begins to export. Inside the runtime, under the sandbox.
    pub(crate) fn start(self, sink: AuditSink, transport: &'static str) -> Running {
        let Self {
            shared,
            client,
            otlp,
            headers,
            server,
        } = self;
        let resource = server.resource();
        let post = post::Post::new(client, headers, tokio::runtime::Handle::current());
        let numbers = match numbers::provider(&post, &resource, otlp.interval()) {
            Ok(provider) => {
                let _ = shared.instruments.set(Instruments::of(&provider));
                Some(provider)
            }
            Err(error) => {
                tracing::error!(%error, "numbers are not exported");
                None
            }
        };
        let worker = worker::Worker::new(post, &resource, otlp.interval(), sink.clone(), transport);
        let worker = match worker {
            Ok(worker) => tokio::spawn(worker.run(Arc::clone(&shared))),
            Err(error) => {
                tracing::error!(%error, "spans and records are not exported");
                tokio::spawn(std::future::ready(()))
            }
        };
        Running {
            shared,
            worker,
            sink,
            transport,
            numbers,
        }
    }
}

impl Running {
    /// Sends what waits, for a bounded time.
    pub(crate) async fn stop(self) {
        self.shared.queue.close();
        let numbers = self.numbers;
        // It blocks on the last export.
        let last = tokio::task::spawn_blocking(move || {
            if let Some(numbers) = numbers {
                let _ = numbers.shutdown();
            }
        });
        let mut worker = self.worker;
        let both = async { tokio::join!(&mut worker, last) };
        if tokio::time::timeout(worker::LAST_MOMENT, both)
            .await
            .is_ok()
        {
            return;
        }
        worker.abort();
        let lost = self.shared.queue.left();
        if lost > 0 {
            crate::audit::telemetry_lost(&self.sink, self.transport, lost);
        }
    }
}

impl Server {
    fn resource(&self) -> opentelemetry_sdk::Resource {
        use opentelemetry::KeyValue;
        // Empty: the default one reads the environment.
        opentelemetry_sdk::Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", self.name),
                KeyValue::new("service.version", self.version),
                KeyValue::new("mcp_secure.manifest", self.manifest.clone()),
            ])
            .build()
    }
}
