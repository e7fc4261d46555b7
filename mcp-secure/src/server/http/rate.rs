//! How often one network may ask, before anybody is asked who they are.
//!
//! What a token costs to check is paid by the server, so a flood of bad ones must end before
//! the check. Peers are told apart by the network they can roam in (IPv4 /24, IPv6 /56: a
//! limit on single IPv6 addresses limits nobody), and each has one GCRA bucket.
//!
//! The table has a fixed size. Where it is full, a *new* network waits and a known one keeps
//! its bucket: if buckets were evicted, a flood of addresses would give everybody a fresh one.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures::future::{Either, Ready, ready as now};
use http::{HeaderValue, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

pub(crate) use crate::limit::network;

use super::{
    body::Body,
    refusal::{RATE, Tally},
};

/// How often one network may ask: an IPv4 /24 or an IPv6 /56.
///
/// A request costs one. One that fails to authenticate costs `failure` more, so that guessing
/// is slow however fast asking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRate {
    /// Requests a second, in the long run. 100. A TLS connection is counted likewise, in a
    /// bucket of its own.
    pub per_second: u32,
    /// Requests at once after a pause. 500.
    pub burst: u32,
    /// What a failed authentication costs beyond its request. 20.
    pub failure: u32,
    /// Networks with a bucket at once, some 17 bytes each; one whose bucket is full again is
    /// forgotten. 16,384.
    pub networks: usize,
}

impl Default for PeerRate {
    fn default() -> Self {
        Self {
            per_second: 100,
            burst: 500,
            failure: 20,
            networks: 16_384,
        }
    }
}

impl PeerRate {
    pub(super) fn narrowed_by(self, other: Self) -> Self {
        Self {
            per_second: self.per_second.min(other.per_second),
            burst: self.burst.min(other.burst),
            failure: self.failure.max(other.failure),
            networks: self.networks.min(other.networks),
        }
    }

    pub(super) fn is_usable(self) -> bool {
        self.per_second > 0 && self.burst > 0 && (WAYS..=1 << 24).contains(&self.networks)
    }
}

/// The buckets of all networks.
pub(crate) struct Limiter {
    /// Nanoseconds that one request costs.
    step: u64,
    /// How far ahead of the clock a bucket may be.
    tolerance: u64,
    failure: u64,
    /// Keyed anew at each start: nobody can choose addresses that share a set.
    hasher: RandomState,
    start: Instant,
    sets: Box<[Mutex<[Bucket; WAYS]>]>,
}

/// Free when `full_at` has passed: it is then what a network has that was never seen.
#[derive(Clone, Copy, Default)]
struct Bucket {
    tag: u64,
    /// GCRA's theoretical arrival time, in nanoseconds since the start.
    full_at: u64,
}

/// What is counted in a bucket of its own.
#[derive(Clone, Copy, Hash)]
enum What {
    Request,
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    Connection,
}

impl Limiter {
    pub(crate) fn new(rate: PeerRate) -> Self {
        let step = SECOND / u64::from(rate.per_second.max(1));
        let sets = (rate.networks / WAYS).max(1);
        Self {
            step,
            tolerance: step.saturating_mul(u64::from(rate.burst)),
            failure: step.saturating_mul(u64::from(rate.failure)),
            hasher: RandomState::new(),
            start: Instant::now(),
            sets: (0..sets).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes the price of one request; or says how long to wait, and takes nothing.
    fn request(&self, peer: IpAddr) -> Result<(), Duration> {
        self.charge(What::Request, peer, self.clock())
    }

    /// Takes the price of one TLS connection, before the handshake costs anything.
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub(crate) fn connection(&self, peer: IpAddr) -> Result<(), Duration> {
        self.charge(What::Connection, peer, self.clock())
    }

    fn clock(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn charge(&self, what: What, peer: IpAddr, now: u64) -> Result<(), Duration> {
        self.bucket(what, peer, now, |bucket| {
            let Some(bucket) = bucket else {
                return Err(FULL);
            };
            let full_at = bucket.full_at.max(now).saturating_add(self.step);
            let ahead = full_at - now;
            if ahead > self.tolerance {
                return Err(Duration::from_nanos(ahead - self.tolerance));
            }
            bucket.full_at = full_at;
            Ok(())
        })
    }

    /// Takes the price of a failure. It may leave a debt, of at most one whole bucket: whoever
    /// stops failing is served again soon.
    fn fail(&self, peer: IpAddr, now: u64) {
        self.bucket(What::Request, peer, now, |bucket| {
            if let Some(bucket) = bucket {
                let most = now.saturating_add(self.tolerance.saturating_mul(2));
                let full_at = bucket.full_at.max(now).saturating_add(self.failure);
                bucket.full_at = full_at.min(most).max(bucket.full_at);
            }
        });
    }

    /// The bucket of this network, or a free one for it; `None` if its set has neither.
    fn bucket<T>(
        &self,
        what: What,
        peer: IpAddr,
        now: u64,
        with: impl FnOnce(Option<&mut Bucket>) -> T,
    ) -> T {
        let tag = self.hasher.hash_one((what, network(peer)));
        // The low bits choose the set; the whole of it is compared.
        let count = self.sets.len() as u64;
        let index = usize::try_from(tag % count).unwrap_or(0);
        let Some(set) = self.sets.get(index) else {
            return with(None);
        };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let live = |bucket: &Bucket| bucket.full_at > now;
        let known = set.iter().position(|b| live(b) && b.tag == tag);
        let place = known.or_else(|| set.iter().position(|b| !live(b)));
        let bucket = place.and_then(|place| set.get_mut(place));
        with(bucket.map(|bucket| {
            if known.is_none() {
                *bucket = Bucket { tag, full_at: 0 };
            }
            bucket
        }))
    }
}

/// Puts a [`Limiter`] in front of a service.
pub(crate) struct RateLayer {
    limiter: Option<Arc<Limiter>>,
    tally: Tally,
}

/// A service behind a [`Limiter`].
#[derive(Clone)]
pub(crate) struct Rated<S> {
    limiter: Option<Arc<Limiter>>,
    tally: Tally,
    inner: S,
}

impl RateLayer {
    pub(crate) fn new(limiter: &Option<Arc<Limiter>>, tally: &Tally) -> Self {
        // A peer without an address is one user of this machine.
        let limiter = limiter.as_ref().filter(|_| tally.peer().is_some());
        Self {
            limiter: limiter.cloned(),
            tally: tally.clone(),
        }
    }
}

impl<S> Layer<S> for RateLayer {
    type Service = Rated<S>;

    fn layer(&self, inner: S) -> Rated<S> {
        Rated {
            limiter: self.limiter.clone(),
            tally: self.tally.clone(),
            inner,
        }
    }
}

impl<S, B> Service<Request<B>> for Rated<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, Paying<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let account = self.limiter.clone().zip(self.tally.peer());
        if let Some((limiter, peer)) = &account
            && let Err(wait) = limiter.request(*peer)
        {
            let mut response = self.tally.refuse(&RATE, request.version());
            let seconds = wait.as_secs().saturating_add(1);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Either::Left(now(Ok(response)));
        }
        Either::Right(Paying {
            future: self.inner.call(request),
            account,
        })
    }
}

pin_project! {
    /// Pays for a failure, if it comes to one.
    pub(crate) struct Paying<F> {
        #[pin]
        future: F,
        account: Option<(Arc<Limiter>, IpAddr)>,
    }
}

impl<F, E> Future for Paying<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(context));
        if let (Ok(response), Some((limiter, peer))) = (&answer, this.account)
            && response.status() == StatusCode::UNAUTHORIZED
        {
            limiter.fail(*peer, limiter.clock());
        }
        Poll::Ready(answer)
    }
}

const WAYS: usize = 8;
const SECOND: u64 = 1_000_000_000;
/// How long a network waits for which there is no bucket.
const FULL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn limiter(per_second: u32, burst: u32, failure: u32, networks: usize) -> Limiter {
        Limiter::new(PeerRate {
            per_second,
            burst,
            failure,
            networks,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn asks(limiter: &Limiter, peer: &str, now: u64) -> bool {
        limiter.charge(What::Request, ip(peer), now).is_ok()
    }

    #[test]
    fn a_network_has_its_burst_and_then_its_rate() {
        let limiter = limiter(10, 5, 0, 64);
        let admitted = |now| {
            (0..100)
                .filter(|_| asks(&limiter, "192.0.2.1", now))
                .count()
        };
        assert_eq!(admitted(0), 5);
        assert_eq!(admitted(SECOND / 10), 1);
        assert_eq!(admitted(SECOND / 10 + 3 * SECOND / 10), 3);
        assert_eq!(
            admitted(60 * SECOND),
            5,
            "a pause gives back the burst, no more"
        );
        assert_eq!(
            limiter.charge(What::Request, ip("192.0.2.1"), 60 * SECOND),
            Err(Duration::from_millis(100))
        );
    }

    #[test]
    fn neighbours_share_a_bucket_and_strangers_do_not() {
        for (a, b, shared) in [
            ("192.0.2.1", "192.0.2.254", true),
            ("192.0.2.1", "192.0.3.1", false),
            ("::ffff:192.0.2.1", "192.0.2.2", true),
            ("::ffff:192.0.2.1", "::ffff:198.51.100.1", false),
            ("2001:db8:1:100::1", "2001:db8:1:1ff:ffff::2", true),
            ("2001:db8:1:100::1", "2001:db8:1:200::1", false),
            ("0.0.0.1", "::1", false),
        ] {
            let limiter = limiter(1, 1, 0, 64);
            assert!(asks(&limiter, a, 0));
            assert_eq!(!asks(&limiter, b, 0), shared, "{a} {b}");
        }
    }

    #[test]
    fn a_failure_costs_more_and_the_debt_ends() {
        let limiter = limiter(10, 10, 5, 64);
        let peer = ip("192.0.2.1");
        let mut guesses = 0;
        while asks(&limiter, "192.0.2.1", 0) {
            limiter.fail(peer, 0);
            guesses += 1;
        }
        assert_eq!(guesses, 2, "of ten");
        for _ in 0..1000 {
            limiter.fail(peer, 0);
        }
        assert!(!asks(&limiter, "192.0.2.1", SECOND));
        assert!(asks(&limiter, "192.0.2.1", SECOND + SECOND / 5));
    }

    #[test]
    fn a_flood_of_networks_neither_grows_the_table_nor_resets_a_bucket() {
        let limiter = limiter(1, 3, 0, 64);
        assert!((0..3).all(|_| asks(&limiter, "192.0.2.1", 0)));
        assert!(!asks(&limiter, "192.0.2.1", 0));
        let strangers = (0_u32..10_000)
            .filter(|n| {
                let peer = IpAddr::V4((0x0a00_0000 + (n << 8)).into());
                limiter.charge(What::Request, peer, 0).is_ok()
            })
            .count();
        assert!(strangers <= 63, "{strangers}");
        assert!(!asks(&limiter, "192.0.2.1", 0));
        assert!(asks(&limiter, "192.0.2.1", SECOND));
        // Buckets that are full again make place.
        let later = 10 * SECOND;
        assert!(asks(&limiter, "203.0.113.1", later));
    }
}
