//! The token that a caller came with, for the one thing that may be done with it: to be
//! exchanged. It is kept only where a grant exchanges it.
//!
//! It has no `Debug` and is read in this folder alone, so no request can be made with it; when
//! the call ends it is wiped, whoever still holds a handle.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::cache::Digest;
use crate::{auth::Principal, capability::Opening};

/// The token of one request.
#[derive(Clone)]
pub(crate) struct Inbound(Arc<Held>);

struct Held {
    token: Mutex<Option<Zeroizing<String>>>,
    digest: Digest,
    /// Seconds since 1970.
    expires: Option<u64>,
}

impl Inbound {
    /// Of a request that was admitted with it.
    pub(crate) fn new(token: Zeroizing<String>, principal: &Principal) -> Self {
        Self::until(token, principal.expires_unix())
    }

    fn until(token: Zeroizing<String>, expires: Option<u64>) -> Self {
        Self(Arc::new(Held {
            digest: crate::sha256::hash(token.as_bytes()),
            token: Mutex::new(Some(token)),
            expires,
        }))
    }

    /// `None` when the call has ended, or the token has.
    pub(super) fn token(&self, now: SystemTime) -> Option<Zeroizing<String>> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        if self.0.expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        let token = self.0.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.0.digest
    }

    pub(super) fn expires(&self) -> Option<u64> {
        self.0.expires
    }

    fn wipe(&self) {
        let mut token = self.0.token.lock().unwrap_or_else(PoisonError::into_inner);
        *token = None;
    }
}

/// Wipes the token when the call ends, however it ends.
pub(crate) struct InboundGuard(pub(crate) Option<Inbound>);

impl Drop for InboundGuard {
    fn drop(&mut self) {
        if let Some(inbound) = &self.0 {
            inbound.wipe();
        }
    }
}

/// Whether some grant exchanges tokens, and which.
#[derive(Default)]
struct Wanted(Option<&'static str>);

/// Says that a grant does.
pub(super) fn want(by: &'static str, opening: &mut Opening) {
    if let Some(wanted) = opening.shared::<Wanted>() {
        wanted.0.get_or_insert(by);
    }
}

/// The first grant that exchanges tokens.
pub(crate) fn wanted(opening: &mut Opening) -> Option<&'static str> {
    opening.shared::<Wanted>()?.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_is_gone_with_the_call_and_with_its_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let inbound = Inbound::until(Zeroizing::new("t0ken".to_owned()), Some(100));
        let kept = inbound.clone();
        let token = |inbound: &Inbound, now| inbound.token(at(now)).map(|t| t.to_string());
        assert_eq!(token(&inbound, 99).as_deref(), Some("t0ken"));
        assert_eq!(token(&inbound, 100), None);
        drop(InboundGuard(Some(inbound)));
        assert_eq!(token(&kept, 99), None, "whoever kept it");
    }
}
