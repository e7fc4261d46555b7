//! How often a caller may ask: in two places, because what is looked at first must not depend on
//! what is found out later.
//!
//! ```text
//! caller   behind identity, before authorization: every request costs, whatever becomes of it,
//!          or names that do not exist could be tried for nothing
//! tool     behind validation, before policies and persons: only who may call a tool, with
//!          arguments that fit, is told that it is used up, or uses it up
//! ```

mod caller;
mod tool;

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

pub(crate) use caller::CallerRateLayer;
pub(crate) use tool::ToolRateLayer;

use crate::{
    auth::Principal,
    limit::{Charge, Denied, Local, Measure, OnLoss, Rate, SharedBuckets, Sizes, Whose, network},
    limits::Limits,
    pipeline::{Journey, Refusal, Registry, code},
};

/// What both places share.
pub(crate) struct Limiter {
    local: Local,
    shared: Option<Arc<dyn SharedBuckets>>,
    principal: Rate,
    client: Rate,
    /// Of all principals of one network, if that is limited.
    address: Option<Rate>,
    repeats: u32,
}

impl Limiter {
    pub(crate) fn new(
        limits: &Limits,
        registry: &Registry,
        shared: Option<Arc<dyn SharedBuckets>>,
    ) -> Self {
        let rates = || registry.tools.iter().map(|entry| &entry.about.policy.rates);
        let rate = |per_minute, burst| Rate::new(small(per_minute), MINUTE).burst(small(burst));
        Self {
            local: Local::new(Sizes {
                keys: limits.limit_keys,
                networks: limits.address_per_minute.is_some(),
                tools: rates().any(|rates| rates.rate.is_some()),
                totals: rates().filter(|r| r.total_rate.is_some()).count(),
                repeats: rates().any(|rates| rates.repeat != Some(0)),
                days: rates().any(|r| r.quota.is_some() || r.output_quota.is_some()),
            }),
            shared,
            principal: rate(limits.principal_per_minute, limits.principal_burst),
            client: rate(limits.client_per_minute, limits.client_burst),
            address: (limits.address_per_minute)
                .map(|per_minute| Rate::new(small(per_minute), MINUTE)),
            repeats: small(limits.repeats_per_minute),
        }
    }

    /// What is taken of the caller's own buckets.
    fn of_caller<'a>(
        &self,
        principal: &'a Principal,
        peer: Option<IpAddr>,
        cost: u32,
    ) -> Vec<Charge<'a>> {
        // Issuer and subject alone: whoever registers a second client is still one person.
        let mut charges = vec![Charge {
            control: "rate/principal",
            whose: Whose::Principal,
            parts: [
                principal.issuer().into(),
                principal.subject().into(),
                "".into(),
            ],
            measure: Measure::Rate(self.principal),
            cost: cost.min(self.principal.most_at_once()).into(),
        }];
        if let Some(client) = principal.client() {
            charges.push(Charge {
                control: "rate/client",
                whose: Whose::Client,
                parts: [principal.issuer().into(), client.into(), "".into()],
                measure: Measure::Rate(self.client),
                cost: cost.min(self.client.most_at_once()).into(),
            });
        }
        if let (Some(rate), Some(peer)) = (self.address, peer) {
            let (kind, bits) = network(peer);
            charges.push(Charge {
                control: "rate/address",
                whose: Whose::Address,
                parts: [format!("{kind}:{bits:x}").into(), "".into(), "".into()],
                measure: Measure::Rate(rate),
                cost: cost.min(rate.most_at_once()).into(),
            });
        }
        charges
    }

    fn take_local(&self, charges: &[Charge<'_>]) -> Result<(), Refusal> {
        self.local
            .take(charges)
            .map_err(|denied| refusal(denied, charges))
    }

    /// One question for all of them; or what holds while nobody answers.
    async fn take_shared(
        &self,
        shared: &dyn SharedBuckets,
        charges: &[Charge<'_>],
        journey: &Journey,
    ) -> Result<(), Refusal> {
        let denied = match shared.take(charges).await {
            Ok(()) => return Ok(()),
            Err(denied) => denied,
        };
        match (denied, shared.on_loss()) {
            (Denied::Lost, OnLoss::Local { replicas }) => {
                journey.limited_locally.store(true, Ordering::Relaxed);
                let parts: Vec<_> = charges.iter().map(|c| part_of(c, replicas)).collect();
                self.take_local(&parts)
            }
            _ => Err(refusal(denied, charges)),
        }
    }
}

/// What one replica of so many may give out of a bucket.
fn part_of<'a>(charge: &Charge<'a>, replicas: u32) -> Charge<'a> {
    let mut part = charge.clone();
    part.measure = charge.measure.divided_by(replicas);
    if let Measure::Rate(rate) = part.measure {
        part.cost = charge.cost.min(rate.most_at_once().into());
    }
    if matches!(
        charge.whose,
        Whose::Principal | Whose::Client | Whose::Address
    ) {
        // The whole bucket is in this table as well.
        let [_, _, last] = &mut part.parts;
        *last = Cow::Borrowed("part");
    }
    part
}

fn refusal(denied: Denied, charges: &[Charge<'_>]) -> Refusal {
    match denied {
        Denied::Limit(index, wait) => {
            let Some(charge) = charges.get(index) else {
                return lost();
            };
            let (message, limit) = match charge.whose {
                Whose::Principal | Whose::Client => ("too many requests", None),
                Whose::Address => ("too many requests from your network", None),
                Whose::Total => ("the tool was called too often, by all together", None),
                Whose::Tool => ("the tool was called too often", None),
                Whose::Repeat => ("the same call came too often", None),
                Whose::Quota => ("the quota of the tool is used up for today", None),
                Whose::Bytes => (
                    "what the tool may answer in a day is used up",
                    Some(bytes_a_day(charge.measure)),
                ),
            };
            let limit = limit.unwrap_or_else(|| charge.measure.to_string());
            let reason = format!("{} of {limit}", charge.whose.as_str());
            Refusal::denied(charge.control, code::RATE_LIMITED, message, reason)
                .again_after(wait, Some(limit))
        }
        Denied::Full(index) => {
            let kind = charges.get(index).map_or("", |c| c.whose.as_str());
            Refusal::denied(
                "rate/full",
                code::RATE_LIMITED,
                "too many callers at once",
                format!("the table has no room for a new key: {kind}"),
            )
            .again_after(SOON, None)
        }
        Denied::Lost => lost(),
    }
}

fn lost() -> Refusal {
    Refusal::denied(
        "rate/store",
        code::OVERLOADED,
        "the server cannot count requests now; try again later",
        "the shared limits cannot be reached",
    )
    .verdict(crate::pipeline::Verdict::Overloaded)
    .again_after(SOON, None)
}

fn bytes_a_day(measure: Measure) -> String {
    match measure {
        Measure::Day(bytes) => format!("{}/day", crate::manifest::size(bytes)),
        Measure::Rate(rate) => rate.to_string(),
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(1);
