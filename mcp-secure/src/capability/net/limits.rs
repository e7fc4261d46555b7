//! How much, how long, how often.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::NetError;

/// What the requests of one grant may take. All calls share the concurrency and the rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetLimits {
    /// Bytes of one request body.
    pub max_request: u64,
    /// Bytes of one response body as it comes in, and again of what is in it when it is
    /// unpacked.
    pub max_response: u64,
    /// How much larger than it came in a response may become. Text shrinks to a tenth or less;
    /// a gzip bomb grows a thousand times. The first mebibyte is free.
    pub max_ratio: u32,
    /// Bytes of the headers of one response.
    pub max_header_bytes: usize,
    /// Headers of one response.
    pub max_headers: usize,
    /// Resolving, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// From the start of a request to the last byte of its response, redirects included.
    pub timeout: Duration,
    /// Without any byte of a response.
    pub idle_timeout: Duration,
    /// Requests that are under way. One more waits, within its time.
    pub max_concurrent: usize,
    /// Requests in a second, over time; as many may come at once.
    pub max_per_second: u32,
}

impl Default for NetLimits {
    fn default() -> Self {
        Self {
            max_request: 8 * 1024 * 1024,
            max_response: 8 * 1024 * 1024,
            max_ratio: 100,
            max_header_bytes: 32 * 1024,
            max_headers: 100,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(10),
            max_concurrent: 16,
            max_per_second: 50,
        }
    }
}

/// What one grant has left.
pub(super) struct Gate {
    room: Arc<Semaphore>,
    rate: f64,
    tokens: Mutex<(f64, Instant)>,
}

impl Gate {
    pub(super) fn new(limits: &NetLimits) -> Self {
        let rate = f64::from(limits.max_per_second.max(1));
        Self {
            room: Arc::new(Semaphore::new(limits.max_concurrent.max(1))),
            rate,
            tokens: Mutex::new((rate, Instant::now())),
        }
    }

    /// Lets one request begin. It counts as under way until the permit is dropped.
    pub(super) async fn pass(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, NetError> {
        self.take(Instant::now())?;
        let room = Arc::clone(&self.room).acquire_owned();
        match tokio::time::timeout_at(deadline, room).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(NetError::Rate),
        }
    }

    fn take(&self, now: Instant) -> Result<(), NetError> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, then) = *tokens;
        let left = (left + now.duration_since(then).as_secs_f64() * self.rate).min(self.rate);
        *tokens = if left < 1.0 {
            (left, now)
        } else {
            (left - 1.0, now)
        };
        if left < 1.0 {
            return Err(NetError::Rate);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_held_over_time_and_a_permit_makes_room_when_it_goes() {
        let gate = Gate::new(&NetLimits {
            max_per_second: 4,
            max_concurrent: 2,
            ..NetLimits::default()
        });
        let soon = || Instant::now() + Duration::from_millis(100);
        let first = gate.pass(soon()).await.unwrap();
        let _second = gate.pass(soon()).await.unwrap();
        assert_eq!(
            gate.pass(soon()).await.unwrap_err(),
            NetError::Rate,
            "no room"
        );
        drop(first);
        drop(gate.pass(soon()).await.unwrap());
        assert_eq!(
            gate.pass(soon()).await.unwrap_err(),
            NetError::Rate,
            "no tokens"
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        for _ in 0..4 {
            drop(gate.pass(soon()).await.unwrap());
        }
        assert!(
            gate.pass(soon()).await.is_err(),
            "no more than a second's worth is saved"
        );
    }
}
