//! How many calls of one tool run at once, and how many of one principal: neither a slow tool
//! nor a busy caller can take the whole server.

mod principals;

use std::sync::Arc;

use tower::Layer;

use self::principals::Principals;
use super::{Enclosed, forward_ready, load_shed::overloaded, refuse};
use crate::pipeline::{Checked, CheckedOp, Registry, ReplyFuture};

#[derive(Clone)]
pub(crate) struct ConcurrencyLayer {
    registry: Arc<Registry>,
    principals: Option<Principals>,
}

impl ConcurrencyLayer {
    /// `a_principal` is how many requests of one principal run, where there may be several.
    pub(crate) fn new(registry: Arc<Registry>, a_principal: Option<usize>) -> Self {
        Self {
            registry,
            principals: a_principal.map(Principals::new),
        }
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = ConcurrencyService<S>;

    fn layer(&self, inner: S) -> ConcurrencyService<S> {
        ConcurrencyService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct ConcurrencyService<S> {
    inner: S,
    shared: ConcurrencyLayer,
}

impl<S: Enclosed<Checked>> tower::Service<Checked> for ConcurrencyService<S> {
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        // Issuer and subject alone, as for the rates.
        let running = match &self.shared.principals {
            None => None,
            Some(principals) => {
                let who = request.principal();
                let key = format!("{}:{}{}", who.issuer().len(), who.issuer(), who.subject());
                match principals.begin(key) {
                    Some(running) => Some(running),
                    None => {
                        return refuse(overloaded(
                            "concurrency/principal",
                            "too many of your requests run at once; try again later",
                        ));
                    }
                }
            }
        };
        let permit = match request.op() {
            CheckedOp::Tool { index, .. } => {
                let Some(entry) = self.shared.registry.tools.get(*index) else {
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
            let _permits = (running, permit);
            future.await
        })
    }
}
