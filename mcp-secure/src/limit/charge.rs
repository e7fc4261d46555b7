//! What one request takes, and from where.

use std::{borrow::Cow, time::Duration};

use futures::future::BoxFuture;

use super::Rate;

/// What is to be taken from one bucket.
#[derive(Clone)]
pub(crate) struct Charge<'a> {
    /// Which control refuses when there is not enough.
    pub(crate) control: &'static str,
    pub(crate) whose: Whose,
    /// Whom or what it is about. Each part is hashed with its length, so that no two share a key.
    pub(crate) parts: [Cow<'a, str>; 3],
    pub(crate) measure: Measure,
    /// How much is taken; with zero it is only looked whether there is anything left.
    pub(crate) cost: u64,
}

/// Which kind of bucket: no two kinds share a key, and each has a table of its own where keys
/// are cheap to make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Principal,
    Client,
    Address,
    Tool,
    Total,
    Repeat,
    Quota,
    Bytes,
}

impl Whose {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Client => "client",
            Self::Address => "address",
            Self::Tool => "tool",
            Self::Total => "total",
            Self::Repeat => "repeat",
            Self::Quota => "quota",
            Self::Bytes => "bytes",
        }
    }
}

/// How it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// A bucket that fills up again all the time.
    Rate(Rate),
    /// So much in one day of UTC.
    Day(u64),
}

impl Measure {
    pub(crate) fn divided_by(self, replicas: u32) -> Self {
        match self {
            Self::Rate(rate) => Self::Rate(rate.divided_by(replicas)),
            Self::Day(most) => Self::Day((most / u64::from(replicas.max(1))).max(1)),
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Day(most) => write!(f, "{most}/day"),
        }
    }
}

/// Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The charge at this place found too little; it is worth asking again after this time.
    Limit(usize, Duration),
    /// There is no room for a key that is not known yet.
    Full(usize),
    /// What is shared between replicas does not answer.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Lost,
}

/// Buckets that replicas share.
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) trait SharedBuckets: Send + Sync + 'static {
    /// Takes all of these, or nothing, in one question.
    fn take<'a>(&'a self, charges: &'a [Charge<'a>]) -> BoxFuture<'a, Result<(), Denied>>;

    /// Takes what has been used already; what is lost on the way is not worth a refusal.
    fn add(&self, charge: Charge<'_>);

    /// What is done while they do not answer.
    fn on_loss(&self) -> OnLoss;
}

/// What is done while the shared buckets do not answer.
#[cfg_attr(
    not(feature = "redis"),
    allow(unreachable_pub, dead_code, reason = "nothing is shared without")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLoss {
    /// Requests are refused: no limit holds that nobody counts.
    Refuse,
    /// Each replica counts for itself, and has its part of each limit. Together they admit at
    /// most what one limit does, as long as there are not more of them than this.
    Local {
        /// How many replicas there are at most.
        replicas: u32,
    },
}
