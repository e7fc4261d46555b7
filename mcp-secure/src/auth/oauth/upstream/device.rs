//! A code that the person types on another device (RFC 8628), for a machine without a browser.

use std::sync::Arc;

use super::{Desk, Standing};
use crate::{Error, Result};

impl Desk {
    /// Where the code is typed, and the code if it is not in there. The issuer is asked for one once, and from then on whether it was
    /// typed.
    pub(crate) async fn device_link(
        self: &Arc<Self>,
        id: &str,
    ) -> Result<(String, Option<String>)> {
        if let Some(typed) = self.typed_at(id) {
            return Ok(typed);
        }
        let shown = self.shown(id);
        let shown = shown.ok_or_else(|| Error::new("the connection is over"))?;
        let account = shown.account;
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
        self.is_typed_at(id, &typed);
        let (desk, id) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            let given = account.issuer().poll(&code, account.resource()).await;
            let kept = match given {
                Ok(given) => account.connect(&shown.caller, &given).await,
                Err(not) => Err(Error::new(not.words())),
            };
            let standing = match kept {
                Ok(()) => Standing::Connected,
                Err(error) => {
                    tracing::warn!(
                        target: "mcp_secure::upstream",
                        capability = account.capability(),
                        %error,
                        "nothing was connected"
                    );
                    Standing::Over
                }
            };
            desk.settle(&id, standing);
        });
        Ok(typed)
    }
}
