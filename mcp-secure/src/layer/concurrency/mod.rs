//! How many calls of one tool run at once: a slow tool cannot take the whole server.

use std::sync::Arc;

use tower::Layer;

use super::{Enclosed, forward_ready, load_shed::overloaded, refuse};
use crate::pipeline::{Checked, CheckedOp, Registry, ReplyFuture};

#[derive(Clone)]
pub(crate) struct ConcurrencyLayer(Arc<Registry>);

impl ConcurrencyLayer {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self(registry)
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = ConcurrencyService<S>;

    fn layer(&self, inner: S) -> ConcurrencyService<S> {
        ConcurrencyService {
            inner,
            registry: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct ConcurrencyService<S> {
    inner: S,
    registry: Arc<Registry>,
}

impl<S: Enclosed<Checked>> tower::Service<Checked> for ConcurrencyService<S> {
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let permit = match request.op() {
            CheckedOp::Tool { index, .. } => {
                let Some(entry) = self.registry.tools.get(*index) else {
                    return refuse(overloaded(
                        "concurrency/tool",
                        "the tool is busy; try again later",
                    ));
                };
                match Arc::clone(&entry.permits).try_acquire_owned() {
                    Ok(permit) => Some(permit),
                    Err(_) => {
                        return refuse(overloaded(
                            "concurrency/tool",
                            "the tool is busy; try again later",
                        ));
                    }
                }
            }
            _ => None,
        };
        let future = self.inner.call(request);
        Box::pin(async move {
            let _permit = permit;
            future.await
        })
    }
}
