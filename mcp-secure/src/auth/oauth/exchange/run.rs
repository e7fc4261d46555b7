//! From a caller's token to the one that is sent upstream.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures::future::{BoxFuture, FutureExt as _};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Declared, Kind};
use crate::{
    auth::oauth::{
        cache::{Cache, Digest},
        client_auth::ClientKey,
        discovery::said,
        flights::Flights,
        inbound::Inbound,
        json,
    },
    capability::net::{NetError, fetch::Client},
};

/// Has tokens for one grant.
#[derive(Clone)]
pub(crate) struct Exchanger(Arc<Inner>);

struct Inner {
    declared: Declared,
    client: Client,
    key: Option<ClientKey>,
    /// By the digest of the caller's token: what one token was good for is not what another
    /// one of the same principal is.
    issued: Option<Cache<HeaderValue>>,
    flights: Flights<Outcome>,
    /// Those for which another token was asked for since the endpoint refused one: not again soon.
    doubted: Option<Cache<()>>,
    /// This server's own, where it acts for the caller.
    own: Option<Cache<Arc<Zeroizing<String>>>>,
}

/// What is sent as `Authorization`.
type Outcome = Result<HeaderValue, NetError>;

/// A token, and how long it lasts.
struct Issued {
    token: Zeroizing<String>,
    lasts: Duration,
}

/// Who is asked for, in one request.
enum For<'a> {
    Caller {
        token: &'a str,
        actor: Option<&'a str>,
    },
    Itself,
}

impl Exchanger {
    pub(super) fn new(declared: Declared, client: Client, key: Option<ClientKey>) -> Self {
        Self(Arc::new(Inner {
            declared,
            client,
            key,
            issued: Cache::new(REMEMBERED),
            flights: Flights::default(),
            doubted: Cache::new(REMEMBERED),
            own: Cache::new(1),
        }))
    }

    /// The `Authorization` for one request of this caller.
    ///
    /// Boxed, since it makes a request by what makes requests.
    pub(crate) fn authorization<'a>(
        &'a self,
        caller: Option<&'a Inbound>,
    ) -> BoxFuture<'a, Outcome> {
        self.find(caller).boxed()
    }

    /// The endpoint answered 401 to this: it is sent no more. Whether there may be another one to
    /// try, which is so once a minute for each caller: an endpoint that refuses everything would
    /// otherwise have the issuer asked at each call.
    pub(crate) fn refused(&self, caller: Option<&Inbound>, sent: &HeaderValue) -> bool {
        let digest = match (&*self.0.declared.0, caller) {
            (Kind::Own(_), _) => OWN,
            (Kind::Exchange(_), Some(caller)) => *caller.digest(),
            (Kind::Exchange(_), None) => return false,
        };
        let (Some(issued), Some(doubted)) = (&self.0.issued, &self.0.doubted) else {
            return false;
        };
        let now = Instant::now();
        if issued.get(&digest, now).is_some_and(|value| value != *sent) {
            return true;
        }
        if doubted.get(&digest, now).is_some() {
            return false;
        }
        doubted.put(&digest, (), now, DOUBTED);
        issued.forget(&digest);
        true
    }

    async fn find(&self, caller: Option<&Inbound>) -> Outcome {
        let inner = &self.0;
        let (digest, held) = match &*inner.declared.0 {
            Kind::Own(_) => (OWN, None),
            Kind::Exchange(_) => {
                let caller = caller.ok_or_else(|| refused("the caller came without a token"))?;
                let token = caller.token(SystemTime::now());
                let token = token.ok_or_else(|| refused("the caller's token is over"))?;
                (*caller.digest(), Some((token, caller.expires())))
            }
        };
        let remembered = inner.issued.as_ref();
        if let Some(value) = remembered.and_then(|cache| cache.get(&digest, Instant::now())) {
            return Ok(value);
        }
        let flight = inner.flights.join(&digest, || {
            let inner = Arc::clone(inner);
            async move {
                let outcome = inner.have(&digest, held).await;
                inner.flights.landed(&digest);
                outcome
            }
            .boxed()
        });
        flight.ok_or(NetError::Rate)?.await
    }
}

impl Inner {
    async fn have(
        &self,
        digest: &Digest,
        held: Option<(Zeroizing<String>, Option<u64>)>,
    ) -> Outcome {
        let (issued, left) = match &held {
            None => (self.ask(For::Itself).await?, LONGEST),
            Some((token, expires)) => {
                let actor = self.actor().await?;
                let issued = self
                    .ask(For::Caller {
                        token,
                        actor: actor.as_deref().map(|actor| actor.as_str()),
                    })
                    .await?;
                // An issuer that gives it back would have us pass it on.
                if Sha256::digest(issued.token.as_bytes())[..] == digest[..] {
                    return Err(refused("the issuer gave the caller's own token back"));
                }
                (issued, left(*expires))
            }
        };
        let value = Zeroizing::new(format!("Bearer {}", *issued.token));
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| refused("the issuer gave something that is no token"))?;
        value.set_sensitive(true);
        if let Some(cache) = &self.issued {
            let lasts = issued.lasts.min(left).min(LONGEST);
            cache.put(digest, value.clone(), Instant::now(), lasts);
        }
        Ok(value)
    }

    /// A token of this server's own, if it says that it acts.
    async fn actor(&self) -> Result<Option<Arc<Zeroizing<String>>>, NetError> {
        match &*self.declared.0 {
            Kind::Exchange(exchange) if exchange.acts => {}
            _ => return Ok(None),
        }
        let now = Instant::now();
        if let Some(own) = self.own.as_ref().and_then(|own| own.get(&OWN, now)) {
            return Ok(Some(own));
        }
        let issued = self.ask(For::Itself).await?;
        let token = Arc::new(issued.token);
        if let Some(own) = &self.own {
            own.put(&OWN, Arc::clone(&token), now, issued.lasts.min(LONGEST));
        }
        Ok(Some(token))
    }

    async fn ask(&self, whose: For<'_>) -> Result<Issued, NetError> {
        let asking = self.declared.asking();
        let is_exchange = matches!(whose, For::Caller { .. });
        let mut form: Vec<(&str, &str)> = Vec::new();
        match &whose {
            For::Itself => form.push(("grant_type", "client_credentials")),
            For::Caller { token, actor } => {
                form.push(("grant_type", EXCHANGE));
                form.push(("subject_token", token));
                form.push(("subject_token_type", ACCESS_TOKEN));
                form.push(("requested_token_type", ACCESS_TOKEN));
                if let Some(actor) = actor {
                    form.push(("actor_token", actor));
                    form.push(("actor_token_type", ACCESS_TOKEN));
                }
            }
        }
        form.extend(
            asking
                .audiences
                .iter()
                .map(|one| ("audience", one.as_str())),
        );
        form.extend(
            asking
                .resources
                .iter()
                .map(|one| ("resource", one.as_str())),
        );
        let scopes = asking.scopes.join(" ");
        if !scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        let assertion = self.assertion()?;
        if let Some(assertion) = &assertion {
            form.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ));
            form.push(("client_assertion", assertion));
            form.push(("client_id", &asking.client.id));
        }
        let fetched = self.client.post_form(self.client.path(), &form).await;
        let fetched = fetched.map_err(|error| refused(format!("no answer: {}", said(&error))))?;
        let answer = json::object(&fetched.body);
        let text = |name: &str| answer.as_ref()?.get(name)?.as_str();
        if fetched.status != StatusCode::OK {
            let error = text("error").unwrap_or("no reason").chars().take(64);
            let error: String = error.flat_map(char::escape_default).collect();
            let status = fetched.status.as_u16();
            return Err(refused(format!("the issuer says {status}: {error}")));
        }
        // RFC 6749 section 5.1: case does not count. A token that is bound to a key could not
        // be proven.
        if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
            return Err(refused(
                "the issuer gave a token of another type than `Bearer`",
            ));
        }
        if is_exchange && text("issued_token_type") != Some(ACCESS_TOKEN) {
            return Err(refused(
                "the issuer gave something else than an access token",
            ));
        }
        if let (Some(granted), false) = (text("scope"), asking.scopes.is_empty())
            && granted
                .split(' ')
                .any(|scope| !scope.is_empty() && !asking.scopes.iter().any(|one| one == scope))
        {
            return Err(refused("the issuer gave a token that is good for more"));
        }
        let token = text("access_token").filter(|token| is_token(token));
        let token = token.ok_or_else(|| refused("the issuer gave something that is no token"))?;
        let seconds = answer.as_ref().and_then(|a| a.get("expires_in"));
        Ok(Issued {
            token: Zeroizing::new(token.to_owned()),
            // Nothing is said: good for this request.
            lasts: Duration::from_secs(seconds.and_then(Value::as_u64).unwrap_or(0))
                .saturating_sub(EARLY),
        })
    }

    fn assertion(&self) -> Result<Option<String>, NetError> {
        let client = &self.declared.asking().client;
        let (Some(key), Some(issuer)) = (&self.key, &client.issuer) else {
            return Ok(None);
        };
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let assertion = key.assertion(&client.id, issuer, now);
        assertion
            .map(Some)
            .ok_or_else(|| refused("the assertion could not be signed"))
    }
}

/// How long the caller's token still lasts.
fn left(expires: Option<u64>) -> Duration {
    let Some(expires) = expires else {
        return Duration::ZERO;
    };
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(expires));
    end.and_then(|end| end.duration_since(SystemTime::now()).ok())
        .unwrap_or_default()
}

/// What RFC 6750 section 2.1 lets a token be. Anything else could end the header.
pub(in crate::auth::oauth) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    !body.is_empty() && text.len() <= MOST && body.bytes().all(plain)
}

fn refused(detail: impl Into<String>) -> NetError {
    NetError::Exchange {
        detail: detail.into(),
    }
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Tokens that are remembered for one grant.
const DOUBTED: Duration = Duration::from_secs(60);
const REMEMBERED: usize = 4096;
/// Bytes of a token.
const MOST: usize = 16 * 1024;
/// Not used in its last moment: a request takes a while to arrive.
const EARLY: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3600);
/// The one place of this server's own token.
const OWN: Digest = [0; 32];
