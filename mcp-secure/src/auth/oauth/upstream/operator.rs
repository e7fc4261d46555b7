//! What an operator does by hand: takes back what a caller connected, and connects for a machine
//! that has no browser.

use futures::future::BoxFuture;

use super::{
    UpstreamOAuth,
    account::{entry, take_back},
    kept::Kept,
};
use crate::{
    Error, Result,
    auth::oauth::issuer::Issuer,
    capability::{Opening, net::Target},
    vault::{NewCredential, Owner, People, Placement},
};

impl People {
    /// What a caller has connected: the names of endpoints.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn connected(&self, owner: &Owner) -> Result<Vec<String>> {
        let prefix = entry("");
        let all = self.list(owner)?;
        let names = all
            .iter()
            .filter_map(|one| one.name().strip_prefix(&prefix));
        Ok(names.map(str::to_owned).collect())
    }

    /// Takes back at its issuer what a caller connected to an endpoint (RFC 7009), and removes it
    /// here in any case. `who` is told the issuer and the client id, and says how that is reached.
    /// `false`: there was nothing.
    ///
    /// # Errors
    ///
    /// When it is removed here, and the issuer did not take it back.
    pub fn disconnect(
        &self,
        owner: &Owner,
        endpoint: &str,
        who: impl FnOnce(&str, &str) -> UpstreamOAuth,
    ) -> Result<bool> {
        let name = entry(endpoint);
        let Some(secret) = self.grant(owner, &name)? else {
            return Ok(false);
        };
        let kept = Kept::read(&secret);
        // The bytes that opened it, too: a backup of the folder would have the grant still.
        self.shred(owner, &name)?;
        let kept = kept?;
        if kept.refused {
            return Ok(true);
        }
        let upstream = who(&kept.issuer, &kept.client);
        let taken_back = outside_of_servers(&upstream, |issuer| {
            Box::pin(async move { take_back(&kept, &issuer).await.map(|()| true) })
        });
        taken_back.map_err(|error: Error| {
            error
                .before("it is removed here, and not taken back at its issuer: ")
                .help(
                    "take it back there, on the page where its users see what they have agreed to",
                )
        })
    }

    /// Connects a caller to an endpoint at `host` by a device code (RFC 8628): `show` is told the
    /// page and the code, and the person at the other device says yes.
    ///
    /// # Errors
    ///
    /// When the issuer gives no code, or nobody types it in time.
    pub fn connect_by_device(
        &self,
        owner: &Owner,
        endpoint: &str,
        host: &str,
        upstream: &UpstreamOAuth,
        show: impl FnOnce(&str, &str) + Send,
    ) -> Result<()> {
        // Before anybody is asked: a name or a host that cannot be kept.
        let host = Target::parse(host, false)?.to_string();
        let credential = NewCredential::new(entry(endpoint), Placement::Grant, [host])?;
        upstream.check()?;
        let kept = outside_of_servers(upstream, |issuer| {
            Box::pin(async move {
                let resource = upstream.resource.as_deref();
                let code = issuer.device_code(&upstream.scopes, resource).await?;
                let page = match code.0.verification_uri_complete() {
                    Some(url) => url.secret().as_str(),
                    None => code.0.verification_uri().as_str(),
                };
                show(page, code.0.user_code().secret());
                let given = issuer.poll(&code, resource).await;
                let given = given.map_err(|not| Error::new(not.words()))?;
                upstream.suffices(&given)?;
                Kept::first(issuer.url(), issuer.client_id(), &given)
            })
        })?;
        self.set(owner, &credential, &kept.write()?)?;
        Ok(())
    }
}

/// Asks an issuer where there is no server around.
fn outside_of_servers<'a, T>(
    upstream: &'a UpstreamOAuth,
    ask: impl FnOnce(Issuer) -> BoxFuture<'a, Result<T>>,
) -> Result<T> {
    let mut opening = Opening::default();
    let issuer = upstream.issuer(None, &mut opening)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(format!("there is no runtime: {error}")))?;
    runtime.block_on(async {
        for ready in opening.ready {
            ready.await?;
        }
        ask(issuer).await
    })
}
