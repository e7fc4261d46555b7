//! One endpoint that is called in the name of each caller.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt as _};
use sha2::{Digest as _, Sha256};

use super::{UpstreamOAuth, kept::Kept};
use crate::{
    Error, Result,
    approval::Person,
    audit::{Audit, Change},
    auth::{
        Principal,
        oauth::{
            cache::Digest,
            flights::Flights,
            issuer::{Given, Issuer, NotGiven},
        },
    },
    capability::net::{NetError, Target},
    state::Store,
    vault::{NewCredential, Owner, People, Placement, Spent},
};

/// The accounts of all callers at one endpoint. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Account(Arc<Inner>);

struct Inner {
    capability: &'static str,
    /// What it is called in the vault.
    entry: String,
    target: String,
    declared: Arc<UpstreamOAuth>,
    issuer: Issuer,
    people: Arc<People>,
    flights: Flights<Outcome>,
    /// What replicas share, if they share anything.
    store: OnceLock<Arc<dyn Store>>,
    /// Where it is written down that a grant has ended.
    audit: OnceLock<Arc<Audit>>,
}

/// What was opened for the grants of a server.
#[derive(Default)]
pub(super) struct Accounts(pub(super) Vec<Account>);

type Outcome = std::result::Result<Arc<Spent>, NetError>;

impl Account {
    pub(super) fn new(
        capability: &'static str,
        target: &Target,
        declared: Arc<UpstreamOAuth>,
        issuer: Issuer,
        people: Arc<People>,
    ) -> Result<Self> {
        let inner = Inner {
            capability,
            entry: entry(capability),
            target: target.to_string(),
            declared,
            issuer,
            people,
            flights: Flights::default(),
            store: OnceLock::new(),
            audit: OnceLock::new(),
        };
        // Now, and not when somebody has given a grant: a name or a host that cannot be kept.
        let _ = inner.credential()?;
        Ok(Self(Arc::new(inner)))
    }

    pub(crate) fn capability(&self) -> &'static str {
        self.0.capability
    }

    /// Whether persons type a code elsewhere.
    pub(crate) fn is_by_device(&self) -> bool {
        self.0.declared.device
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    pub(crate) fn scopes(&self) -> &[String] {
        &self.0.declared.scopes
    }

    pub(crate) fn resource(&self) -> Option<&str> {
        self.0.declared.resource.as_deref()
    }

    /// What it is called among the credentials of a caller.
    pub(crate) fn entry(&self) -> &str {
        &self.0.entry
    }

    /// Where all that callers have is kept.
    pub(crate) fn people(&self) -> &Arc<People> {
        &self.0.people
    }

    /// What is called with it, for who is asked to agree.
    pub(crate) fn target(&self) -> &str {
        &self.0.target
    }

    /// Replicas speak to each other by this.
    pub(crate) fn share(&self, store: &Arc<dyn Store>) {
        if store.is_shared() {
            let _ = self.0.store.set(Arc::clone(store));
        }
    }

    /// What becomes of grants is written down there.
    pub(crate) fn record_in(&self, audit: &Arc<Audit>) {
        let _ = self.0.audit.set(Arc::clone(audit));
    }

    /// What is spent for this caller: the token that they have, or the one that comes for it.
    ///
    /// Boxed, since it makes a request by what makes requests.
    pub(crate) fn spent<'a>(&'a self, caller: Option<&'a Principal>) -> BoxFuture<'a, Outcome> {
        async move {
            let caller = caller.ok_or_else(|| absent("nobody calls"))?;
            let owner = owner(caller).map_err(|error| absent(error.to_string()))?;
            self.fly(owner, None).await
        }
        .boxed()
    }

    /// The endpoint answered 401 to this version of a caller's token: it is spent no more. Whether
    /// there is another one to try. One that came for a refused one is not renewed again before it
    /// is over: an endpoint that refuses everything would have the issuer asked at each call.
    pub(crate) fn refused<'a>(
        &'a self,
        caller: Option<&'a Principal>,
        version: u32,
    ) -> BoxFuture<'a, bool> {
        async move {
            let Some(owner) = caller.and_then(|caller| owner(caller).ok()) else {
                return false;
            };
            // A flight that was under way may have brought the one that was refused.
            for _ in 0..2 {
                match self.fly(owner.clone(), Some(version)).await {
                    Ok(spent) if spent.version() != version => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
            false
        }
        .boxed()
    }

    /// One question for one caller at a time.
    fn fly(&self, owner: Owner, refused: Option<u32>) -> BoxFuture<'static, Outcome> {
        let this = self.clone();
        async move {
            // Who asks for the same meanwhile waits for the same answer: of two that show a
            // refresh token, the second is a thief to the issuer (RFC 9700 section 4.14.2).
            let digest: Digest = Sha256::digest(owner.words(b"upstream")).into();
            let mut is_first = false;
            let flight = this.0.flights.join(&digest, || {
                is_first = true;
                let inner = Arc::clone(&this.0);
                async move {
                    let outcome = inner.have(owner, refused).await;
                    inner.flights.landed(&digest);
                    outcome
                }
                .boxed()
            });
            let flight = flight.ok_or(NetError::Rate)?;
            if is_first {
                // It goes on when every call that waits is cut off: what the issuer has given by
                // then has to be kept, or the next call shows what is used up.
                tokio::spawn(flight.clone());
            }
            flight.await
        }
        .boxed()
    }

    /// Keeps what the issuer gave for a caller, who agreed to it.
    pub(crate) async fn connect(&self, owner: Owner, given: &Given) -> Result<()> {
        self.0.declared.suffices(given)?;
        let issuer = &self.0.issuer;
        let kept = Kept::first(issuer.url(), issuer.client_id(), given)?;
        self.0.keep(owner, kept).await.map(|_| ())
    }
}

impl Account {
    /// Removes what a caller has connected, and takes it back at its issuer: whether that did so.
    /// Nothing, where nothing was connected.
    pub(crate) async fn disconnect(&self, owner: Owner) -> Result<Option<bool>> {
        let inner = Arc::clone(&self.0);
        let take = move || {
            let found = inner.people.grant(&owner, &inner.entry)?;
            inner.people.shred(&owner, &inner.entry)?;
            Ok(found.map(|secret| Kept::read(&secret)))
        };
        let taken = tokio::task::spawn_blocking(take).await;
        let Some(kept) = taken.map_err(|_| Error::new("the vault was not written"))?? else {
            return Ok(None);
        };
        let issuer = &self.0.issuer;
        let is_theirs =
            |kept: &Kept| kept.issuer == issuer.url() && kept.client == issuer.client_id();
        let taken_back = match kept {
            Ok(kept) if kept.refused => return Ok(Some(true)),
            Ok(kept) if is_theirs(&kept) => take_back(&kept, issuer).await,
            Ok(_) => Err(Error::new(
                "it is of an issuer that this server knows no more",
            )),
            // It is gone here all the same, and that has to be said and written down.
            Err(error) => Err(error),
        };
        if let Err(error) = &taken_back {
            let capability = self.capability();
            tracing::warn!(
                target: "mcp_secure::upstream",
                capability, %error,
                "what a caller disconnected is removed here, and not taken back at its issuer"
            );
        }
        Ok(Some(taken_back.is_ok()))
    }
}

/// Takes a grant back at its issuer. With it go the access tokens that came of it (RFC 7009
/// section 2.1).
pub(super) async fn take_back(kept: &Kept, issuer: &Issuer) -> Result<()> {
    let taken_back = match kept.refresh() {
        Some(refresh) => issuer.revoke(&refresh, "refresh_token").await,
        None => issuer.revoke(kept.access(), "access_token").await,
    };
    match taken_back? {
        true => Ok(()),
        false => Err(Error::new("the issuer has no revocation endpoint")),
    }
}

impl UpstreamOAuth {
    /// Tokens that are good for more than was asked would be kept for nothing but their theft.
    pub(super) fn suffices(&self, given: &Given) -> Result<()> {
        let Some(scopes) = given.scopes.as_ref().filter(|_| !self.scopes.is_empty()) else {
            return Ok(());
        };
        match scopes.iter().all(|scope| self.scopes.contains(scope)) {
            true => Ok(()),
            false => Err(Error::new("the issuer gave a token that is good for more")),
        }
    }
}

impl Inner {
    async fn have(self: &Arc<Self>, owner: Owner, refused: Option<u32>) -> Outcome {
        let kept = self.look(&owner).await?;
        if refused == Some(kept.generation) && kept.fresh().is_some() {
            return self.another(owner, kept).await;
        }
        match kept.fresh() {
            Some(_) => self.spend(&kept),
            None => self.renew(owner, kept, false).await,
        }
    }

    /// Another token for one that looks good here, and that the endpoint has refused.
    async fn another(self: &Arc<Self>, owner: Owner, kept: Kept) -> Outcome {
        let capability = self.capability;
        tracing::warn!(
            target: "mcp_secure::upstream",
            control = "upstream/refused",
            capability,
            again = kept.doubted,
            "the endpoint answers 401 to a token of its issuer that is not over"
        );
        if kept.doubted {
            return self.spend(&kept);
        }
        if kept.refresh().is_some() {
            return self.renew(owner, kept, true).await;
        }
        let disabled = self.replace(&owner, &kept, kept.without_tokens()).await?;
        if disabled.is_some() {
            self.ended(&owner, "upstream/refused");
        }
        Err(absent(
            "the endpoint refused the token, and there is none to renew it",
        ))
    }

    /// What the vault has for them.
    async fn look(self: &Arc<Self>, owner: &Owner) -> std::result::Result<Kept, NetError> {
        let (inner, owner) = (Arc::clone(self), owner.clone());
        let read = move || {
            let found = inner.people.grant(&owner, &inner.entry)?;
            found.map(|secret| Kept::read(&secret)).transpose()
        };
        let kept = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => return Err(absent(error.to_string())),
            Err(_) => return Err(absent("the vault was not read")),
        };
        let name = self.capability;
        let kept = kept.ok_or_else(|| absent(format!("nothing is connected to `{name}`")))?;
        // The server was given another issuer since: what is kept is not for this one.
        if kept.issuer != self.issuer.url() || kept.client != self.issuer.client_id() {
            return Err(absent("what is connected is of another issuer"));
        }
        match kept.refused {
            true => Err(absent("the issuer refused what was connected")),
            false => Ok(kept),
        }
    }

    fn spend(&self, kept: &Kept) -> Outcome {
        let spent = Spent::of_token(self.capability, kept.generation, kept.access());
        spent
            .map(Arc::new)
            .map_err(|error| failed(error.to_string()))
    }

    /// A grant is over by no word of its caller.
    fn ended(&self, owner: &Owner, control: &'static str) {
        if let Some(audit) = self.audit.get() {
            audit.account(&Change {
                what: "ended",
                grant: Some(self.capability),
                entry: &self.entry,
                whose: &Person {
                    issuer: owner.issuer().to_owned(),
                    subject: owner.subject().to_owned(),
                },
                how: None,
                taken_back: None,
                control: Some(control),
            });
        }
    }

    async fn renew(self: &Arc<Self>, owner: Owner, kept: Kept, doubted: bool) -> Outcome {
        let Some(refresh) = kept.refresh() else {
            return Err(absent(
                "its token is over, and the issuer gave none to renew it",
            ));
        };
        if let Some(store) = self.store.get() {
            // Each generation is renewed once, by the replica that says so first. Nothing is
            // unlocked: the next generation has another name.
            let key = format!("upstream:{}:{}", kept.grant, kept.generation);
            match store.insert_new(&key, LOCK).await {
                Ok(true) => {}
                Ok(false) => return self.wait(&owner, kept.generation).await,
                Err(error) => return Err(failed(format!("another replica may renew it: {error}"))),
            }
            let now = self.look(&owner).await?;
            if now.generation != kept.generation || now.grant != kept.grant {
                return self.spend(&now);
            }
        }
        let given = self.issuer.refresh(&refresh, self.resource()).await;
        match given {
            Ok(given) => {
                self.declared
                    .suffices(&given)
                    .map_err(|error| failed(error.to_string()))?;
                // Kept before it is used: a crash between the two would lose the grant.
                let next = self
                    .replace(&owner, &kept, kept.next(&given, doubted))
                    .await?;
                match next {
                    Some(next) => self.spend(&next),
                    None => {
                        self.give_back(&given).await;
                        // They may have connected again meanwhile.
                        let now = self.look(&owner).await?;
                        self.spend(&now)
                    }
                }
            }
            Err(NotGiven::Over) => {
                let capability = self.capability;
                let disabled = self.replace(&owner, &kept, kept.without_tokens()).await?;
                if disabled.is_none() {
                    // Its caller took it back while it was being renewed: that is no theft.
                    let now = self.look(&owner).await?;
                    return self.spend(&now);
                }
                tracing::error!(
                    target: "mcp_secure::upstream",
                    control = "upstream/reuse",
                    capability,
                    issuer = self.issuer.url(),
                    "the issuer refused a refresh token that was not used before: somebody else \
                     may have used it. The grant is disabled; its caller has to connect again"
                );
                self.ended(&owner, "upstream/reuse");
                Err(NetError::Disconnected {
                    detail: format!("the issuer refused the refresh token for `{capability}`"),
                })
            }
            Err(NotGiven::Failed(words)) => Err(failed(words)),
        }
    }

    /// Another replica renews it.
    async fn wait(self: &Arc<Self>, owner: &Owner, generation: u32) -> Outcome {
        let begun = Instant::now();
        while begun.elapsed() < LOCK {
            tokio::time::sleep(AGAIN).await;
            let kept = self.look(owner).await?;
            if kept.generation != generation {
                return self.spend(&kept);
            }
        }
        Err(failed("another replica did not renew it in time"))
    }

    async fn keep(self: &Arc<Self>, owner: Owner, kept: Kept) -> Result<Kept> {
        let inner = Arc::clone(self);
        let write = move || {
            let secret = kept.write()?;
            inner.people.set(&owner, &inner.credential()?, &secret)?;
            Ok(kept)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(|_| Error::new("the vault was not written"))?
    }

    /// Keeps what came of a grant, if that is still the one that is there: who has disconnected
    /// meanwhile stays disconnected.
    async fn replace(
        self: &Arc<Self>,
        owner: &Owner,
        old: &Kept,
        next: Kept,
    ) -> std::result::Result<Option<Kept>, NetError> {
        let (inner, owner) = (Arc::clone(self), owner.clone());
        let (grant, generation) = (old.grant.clone(), old.generation);
        let write = move || {
            let secret = next.write()?;
            let is_still = |there: &[u8]| {
                Kept::read(there)
                    .is_ok_and(|there| there.grant == grant && there.generation == generation)
            };
            let credential = inner.credential()?;
            let people = &inner.people;
            let is_kept = people.replace_grant(&owner, &credential, &secret, is_still)?;
            Ok(is_kept.then_some(next))
        };
        let written = tokio::task::spawn_blocking(write).await;
        let written = written.map_err(|_| failed("the vault was not written"))?;
        written.map_err(|error: Error| failed(error.to_string()))
    }

    /// What came for a grant that was taken back while it was being renewed goes back, too.
    async fn give_back(&self, given: &Given) {
        let given_back = match &given.refresh {
            Some(refresh) => self.issuer.revoke(refresh, "refresh_token").await,
            None => self.issuer.revoke(&given.access, "access_token").await,
        };
        if let Err(error) = given_back {
            tracing::warn!(
                target: "mcp_secure::upstream",
                capability = self.capability,
                %error,
                "tokens of a grant that was disconnected meanwhile were not taken back"
            );
        }
    }

    fn credential(&self) -> Result<NewCredential> {
        NewCredential::new(&self.entry, Placement::Grant, [self.target.as_str()])
    }

    fn resource(&self) -> Option<&str> {
        self.declared.resource.as_deref()
    }
}

/// What the account of a caller is called among their credentials.
pub(super) fn entry(capability: &str) -> String {
    format!("oauth.{capability}")
}

fn owner(caller: &Principal) -> Result<Owner> {
    Owner::new(caller.issuer(), caller.subject())
}

fn absent(detail: impl Into<String>) -> NetError {
    NetError::NotConnected {
        detail: detail.into(),
    }
}

fn failed(detail: impl Into<String>) -> NetError {
    NetError::Exchange {
        detail: detail.into(),
    }
}

/// Longer than one request to an issuer may take.
const LOCK: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(50);
