//! How many requests run at once. What is over is refused at once: `rmcp` would spawn a
//! task for each and queue them without bound.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tower::Layer;

use super::{Enclosed, forward_ready, refuse};
use crate::pipeline::{Checked, Refusal, ReplyFuture, Verdict, code};

#[derive(Clone)]
pub(crate) struct LoadShedLayer(Arc<Semaphore>);

impl LoadShedLayer {
    pub(crate) fn new(concurrency: usize) -> Self {
        Self(Arc::new(Semaphore::new(concurrency)))
    }
}

impl<S> Layer<S> for LoadShedLayer {
    type Service = LoadShedService<S>;

    fn layer(&self, inner: S) -> LoadShedService<S> {
        LoadShedService {
            inner,
            permits: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct LoadShedService<S> {
    inner: S,
    permits: Arc<Semaphore>,
}

impl<S: Enclosed<Checked>> tower::Service<Checked> for LoadShedService<S> {
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return refuse(overloaded(
                "load_shed/server",
                "the server is busy; try again later",
            ));
        };
        let future = self.inner.call(request);
        Box::pin(async move {
            let _permit = permit;
            future.await
        })
    }
}

/// Nobody knows when a permit is free; a second is long for a machine and short for a person.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);

pub(crate) fn overloaded(control: &'static str, message: &'static str) -> Refusal {
    Refusal::denied(control, code::OVERLOADED, message, "no permit was free")
        .verdict(Verdict::Overloaded)
        .again_after(SOON, None)
}
