//! Where callers connect accounts: on the server's own listener, or on one for nothing else.

use std::sync::Arc;

use super::{
    http::{PageListener, PreAuthSink},
    run::Bound,
};
use crate::{
    Error, Result,
    auth::oauth::upstream::{Desk, Door, accounts_of, sign_in_of},
    capability::Opening,
    layer::connect::Connecting,
};

/// A listener that is for the page alone, if there is one.
#[derive(Default)]
pub(crate) struct OwnPage(Option<(PageListener, Arc<Desk>)>);

impl OwnPage {
    /// Serves for as long as the runtime is there.
    pub(crate) fn serve(self, sink: Arc<dyn PreAuthSink>) {
        let Some((listener, desk)) = self.0 else {
            return;
        };
        tokio::spawn(async move {
            if let Err(error) = listener.serve(desk, sink).await {
                tracing::error!(%error, "there is no page to connect accounts on");
            }
        });
    }
}

/// What callers connect at this server, once it has its address.
///
/// # Errors
///
/// When somebody else than the caller could finish what a caller began, and nobody would notice.
pub(crate) fn open(
    opening: &mut Opening,
    server: &'static str,
    bound: &mut Bound,
) -> Result<(Option<Connecting>, OwnPage)> {
    let accounts = accounts_of(opening);
    let sign_in = sign_in_of(opening);
    let Some(first) = accounts.first() else {
        return Ok((None, OwnPage::default()));
    };
    let name = first.capability();
    let by_device = accounts.iter().find(|account| account.is_by_device());
    let mut own = OwnPage::default();
    let alone = |own: &mut OwnPage| -> Result<Arc<Desk>> {
        let listener = PageListener::bind()?;
        let desk = Arc::new(Desk::new(listener.origin(), Door::Link, server));
        own.0 = Some((listener, Arc::clone(&desk)));
        Ok(desk)
    };
    let desk = match bound {
        Bound::Stdio(_) => alone(&mut own)?,
        Bound::Http(bound) => {
            if let Some(account) = by_device {
                return Err(Error::new(format!(
                    "the grant `{}` connects by a device code, and on a network it is not known \
                     who types it",
                    account.capability()
                ))
                .help("leave `.device()` away, or serve stdio"));
            }
            let address = bound.local_addr();
            match (sign_in, address, bound.token_path().is_some()) {
                (_, None, _) => alone(&mut own)?,
                (Some(sign_in), Some(_), _) => {
                    let origin = sign_in.origin();
                    let desk = Desk::new(origin, Door::SignIn(Box::new(sign_in)), server);
                    let desk = Arc::new(desk);
                    bound.pages = Some(desk.clone());
                    desk
                }
                (None, Some(address), true) => {
                    let origin = format!("{}://{address}", bound.scheme());
                    let desk = Arc::new(Desk::new(origin, Door::Link, server));
                    bound.pages = Some(desk.clone());
                    desk
                }
                (None, Some(_), false) => {
                    return Err(Error::new(format!(
                        "callers connect accounts to `{name}`, and it is not known who is at the \
                         browser: somebody could finish what another one began"
                    ))
                    .help(
                        "take access tokens, and add `.sign_in(CLIENT_ID, …)` to the resource server",
                    ));
                }
            }
        }
    };
    let connecting = Connecting {
        accounts: accounts.into(),
        desk,
    };
    Ok((Some(connecting), own))
}
