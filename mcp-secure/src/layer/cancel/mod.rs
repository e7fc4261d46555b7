//! A cancelled request stops: the future is dropped, with all it holds. `rmcp` only sets a
//! token, which a tool may never look at.

use tower::Layer;

use super::{Enclosed, forward_ready};
use crate::pipeline::{McpRequest, Refusal, ReplyFuture, Verdict, code};

#[derive(Clone)]
pub(crate) struct CancelLayer;

impl<S> Layer<S> for CancelLayer {
    type Service = CancelService<S>;

    fn layer(&self, inner: S) -> CancelService<S> {
        CancelService { inner }
    }
}

#[derive(Clone)]
pub(crate) struct CancelService<S> {
    inner: S,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for CancelService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        let cancelled = request.context().ct.clone();
        let future = self.inner.call(request);
        Box::pin(async move {
            tokio::select! {
                // A result that is there wins over a cancellation that comes with it.
                biased;
                done = future => done,
                () = cancelled.cancelled() => Err(Refusal::denied(
                    "cancel", code::CANCELLED, "the request was cancelled", "",
                ).verdict(Verdict::Cancelled).boxed()),
            }
        })
    }
}
