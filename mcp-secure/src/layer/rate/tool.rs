//! What a tool says of itself: how often, how many a day, how much of an answer, and how often
//! the same again. A call that a person must agree to costs when it is asked for, not a second
//! time when it is answered.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
};

use tower::Layer;

use super::{Limiter, MINUTE};
use crate::{
    definition::Rates,
    layer::{
        Enclosed,
        approve::{QUESTION, Round},
        forward_ready, refuse, take_ready,
    },
    limit::{Charge, Measure, Rate, Whose},
    pipeline::{
        Checked, CheckedOp, Journey, Refusal, Registry, ReplyFuture, arguments_digest,
        round_purpose,
    },
    state::Sealer,
};

#[derive(Clone)]
pub(crate) struct ToolRateLayer(Arc<Shared>);

struct Shared {
    limiter: Arc<Limiter>,
    registry: Arc<Registry>,
    sealer: Sealer,
}

impl ToolRateLayer {
    pub(crate) fn new(limiter: Arc<Limiter>, registry: Arc<Registry>, sealer: Sealer) -> Self {
        Self(Arc::new(Shared {
            limiter,
            registry,
            sealer,
        }))
    }
}

impl<S> Layer<S> for ToolRateLayer {
    type Service = ToolRateService<S>;

    fn layer(&self, inner: S) -> ToolRateService<S> {
        ToolRateService {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct ToolRateService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> tower::Service<Checked> for ToolRateService<S>
where
    S: Enclosed<Checked> + Clone + Send + 'static,
{
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let shared = Arc::clone(&self.shared);
        let limiter = Arc::clone(&shared.limiter);
        let journey = Arc::clone(request.journey());
        let Some(buckets) = limiter.shared.clone() else {
            let (charges, bytes) = shared.charges(&request);
            if let Err(refusal) = limiter.take_local(&charges) {
                return refuse(refusal);
            }
            drop(charges);
            let future = self.inner.call(request);
            let Some(bytes) = bytes else {
                return Box::pin(future);
            };
            return Box::pin(async move {
                let done = future.await;
                if let Some(used) = bytes.used(&journey) {
                    limiter.local.add(&used);
                }
                done
            });
        };
        let mut inner = take_ready(&mut self.inner);
        Box::pin(async move {
            let (charges, bytes) = shared.charges_of_all(&request);
            journey.is_counted.store(true, Ordering::Relaxed);
            limiter
                .take_shared(&*buckets, &charges, &journey)
                .await
                .map_err(Refusal::boxed)?;
            drop(charges);
            let done = inner.call(request).await;
            if let Some(used) = bytes.as_ref().and_then(|bytes| bytes.used(&journey)) {
                if journey.limited_locally.load(Ordering::Relaxed) {
                    limiter.local.add(&used);
                } else {
                    buckets.add(used);
                }
            }
            done
        })
    }
}

/// What is charged when the answer is known.
struct Bytes {
    tool: &'static str,
    most: u64,
}

impl Bytes {
    fn used<'a>(&self, journey: &'a Journey) -> Option<Charge<'a>> {
        let principal = journey.principal.get()?;
        let used = journey.bytes_out.load(Ordering::Relaxed);
        (used > 0).then(|| Charge {
            control: "rate/bytes",
            whose: Whose::Bytes,
            parts: [
                principal.issuer().into(),
                principal.subject().into(),
                self.tool.into(),
            ],
            measure: Measure::Day(self.most),
            cost: used,
        })
    }
}

impl Shared {
    /// With what the caller's own buckets are charged, for those who have counted nothing yet.
    fn charges_of_all<'a>(&self, request: &'a Checked) -> (Vec<Charge<'a>>, Option<Bytes>) {
        let (mut charges, bytes) = self.charges_with(request, 0);
        if charges.iter().all(|one| one.whose != Whose::Principal) {
            let peer = request.journey().peer();
            charges.extend(self.limiter.of_caller(request.principal(), peer, 1));
        }
        (charges, bytes)
    }

    /// Beyond the one that was charged when the request came.
    fn charges<'a>(&self, request: &'a Checked) -> (Vec<Charge<'a>>, Option<Bytes>) {
        self.charges_with(request, 1)
    }

    fn charges_with<'a>(
        &self,
        request: &'a Checked,
        charged: u32,
    ) -> (Vec<Charge<'a>>, Option<Bytes>) {
        let CheckedOp::Tool { index, arguments } = request.op() else {
            return (Vec::new(), None);
        };
        let Some(entry) = self.registry.tools.get(*index) else {
            return (Vec::new(), None);
        };
        let (tool, rates) = (entry.about.name, &entry.about.policy.rates);
        let run = self.run(request);
        let mut charges = Vec::with_capacity(8);
        let principal = request.principal();
        let (issuer, subject) = (principal.issuer(), principal.subject());
        let about = |control, whose, measure, cost| Charge {
            control,
            whose,
            parts: [issuer.into(), subject.into(), tool.into()],
            measure,
            cost,
        };
        if let (Run::First, Some(repeats)) = (run, self.repeats(rates)) {
            let mut same = about(
                "rate/loop",
                Whose::Repeat,
                Measure::Rate(Rate::new(repeats, MINUTE)),
                1,
            );
            // The record has a digest of them, but with a key of this server's: replicas that
            // count together need one that is the same for all.
            let noted = request.journey().arguments_digest.get();
            let with: Cow<'_, str> = match (noted, &self.limiter.shared) {
                (Some((digest, _)), None) => digest.into(),
                _ => arguments_digest(arguments).into(),
            };
            // Three parts: whose, of which tool, with what.
            same.parts = [
                format!("{}:{issuer}{subject}", issuer.len()).into(),
                tool.into(),
                with,
            ];
            charges.push(same);
        }
        if let (Run::First | Run::Again, Some(rate)) = (run, rates.rate) {
            let measure = Measure::Rate(rate);
            charges.push(about("rate/tool", Whose::Tool, measure, 1));
        }
        if let (Run::First | Run::Again, Some(rate)) = (run, rates.total_rate) {
            charges.push(Charge {
                control: "rate/total",
                whose: Whose::Total,
                parts: [tool.into(), "".into(), "".into()],
                measure: Measure::Rate(rate),
                cost: 1,
            });
        }
        if let (Run::First, Some(most)) = (run, rates.quota) {
            charges.push(about("rate/quota", Whose::Quota, Measure::Day(most), 1));
        }
        let bytes = rates.output_quota.map(|most| {
            // Only whether anything is left: how long the answer is, nobody knows yet.
            charges.push(about("rate/bytes", Whose::Bytes, Measure::Day(most), 0));
            Bytes { tool, most }
        });
        let cost = match run {
            Run::First => rates.cost.unwrap_or(1).max(1),
            Run::Again | Run::Answered => 1,
        };
        if cost > charged {
            let peer = request.journey().peer();
            charges.extend(self.limiter.of_caller(principal, peer, cost - charged));
        }
        (charges, bytes)
    }

    fn repeats(&self, rates: &Rates) -> Option<u32> {
        let repeats = rates.repeat.unwrap_or(self.limiter.repeats);
        (repeats > 0).then_some(repeats)
    }

    /// Which round of a call this is. State that does not open is no round: `approve` refuses it,
    /// and until then it costs as much as any other call.
    fn run(&self, request: &Checked) -> Run {
        let Some(carried) = &request.rounds().carried else {
            return Run::First;
        };
        let purpose = round_purpose(request);
        match self
            .sealer
            .open::<Round>(carried, request.principal(), &purpose)
        {
            Ok(round) if round.asked.iter().any(|asked| asked == QUESTION) => Run::Answered,
            Ok(_) => Run::Again,
            Err(_) => Run::First,
        }
    }
}

/// What a call has cost before.
#[derive(Clone, Copy)]
enum Run {
    /// Nothing.
    First,
    /// It was asked for, and nothing has run: its state lets it run once.
    Answered,
    /// The tool has run, and asked something of its own.
    Again,
}
