//! What a provider gave last, for as long as that is good.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::{Provided, SecretProvider};
use crate::{
    Error, Result,
    capability::net::{NetError, Target},
    vault::{NewCredential, Spent},
};

/// A credential that is asked for while the server runs.
pub(crate) struct Kept {
    name: &'static str,
    credential: NewCredential,
    /// Of the endpoint that was opened first. The hosts are held against each when it is opened.
    target: Target,
    provider: Arc<dyn SecretProvider>,
    now: RwLock<Option<Held>>,
    /// One asks at a time, and the others take what it got. When the last one failed.
    asking: tokio::sync::Mutex<Asked>,
}

struct Held {
    spent: Arc<Spent>,
    renew: Instant,
    dies: Instant,
}

#[derive(Default)]
struct Asked {
    failed: Option<Instant>,
    /// How often something was given, where the store does not count.
    count: u32,
}

impl Kept {
    pub(crate) fn new(
        name: &'static str,
        credential: NewCredential,
        target: Target,
        provider: Arc<dyn SecretProvider>,
    ) -> Self {
        Self {
            name,
            credential,
            target,
            provider,
            now: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Asks for the first time, before anything is served.
    pub(crate) async fn begin(&self) -> Result<()> {
        self.current()
            .await
            .map(drop)
            .map_err(|error| error.before(&format!("the credential `{}`: ", self.name)))
    }

    /// What is spent now.
    pub(crate) async fn spent(&self) -> std::result::Result<Arc<Spent>, NetError> {
        self.current().await.map_err(|error| NetError::Provider {
            detail: format!("`{}`: {error}", self.name),
        })
    }

    async fn current(&self) -> Result<Arc<Spent>> {
        if let Some(spent) = self.held(|held, now| now < held.renew) {
            return Ok(spent);
        }
        let mut asked = self.asking.lock().await;
        if let Some(spent) = self.held(|held, now| now < held.renew) {
            return Ok(spent);
        }
        let alive = |held: &Held, now| now < held.dies;
        // A store that is down is asked once a second, however many calls wait for it.
        if asked.failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return self.held(alive).ok_or_else(|| {
                self.forget();
                Error::new(format!("{} failed a moment ago", self.provider.kind()))
            });
        }
        match self.ask(&mut asked.count).await {
            Ok(spent) => {
                asked.failed = None;
                Ok(spent)
            }
            Err(error) => {
                tracing::warn!(name = self.name, %error, "a provider gives no credential");
                asked.failed = Some(Instant::now());
                // What is still good is spent, and nothing past its time.
                self.held(alive).ok_or_else(|| {
                    self.forget();
                    error
                })
            }
        }
    }

    async fn ask(&self, count: &mut u32) -> Result<Arc<Spent>> {
        // From before it was asked: what it says of time is true for then.
        let from = Instant::now();
        let provided = tokio::time::timeout(PATIENCE, self.provider.fetch())
            .await
            .map_err(|_| {
                Error::new(format!("{} does not answer", self.provider.kind()))
                    .help("nothing else is tried")
            })??;
        let life = provided.life.unwrap_or(LIFE).min(LONGEST);
        if life.is_zero() {
            return Err(Error::new(format!(
                "what {} gives is over already",
                self.provider.kind()
            )));
        }
        *count = count.saturating_add(1);
        let spent = Arc::new(made(&self.credential, &provided, *count, &self.target)?);
        spent.remember();
        let held = Held {
            spent: Arc::clone(&spent),
            renew: from + life.mul_f64(0.75),
            dies: from + life,
        };
        if Instant::now() >= held.dies {
            return Err(Error::new(format!(
                "what {} gives is over when it comes",
                self.provider.kind()
            )));
        }
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(spent)
    }

    fn held(&self, fits: impl Fn(&Held, Instant) -> bool) -> Option<Arc<Spent>> {
        let held = self.now.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|held| fits(held, Instant::now()))?;
        Some(Arc::clone(&held.spent))
    }

    /// What is over is not kept.
    fn forget(&self) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What is spent of a secret that was provided, at the hosts and in the place that were declared.
pub(crate) fn made(
    credential: &NewCredential,
    provided: &Provided,
    count: u32,
    target: &Target,
) -> Result<Spent> {
    let secret = credential.check(&provided.secret)?;
    let version = provided.version.unwrap_or(count);
    Spent::of(&credential.record(version), &secret, target, false)
}

/// Between two questions to a store that did not answer.
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// Of what says nothing about its time.
const LIFE: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
