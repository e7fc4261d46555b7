//! The controls: one folder each, all of one shape. A `Layer` holds what the control needs,
//! its `Service` does the work; the order is in `pipeline/stack.rs` and nowhere else.

pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod authorize;
pub(crate) mod cancel;
pub(crate) mod catch_panic;
pub(crate) mod commit;
#[cfg(feature = "upstream")]
pub(crate) mod connect;
pub(crate) mod flow;
pub(crate) mod genuine;
pub(crate) mod guard;
pub(crate) mod identity;
pub(crate) mod load_shed;
pub(crate) mod policy;
pub(crate) mod rate;
pub(crate) mod timeout;
pub(crate) mod validate;

use crate::pipeline::{BoxError, McpReply, Refusal, ReplyFuture};

/// The part of `tower::Service` that is the same everywhere: what is inside must be ready.
macro_rules! forward_ready {
    () => {
        type Response = $crate::pipeline::McpReply;
        type Error = $crate::pipeline::BoxError;
        type Future = $crate::pipeline::ReplyFuture;

        fn poll_ready(
            &mut self,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            self.inner.poll_ready(context)
        }
    };
}

/// A service that a layer encloses.
pub(crate) trait Enclosed<R>:
    tower::Service<R, Response = McpReply, Error = BoxError, Future: Send + 'static>
{
}

impl<R, S> Enclosed<R> for S where
    S: tower::Service<R, Response = McpReply, Error = BoxError, Future: Send + 'static>
{
}

/// Refuses without a future that does any work.
pub(crate) fn refuse(refusal: Refusal) -> ReplyFuture {
    Box::pin(std::future::ready(Err(refusal.boxed())))
}

/// The ready inner service, leaving a clone in its place: what tower asks of a service that
/// calls its inner one after an `await`.
pub(crate) fn take_ready<S: Clone>(inner: &mut S) -> S {
    let clone = inner.clone();
    std::mem::replace(inner, clone)
}

pub(crate) use forward_ready;
