//! From the head of a request to a principal: what is cheap comes first, and what has to be
//! asked for last.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use futures::future::{BoxFuture, Either};
use http::{HeaderMap, Method, header, request::Parts};
use zeroize::Zeroizing;

use super::{
    Algorithm,
    cache::{Cache, Digest},
    claims::{Policy, Vouched},
    clock::Clock,
    dpop::{self, Once, Proofs},
    error::{Checked, TokenError, invalid, invalid_request, missing},
    introspect::{BAD, GOOD, Introspector, is_lasting},
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
    /// `None` where the issuer is asked for every token.
    pub(super) jwks: Option<Arc<Jwks>>,
    pub(super) introspector: Option<Introspector>,
    pub(super) proofs: Option<Proofs>,
    /// What was verified, until it runs out or the keys change.
    pub(super) verified: Option<Cache<Verified>>,
    /// How many signatures of tokens were computed.
    pub(super) signatures: AtomicU64,
}

#[derive(Clone)]
pub(super) struct Verified {
    principal: Principal,
    epoch: u64,
}

/// What a request brings, read once.
struct Presented<'a> {
    token: &'a str,
    digest: Digest,
    /// There exactly if the scheme is DPoP.
    proof: Option<&'a str>,
    method: &'a Method,
    certificate: Option<[u8; 32]>,
}

/// The same, for longer than the request's head is there.
struct Held {
    token: Zeroizing<String>,
    digest: Digest,
    proof: Option<String>,
    method: Method,
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
        let inner = Arc::clone(&self.0);
        match self.0.at_once(head) {
            Ok(Outcome::Admitted(principal)) => Either::Left(ready(Ok(principal))),
            Err(error) => Either::Left(ready(Err(error))),
            Ok(Outcome::Spends(principal, once)) => {
                Either::Right(Box::pin(async move { inner.spend(principal, once).await }))
            }
            Ok(Outcome::Asks(held)) => {
                Either::Right(Box::pin(async move { inner.ask(held).await }))
            }
        }
    }

    /// The token that [`verify`](Self::verify) looks at.
    pub(crate) fn presented(&self, headers: &HeaderMap) -> Option<Zeroizing<String>> {
        let (_, token) = credential(headers, self.0.policy.dpop).ok()?;
        (token.len() <= MAX_TOKEN).then(|| Zeroizing::new(token.to_owned()))
    }

    /// The algorithms of proofs, for the challenge (`algs`, RFC 9449 section 7.1); `None` where
    /// DPoP is not spoken.
    pub(crate) fn dpop(&self) -> Option<&[Algorithm]> {
        let proofs = self.0.proofs.as_ref()?;
        Some(&proofs.algorithms)
    }

    /// The nonce of this minute, for the `DPoP-Nonce` of an answer; `None` where none is asked
    /// for.
    pub(crate) fn dpop_nonce(&self) -> Option<String> {
        let nonces = self.0.proofs.as_ref()?.nonces.as_ref()?;
        nonces.at(self.0.clock.unix()).ok()
    }

    /// Whether a bearer token is refused, so that the challenge offers only DPoP.
    pub(crate) fn requires_dpop(&self) -> bool {
        self.0.policy.dpop_required
    }

    /// How many signatures of tokens were computed: what a flood costs.
    #[cfg(test)]
    pub(crate) fn signatures(&self) -> u64 {
        self.0.signatures.load(Relaxed)
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
    /// All is well if the proof is new.
    Spends(Principal, Once),
    /// The issuer has to be asked.
    Asks(Held),
}

impl Inner {
    /// What can be said without asking anybody.
    fn at_once(self: &Arc<Self>, head: &Parts) -> Checked<Outcome> {
        let presented = self.read(head)?;
        let Some(principal) = self.identify(&presented)? else {
            return Ok(Outcome::Asks(presented.held()));
        };
        Ok(match self.admit(&principal, &presented)? {
            None => Outcome::Admitted(principal),
            Some(once) => Outcome::Spends(principal, once),
        })
    }

    async fn ask(self: &Arc<Self>, held: Held) -> Checked<Principal> {
        let presented = held.presented();
        let principal = match self.introspector_for(presented.token) {
            Some(introspector) => self.introspect(introspector, &presented).await?,
            None => self.verify_asking(&presented).await?,
        };
        match self.admit(&principal, &presented)? {
            None => Ok(principal),
            Some(once) => self.spend(principal, once).await,
        }
    }

    async fn spend(&self, principal: Principal, once: Once) -> Checked<Principal> {
        if let Some(proofs) = &self.proofs {
            proofs.spend(once).await?;
        }
        Ok(principal)
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
        let proof = match scheme {
            Scheme::Bearer => None,
            Scheme::Dpop => Some(dpop::proof(&head.headers)?),
        };
        Ok(Presented {
            token,
            proof,
            method: &head.method,
            digest: crate::sha256::hash(token.as_bytes()),
            certificate: head.extensions.get::<PeerThumbprint>().map(|peer| peer.0),
        })
    }

    /// Whom the token names, if that is known or can be computed.
    fn identify(&self, presented: &Presented<'_>) -> Checked<Option<Principal>> {
        let now = self.clock.instant();
        if let Some(introspector) = self.introspector_for(presented.token) {
            let remembered = |cache: &Cache<_>| cache.get(&presented.digest, now);
            if let Some(error) = introspector
                .bad
                .as_ref()
                .and_then(|bad| bad.get(&presented.digest, now))
            {
                return Err(error);
            }
            return Ok(introspector.good.as_ref().and_then(remembered));
        }
        if let Some(principal) = self.remembered(&presented.digest) {
            return Ok(Some(principal));
        }
        let token = Token::read(presented.token, &self.policy)?;
        match self.keys()?.known(token.kid(), token.algorithm)? {
            Some(known) => self.check(&token, &known, &presented.digest).map(Some),
            None => Ok(None),
        }
    }

    /// Whom to ask for this token. What has the form of a JWT is checked here, unless every
    /// token is asked for.
    fn introspector_for(&self, token: &str) -> Option<&Introspector> {
        let introspector = self.introspector.as_ref()?;
        let is_jwt = token.bytes().filter(|byte| *byte == b'.').count() == 2;
        (introspector.every || !is_jwt).then_some(introspector)
    }

    /// Asks the issuer for a token, together with all who ask for the same.
    async fn introspect(
        self: &Arc<Self>,
        introspector: &Introspector,
        presented: &Presented<'_>,
    ) -> Checked<Principal> {
        let digest = presented.digest;
        let flight = introspector.join(&digest, || {
            let inner = Arc::clone(self);
            let token = Zeroizing::new(presented.token.to_owned());
            Box::pin(async move {
                let introspector = inner.introspector.as_ref().ok_or_else(missing)?;
                let answer = inner.introspect_now(introspector, &token, &digest).await;
                introspector.landed(&digest);
                answer
            })
        })?;
        flight.await
    }

    async fn introspect_now(
        &self,
        introspector: &Introspector,
        token: &str,
        digest: &Digest,
    ) -> Checked<Principal> {
        let now = self.clock.unix();
        let judged = introspector.ask(token, now).await.and_then(|claims| {
            self.policy
                .judge(&claims, Vouched::Issuer, self.clock.unix())
        });
        let instant = self.clock.instant();
        match (&judged, &introspector.good, &introspector.bad) {
            (Ok(principal), Some(good), _) => {
                let left = Policy::left(principal, now).min(GOOD);
                good.put(digest, principal.clone(), instant, left);
            }
            (Err(error), _, Some(bad)) if is_lasting(error) => {
                bad.put(digest, error.clone(), instant, BAD);
            }
            _ => {}
        }
        judged
    }

    async fn verify_asking(&self, presented: &Presented<'_>) -> Checked<Principal> {
        let token = Token::read(presented.token, &self.policy)?;
        let known = self.keys()?.find(token.kid(), token.algorithm).await?;
        self.check(&token, &known, &presented.digest)
    }

    fn keys(&self) -> Checked<&Jwks> {
        // Without keys every token is asked for, so nothing comes here.
        self.jwks.as_deref().ok_or_else(missing)
    }

    fn remembered(&self, digest: &Digest) -> Option<Principal> {
        let cache = self.verified.as_ref()?;
        // Keys that are not believed any more vouch for nothing, and a key that is gone for
        // nothing that it signed.
        let epoch = self.jwks.as_ref()?.epoch()?;
        let verified = cache.get(digest, self.clock.instant())?;
        (verified.epoch == epoch).then_some(verified.principal)
    }

    fn check(&self, token: &Token<'_>, known: &Known, digest: &Digest) -> Checked<Principal> {
        self.signatures.fetch_add(1, Relaxed);
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

    /// Holds the request against what the token is bound to. What comes back is a proof to be
    /// used up.
    fn admit(&self, principal: &Principal, presented: &Presented<'_>) -> Checked<Option<Once>> {
        let bound = principal.confirmation();
        if let Some(certificate) = bound.and_then(|bound| bound.certificate)
            && presented.certificate != Some(certificate)
        {
            return Err(invalid(
                "oauth/certificate",
                "the token is bound to another certificate",
            ));
        }
        let key = bound.and_then(|bound| bound.key.as_ref());
        match (key, presented.proof, &self.proofs) {
            (None, None, _) => Ok(None),
            (Some(key), Some(proof), Some(proofs)) => {
                let request = dpop::Request {
                    proof,
                    method: presented.method.as_str(),
                    token: &presented.digest,
                    key,
                };
                proofs.check(&request, self.clock.unix()).map(Some)
            }
            // RFC 9449 section 7.2: a bound token is none for whoever does not prove the key.
            (Some(_), _, _) => Err(invalid("oauth/binding", "the token is bound to a key")),
            (None, Some(_), _) => Err(invalid("oauth/binding", "the token is not bound to a key")),
        }
    }
}

impl Presented<'_> {
    fn held(&self) -> Held {
        Held {
            token: Zeroizing::new(self.token.to_owned()),
            digest: self.digest,
            proof: self.proof.map(str::to_owned),
            method: self.method.clone(),
            certificate: self.certificate,
        }
    }
}

impl Held {
    fn presented(&self) -> Presented<'_> {
        Presented {
            token: &self.token,
            digest: self.digest,
            proof: self.proof.as_deref(),
            method: &self.method,
            certificate: self.certificate,
        }
    }
}

/// A JWT access token (RFC 9068) whose header is as it must be.
struct Token<'a> {
    jws: Jws<'a>,
    algorithm: Algorithm,
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
