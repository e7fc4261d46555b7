//! Tracing goes to standard error, and `rmcp`'s own lines not at all: at its DEBUG level
//! they hold whole requests and results, at WARN the bodies of errors, at INFO session ids.

use tracing::Metadata;
use tracing_subscriber::{Layer, filter::FilterFn, layer::SubscriberExt, util::SubscriberInitExt};

/// Installs the subscriber, unless the author has installed one. Then the filter is the
/// author's business; the book says so.
pub(crate) fn init() {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_filter(FilterFn::new(is_ours));
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("rmcp") && *metadata.level() <= tracing::Level::INFO
}
