//! What was asked and not answered yet, and the answer. Both are cells of the store that are
//! written once, so whichever replica hears first, all of them read the same; and the answer of
//! a second tab, a second click or a second person at the same moment changes nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::Notify;

use crate::{
    auth::{Assurance, Principal},
    call::nonce,
    state::{Sealer, Store, StoreError},
};

/// What a person is asked about: one call, with all that it was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Who called. Nobody else sees it or answers it, unless the policy asks others.
    pub(crate) caller: Person,
    /// The OAuth client that called for them.
    pub(crate) client: Option<String>,
    /// The server's name.
    pub(crate) server: String,
    /// The digest of the manifest that was served: another version of a tool is another tool.
    pub(crate) manifest: String,
    pub(crate) tool: String,
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    /// What it may do, a line each.
    pub(crate) effects: Vec<String>,
    /// Why a person must agree, beyond what the tool's handles say.
    pub(crate) held: Option<String>,
    /// All arguments, as they will be given to the tool.
    pub(crate) arguments: serde_json::Map<String, serde_json::Value>,
    /// Of the operation and its arguments, exact in every digit.
    pub(crate) purpose: String,
    /// How many persons must agree.
    pub(crate) people: u8,
    /// Who called may not be one of them; who signs in on the page needs this scope.
    pub(crate) others_only: Option<String>,
    /// Seconds since 1970, for the person; what counts is the store's own clock.
    pub(crate) until: u64,
}

/// Somebody, at the issuer that vouches for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

impl Person {
    pub(crate) fn of(principal: &Principal) -> Self {
        Self {
            issuer: principal.issuer().to_owned(),
            subject: principal.subject().to_owned(),
        }
    }
}

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) yes: bool,
    pub(crate) by: Person,
    pub(crate) how: How,
}

/// What an answer proves, as audit records say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// Whoever answered had signed in at the issuer, as the caller or another person.
    Page,
    /// Whoever answered had the link. It was shown to the client, which may have used it itself.
    Link,
    /// An approver outside of the client and of the page.
    Outside,
}

impl How {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Link => "page-link",
            Self::Outside => "out-of-band",
        }
    }
}

/// Where a question stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Waiting,
    /// As many as were needed; the last of them.
    Agreed(Decision),
    Refused,
    /// Nobody said enough in time, or it was never asked.
    Gone,
}

/// How much may be pending at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) of_one: usize,
    pub(crate) of_all: usize,
    /// How long a person has.
    pub(crate) time: Duration,
}

/// Why nothing was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeskError {
    /// As many wait as may.
    Full,
    /// The arguments are more than anybody reads.
    Long,
    Store(StoreError),
    NoRandomness,
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            other => Self::Store(other),
        }
    }
}

/// What this process asked and has heard no answer to.
#[derive(Default)]
struct Open {
    /// By caller: the names, and when each runs out.
    of: HashMap<String, Vec<(String, Instant)>>,
    all: usize,
}

pub(crate) struct Desk {
    store: Arc<dyn Store>,
    sealer: Sealer,
    bounds: Bounds,
    open: Mutex<Open>,
    woken: Notify,
    /// Nobody: what is kept is sealed for the server itself.
    own: Principal,
}

impl Desk {
    pub(crate) fn new(store: Arc<dyn Store>, sealer: Sealer, bounds: Bounds) -> Self {
        Self {
            store,
            sealer,
            bounds,
            open: Mutex::default(),
            woken: Notify::new(),
            own: Principal::minted("server", "approvals", Assurance::Declared),
        }
    }

    /// Until when a question that is asked now is good.
    pub(crate) fn until(&self) -> u64 {
        now().saturating_add(self.bounds.time.as_secs())
    }

    /// Asks. What comes back is the name of the question: 128 random bits, which say nothing and
    /// give no right by themselves.
    pub(crate) async fn ask(&self, pending: &Pending) -> Result<String, DeskError> {
        let id = nonce().ok_or(DeskError::NoRandomness)?;
        let sealed = self.seal(pending, &id).ok_or(DeskError::NoRandomness)?;
        if sealed.len() > MOST_BYTES {
            return Err(DeskError::Long);
        }
        let whose = whose(&pending.caller);
        self.take_place(&whose, &id)?;
        let kept = self
            .store
            .keep(&cell(&id), sealed.as_bytes(), self.bounds.time)
            .await;
        match kept {
            Ok(true) => Ok(id),
            Ok(false) => {
                self.leave(&whose, &id);
                Err(DeskError::NoRandomness)
            }
            Err(error) => {
                self.leave(&whose, &id);
                Err(error.into())
            }
        }
    }

    /// What was asked, while it can be answered.
    pub(crate) async fn read(&self, id: &str) -> Result<Option<Pending>, StoreError> {
        if !is_id(id) {
            return Ok(None);
        }
        let Some(sealed) = self.store.look(&cell(id)).await? else {
            return Ok(None);
        };
        Ok(self.open(&sealed, id))
    }

    /// Says yes or no for a person. `false` if there was nothing more to say: it was answered,
    /// is over, or this person has said yes before.
    pub(crate) async fn decide(
        &self,
        id: &str,
        pending: &Pending,
        decision: &Decision,
    ) -> Result<bool, StoreError> {
        for place in 0..pending.people {
            let cell = answer_cell(id, place);
            // The second time, somebody was quicker; what they said is there to read.
            for _ in 0..2 {
                let Some(said) = self.answer(&cell).await? else {
                    let Some(sealed) = self.seal(decision, &cell) else {
                        return Ok(false);
                    };
                    let bytes = sealed.as_bytes();
                    if self.store.keep(&cell, bytes, self.bounds.time).await? {
                        self.heard(pending, id);
                        return Ok(true);
                    }
                    continue;
                };
                if !said.yes || said.by == decision.by {
                    return Ok(false);
                }
                break;
            }
        }
        Ok(false)
    }

    /// Where a question stands now.
    pub(crate) async fn standing(&self, id: &str) -> Result<Standing, StoreError> {
        let Some(pending) = self.read(id).await? else {
            return Ok(Standing::Gone);
        };
        let mut last = None;
        for place in 0..pending.people {
            match self.answer(&answer_cell(id, place)).await? {
                None => return Ok(Standing::Waiting),
                Some(said) if !said.yes => return Ok(Standing::Refused),
                Some(said) => last = Some(said),
            }
        }
        Ok(last.map_or(Standing::Gone, Standing::Agreed))
    }

    /// Waits until it is answered or over, for so long at most.
    pub(crate) async fn wait(&self, id: &str, most: Duration) -> Result<Standing, StoreError> {
        let deadline = tokio::time::Instant::now() + most;
        let pause = match self.store.is_shared() {
            true => SHARED_PAUSE,
            false => OWN_PAUSE,
        };
        loop {
            let woken = self.woken.notified();
            tokio::pin!(woken);
            // Before the look: an answer between the look and the wait is heard.
            woken.as_mut().enable();
            match self.standing(id).await? {
                Standing::Waiting => {}
                settled => return Ok(settled),
            }
            let next = deadline.min(tokio::time::Instant::now() + pause);
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(next) => {
                    if next == deadline {
                        return self.standing(id).await;
                    }
                }
            }
        }
    }

    /// Whether this browser is the first that came with the link. Another one is told that there
    /// is no such link.
    #[cfg(feature = "http")]
    pub(crate) async fn claim(&self, id: &str, browser: &str) -> Result<bool, StoreError> {
        let cell = format!("approval/{id}/browser");
        crate::page::is_first(&self.store, &cell, browser, self.bounds.time).await
    }

    async fn answer(&self, cell: &str) -> Result<Option<Decision>, StoreError> {
        let sealed = self.store.look(cell).await?;
        // What does not open was not written by this server: nobody's yes.
        Ok(sealed.and_then(|sealed| self.open(&sealed, cell)))
    }

    fn seal<T: Serialize>(&self, value: &T, purpose: &str) -> Option<String> {
        let purpose = format!("approval:{purpose}");
        let sealed = self
            .sealer
            .seal(value, &self.own, &purpose, self.bounds.time);
        sealed.map(crate::state::SealedText::into_string)
    }

    fn open<T: DeserializeOwned>(&self, sealed: &[u8], purpose: &str) -> Option<T> {
        let text = std::str::from_utf8(sealed).ok()?;
        let purpose = format!("approval:{purpose}");
        self.sealer
            .open_long(text, &self.own, &purpose, 2 * MOST_BYTES)
            .ok()
    }

    fn take_place(&self, whose: &str, id: &str) -> Result<(), DeskError> {
        let now = Instant::now();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |open: &Open| {
            let of_one = open.of.get(whose).map_or(0, Vec::len);
            open.all >= self.bounds.of_all || of_one >= self.bounds.of_one
        };
        // Only then is looked for what has run out: it costs as much as there is.
        if is_full(&open) {
            open.sweep(now);
        }
        if is_full(&open) {
            return Err(DeskError::Full);
        }
        let place = (id.to_owned(), now + self.bounds.time);
        open.of.entry(whose.to_owned()).or_default().push(place);
        open.all += 1;
        Ok(())
    }

    fn leave(&self, whose: &str, id: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_one) = open.of.get_mut(whose) else {
            return;
        };
        let before = of_one.len();
        of_one.retain(|(known, _)| known != id);
        let left = before - of_one.len();
        if of_one.is_empty() {
            open.of.remove(whose);
        }
        open.all -= left;
    }

    fn heard(&self, pending: &Pending, id: &str) {
        self.leave(&whose(&pending.caller), id);
        self.woken.notify_waiters();
    }
}

impl Open {
    fn sweep(&mut self, now: Instant) {
        self.of.retain(|_, of_one| {
            of_one.retain(|(_, until)| *until > now);
            !of_one.is_empty()
        });
        self.all = self.of.values().map(Vec::len).sum();
    }
}

/// As [`nonce`] writes them; anything else was never a question.
fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    id.len() == 22 && id.bytes().all(plain)
}

fn cell(id: &str) -> String {
    format!("approval/{id}")
}

fn answer_cell(id: &str, place: u8) -> String {
    format!("approval/{id}/answer/{place}")
}

fn whose(person: &Person) -> String {
    let Person { issuer, subject } = person;
    format!("{}:{issuer}{subject}", issuer.len())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |since| since.as_secs())
}

/// Of one question, sealed: what is longer than this nobody reads.
const MOST_BYTES: usize = 512 * 1024;
/// Between two looks, where another replica may have heard the answer.
const SHARED_PAUSE: Duration = Duration::from_millis(500);
/// Between two looks, where only the end of the time is not heard.
const OWN_PAUSE: Duration = Duration::from_secs(5);
