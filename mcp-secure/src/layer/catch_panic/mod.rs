//! A panic in user code becomes an error with an id; the server goes on. `rmcp` would never
//! answer, and the client would hang (spec BASE-08).

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tower::Layer;

use super::{Enclosed, forward_ready};
use crate::pipeline::{BoxError, McpReply, McpRequest, Refusal, ReplyFuture, Verdict};

#[derive(Clone)]
pub(crate) struct CatchPanicLayer;

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanicService<S>;

    fn layer(&self, inner: S) -> CatchPanicService<S> {
        CatchPanicService { inner }
    }
}

#[derive(Clone)]
pub(crate) struct CatchPanicService<S> {
    inner: S,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for CatchPanicService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        // A layer may panic while it builds its future as well.
        let future = match std::panic::catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(future) => future,
            Err(panic) => return super::refuse(refusal(&*panic)),
        };
        Box::pin(async move {
            match AssertUnwindSafe(future).catch_unwind().await {
                Ok(done) => done,
                Err(panic) => Err::<McpReply, BoxError>(refusal(&*panic).boxed()),
            }
        })
    }
}

/// The panic's words go to the log: they may quote data.
fn refusal(panic: &(dyn std::any::Any + Send)) -> Refusal {
    let words = panic
        .downcast_ref::<&'static str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned());
    Refusal::failed("catch_panic", words)
        .verdict(Verdict::Panicked)
        .into_tool_result()
}
