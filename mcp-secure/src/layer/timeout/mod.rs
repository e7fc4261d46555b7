//! A deadline for every request: the server's, or the tool's own. The future is dropped
//! when it passes. What was spent on waiting for a place counts.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tower::Layer;

use super::{Enclosed, forward_ready};
use crate::pipeline::{Checked, CheckedOp, Refusal, Registry, ReplyFuture, Verdict, code};

#[derive(Clone)]
pub(crate) struct TimeoutLayer {
    registry: Arc<Registry>,
    default: Duration,
}

impl TimeoutLayer {
    pub(crate) fn new(registry: Arc<Registry>, default: Duration) -> Self {
        Self { registry, default }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> TimeoutService<S> {
        TimeoutService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct TimeoutService<S> {
    inner: S,
    shared: TimeoutLayer,
}

impl<S: Enclosed<Checked>> tower::Service<Checked> for TimeoutService<S> {
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let limit = match request.op() {
            CheckedOp::Tool { index, .. } => self
                .shared
                .registry
                .tools
                .get(*index)
                .map_or(self.shared.default, |entry| entry.timeout),
            _ => self.shared.default,
        };
        let queued = Duration::from_micros(request.journey().queued.load(Ordering::Relaxed));
        let future = self.inner.call(request);
        Box::pin(async move {
            match tokio::time::timeout(limit.saturating_sub(queued), future).await {
                Ok(done) => done,
                Err(_) => Err(Refusal::denied(
                    "timeout",
                    code::TIMED_OUT,
                    "the request took too long",
                    format!("no answer within {limit:?}"),
                )
                .verdict(Verdict::TimedOut)
                .boxed()),
            }
        })
    }
}
