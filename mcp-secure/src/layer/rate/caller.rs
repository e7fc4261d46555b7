//! Every request costs, before it is known whether what it names exists.

use std::sync::{Arc, atomic::Ordering};

use tower::Layer;

use super::Limiter;
use crate::{
    layer::{Enclosed, forward_ready, refuse},
    pipeline::{McpRequest, Refusal, ReplyFuture},
};

#[derive(Clone)]
pub(crate) struct CallerRateLayer(Arc<Limiter>);

impl CallerRateLayer {
    pub(crate) fn new(limiter: Arc<Limiter>) -> Self {
        Self(limiter)
    }
}

impl<S> Layer<S> for CallerRateLayer {
    type Service = CallerRateService<S>;

    fn layer(&self, inner: S) -> CallerRateService<S> {
        CallerRateService {
            inner,
            limiter: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct CallerRateService<S> {
    inner: S,
    limiter: Arc<Limiter>,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for CallerRateService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        let journey = Arc::clone(request.journey());
        let Some(principal) = journey.principal.get() else {
            return refuse(Refusal::failed(
                "rate/principal",
                "no principal to count for",
            ));
        };
        // Here first, also where replicas share: a flood must not reach what they share.
        let charges = self.limiter.of_caller(principal, journey.peer(), 1);
        if let Err(refusal) = self.limiter.take_local(&charges) {
            return refuse(refusal);
        }
        let future = self.inner.call(request);
        let Some(shared) = self.limiter.shared.clone() else {
            return Box::pin(future);
        };
        let limiter = Arc::clone(&self.limiter);
        Box::pin(async move {
            let done = future.await;
            // What was turned away before the other place is counted now, and what it was told
            // is withheld if there is nothing left: replicas do not multiply guesses.
            if !journey.is_counted.load(Ordering::Relaxed)
                && let Some(principal) = journey.principal.get()
            {
                let charges = limiter.of_caller(principal, journey.peer(), 1);
                limiter
                    .take_shared(&*shared, &charges, &journey)
                    .await
                    .map_err(Refusal::boxed)?;
            }
            done
        })
    }
}
