//! The last net: a secret of the vault in something that leaves the process by another way than
//! its own request. A tool may have it from a file that it was granted, from the server that it
//! is for, from whoever typed it into a question; it may be in an error of a library or in a line
//! of a log. What leaves goes past one place ([`crate::layer::guard`]), and that place asks here.
//!
//! This is a net below the others and no wall: it knows the spellings that [`Redactor`] does. It
//! knows what was opened for the server at its start, not what each caller has.
//!
//! A canary is a secret that nothing spends. Who finds it in the vault, in a backup of it or in a
//! prompt and uses it says that it was found.

use std::sync::{Arc, PoisonError, RwLock};

use super::Redactor;

/// What was found, as the record says it.
pub(crate) const CREDENTIAL: &str = "vault-credential";
pub(crate) const CANARY: &str = "vault-canary";

/// The secrets of this process. A server has one vault; tests have several servers.
static LIVE: RwLock<Option<Arc<Live>>> = RwLock::new(None);

struct Live {
    spent: Option<Redactor>,
    canaries: Option<Redactor>,
}

/// From now on these are looked for, too.
pub(super) fn arm(spent: Option<Redactor>, canaries: Option<Redactor>) {
    let mut live = LIVE.write().unwrap_or_else(PoisonError::into_inner);
    *live = Some(Arc::new(Live { spent, canaries }));
}

/// The text without them, and what was found; nothing if nothing was.
pub(crate) fn redact(text: &str, mut found: impl FnMut(&'static str)) -> Option<String> {
    let live = live()?;
    let mut clean: Option<String> = None;
    for (redactor, kind) in [(&live.spent, CREDENTIAL), (&live.canaries, CANARY)] {
        let Some(redactor) = redactor else { continue };
        let now = clean.as_deref().unwrap_or(text);
        if let Some((without, count)) = redactor.text(now) {
            (0..count).for_each(|_| found(kind));
            clean = Some(without);
        }
    }
    clean
}

/// Whether there is one.
pub(crate) fn is_in(text: &str) -> bool {
    live().is_some_and(|live| {
        let mut all = [&live.spent, &live.canaries].into_iter().flatten();
        all.any(|redactor| redactor.is_in(text.as_bytes()))
    })
}

fn live() -> Option<Arc<Live>> {
    LIVE.read().unwrap_or_else(PoisonError::into_inner).clone()
}
