//! The last step before effects: the single-use state is redeemed, and what is about to
//! happen is on disk. If either fails, nothing happens (invariant 6).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rmcp::model::ErrorCode;
use tower::Layer;

use super::{Enclosed, forward_ready, take_ready};
use crate::{
    audit::Audit,
    pipeline::{Checked, CheckedOp, Refusal, Registry, ReplyFuture},
    state::Store,
};

#[derive(Clone)]
pub(crate) struct CommitLayer {
    registry: Arc<Registry>,
    audit: Arc<Audit>,
    store: Arc<dyn Store>,
}

impl CommitLayer {
    pub(crate) fn new(registry: Arc<Registry>, audit: Arc<Audit>, store: Arc<dyn Store>) -> Self {
        Self {
            registry,
            audit,
            store,
        }
    }
}

impl<S> Layer<S> for CommitLayer {
    type Service = CommitService<S>;

    fn layer(&self, inner: S) -> CommitService<S> {
        CommitService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct CommitService<S> {
    inner: S,
    shared: CommitLayer,
}

impl<S> tower::Service<Checked> for CommitService<S>
where
    S: Enclosed<Checked> + Clone + Send + 'static,
{
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let writes = match request.op() {
            CheckedOp::Tool { index, .. } => self
                .shared
                .registry
                .tools
                .get(*index)
                .is_none_or(|entry| entry.writes),
            _ => false,
        };
        if !writes && request.rounds().nonce.is_none() {
            return Box::pin(self.inner.call(request));
        }
        let mut inner = take_ready(&mut self.inner);
        let shared = self.shared.clone();
        Box::pin(async move {
            if let Some(nonce) = &request.rounds().nonce {
                shared.redeem(nonce).await.map_err(Refusal::boxed)?;
            }
            if writes {
                shared.intend(&request).await.map_err(Refusal::boxed)?;
            }
            inner.call(request).await
        })
    }
}

impl CommitLayer {
    /// Sealed state works once: of two replays, exactly one goes on (spec MRTR-06).
    async fn redeem(&self, nonce: &str) -> Result<(), Refusal> {
        match self.store.insert_new(nonce, ROUND_TTL).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::denied(
                "commit/replay",
                ErrorCode::INVALID_PARAMS,
                "the request state is not valid",
                "sealed state was used a second time",
            )),
            Err(error) => Err(Refusal::failed("commit/store", error.to_string())),
        }
    }

    async fn intend(&self, request: &Checked) -> Result<(), Refusal> {
        request.journey().committed.store(true, Ordering::Relaxed);
        // Who writes is a thread of its own; all who wait at one moment share one sync.
        let written = self.audit.intent(request.journey()).wait().await;
        written.map_err(|error| Refusal::failed("commit/audit", error.to_string()))
    }
}

/// How long sealed state lives, and so how long its number is remembered.
pub(crate) const ROUND_TTL: Duration = Duration::from_secs(600);
