//! A renewed certificate is taken without a restart; a bad one is not taken.

use std::sync::{Arc, PoisonError};

use chrono::{NaiveDateTime, Utc};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Acceptor, config::load};
use crate::{
    seen::Seen,
    server::http::refusal::{RELOAD, Tally},
};

/// Looks at the files until the server ends.
pub(crate) async fn watch(acceptor: Arc<Acceptor>, tally: Tally, shutdown: CancellationToken) {
    let mut ticks = interval(acceptor.tls.look_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut hangup = acceptor.hangup();
    loop {
        let forced = tokio::select! {
            _ = ticks.tick() => false,
            () = hangup.comes() => true,
            () = shutdown.cancelled() => return,
        };
        let (acceptor, tally) = (acceptor.clone(), tally.clone());
        // Files may be slow; the runtime's workers answer requests.
        let look = move || look(&acceptor, &tally, forced);
        let _ = tokio::task::spawn_blocking(look).await;
    }
}

impl Acceptor {
    /// From here on SIGHUP is a wish and does not end the process. Before the server says that
    /// it is there: whoever waits for that may send one.
    pub(crate) fn hear(&self) {
        let mut hangup = self.hangup.lock().unwrap_or_else(PoisonError::into_inner);
        *hangup = Some(Hangup::listen());
    }

    fn hangup(&self) -> Hangup {
        let mut hangup = self.hangup.lock().unwrap_or_else(PoisonError::into_inner);
        hangup.take().unwrap_or_else(Hangup::listen)
    }
}

/// Reads the files if they are others than before, or if the operator says so.
fn look(acceptor: &Acceptor, tally: &Tally, forced: bool) {
    let now: Vec<_> = acceptor.tls.paths().map(Seen::of).collect();
    {
        let mut seen = acceptor.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now && !forced {
            return;
        }
        // Looked at before they are read: a change in between is another change.
        *seen = now;
    }
    match load(&acceptor.tls, &acceptor.place) {
        Ok(loaded) => {
            *acceptor
                .current
                .write()
                .unwrap_or_else(PoisonError::into_inner) = loaded.config;
            let until = loaded.expires;
            crate::server::run::announce(&format!("new certificate, valid until {until} UTC"));
            warn_of_end(loaded.expires);
        }
        Err(error) => {
            tally.count(RELOAD);
            tracing::warn!("the old certificate stays, the new one is not used: {error}");
        }
    }
}

/// Says that a certificate should be renewed.
pub(super) fn warn_of_end(expires: NaiveDateTime) {
    if (expires - Utc::now().naive_utc()).num_days() < SOON {
        tracing::warn!("the certificate expires at {expires} UTC");
    }
}

#[cfg(unix)]
pub(super) struct Hangup(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangup {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()).ok())
    }

    async fn comes(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    fn listen() -> Self {
        Self
    }

    async fn comes(&mut self) {
        std::future::pending().await
    }
}

/// Days.
const SOON: i64 = 7;
