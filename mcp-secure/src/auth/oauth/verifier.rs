//! From the head of a request to a principal: what is cheap comes first, and what has to be
//! asked for last.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use futures::future::{BoxFuture, Either};
use http::{HeaderMap, header, request::Parts};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    cache::{Cache, Digest},
    claims::{Policy, Vouched},
    clock::Clock,
    error::{Checked, TokenError, invalid, invalid_request, missing, unavailable},
    jwks::{Jwks, Known},
    jws::{Jws, Malformed},
    key::MAX_KID,
    resource::Resource,
};
use crate::auth::{PeerThumbprint, Principal};

/// Checks the access tokens of one issuer. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Verifier(pub(super) Arc<Inner>);

/// The answer, there already or to be waited for.
pub(crate) type Verdict =
    Either<Ready<Result<Principal, TokenError>>, BoxFuture<'static, Result<Principal, TokenError>>>;

pub(super) struct Inner {
    pub(super) policy: Policy,
    pub(super) resource: Resource,
    pub(super) clock: Clock,
    pub(super) jwks: Arc<Jwks>,
    /// What was verified, until it runs out or the keys change.
    pub(super) verified: Option<Cache<Verified>>,
}

#[derive(Clone)]
pub(super) struct Verified {
    principal: Principal,
    epoch: u64,
}

/// What a request brings, read once.
struct Presented<'a> {
    scheme: Scheme,
    token: &'a str,
    digest: Digest,
    certificate: Option<[u8; 32]>,
}

/// The same, for longer than the request's head is there.
struct Held {
    scheme: Scheme,
    token: Zeroizing<String>,
    digest: Digest,
    certificate: Option<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// An access token of all that are known has a few kilobytes.
const MAX_TOKEN: usize = 16 * 1024;

impl Verifier {
    /// Who asks, by the head of the request alone.
    pub(crate) fn verify(&self, head: &Parts) -> Verdict {
        let (held, inner) = match self.0.at_once(head) {
            Ok(Outcome::Admitted(principal)) => return Either::Left(ready(Ok(principal))),
            Err(error) => return Either::Left(ready(Err(error))),
            Ok(Outcome::Asks(held)) => (held, Arc::clone(&self.0)),
        };
        Either::Right(Box::pin(async move { inner.ask(held).await }))
    }

    /// What this server calls itself.
    pub(crate) fn resource(&self) -> &Resource {
        &self.0.resource
    }

    /// Whose tokens it takes.
    pub(crate) fn issuer(&self) -> &str {
        &self.0.policy.issuer
    }
}

enum Outcome {
    Admitted(Principal),
    Asks(Held),
}

impl Inner {
    /// What can be said without asking anybody.
    fn at_once(&self, head: &Parts) -> Checked<Outcome> {
        let presented = self.read(head)?;
        match self.identify(&presented)? {
            Some(principal) => self.admit(principal, &presented).map(Outcome::Admitted),
            None => Ok(Outcome::Asks(presented.held())),
        }
    }

    async fn ask(&self, held: Held) -> Checked<Principal> {
        let presented = held.presented();
        let principal = self.verify_asking(&presented).await?;
        self.admit(principal, &presented)
    }

    /// The one credential of the request, where it belongs.
    fn read<'a>(&self, head: &'a Parts) -> Checked<Presented<'a>> {
        // RFC 6750 section 2.3, which OAuth 2.1 removed: it ends up in logs and histories.
        if head.uri.query().is_some_and(names_a_token) {
            return Err(invalid_request(
                "oauth/query-token",
                "the access token belongs into the Authorization header",
            ));
        }
        let (scheme, token) = credential(&head.headers, self.policy.dpop)?;
        if token.len() > MAX_TOKEN {
            return Err(invalid("oauth/token-size", "the token is too long"));
        }
        Ok(Presented {
            scheme,
            token,
            digest: Sha256::digest(token.as_bytes()).into(),
            certificate: head.extensions.get::<PeerThumbprint>().map(|peer| peer.0),
        })
    }

    /// Whom the token names, if that is known or can be computed.
    fn identify(&self, presented: &Presented<'_>) -> Checked<Option<Principal>> {
        if let Some(principal) = self.remembered(&presented.digest) {
            return Ok(Some(principal));
        }
        let token = Token::read(presented.token, &self.policy)?;
        match self.jwks.known(token.kid(), token.algorithm)? {
            Some(known) => self.check(&token, &known, &presented.digest).map(Some),
            None => Ok(None),
        }
    }

    async fn verify_asking(&self, presented: &Presented<'_>) -> Checked<Principal> {
        let token = Token::read(presented.token, &self.policy)?;
        let known = self.jwks.find(token.kid(), token.algorithm).await?;
        self.check(&token, &known, &presented.digest)
    }

    fn remembered(&self, digest: &Digest) -> Option<Principal> {
        let cache = self.verified.as_ref()?;
        // Keys that are not believed any more vouch for nothing, and a key that is gone for
        // nothing that it signed.
        let epoch = self.jwks.epoch()?;
        let verified = cache.get(digest, self.clock.instant())?;
        (verified.epoch == epoch).then_some(verified.principal)
    }

    fn check(&self, token: &Token<'_>, known: &Known, digest: &Digest) -> Checked<Principal> {
        if !known.key.signed(&token.jws, token.algorithm) {
            return Err(invalid("oauth/signature", "the signature is not good"));
        }
        let claims = token.jws.claims().map_err(malformed)?;
        let now = self.clock.unix();
        let principal = self.policy.judge(&claims, Vouched::Signature, now)?;
        if let Some(cache) = &self.verified {
            let verified = Verified {
                principal: principal.clone(),
                epoch: known.epoch,
            };
            let left = Policy::left(&principal, now);
            cache.put(digest, verified, self.clock.instant(), left);
        }
        Ok(principal)
    }

    /// Holds the request against what the token is bound to.
    fn admit(&self, principal: Principal, presented: &Presented<'_>) -> Checked<Principal> {
        let bound = principal.confirmation().copied();
        let bound_to_key = bound.is_some_and(|bound| bound.key.is_some());
        match presented.scheme {
            // RFC 9449 section 7.2: a bound token is none for whoever cannot prove the key.
            Scheme::Bearer if bound_to_key => {
                return Err(invalid("oauth/binding", "the token is bound to a key"));
            }
            Scheme::Dpop if !bound_to_key => {
                return Err(invalid("oauth/binding", "the token is not bound to a key"));
            }
            _ => {}
        }
        if let Some(certificate) = bound.and_then(|bound| bound.certificate)
            && presented.certificate != Some(certificate)
        {
            return Err(invalid(
                "oauth/certificate",
                "the token is bound to another certificate",
            ));
        }
        if bound_to_key {
            return Err(unavailable("oauth/dpop", std::time::Duration::ZERO));
        }
        Ok(principal)
    }
}

impl Presented<'_> {
    fn held(&self) -> Held {
        Held {
            scheme: self.scheme,
            token: Zeroizing::new(self.token.to_owned()),
            digest: self.digest,
            certificate: self.certificate,
        }
    }
}

impl Held {
    fn presented(&self) -> Presented<'_> {
        Presented {
            scheme: self.scheme,
            token: &self.token,
            digest: self.digest,
            certificate: self.certificate,
        }
    }
}

/// A JWT access token (RFC 9068) whose header is as it must be.
struct Token<'a> {
    jws: Jws<'a>,
    algorithm: super::Algorithm,
}

impl<'a> Token<'a> {
    fn read(token: &'a str, policy: &Policy) -> Checked<Self> {
        let jws = Jws::read(token, false).map_err(malformed)?;
        // RFC 8725 section 3.11: an ID token, a logout token or an assertion of the same
        // issuer has the same keys, and often an audience that could be ours.
        let typed = match jws.header.get("typ") {
            None => policy.untyped,
            Some(_) => jws
                .media_type()
                .is_some_and(|typ| policy.types.contains(&typ)),
        };
        if !typed {
            return Err(invalid("oauth/type", "the token is no access token"));
        }
        let algorithm = jws
            .algorithm()
            .filter(|algorithm| policy.algorithms.contains(algorithm))
            .ok_or(invalid("oauth/algorithm", "the algorithm is not accepted"))?;
        match jws.header.get("kid") {
            None => {}
            Some(kid) if kid.as_str().is_some_and(|kid| kid.len() <= MAX_KID) => {}
            Some(_) => return Err(invalid("oauth/key", "the name of the key is none")),
        }
        Ok(Self { jws, algorithm })
    }

    fn kid(&self) -> Option<&str> {
        self.jws.text("kid")
    }
}

pub(super) fn malformed(malformed: Malformed) -> TokenError {
    match malformed {
        Malformed::Form => invalid("oauth/form", "the token is not a signed JWT"),
        Malformed::Extension => invalid("oauth/extension", "the token wants an extension"),
        Malformed::Key => invalid("oauth/key", "the token brings its own key"),
    }
}

/// Exactly one `Authorization`, of one scheme (RFC 6750 section 2.1, RFC 9449 section 7.1).
fn credential(headers: &HeaderMap, dpop: bool) -> Checked<(Scheme, &str)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(missing)?;
    let two = "there is more than one credential";
    if values.next().is_some() {
        return Err(invalid_request("oauth/scheme", two));
    }
    let value = value.to_str().map_err(|_| missing())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if dpop && scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(missing());
    };
    let token = token.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if body.is_empty() {
        return Err(missing());
    }
    if !body.bytes().all(plain) {
        return Err(invalid_request(
            "oauth/scheme",
            "the credential is not one token",
        ));
    }
    Ok((scheme, token))
}

fn names_a_token(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
}
