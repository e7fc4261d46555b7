//! Limits that replicas share: all buckets of a request in one question, on the clock of Redis.

use std::{path::Path, sync::OnceLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use redis::{Cmd, Value};
use sha2::{Digest as _, Sha256};

use super::{RedisStore, link::Link};
use crate::{
    error::Result,
    limit::{Charge, Denied, Measure, OnLoss, SharedBuckets},
    state::{Starting, Store as _},
};

/// Counts for all replicas of a server, in a Redis: a rate of 10 a minute is 10 a minute
/// whichever replica is asked, and a quota for the day outlives a restart.
///
/// ```
/// use mcp_secure::state::{OnLoss, RedisLimits, RedisStore};
///
/// RedisLimits::on(RedisStore::at("rediss://redis.internal:6379").password_file("/run/secrets/redis"))
///     .on_loss(OnLoss::Local { replicas: 3 });
/// ```
///
/// What is counted together are the limits of callers and tools: rates, quotas, bytes, repetitions.
/// How many run at once is each server's own. Every request is one script on the server's clock,
/// which takes from all of its buckets or from none. A key is a hash, and goes when its bucket is
/// full again, so Redis holds as many as there are callers with something used up.
///
/// The user of the ACL needs `+info`, `+eval`, `+evalsha`, `+get`, `+set`, `+time` and the keys
/// `~NAMESPACE:*`. What cannot be relied on stops the start, as for [`RedisStore`].
#[must_use = "limits hold once a server has them"]
pub struct RedisLimits {
    store: RedisStore,
    on_loss: OnLoss,
    link: OnceLock<Link>,
}

impl RedisLimits {
    /// In this Redis. It may be the one that remembers what was used once.
    pub fn on(store: RedisStore) -> Self {
        Self {
            store,
            on_loss: OnLoss::Refuse,
            link: OnceLock::new(),
        }
    }

    /// What is done while it does not answer: requests are refused, unless this says otherwise.
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    pub(crate) fn start(&self, starting: &mut Starting<'_>) -> Result<()> {
        if self.link.get().is_some() {
            return Ok(());
        }
        let link = self.store.open(starting, "limits")?;
        let probe = self.ask_for(&[]);
        let asking = link.clone();
        starting.opening().ready.push(Box::pin(async move {
            let answers = |value: &Value| judge(value) == Some(Ok(()));
            asking.prove(probe, answers).await
        }));
        // Only one thread starts a server.
        let _ = self.link.set(link);
        Ok(())
    }

    pub(crate) fn terms(&self) -> Vec<String> {
        let mut terms = self.store.terms_of("limits are counted");
        terms.push(match self.on_loss {
            OnLoss::Refuse => "while limits cannot be counted, requests are refused".to_owned(),
            OnLoss::Local { replicas } => format!(
                "while limits cannot be counted together, each of {replicas} replicas has its part"
            ),
        });
        terms
    }

    pub(crate) fn secret_path(&self) -> Option<&Path> {
        self.store.secret_path()
    }

    /// By its digest, and whole for a server that does not know it yet.
    fn ask_for(&self, charges: &[(Charge<'_>, bool)]) -> [Cmd; 2] {
        ["EVALSHA", "EVAL"].map(|name| {
            let mut command = redis::cmd(name);
            command.arg(if name == "EVAL" { SCRIPT } else { DIGEST });
            command.arg(charges.len());
            for (charge, _) in charges {
                command.arg(self.key(charge));
            }
            for (charge, is_used) in charges {
                let micros = |nanos: u64| nanos.div_ceil(1000);
                let (kind, most, tolerance) = match charge.measure {
                    Measure::Rate(rate) => {
                        let step = micros(rate.step());
                        ("r", step, step.saturating_mul(rate.most_at_once().into()))
                    }
                    Measure::Day(_) if *is_used => ("a", 0, 0),
                    Measure::Day(most) => ("d", most, 0),
                };
                command.arg(kind).arg(charge.cost).arg(most).arg(tolerance);
            }
            command
        })
    }

    /// Under the namespace, and hashed: nobody chooses a key or reads who was there.
    fn key(&self, charge: &Charge<'_>) -> String {
        let mut hash = Sha256::new_with_prefix(b"mcp-secure limits\0");
        let parts = charge.parts.iter().map(AsRef::as_ref);
        for part in std::iter::once(charge.whose.as_str()).chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = URL_SAFE_NO_PAD.encode(hash.finalize());
        format!("{}:{digest}", self.store.namespace)
    }
}

/// What the benchmarks measure.
#[cfg(feature = "__bench")]
impl RedisLimits {
    /// What a call of a tool with a rate asks, by the script's digest and with the script.
    #[doc(hidden)]
    pub fn check_for_bench(&self, who: &str) -> [Cmd; 2] {
        use crate::limit::{Rate, Whose};
        let rate = Rate::new(1_000_000, Duration::from_secs(3600));
        let charge = |whose, last: &'static str| {
            let charge = Charge {
                control: "rate/tool",
                whose,
                parts: ["https://issuer.example".into(), who.into(), last.into()],
                measure: Measure::Rate(rate),
                cost: 1,
            };
            (charge, false)
        };
        self.ask_for(&[
            charge(Whose::Principal, ""),
            charge(Whose::Tool, "publish"),
            charge(Whose::Repeat, "digest"),
        ])
    }
}

impl SharedBuckets for RedisLimits {
    fn take<'a>(
        &'a self,
        charges: &'a [Charge<'a>],
    ) -> BoxFuture<'a, std::result::Result<(), Denied>> {
        Box::pin(async move {
            // Without a server that started it there is no way to it.
            let link = self.link.get().ok_or(Denied::Lost)?;
            let charges: Vec<_> = charges.iter().map(|c| (c.clone(), false)).collect();
            let answer = link.ask_script(self.ask_for(&charges)).await;
            answer
                .ok()
                .and_then(|answer| judge(&answer))
                .unwrap_or(Err(Denied::Lost))
        })
    }

    fn add(&self, charge: Charge<'_>) {
        let Some(link) = self.link.get().cloned() else {
            return;
        };
        let asked = self.ask_for(&[(charge, true)]);
        tokio::spawn(async move { link.ask_script(asked).await });
    }

    fn on_loss(&self) -> OnLoss {
        self.on_loss
    }
}

/// `None` if that is no answer of the script's.
fn judge(answer: &Value) -> Option<std::result::Result<(), Denied>> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [Value::Int(place), Value::Int(micros)] = parts.as_slice() else {
        return None;
    };
    let micros = Duration::from_micros(u64::try_from(*micros).ok()?);
    Some(match usize::try_from(*place).ok()?.checked_sub(1) {
        None => Ok(()),
        Some(index) => Err(Denied::Limit(index, micros)),
    })
}

const SCRIPT: &str = include_str!("limits.lua");

/// SHA-1 of it, as Redis names scripts. If it were wrong the whole script would be sent each time:
/// `tests/oauth` counts that it is sent once.
const DIGEST: &str = "9defb3cebe72244a1cb167f28a68dc3aca9faaae";
