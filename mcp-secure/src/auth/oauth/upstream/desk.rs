//! Who is connecting an account just now. All of it is in memory, of a fixed size, and over after
//! ten minutes.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{Account, SignIn, issuer::Asked};
use crate::{auth::Principal, call::nonce};

/// The desk of one server.
pub(crate) struct Desk {
    /// As browsers write it: `https://mcp.example`.
    pub(super) origin: String,
    pub(super) door: Door,
    pub(super) server: &'static str,
    pending: Mutex<HashMap<String, Pending>>,
}

/// How it is known who is at a browser.
pub(crate) enum Door {
    /// Whoever opens the link first: there is one user of this machine who can have it.
    Link,
    /// Who signs in at the issuer of the callers' tokens.
    SignIn(Box<SignIn>),
}

/// How it stands with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Waiting,
    Connected,
    /// It was not finished, or there is none.
    Over,
}

/// One caller, on the way to one account.
struct Pending {
    caller: Principal,
    account: Account,
    until: Instant,
    /// The one browser that it is for, once it is known.
    browser: Option<Browser>,
    signing_in: Option<Begun>,
    /// At the issuer of the account.
    begun: Option<Begun>,
    /// Where a code is typed, once the issuer gave one.
    typed_at: Option<(String, Option<String>)>,
    standing: watch::Sender<Standing>,
}

/// What a browser went to an issuer with.
pub(super) struct Begun {
    state: String,
    pub(super) verifier: Zeroizing<String>,
    browser: Browser,
}

/// A digest of the cookie that a browser was given.
pub(super) type Browser = [u8; 32];

/// What is shown of a connection, and who asked for it.
pub(super) struct Shown {
    pub(super) caller: Principal,
    pub(super) account: Account,
}

/// What a browser is to a connection.
pub(super) enum Look {
    /// It is the one that it is for.
    Admitted(Shown),
    /// It has to say who is there.
    SignIn,
    /// There is none for it; by which check, if there is one for another.
    Nothing(Option<&'static str>),
}

impl Desk {
    pub(crate) fn new(origin: String, door: Door, server: &'static str) -> Self {
        Self {
            origin,
            door,
            server,
            pending: Mutex::default(),
        }
    }

    /// The number under which this caller connects this account: the one that they have, or a new
    /// one. `None`: too many are connecting.
    pub(crate) fn ask(&self, caller: &Principal, account: &Account) -> Option<String> {
        let now = Instant::now();
        let mut all = self.all();
        all.retain(|_, pending| now < pending.until);
        let is_theirs = |pending: &Pending| {
            is_same(&pending.caller, caller)
                && pending.account.is_same(account)
                && *pending.standing.borrow() == Standing::Waiting
        };
        if let Some((id, _)) = all.iter().find(|(_, pending)| is_theirs(pending)) {
            return Some(id.clone());
        }
        if all.len() >= MOST {
            return None;
        }
        let id = nonce()?;
        let pending = Pending {
            caller: caller.clone(),
            account: account.clone(),
            until: now + LIVES,
            browser: None,
            signing_in: None,
            begun: None,
            typed_at: None,
            standing: watch::channel(Standing::Waiting).0,
        };
        all.insert(id.clone(), pending);
        Some(id)
    }

    /// The link. It says nothing of anybody, and gives no right.
    pub(crate) fn link(&self, id: &str) -> String {
        format!("{}{}{id}", self.origin, super::page::PREFIX)
    }

    /// Waits until somebody has finished it, for so long at most.
    pub(crate) async fn wait(&self, id: &str, patience: Duration) -> Standing {
        let Some(mut standing) = self
            .all()
            .get(id)
            .map(|pending| pending.standing.subscribe())
        else {
            return Standing::Over;
        };
        let settled = standing.wait_for(|standing| *standing != Standing::Waiting);
        match tokio::time::timeout(patience, settled).await {
            Ok(Ok(standing)) => *standing,
            Ok(Err(_)) => Standing::Over,
            Err(_) => Standing::Waiting,
        }
    }

    pub(crate) fn settle(&self, id: &str, standing: Standing) {
        if let Some(pending) = self.live(id).as_mut().and_then(|all| all.get_mut(id)) {
            pending.standing.send_replace(standing);
        }
    }

    /// What this browser is to a connection. Where nobody signs in, the first one is it.
    pub(super) fn look(&self, id: &str, browser: &Browser) -> Look {
        let Some(mut all) = self.live(id) else {
            return Look::Nothing(None);
        };
        let Some(pending) = all.get_mut(id) else {
            return Look::Nothing(None);
        };
        if pending.browser.is_none() && matches!(self.door, Door::Link) {
            pending.browser = Some(*browser);
        }
        match &pending.browser {
            None => Look::SignIn,
            Some(its) if bool::from(its.ct_eq(browser)) => Look::Admitted(Shown {
                caller: pending.caller.clone(),
                account: pending.account.clone(),
            }),
            // Another browser of the same person has to say so, too; it then is the one.
            Some(_) if matches!(self.door, Door::SignIn(_)) => Look::SignIn,
            Some(_) => Look::Nothing(Some("upstream/browser")),
        }
    }

    /// A browser goes to say who is there. One at a time: the last one counts.
    pub(super) fn signs_in(&self, id: &str, browser: Browser, asked: &Asked) {
        if let Some(pending) = self.live(id).as_mut().and_then(|all| all.get_mut(id)) {
            pending.signing_in = Some(Begun::of(browser, asked));
        }
    }

    /// A browser comes back from there, once.
    pub(super) fn signed_in(&self, state: &str, browser: &Browser) -> Option<(String, Begun)> {
        self.take(state, browser, |pending| &mut pending.signing_in)
    }

    /// The person in this browser is known. `false`: it is not the caller.
    pub(super) fn is_person(&self, id: &str, person: &Principal, browser: Browser) -> bool {
        let mut all = self.live(id);
        let Some(pending) = all.as_mut().and_then(|all| all.get_mut(id)) else {
            return false;
        };
        // The one check that keeps a link that was sent to somebody from putting their account
        // into the name of who sent it.
        if !is_same(&pending.caller, person) {
            return false;
        }
        pending.browser = Some(browser);
        true
    }

    /// A browser goes to the issuer of the account.
    pub(super) fn begins(&self, id: &str, browser: Browser, asked: &Asked) {
        if let Some(pending) = self.live(id).as_mut().and_then(|all| all.get_mut(id)) {
            pending.begun = Some(Begun::of(browser, asked));
        }
    }

    /// A browser comes back from there, once, and is the one that went.
    pub(super) fn returns(&self, state: &str, browser: &Browser) -> Option<(String, Begun)> {
        self.take(state, browser, |pending| &mut pending.begun)
    }

    /// Where the code of a device is typed, if it has one.
    pub(super) fn typed_at(&self, id: &str) -> Option<(String, Option<String>)> {
        self.live(id)?.get(id)?.typed_at.clone()
    }

    pub(super) fn is_typed_at(&self, id: &str, typed: &(String, Option<String>)) {
        if let Some(pending) = self.live(id).as_mut().and_then(|all| all.get_mut(id)) {
            pending.typed_at = Some(typed.clone());
        }
    }

    /// Who connects what under this number.
    pub(super) fn shown(&self, id: &str) -> Option<Shown> {
        let all = self.live(id)?;
        all.get(id).map(|pending| Shown {
            caller: pending.caller.clone(),
            account: pending.account.clone(),
        })
    }

    /// By the state of a browser, which is good for once; a browser that shows the state of another
    /// one gets nothing, and uses nothing up.
    fn take(
        &self,
        state: &str,
        browser: &Browser,
        of: impl Fn(&mut Pending) -> &mut Option<Begun>,
    ) -> Option<(String, Begun)> {
        let now = Instant::now();
        let mut all = self.all();
        all.retain(|_, pending| now < pending.until);
        for (id, pending) in all.iter_mut() {
            let is_it = of(pending).as_ref().is_some_and(|begun| {
                let is_state = begun.state.as_bytes().ct_eq(state.as_bytes());
                bool::from(is_state & begun.browser.ct_eq(browser))
            });
            if is_it {
                let begun = of(pending).take()?;
                return Some((id.clone(), begun));
            }
        }
        None
    }

    /// All, if this one is still there.
    fn live(&self, id: &str) -> Option<MutexGuard<'_, HashMap<String, Pending>>> {
        let all = self.all();
        let is_live = all
            .get(id)
            .is_some_and(|pending| Instant::now() < pending.until);
        is_live.then_some(all)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    fn of(browser: Browser, asked: &Asked) -> Self {
        Self {
            state: asked.state.clone(),
            verifier: asked.verifier.clone(),
            browser,
        }
    }
}

/// Who vouches, and who it is there; not with which client, and not until when.
fn is_same(one: &Principal, other: &Principal) -> bool {
    one.issuer() == other.issuer() && one.subject() == other.subject()
}

/// What a cookie is remembered as.
pub(super) fn browser(cookie: &str) -> Browser {
    Sha256::new_with_prefix(b"mcp-secure connect browser\0")
        .chain_update(cookie)
        .finalize()
        .into()
}

/// Connections at once.
const MOST: usize = 1024;
const LIVES: Duration = Duration::from_secs(600);
