//! What Authorize made of a request, for who must know it before the answer begins.
//!
//! A session's answer is a stream whose status is said before the request is looked at, and a
//! status cannot be taken back: a caller who only lacks a scope would get 200. So the HTTP ring
//! leaves one of these with the request, and waits for it.

use std::sync::{Arc, OnceLock};

use rmcp::{RoleServer, service::RequestContext};
use tokio::sync::Notify;

/// Travels with a request; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Decided(Arc<Inner>);

#[derive(Default)]
struct Inner {
    challenge: OnceLock<Option<&'static [&'static str]>>,
    known: Notify,
}

impl Decided {
    /// The one that came with a request, if somebody waits.
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Option<&Self> {
        context
            .extensions
            .get::<http::request::Parts>()?
            .extensions
            .get()
    }

    /// The decision: all scopes that the caller must come back with, or `None` if that would
    /// change nothing.
    pub(crate) fn set(&self, challenge: Option<&'static [&'static str]>) {
        let _ = self.0.challenge.set(challenge);
        self.0.known.notify_waiters();
    }

    /// The decision, if there is one already.
    pub(crate) fn get(&self) -> Option<Option<&'static [&'static str]>> {
        self.0.challenge.get().copied()
    }

    /// Waits for the decision. Whoever waits must have another end too: a request that an outer
    /// layer refuses is never decided on.
    pub(crate) async fn wait(&self) -> Option<&'static [&'static str]> {
        let known = self.0.known.notified();
        tokio::pin!(known);
        loop {
            known.as_mut().enable();
            if let Some(decided) = self.get() {
                return decided;
            }
            known.as_mut().await;
            known.set(self.0.known.notified());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_decision_is_heard_before_and_after_it_is_waited_for_and_the_first_one_stays() {
        let early = Decided::default();
        early.set(Some(&["a"]));
        early.set(None);
        assert_eq!(early.wait().await, Some(["a"].as_slice()));

        let late = Decided::default();
        let (seen, ()) = futures::future::join(late.wait(), async {
            tokio::task::yield_now().await;
            late.clone().set(None);
        })
        .await;
        assert_eq!(seen, None);
    }
}
