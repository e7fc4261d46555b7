//! A code that the person types on another device (RFC 8628), for a machine without a browser.

use std::sync::Arc;

use super::{Access, Desk, Standing, desk::Typed};
use crate::{Error, Result, auth::oauth::upstream::Account, vault::Owner};

impl Desk {
    /// Where the code is typed, and the code if it is not in there. The issuer is asked for one
    /// once, and from then on whether it was typed.
    pub(crate) async fn device_link(self: &Arc<Self>, id: &str) -> Result<Typed> {
        if let Some(typed) = self.typed_at(id) {
            return Ok(typed);
        }
        let over = || Error::new("the connection is over");
        let found = self
            .look(id)
            .await
            .map_err(|error| Error::new(error.to_string()))?;
        let (pending, access) = found.ok_or_else(over)?;
        let Access::Account(account) = access else {
            return Err(over());
        };
        let owner = Owner::new(&pending.caller.issuer, &pending.caller.subject)?;
        let issuer = account.issuer();
        let code = issuer
            .device_code(account.scopes(), account.resource())
            .await?;
        let typed = match code.0.verification_uri_complete() {
            Some(url) => (url.secret().clone(), None),
            None => (
                code.0.verification_uri().to_string(),
                Some(code.0.user_code().secret().clone()),
            ),
        };
        self.is_typed_at(id, Some(&typed));
        let (desk, id) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            let given = account.issuer().poll(&code, account.resource()).await;
            let kept = match given {
                Ok(given) => account.connect(owner, &given).await,
                Err(not) => Err(Error::new(not.words())),
            };
            let standing = match kept {
                Ok(()) => {
                    let access = Access::Account(account.clone());
                    desk.given(&access, "connected", &pending.caller, "device");
                    Standing::Connected
                }
                Err(error) => {
                    warn(&account, &error);
                    Standing::Over
                }
            };
            desk.is_typed_at(&id, None);
            if let Err(error) = desk.settle(&id, standing).await {
                warn(&account, &Error::new(error.to_string()));
            }
        });
        Ok(typed)
    }
}

fn warn(account: &Account, error: &Error) {
    tracing::warn!(
        target: "mcp_secure::upstream",
        capability = account.capability(),
        %error,
        "nothing was connected"
    );
}
