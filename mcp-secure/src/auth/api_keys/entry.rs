//! What the file knows of a key.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Lifetime, MOST_KEYS, NewKey, key};
use crate::{Error, Result};

/// A key as the file has it: all but the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    id: String,
    #[serde(with = "hex")]
    sha256: [u8; 32],
    subject: String,
    scopes: BTreeSet<String>,
    created: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<DateTime<Utc>>,
    /// Said by name: who forgets `expires` has not said it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_expiry: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<DateTime<Utc>>,
}

/// Whether a key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// It is.
    Active,
    /// Not before its time.
    NotYet,
    /// Not after its time.
    Expired,
    /// Not any more, whatever its time.
    Revoked,
}

impl ApiKey {
    pub(super) fn new(
        id: String,
        sha256: [u8; 32],
        new: &NewKey,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let (expires, no_expiry) = match new.lifetime {
            Lifetime::Until(moment) => (Some(to_second(moment)?), false),
            Lifetime::NoExpiry => (None, true),
        };
        let entry = Self {
            id,
            sha256,
            subject: new.subject.clone(),
            scopes: new.scopes.iter().cloned().collect(),
            created: now,
            not_before: new.not_before.map(to_second).transpose()?,
            expires,
            no_expiry,
            revoked: None,
        };
        entry.check()?;
        let begins = entry.not_before.unwrap_or(now).max(now);
        if entry.expires.is_some_and(|expires| expires <= begins) {
            return Err(Error::new("the key would be over before it is good")
                .help("let `--expires` be after now and after `--not-before`"));
        }
        Ok(entry)
    }

    /// The next key of the same holder; this one ends after `overlap`.
    pub(super) fn succeed(
        &mut self,
        id: String,
        sha256: [u8; 32],
        lifetime: Option<Lifetime>,
        overlap: Duration,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let state = self.state(SystemTime::from(now));
        if matches!(state, KeyState::Revoked | KeyState::Expired) {
            return Err(Error::new(format!("the key `{}` is {state}", self.id))
                .help("there is nothing to overlap with: use `mcp-secure keys add`"));
        }
        let lifetime = match (lifetime, self.expires) {
            (Some(lifetime), _) => lifetime,
            (None, Some(expires)) => {
                let begun = self.not_before.unwrap_or(self.created).max(self.created);
                let until = now.checked_add_signed(expires - begun);
                Lifetime::Until(until.ok_or_else(too_late)?.into())
            }
            (None, None) => {
                return Err(Error::new(format!(
                    "the key `{}` has no end, and the new one needs to have it said",
                    self.id
                ))
                .help("add `--expires`, or `--no-expiry` once more"));
            }
        };
        let new = NewKey::new(self.subject.clone(), lifetime).scopes(self.scopes.clone());
        let successor = Self::new(id, sha256, &new, now)?;
        let over = TimeDelta::from_std(overlap)
            .ok()
            .and_then(|overlap| now.checked_add_signed(overlap))
            .ok_or_else(too_late)?;
        // Never longer than it was to live.
        self.expires = Some(self.expires.map_or(over, |expires| expires.min(over)));
        self.no_expiry = false;
        Ok(successor)
    }

    pub(super) fn revoke(&mut self, now: DateTime<Utc>) {
        self.revoked.get_or_insert(now);
    }

    /// By which it is named, in lists and logs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What its holder may do, sorted.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    /// When it was made.
    pub fn created(&self) -> SystemTime {
        self.created.into()
    }

    /// From when it is good, where that is not since it was made.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before.map(Into::into)
    }

    /// When it ends, if it ends.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.map(Into::into)
    }

    /// Whether it is taken at this moment.
    pub fn state(&self, now: SystemTime) -> KeyState {
        let now = DateTime::<Utc>::from(now);
        if self.revoked.is_some() {
            KeyState::Revoked
        } else if self.expires.is_some_and(|expires| now >= expires) {
            KeyState::Expired
        } else if self.not_before.is_some_and(|begins| now < begins) {
            KeyState::NotYet
        } else {
            KeyState::Active
        }
    }

    #[cfg(feature = "http")]
    pub(crate) fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What holds for each key by itself. No word repeats what might be a secret in a wrong place.
    fn check(&self) -> Result<()> {
        if !key::is_id(&self.id) {
            return Err(Error::new("the id of a key is not one"));
        }
        let fail = |what: &str| Error::new(format!("the key `{}` {what}", self.id));
        if self.expires.is_some() == self.no_expiry {
            return Err(fail("has to have either `expires` or `no_expiry`"));
        }
        let graphic = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=128).contains(&self.subject.len()) || !graphic(&self.subject) {
            return Err(fail(
                "has a subject that is not 1 to 128 visible ASCII characters",
            ));
        }
        // RFC 6749 appendix A.4.
        let scope = |scope: &String| {
            (1..=128).contains(&scope.len()) && graphic(scope) && !scope.contains(['"', '\\'])
        };
        if self.scopes.len() > 64 || !self.scopes.iter().all(scope) {
            return Err(fail("has a scope that is none, or more than 64 of them"));
        }
        Ok(())
    }
}

/// What holds for all keys of a file.
pub(super) fn check_all(keys: &[ApiKey]) -> Result<()> {
    if keys.len() > MOST_KEYS {
        return Err(Error::new(format!("there are more than {MOST_KEYS} keys"))
            .help("forget those that are over with `mcp-secure keys prune`, or use an authorization server"));
    }
    let mut ids = BTreeSet::new();
    for key in keys {
        key.check()?;
        if !ids.insert(&key.id) {
            return Err(Error::new(format!("the key `{}` occurs twice", key.id)));
        }
    }
    Ok(())
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::NotYet => "not yet",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

fn to_second(moment: SystemTime) -> Result<DateTime<Utc>> {
    // `From` would panic beyond the years that chrono knows.
    let since = moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| Error::new("a time before 1970 is no time of a key"))?;
    i64::try_from(since.as_secs())
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .filter(|moment| moment.timestamp() < YEAR_10000)
        .map(|moment| moment.trunc_subsecs(0))
        .ok_or_else(too_late)
}

fn too_late() -> Error {
    Error::new("the time is too far away").help("use a date before the year 10000")
}

mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::hex::hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("not SHA-256 in lower case hexadecimal");
        let digit = |b: &u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(wrong()),
        };
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            if let [high, low] = pair {
                *byte = digit(high)? << 4 | digit(low)?;
            }
        }
        Ok(bytes)
    }
}

/// 10000-01-01T00:00:00Z: RFC 3339 has no later years.
const YEAR_10000: i64 = 253_402_300_800;
