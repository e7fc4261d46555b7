//! What belongs to one connection or session: who owns it, which requests are running, and
//! which log lines it wants.
#![allow(
    deprecated,
    reason = "log levels are set by clients of the older revision only"
)]

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rmcp::model::{LoggingLevel, RequestId};

use super::Taint;
use crate::state::Shelf;

/// State of one session (or of one request, where there are no sessions).
#[derive(Default)]
pub(crate) struct Connection {
    owner: OnceLock<String>,
    running: Mutex<HashSet<RequestId>>,
    log_floor: Mutex<Option<LoggingLevel>>,
    taint: Taint,
    shelf: Arc<Shelf>,
}

/// A request id while it is in use.
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    id: RequestId,
}

impl Connection {
    /// The first principal to speak owns the connection; another one never will.
    pub(crate) fn is_owned_by(&self, key: &str) -> bool {
        self.owner.get_or_init(|| key.to_owned()) == key
    }

    /// Reserves a request id; `None` if it is already in use (spec BASE-01).
    pub(crate) fn begin(self: &Arc<Self>, id: &RequestId) -> Option<InFlight> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(id.clone()).then(|| InFlight {
            connection: Arc::clone(self),
            id: id.clone(),
        })
    }

    /// What has been sent in this session.
    pub(crate) fn taint(&self) -> &Taint {
        &self.taint
    }

    /// What tools keep in it.
    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// What `logging/setLevel` asked for in this session.
    pub(crate) fn set_log_floor(&self, level: LoggingLevel) {
        *self
            .log_floor
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    pub(crate) fn log_floor(&self) -> Option<LoggingLevel> {
        *self
            .log_floor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut running = self
            .connection
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.id);
    }
}
