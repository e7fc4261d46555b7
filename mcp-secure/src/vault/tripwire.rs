//! The last net: a secret of the vault in something that leaves the process by another way than
//! its own request. A tool may have it from a file that it was granted, from the server that it
//! is for, from whoever typed it into a question; it may be in an error of a library or in a line
//! of a log. What leaves goes past one place ([`crate::layer::guard`]), and that place asks here.
//!
//! This is a net below the others and no wall: it knows the spellings that [`Redactor`] does. It
//! knows what was opened for the server at its start, what a provider gave since, and what was spent for callers
//! in the last quarter of an hour, of 32 of them at most: each is one more look at every text, and a caller's secret
//! stays in memory for as long as it is looked for.
//!
//! A canary is a secret that nothing spends. Who finds it in the vault, in a backup of it or in a
//! prompt and uses it says that it was found.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::Redactor;

/// What was found, as the record says it.
pub(crate) const CREDENTIAL: &str = "vault-credential";
pub(crate) const CANARY: &str = "vault-canary";

/// The secrets of this process. A server has one vault; tests have several servers.
static LIVE: RwLock<Option<Arc<Live>>> = RwLock::new(None);

struct Live {
    spent: Option<Arc<Redactor>>,
    canaries: Option<Arc<Redactor>>,
}

/// From now on these are looked for, too.
pub(super) fn arm(spent: Option<Redactor>, canaries: Option<Redactor>) {
    let mut live = LIVE.write().unwrap_or_else(PoisonError::into_inner);
    *live = Some(Arc::new(Live {
        spent: spent.map(Arc::new),
        canaries: canaries.map(Arc::new),
    }));
}

/// What providers gave, by the name of the credential: the newest, and the one before.
static PROVIDED: RwLock<Vec<(String, Arc<Redactor>)>> = RwLock::new(Vec::new());

/// What was spent for callers, the oldest first.
static LATER: RwLock<Vec<Later>> = RwLock::new(Vec::new());

struct Later {
    redactor: Arc<Redactor>,
    spent: Instant,
}

/// From now on this is looked for, too. Who has the one before may still tell it.
pub(super) fn know_provided(name: &str, redactor: &Arc<Redactor>) {
    let mut provided = PROVIDED.write().unwrap_or_else(PoisonError::into_inner);
    provided.retain(|(of, old)| of != name || !old.is_same(redactor));
    let older = provided.iter().filter(|(of, _)| of == name).count();
    if older > 1
        && let Some(oldest) = provided.iter().position(|(of, _)| of == name)
    {
        provided.remove(oldest);
    }
    provided.push((name.to_owned(), Arc::clone(redactor)));
}

/// The same of a caller's, for as long as it is spent now and then.
pub(super) fn know(redactor: &Arc<Redactor>) {
    let mut later = LATER.write().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    // The same once more is moved to the end.
    later.retain(|one| now - one.spent < KEPT && !one.redactor.is_same(redactor));
    if later.len() >= MOST {
        later.remove(0);
    }
    later.push(Later {
        redactor: Arc::clone(redactor),
        spent: now,
    });
}

/// All that are looked for, with what each is.
fn all() -> Vec<(Arc<Redactor>, &'static str)> {
    let mut all = Vec::new();
    if let Some(live) = live() {
        let of = |redactor: &Option<Arc<Redactor>>, kind| redactor.clone().map(|one| (one, kind));
        all.extend(of(&live.spent, CREDENTIAL));
        all.extend(of(&live.canaries, CANARY));
    }
    let provided = PROVIDED.read().unwrap_or_else(PoisonError::into_inner);
    all.extend(
        provided
            .iter()
            .map(|(_, one)| (Arc::clone(one), CREDENTIAL)),
    );
    let later = LATER.read().unwrap_or_else(PoisonError::into_inner);
    let recent = later.iter().filter(|one| one.spent.elapsed() < KEPT);
    all.extend(recent.map(|one| (Arc::clone(&one.redactor), CREDENTIAL)));
    all
}

/// The text without them, and what was found; nothing if nothing was.
pub(crate) fn redact(text: &str, mut found: impl FnMut(&'static str)) -> Option<String> {
    let mut clean: Option<String> = None;
    for (redactor, kind) in all() {
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
    all()
        .iter()
        .any(|(redactor, _)| redactor.is_in(text.as_bytes()))
}

fn live() -> Option<Arc<Live>> {
    LIVE.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// For how long something is looked for after it was spent last.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// Of callers.
const MOST: usize = 32;
