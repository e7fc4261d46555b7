//! From a declaration to a [`Verifier`]: what is opened, fetched and found before the server serves.

use std::sync::{Arc, Mutex, OnceLock, atomic::AtomicU64};

use super::ResourceServer;
use crate::{
    auth::oauth::{
        cache::Cache,
        discovery::{Metadata, discover},
        dpop::{Nonces, Proofs, REMEMBERED},
        flights::Flights,
        introspect::{Introspector, REFUSALS},
        jwks::{Jwks, most_bytes},
        resource::Resource,
        verifier::{Inner, Verifier},
    },
    capability::{
        Opening,
        net::fetch::{Client, FetchSettings},
    },
    error::{Error, Result},
    secret_file::secret_file,
    state::{MemoryStore, Starting},
};

impl ResourceServer {
    /// Checks all that was said, and opens the way to the issuer. Runs before the runtime
    /// exists and before the sandbox closes; what has to be asked of the issuer is asked before
    /// the server serves.
    pub(crate) fn open(self, opening: &mut Opening) -> Result<Verifier> {
        let (policy, resource) = self.policy()?;
        let proofs = self.proofs(&resource, opening)?;
        let introspector = self.introspector(opening)?;
        let asks_always = introspector.as_ref().is_some_and(|asking| asking.every);
        let settings = FetchSettings {
            max_response: Some(most_bytes(self.max_keys) as u64),
            ..self.settings()
        };
        let is_asked_for_keys = self.jwks.is_none() && !asks_always;
        let is_asked_where = self
            .introspection
            .as_ref()
            .is_some_and(|a| a.endpoint.is_none());
        let issuer = if is_asked_for_keys || is_asked_where {
            let client = Client::open("sdk/issuer", &self.issuer, settings.clone(), opening)?;
            Some(Arc::new(client))
        } else {
            None
        };
        let keys_at = match (&self.jwks, &issuer) {
            _ if asks_always => None,
            (Some(url), _) => {
                let base = url.split('?').next().unwrap_or(url);
                let client = Client::open("sdk/jwks", base, settings, opening)
                    .map_err(|error| error.before("`.jwks(…)`: "))?;
                Some(Arc::new(client))
            }
            (None, issuer) => issuer.clone(),
        };
        let jwks = keys_at.map(|client| {
            let clock = self.clock.clone();
            Arc::new(Jwks::new(client, self.max_keys, self.stale_keys, clock))
        });
        let inner = Arc::new(Inner {
            policy,
            resource,
            jwks,
            introspector,
            proofs,
            verified: Cache::new(self.remembered),
            signatures: AtomicU64::new(0),
            clock: self.clock,
        });
        let asked = Arc::clone(&inner);
        let keys = self.jwks;
        let asking_at = self.introspection.and_then(|asking| asking.endpoint);
        opening.ready.push(Box::pin(async move {
            let metadata = match &issuer {
                Some(client) => Some(discover(client, &asked.policy.issuer).await?),
                None => None,
            };
            locate_introspection(&asked, asking_at, metadata.as_ref())?;
            find_keys(&asked, keys, metadata.as_ref()).await
        }));
        Ok(Verifier(inner))
    }

    /// How the issuer is reached.
    pub(in crate::auth::oauth) fn settings(&self) -> FetchSettings {
        FetchSettings {
            allow_private: self.allow_private,
            ca_files: self.ca_files.clone(),
            nameservers: self.nameservers.clone(),
            ..FetchSettings::default()
        }
    }

    fn proofs(&self, resource: &Resource, opening: &mut Opening) -> Result<Option<Proofs>> {
        if self.dpop.is_none() {
            if self.nonce.is_some() || self.store.is_some() {
                return Err(Error::new("there are settings for DPoP, and DPoP is off")
                    .help("add `.dpop(Dpop::Accepted)` or `.dpop(Dpop::Required)`"));
            }
            return Ok(None);
        }
        let nonces = match &self.nonce {
            None => None,
            Some(None) => Some(Nonces::random()?),
            Some(Some(path)) => {
                opening
                    .secrets
                    .push(("the key of the nonces", path.clone()));
                Some(Nonces::shared(secret_file(path)?.as_bytes()))
            }
        };
        let store = match &self.store {
            Some(store) => {
                store.start(&mut Starting::of(opening))?;
                Arc::clone(store)
            }
            None => Arc::new(MemoryStore::new(REMEMBERED)),
        };
        Ok(Some(Proofs {
            url: Proofs::url(resource),
            algorithms: self.algorithms.clone(),
            leeway: self.leeway.as_secs(),
            nonces,
            store,
        }))
    }

    fn introspector(&self, opening: &mut Opening) -> Result<Option<Introspector>> {
        let Some(asking) = &self.introspection else {
            return Ok(None);
        };
        if asking.client.is_empty() {
            return Err(Error::new("the client that asks for tokens has no id")
                .help("write the id that the issuer gave this server"));
        }
        let (authorization, key) = asking.credential(opening)?;
        let settings = FetchSettings {
            authorization,
            max_response: Some(64 * 1024),
            max_per_second: Some(200),
            ..self.settings()
        };
        let at = asking.endpoint.as_deref().unwrap_or(&self.issuer);
        let client = Client::open("sdk/introspection", at, settings, opening)
            .map_err(|error| error.before("`.introspection(…)`: "))?;
        Ok(Some(Introspector {
            client,
            path: OnceLock::new(),
            client_id: asking.client.clone(),
            key,
            issuer: self.issuer.clone(),
            every: asking.every,
            good: Cache::new(self.remembered),
            bad: Cache::new(REFUSALS),
            flights: Flights::default(),
            complained: Mutex::default(),
        }))
    }
}

/// Finds and fetches the keys, so that a wrong issuer stops the start, and keeps them fresh.
async fn find_keys(
    inner: &Inner,
    configured: Option<String>,
    metadata: Option<&Metadata>,
) -> Result<()> {
    let Some(jwks) = &inner.jwks else {
        return Ok(());
    };
    let issuer = &inner.policy.issuer;
    let url = configured
        .or_else(|| metadata?.jwks_uri.clone())
        .ok_or_else(|| {
            Error::new(format!(
                "the metadata of the issuer `{issuer}` name no keys"
            ))
            .help("name them with `.jwks(\"https://…\")`")
        })?;
    jwks.locate(&url).ok_or_else(|| {
        let url = shown(&url);
        Error::new(format!(
            "the keys of the issuer `{issuer}` are at `{url}`, which is another origin"
        ))
        .help(format!(
            "if that is where they should be, add `.jwks(\"{url}\")`"
        ))
    })?;
    jwks.refresh().await.map_err(|trouble| {
        Error::new(format!("the keys of the issuer `{issuer}`: {trouble}"))
            .help("make sure that the issuer can be reached and has keys for signatures")
    })?;
    tokio::spawn(Jwks::keep_fresh(Arc::downgrade(jwks)));
    Ok(())
}

/// Finds where to ask for tokens.
fn locate_introspection(
    inner: &Inner,
    configured: Option<String>,
    metadata: Option<&Metadata>,
) -> Result<()> {
    let Some(introspector) = &inner.introspector else {
        return Ok(());
    };
    let issuer = &inner.policy.issuer;
    let help = "name the endpoint with `Introspection::at(\"https://…\")`";
    let path = match configured {
        Some(_) => introspector.client.path().to_owned(),
        None => {
            let url = metadata
                .and_then(|metadata| metadata.introspection_endpoint.as_deref())
                .ok_or_else(|| {
                    Error::new(format!(
                        "the issuer `{issuer}` says nothing of introspection"
                    ))
                    .help(help)
                })?;
            introspector.client.own(url).ok_or_else(|| {
                Error::new(format!(
                    "the issuer `{issuer}` is to be asked at `{}`, which is another origin",
                    shown(url)
                ))
                .help(help)
            })?
        }
    };
    // Set once, when the server starts.
    let _ = introspector.path.set(path);
    Ok(())
}

/// What an issuer wrote, for a message.
fn shown(text: &str) -> String {
    let start = text.chars().take(200);
    start.flat_map(char::escape_default).collect()
}
