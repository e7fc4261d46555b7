//! When a refused request may come again, for who can say it in the head of the answer.

use std::sync::{Arc, OnceLock};

use rmcp::{RoleServer, service::RequestContext};

use super::{Refusal, Verdict};

/// Travels with a request; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct RetryAfter(Arc<OnceLock<Told>>);

/// What was said to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) seconds: u64,
    /// Everybody is, not this caller alone.
    pub(crate) is_overloaded: bool,
}

impl RetryAfter {
    /// The one that came with a request, if somebody wants to know.
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Option<&Self> {
        let parts = context.extensions.get::<http::request::Parts>()?;
        parts.extensions.get()
    }

    pub(crate) fn set(&self, refusal: &Refusal) {
        if let Some(again) = &refusal.again {
            let _ = self.0.set(Told {
                seconds: again.seconds(),
                is_overloaded: refusal.verdict == Verdict::Overloaded,
            });
        }
    }

    pub(crate) fn get(&self) -> Option<Told> {
        self.0.get().copied()
    }
}
