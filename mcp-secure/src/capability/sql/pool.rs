//! The connections of one grant: a fixed number at most, each used by one call at a time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::SqlError;

/// Idle connections, and how many there may be in all.
///
/// A connection is taken out to be used and put back only after it was used without trouble: one
/// that is dropped on the way, because its call was cancelled, is gone.
pub(super) struct Pool<C> {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<C>>,
}

impl<C> Pool<C> {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.max(1))),
            idle: Mutex::default(),
        }
    }

    /// Waits for the right to use one connection, but no longer than this.
    pub(super) async fn permit(
        &self,
        patience: Duration,
    ) -> Result<OwnedSemaphorePermit, SqlError> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(patience, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(SqlError::Busy),
        }
    }

    /// An idle connection, if there is one. The caller has a permit.
    pub(super) fn take(&self) -> Option<C> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// For the next one. The caller still has its permit.
    pub(super) fn put(&self, connection: C) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
}
