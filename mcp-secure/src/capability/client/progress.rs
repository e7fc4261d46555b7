//! How far the call has come, for a client that asked to know.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rmcp::model::ProgressNotificationParam;

use super::ask::revoked;
use crate::{
    call::{Call, ClientSide},
    capability::{Facts, Handle, Lease, sealed::Sealed},
    error::ToolResult,
};

/// Reports progress of this call.
///
/// Only if the request carried a progress token; strictly increasing; at most ten times a
/// second, so a busy loop cannot flood the client (spec PATTERNS-03, PATTERNS-04). What is
/// dropped is dropped silently, except for a report that says all is done.
pub struct Progress {
    client: ClientSide,
    lease: Lease,
    last: Mutex<Option<(f64, Instant)>>,
}

const PACE: Duration = Duration::from_millis(100);

impl Progress {
    /// `done` of `total`, in any unit, with a word about it.
    ///
    /// # Errors
    ///
    /// After the call has ended.
    pub async fn report(
        &self,
        done: f64,
        total: Option<f64>,
        message: impl Into<String>,
    ) -> ToolResult<()> {
        if !self.lease.is_live() {
            return Err(revoked());
        }
        let Some(context) = &self.client.context else {
            return Ok(());
        };
        let Some(token) = context.meta.get_progress_token() else {
            return Ok(());
        };
        if !self.due(done, total) {
            return Ok(());
        }
        let mut param = ProgressNotificationParam::new(token, done);
        param.total = total;
        let message = message.into();
        param.message = (!message.is_empty()).then_some(message);
        self.client.outlet.progress(&mut param);
        // A client that is gone is no reason to stop the work.
        let _ = context.peer.notify_progress(param).await;
        Ok(())
    }

    fn due(&self, done: f64, total: Option<f64>) -> bool {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let finished = total.is_some_and(|total| done >= total);
        let due = done.is_finite()
            && last.is_none_or(|(value, at)| {
                done > value && (finished || now.duration_since(at) >= PACE)
            });
        if due {
            *last = Some((done, now));
        }
        due
    }
}

impl Sealed for Progress {}

impl Handle for Progress {
    const FACTS: &'static [Facts] = &[Facts::inert("progress")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Self {
            client: call.client.clone(),
            lease: call.lease.clone(),
            last: Mutex::new(None),
        })
    }
}
