//! What the HTTP ring makes of an authorization server's tokens: who checks them, and what a
//! client is told that has none.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use zeroize::Zeroizing;

use super::{
    authenticate::{Authenticator, Denied},
    builder::Served,
    challenge::{Challenges, Why},
    endpoint::Endpoint,
    metadata::{Declared, Metadata},
    refusal::{INVALID_REQUEST_HEAD, INVALID_TOKEN, ISSUER_UNAVAILABLE, UNAUTHENTICATED},
    ring::Issued,
};
use crate::{
    Error, Result,
    auth::{
        Principal, ResourceServer,
        oauth::{self, SignIn, TokenError, TokenErrorKind, Verifier},
    },
};

/// Takes access tokens.
pub(crate) struct Tokens {
    verifier: Verifier,
    /// Some grant exchanges them.
    exchanged: bool,
    challenges: Arc<Challenges>,
}

/// Makes ready what was declared.
///
/// # Errors
///
/// When the declaration contradicts itself or the server.
pub(super) fn open(
    declared: ResourceServer,
    endpoint: &Endpoint,
    served: &mut Served<'_>,
) -> Result<(Tokens, Issued, Option<SignIn>)> {
    let baseline = declared.asked_first().to_vec();
    let certificate_bound = declared.is_certificate_bound();
    are_few(&baseline, &served.scopes)?;
    let declared = match served.store {
        Some(store) => declared.or_store(store),
        None => declared,
    };
    let sign_in = declared.declared_sign_in().filter(|_| served.has_pages);
    let verifier = declared.open(served.opening)?;
    let sign_in = sign_in
        .map(|sign_in| sign_in.open(&verifier, served.opening))
        .transpose()?;
    let resource = verifier.resource();
    is_here(resource.url(), resource.path(), endpoint)?;
    let proofs: Vec<&str> = verifier
        .dpop()
        .unwrap_or_default()
        .iter()
        .map(|algorithm| algorithm.name())
        .collect();
    let metadata = Metadata::new(&Declared {
        resource: resource.url(),
        authorization_servers: vec![verifier.issuer()],
        scopes_supported: &served.scopes,
        bearer_methods_supported: ["header"],
        resource_name: served.name,
        dpop_signing_alg_values_supported: &proofs,
        dpop_bound_access_tokens_required: verifier.requires_dpop(),
        tls_client_certificate_bound_access_tokens: certificate_bound,
    })?;
    let mut challenges = Challenges::new(metadata.url(), &baseline)?;
    if !proofs.is_empty() {
        challenges = challenges.with_proofs(&proofs, verifier.requires_dpop());
    }
    let challenges = Arc::new(challenges);
    let issued = Issued {
        metadata: Some(Arc::new(metadata)),
        challenges: Some(challenges.clone()),
    };
    Ok((
        Tokens {
            verifier,
            exchanged: oauth::wanted_inbound(served.opening).is_some(),
            challenges,
        },
        issued,
        sign_in,
    ))
}

/// What clients are told to ask for is no more than somebody needs (the specification's best
/// practices, "Scope Minimization"), and nothing that is the issuer's alone.
fn are_few(baseline: &[String], served: &[String]) -> Result<()> {
    let named = || baseline.iter().chain(served);
    if named().any(|scope| scope == "offline_access") {
        return Err(
            Error::new("`offline_access` is no scope of this server").help(
                "it asks the authorization server for a refresh token, and clients add it \
                 themselves; remove it",
            ),
        );
    }
    if let Some(all) = named().find(|scope| OMNIBUS.contains(&scope.as_str())) {
        return Err(Error::new(format!(
            "`{all}` is a scope for everything, and says nothing"
        ))
        .help("name what a tool does, such as `notes:read`"));
    }
    if let Some(unknown) = baseline.iter().find(|scope| !served.contains(scope)) {
        return Err(Error::new(format!(
            "`{unknown}` is to be asked for first, and nothing here needs it"
        ))
        .help("name scopes that a tool, prompt or resource of this server has"));
    }
    Ok(())
}

/// The examples of the specification of what not to do.
const OMNIBUS: [&str; 3] = ["*", "all", "full-access"];

/// The resource is what a client calls: its path is the endpoint's.
fn is_here(resource: &str, path: &str, endpoint: &Endpoint) -> Result<()> {
    if path == endpoint.path() {
        return Ok(());
    }
    Err(Error::new(format!(
        "`{resource}` is not where this server is: its endpoint is `{}`",
        endpoint.path()
    ))
    .help("the resource is the URL that clients call; change it, or the endpoint by `.path(…)`"))
}

/// The authority of a resource: a `Host` that is certainly meant.
pub(super) fn authority(resource: &str) -> Option<String> {
    let url = url::Url::parse(resource).ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

impl Tokens {
    /// Of this server, as its clients write it.
    pub(crate) fn origin(&self) -> String {
        self.verifier.resource().origin().to_owned()
    }
}

/// A verdict on a token, in the words of HTTP.
pub(crate) struct Verdict {
    asking: oauth::Verdict,
    challenges: Arc<Challenges>,
}

impl Authenticator for Tokens {
    type Verdict = Verdict;

    fn nonce(&self) -> Option<(HeaderName, HeaderValue)> {
        let nonce = self.verifier.dpop_nonce()?;
        Some((DPOP_NONCE.clone(), HeaderValue::try_from(nonce).ok()?))
    }

    fn presented(&self, headers: &HeaderMap) -> Option<Zeroizing<String>> {
        self.exchanged.then(|| self.verifier.presented(headers))?
    }

    fn authenticate(&self, head: &Parts) -> Verdict {
        Verdict {
            asking: self.verifier.verify(head),
            challenges: self.challenges.clone(),
        }
    }
}

impl Future for Verdict {
    type Output = std::result::Result<Principal, Denied>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let verdict = std::task::ready!(Pin::new(&mut self.asking).poll(context));
        Poll::Ready(verdict.map_err(|error| denied(&error, &self.challenges)))
    }
}

fn denied(error: &TokenError, challenges: &Challenges) -> Denied {
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    let (refusal, why) = match &error.kind {
        TokenErrorKind::Missing => (&UNAUTHENTICATED, Some(Why::Nothing)),
        TokenErrorKind::Invalid { description } => {
            (&INVALID_TOKEN, Some(Why::InvalidToken(description)))
        }
        TokenErrorKind::InvalidDpop { description } => {
            (&INVALID_TOKEN, Some(Why::InvalidProof(description)))
        }
        TokenErrorKind::UseDpopNonce { nonce } => {
            if let Ok(value) = HeaderValue::from_str(nonce) {
                headers.push((DPOP_NONCE.clone(), value));
            }
            (&INVALID_TOKEN, Some(Why::UseNonce))
        }
        TokenErrorKind::InvalidRequest { description } => (
            &INVALID_REQUEST_HEAD,
            Some(Why::InvalidRequest(description)),
        ),
        TokenErrorKind::Unavailable { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            headers.push((header::RETRY_AFTER, seconds.into()));
            (&ISSUER_UNAVAILABLE, None)
        }
    };
    if let Some(why) = why {
        let values = challenges.values(why).into_iter();
        headers.extend(values.map(|value| (header::WWW_AUTHENTICATE, value)));
    }
    Denied::by(error.control, refusal, headers)
}

static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_scope_for_everything_and_one_of_the_issuers_stop_the_start() {
        let scopes = |all: &[&str]| -> Vec<String> { all.iter().map(|s| (*s).into()).collect() };
        let served = scopes(&["notes:read", "notes:write"]);
        assert!(are_few(&scopes(&["notes:read"]), &served).is_ok());
        assert!(are_few(&[], &served).is_ok());
        for bad in ["*", "all", "full-access", "offline_access"] {
            // Of the baseline, and of a tool: both are told to clients.
            let error = are_few(&scopes(&[bad]), &served).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
            let error = are_few(&[], &scopes(&[bad])).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")) && error.contains("help"));
        }
        assert!(are_few(&scopes(&["notes:admin"]), &served).is_err());
    }
}
