//! The issuer as a place where persons sign in: where their browser goes, and where what it
//! brings back becomes a token.

use std::sync::{Arc, OnceLock};

use url::Url;

use super::{ResourceServer, discovery::discover, json};
use crate::{
    capability::{
        Opening,
        net::fetch::{Client, FetchSettings},
    },
    error::{Error, Result},
};

/// Asks the issuer for what a code is good for.
#[derive(Clone)]
pub(crate) struct IssuerClient(Arc<Inner>);

struct Inner {
    client: Client,
    endpoints: OnceLock<Endpoints>,
}

/// Where things are at the issuer.
pub(crate) struct Endpoints {
    /// For browsers.
    pub(crate) authorize: String,
    /// For this server.
    pub(crate) token: String,
    /// Of `token`, at the issuer's origin.
    path: String,
}

impl ResourceServer {
    /// Opens the way by which persons sign in. What has to be asked of the issuer is asked before
    /// the server serves.
    pub(crate) fn open_sign_in(&self, opening: &mut Opening) -> Result<IssuerClient> {
        let settings = FetchSettings {
            max_response: Some(64 * 1024),
            ..self.settings()
        };
        let client = Client::open("sdk/sign-in", &self.issuer, settings, opening)?;
        let inner = Arc::new(Inner {
            client,
            endpoints: OnceLock::new(),
        });
        let asked = Arc::clone(&inner);
        let issuer = self.issuer.clone();
        let may_be_plain = self.is_private_allowed();
        opening.ready.push(Box::pin(async move {
            let metadata = discover(&asked.client, &issuer).await?;
            let missing = |what: &str| {
                Error::new(format!(
                    "persons are to sign in at the issuer `{issuer}`, which has no {what}"
                ))
                .help("leave `.sign_in(…)` away, and say how persons agree instead")
            };
            let authorize = metadata
                .authorization_endpoint
                .filter(|url| is_for_browsers(url, may_be_plain))
                .ok_or_else(|| missing("authorization endpoint with `https://`"))?;
            let token = metadata
                .token_endpoint
                .ok_or_else(|| missing("token endpoint"))?;
            let path = asked
                .client
                .own(&token)
                .ok_or_else(|| missing("token endpoint at its own origin"))?;
            let _ = asked.endpoints.set(Endpoints {
                authorize,
                token,
                path,
            });
            Ok(())
        }));
        Ok(IssuerClient(inner))
    }
}

impl IssuerClient {
    /// Known once the server serves.
    pub(crate) fn endpoints(&self) -> Result<&Endpoints> {
        let endpoints = self.0.endpoints.get();
        endpoints.ok_or_else(|| Error::new("the issuer was not asked where persons sign in"))
    }

    /// Asks the token endpoint.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Result<http::Response<Vec<u8>>> {
        let path = &self.endpoints()?.path;
        let fetched = self.0.client.post_form(path, form).await;
        let fetched =
            fetched.map_err(|error| Error::new(format!("the issuer does not answer: {error}")))?;
        // Read as strictly as all that an issuer says: no key twice.
        json::object(&fetched.body)
            .ok_or_else(|| Error::new("the issuer answered with what is no object"))?;
        let mut response = http::Response::new(fetched.body.to_vec());
        *response.status_mut() = fetched.status;
        if let Some(kind) = fetched.headers.get(http::header::CONTENT_TYPE) {
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, kind.clone());
        }
        Ok(response)
    }
}

/// Whether a browser may be sent there: `javascript:` and its like are URLs, too.
fn is_for_browsers(url: &str, may_be_plain: bool) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let is_scheme = url.scheme() == "https" || (may_be_plain && url.scheme() == "http");
    is_scheme && url.has_host() && url.username().is_empty() && url.password().is_none()
}
