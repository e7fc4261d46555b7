//! Checkpoints that are posted to another machine. The log never waits for it: only the newest
//! checkpoint is kept to be sent, since it covers all before.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;

use super::{AuditAnchor, AuditSink};
use crate::{
    Result,
    capability::{
        Opening,
        net::{destination::Destination, fetch::Client},
    },
    metrics::Meter,
};

/// Where checkpoints are posted, as the operator says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PostAnchor {
    pub(crate) to: Destination,
    /// When none was taken for so long, no request is.
    pub(crate) within: Option<Duration>,
}

/// Opened, and waits for the runtime.
pub(crate) struct Posting {
    client: Client,
    headers: HeaderMap,
    newest: watch::Receiver<Option<String>>,
    /// Since when there is one that nobody has taken.
    waits: Arc<Mutex<Option<Instant>>>,
    within: Option<Duration>,
}

/// The end at the writer of the log.
struct Newest {
    newest: watch::Sender<Option<String>>,
    waits: Arc<Mutex<Option<Instant>>>,
}

impl AuditAnchor for Newest {
    fn anchor(&mut self, note: &str) -> io::Result<()> {
        self.waits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now);
        self.newest.send_replace(Some(note.to_owned()));
        Ok(())
    }
}

impl PostAnchor {
    /// Opens the way there, while it may still be opened.
    ///
    /// # Errors
    ///
    /// When the address is none that could be granted, or a file cannot be read.
    pub(crate) fn open(&self, opening: &mut Opening) -> Result<(Box<dyn AuditAnchor>, Posting)> {
        let (client, mut sent) = self
            .to
            .open("sdk/anchor", "the headers for the anchor", None, opening)
            .map_err(|error| error.before("the anchor of the audit log: "))?;
        sent.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        let (newest, receiver) = watch::channel(None);
        let waits = Arc::new(Mutex::new(None));
        let posting = Posting {
            client,
            headers: sent,
            newest: receiver,
            waits: Arc::clone(&waits),
            within: self.within,
        };
        Ok((Box::new(Newest { newest, waits }), posting))
    }
}

impl Posting {
    /// Posts until the log ends.
    pub(crate) async fn run(self, sink: AuditSink, meter: Meter) {
        let (waits, within) = (Arc::clone(&self.waits), self.within);
        let watching = async {
            let Some(within) = within else {
                return std::future::pending().await;
            };
            loop {
                tokio::time::sleep(LOOK_EVERY.min(within)).await;
                let since = *waits.lock().unwrap_or_else(PoisonError::into_inner);
                sink.late(since.is_some_and(|since| since.elapsed() >= within));
            }
        };
        tokio::select! {
            () = self.post(meter) => {}
            () = watching => {}
        }
    }

    async fn post(mut self, meter: Meter) {
        let mut pause = FIRST_PAUSE;
        let mut troubled = false;
        // `Err`: the log has ended.
        while self.newest.changed().await.is_ok() {
            loop {
                let note = self.newest.borrow_and_update().clone().unwrap_or_default();
                let why = match self
                    .client
                    .post(self.client.path(), self.headers.clone(), Bytes::from(note))
                    .await
                {
                    Ok(answer) if answer.status.is_success() => None,
                    Ok(answer) => Some(format!("it answers {}", answer.status.as_u16())),
                    Err(error) => Some(error.to_string()),
                };
                meter.anchored(why.is_none());
                let Some(why) = why else {
                    // One that came meanwhile waits since now at the earliest.
                    let newer = self.newest.has_changed().unwrap_or(false);
                    *self.waits.lock().unwrap_or_else(PoisonError::into_inner) =
                        newer.then(Instant::now);
                    if std::mem::take(&mut troubled) {
                        tracing::warn!("checkpoints of the audit log are anchored again");
                    }
                    pause = FIRST_PAUSE;
                    break;
                };
                if !std::mem::replace(&mut troubled, true) {
                    // Once, until it is well again.
                    tracing::error!(%why, "a checkpoint of the audit log could not be anchored");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);
