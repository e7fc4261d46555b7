//! When to stop.

use tokio_util::sync::CancellationToken;

use crate::{Error, Result};

/// A token that fires at the first SIGINT or SIGTERM.
///
/// # Errors
///
/// When the signals cannot be caught.
#[cfg(unix)]
pub(crate) fn on_signal() -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let catch = |kind| signal(kind).map_err(|e| Error::new(format!("cannot catch signals: {e}")));
    let (mut interrupt, mut terminate) = (
        catch(SignalKind::interrupt())?,
        catch(SignalKind::terminate())?,
    );
    let token = CancellationToken::new();
    let fire = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        fire.cancel();
    });
    Ok(token)
}

/// A token that fires at the first Ctrl-C.
///
/// # Errors
///
/// Never, here.
#[cfg(not(unix))]
pub(crate) fn on_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    let fire = token.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            fire.cancel();
        }
    });
    Ok(token)
}
