//! How many requests run at once: in all, of one principal and of one tool. What is over waits
//! for a moment in a short queue, if there is one, and is refused otherwise: `rmcp` would spawn a
//! task for each and queue them without bound.

mod queue;
mod room;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tower::Layer;

use self::room::{Entry, Full};
pub(crate) use self::room::{Room, Sizes};
use super::{Enclosed, forward_ready, refuse, take_ready};
use crate::pipeline::{Checked, CheckedOp, Refusal, Registry, ReplyFuture, Verdict, code};

#[derive(Clone)]
pub(crate) struct LoadShedLayer {
    room: Room,
    registry: Arc<Registry>,
    timeout: Duration,
}

impl LoadShedLayer {
    /// `timeout` is the deadline of what has none of its own.
    pub(crate) fn new(room: Room, registry: Arc<Registry>, timeout: Duration) -> Self {
        Self {
            room,
            registry,
            timeout,
        }
    }
}

impl<S> Layer<S> for LoadShedLayer {
    type Service = LoadShedService<S>;

    fn layer(&self, inner: S) -> LoadShedService<S> {
        LoadShedService {
            inner,
            shared: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct LoadShedService<S> {
    inner: S,
    shared: LoadShedLayer,
}

impl<S> tower::Service<Checked> for LoadShedService<S>
where
    S: Enclosed<Checked> + Clone + Send + 'static,
{
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let shared = &self.shared;
        let (tool, deadline) = match request.op() {
            CheckedOp::Tool { index, .. } => match shared.registry.tools.get(*index) {
                Some(entry) => (Some(*index), entry.timeout),
                None => return refuse(turned_away(Full::Tool, None)),
            },
            _ => (None, shared.timeout),
        };
        let waiting = match shared.room.enter(request.principal(), tool) {
            Entry::Place(place) => {
                let future = self.inner.call(request);
                return Box::pin(async move {
                    let _place = place;
                    future.await
                });
            }
            Entry::Full(full) => return refuse(turned_away(full, None)),
            Entry::Wait(waiting) => waiting,
        };
        let mut inner = take_ready(&mut self.inner);
        Box::pin(async move {
            let (began, journey) = (Instant::now(), Arc::clone(request.journey()));
            let longest = waiting.longest().min(deadline);
            let _place = waiting
                .place(longest)
                .await
                .map_err(|full| turned_away(full, Some(longest)).boxed())?;
            // The caller's time goes on: what is left of it is what the call has.
            let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            journey.queued.store(waited, Ordering::Relaxed);
            inner.call(request).await
        })
    }
}

fn turned_away(full: Full, waited: Option<Duration>) -> Refusal {
    let (control, message) = match full {
        Full::Server => ("load_shed/server", "the server is busy; try again later"),
        Full::Principal => (
            "concurrency/principal",
            "too many of your requests run at once; try again later",
        ),
        Full::Tool => ("concurrency/tool", "the tool is busy; try again later"),
        Full::Stopping => (
            "load_shed/server",
            "the server is stopping; try again later",
        ),
    };
    let refusal = overloaded(control, message);
    match (full, waited) {
        (Full::Stopping, _) => refusal.because("the server stopped while it waited"),
        (_, Some(waited)) => refusal.because(format!("no place was free within {waited:?}")),
        (_, None) => refusal,
    }
}

/// Nobody knows when a place is free; a second is long for a machine and short for a person.
const SOON: Duration = Duration::from_secs(1);

pub(crate) fn overloaded(control: &'static str, message: &'static str) -> Refusal {
    Refusal::denied(control, code::OVERLOADED, message, "no place was free")
        .verdict(Verdict::Overloaded)
        .again_after(SOON, None)
}
