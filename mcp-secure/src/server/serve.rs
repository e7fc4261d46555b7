//! Runs an assembled server on one transport until its client, or the operator, ends it.

use std::sync::Arc;

use rmcp::ServiceExt;
use tokio::sync::Notify;

#[cfg(feature = "http")]
use super::persons::Persons;
use super::{
    DRAIN, LAST_MOMENT,
    assemble::{Assembled, Plan},
    stdio::StdioTransport,
};
#[cfg(feature = "http")]
use crate::audit::Tally;
use crate::{Error, Result, definition::SecureService};

/// Serves one client over standard input and output.
///
/// `out` is the standard output that was taken before the runtime existed.
pub(crate) async fn stdio<S: SecureService>(
    plan: Plan<S>,
    out: std::fs::File,
    #[cfg(feature = "http")] persons: Persons,
) -> Result<()> {
    let max = plan.limits.max_message;
    let log = plan.sink.clone();
    let meter = plan.meter.clone();
    let Assembled {
        hardened,
        tally,
        desk,
        room,
        ..
    } = plan.assemble().await?;
    #[cfg(feature = "http")]
    persons.open(&desk, &tally);
    let flushing = tokio::spawn(Arc::clone(&tally).run());
    super::stdio::leave_with_client(DRAIN + 2 * LAST_MOMENT, log);
    let (reader, writer) = super::stdio::streams(out);
    let ended = Arc::new(Notify::new());
    let transport =
        StdioTransport::new(reader, writer, max, Arc::clone(&tally), Arc::clone(&ended));
    let serving = async {
        // A client that leaves before it has said anything is no error.
        if let Ok(running) = hardened.serve(transport).await {
            let _ = running.waiting().await;
        }
    };
    tokio::pin!(serving);
    let stop = signal()?;
    meter.serves();
    tokio::select! {
        () = &mut serving => {}
        () = async { ended.notified().await } => {
            meter.stops();
            // What is running may still answer, but a stuck tool does not keep the process.
            let _ = tokio::time::timeout(DRAIN, &mut serving).await;
        }
        () = stop => {
            meter.stops();
            // Who waits hears that it is over.
            if room.close() > 0 {
                let _ = tokio::time::timeout(LAST_MOMENT, &mut serving).await;
            }
        }
    }
    desk.close(tokio::time::Instant::now() + LAST_MOMENT).await;
    flushing.abort();
    tally.flush();
    Ok(())
}

/// Serves streamable HTTP.
#[cfg(feature = "http")]
pub(crate) async fn http<S: SecureService>(
    plan: Plan<S>,
    bound: super::http::Bound,
    persons: Persons,
) -> Result<()> {
    let meter = plan.meter.clone();
    let Assembled {
        hardened,
        sealer,
        tally,
        desk,
        room,
    } = plan.assemble().await?;
    let sites = persons.open(&desk, &tally);
    bound.hear();
    meter.serves();
    if let Some(address) = bound.local_addr() {
        super::run::announce(&format!(
            "listening on {}://{address}{}",
            bound.scheme(),
            bound.endpoint.path()
        ));
    }
    if let Some(path) = bound.token_path() {
        super::run::announce(&format!("token file {}", path.display()));
    }
    let flushing = tokio::spawn(Arc::clone(&tally).run());
    let shutdown = super::http::on_signal()?;
    let stopping = shutdown.clone();
    tokio::spawn(async move {
        stopping.cancelled().await;
        meter.stops();
    });
    let served = bound
        .serve(
            move || hardened.for_new_connection(),
            sealer,
            sites,
            Arc::new(Sink(Arc::clone(&tally))),
            room,
            shutdown,
        )
        .await;
    desk.close(tokio::time::Instant::now() + LAST_MOMENT).await;
    flushing.abort();
    tally.flush();
    served
}

/// Refusals of the HTTP ring, on their way to the tally.
#[cfg(feature = "http")]
pub(super) struct Sink(pub(super) Arc<Tally>);

#[cfg(feature = "http")]
impl super::http::PreAuthSink for Sink {
    fn refused(&self, control: &'static str, peer: Option<std::net::IpAddr>) {
        match peer {
            // The whole network a peer can roam in, not the one address it has now.
            Some(std::net::IpAddr::V4(v4)) => {
                let [a, b, c, _] = v4.octets();
                self.0.count(control, &format!("{a}.{b}.{c}.0/24"));
            }
            Some(std::net::IpAddr::V6(v6)) => {
                let [a, b, c, d, ..] = v6.segments();
                self.0
                    .count(control, &format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"));
            }
            None => self.0.count(control, "local"),
        }
    }
}

#[cfg(unix)]
fn signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let catch = |kind| signal(kind).map_err(|e| Error::new(format!("cannot catch signals: {e}")));
    let (mut interrupt, mut terminate) = (
        catch(SignalKind::interrupt())?,
        catch(SignalKind::terminate())?,
    );
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal() -> Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
