//! What was asked and not answered yet, and the answer. Both are cells of the store that are
//! written once, so whichever replica hears first, all of them read the same; and the answer of
//! a second tab, a second click or a second person at the same moment changes nothing.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{sync::Notify, time::Instant};

use super::{Approver, Decisions, Offer, matter::Matter, places::Places};
use crate::{
    audit::Audit,
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
    /// What the person may let hold for a while.
    pub(crate) remember: Option<Offer>,
    /// The approver outside that was asked, and nobody else.
    pub(crate) approver: Option<String>,
    /// Random: an answer from outside gives it back.
    pub(crate) nonce: String,
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
    /// Milliseconds since 1970, by the clock of the replica that heard it.
    pub(crate) at: u64,
}

impl Decision {
    pub(crate) fn now(yes: bool, by: Person, how: How) -> Self {
        Self {
            yes,
            by,
            how,
            at: millis(),
        }
    }
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
    /// As many as were needed.
    Agreed(Vec<Decision>),
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

pub(crate) struct Desk {
    store: Arc<dyn Store>,
    sealer: Sealer,
    bounds: Bounds,
    places: Mutex<Places>,
    woken: Notify,
    /// Something was asked, or this is over.
    asked: Arc<Notify>,
    /// Where answers are written down, and what was never answered.
    audit: Option<Arc<Audit>>,
    /// Who may be told of answers that come from outside.
    approvers: OnceLock<Vec<Arc<dyn Approver>>>,
    /// Nobody: what is kept is sealed for the server itself.
    own: Principal,
    is_closed: AtomicBool,
}

impl Desk {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        sealer: Sealer,
        bounds: Bounds,
        audit: Option<Arc<Audit>>,
    ) -> Self {
        Self {
            store,
            sealer,
            bounds,
            places: Mutex::default(),
            woken: Notify::new(),
            asked: Arc::default(),
            audit,
            approvers: OnceLock::new(),
            own: Principal::minted("server", "approvals", Assurance::Declared),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Says who else asks; once.
    pub(crate) fn introduce(self: &Arc<Self>, approvers: Vec<Arc<dyn Approver>>) {
        for approver in &approvers {
            approver.serves(Decisions::of(self));
        }
        let _ = self.approvers.set(approvers);
    }

    #[cfg(feature = "http")]
    pub(crate) fn approver(&self, name: &str) -> Option<&Arc<dyn Approver>> {
        let mut all = self.approvers.get()?.iter();
        all.find(|approver| approver.name() == name)
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
        let matter = Arc::new(Matter::of(pending, self.audit.as_deref()));
        if !self.places(|places| places.take(&id, &matter, &self.bounds, Instant::now())) {
            return Err(DeskError::Full);
        }
        let kept = self
            .store
            .keep(&cell(&id), sealed.as_bytes(), self.bounds.time)
            .await;
        match kept {
            Ok(true) => {
                self.asked.notify_one();
                Ok(id)
            }
            Ok(false) => {
                self.leave(&id);
                Err(DeskError::NoRandomness)
            }
            Err(error) => {
                self.leave(&id);
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
    pub(crate) async fn decide(&self, id: &str, decision: &Decision) -> Result<bool, StoreError> {
        // An answer that nobody can come for would stand in the records beside that there was none.
        if self.is_closed.load(Ordering::SeqCst) {
            return Ok(false);
        }
        // What is stored is what counts, whatever whoever answers has kept of it: an answer to a
        // question that is over would stand in the records, and nothing would ever run by it.
        let Some(pending) = self.read(id).await? else {
            return Ok(false);
        };
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
                        self.heard(&pending, id, place, decision);
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
        match self.read(id).await? {
            Some(pending) => self.said(id, pending.people).await,
            None => Ok(Standing::Gone),
        }
    }

    /// What so many persons have said.
    async fn said(&self, id: &str, people: u8) -> Result<Standing, StoreError> {
        let mut agreed = Vec::with_capacity(people.into());
        for place in 0..people {
            match self.answer(&answer_cell(id, place)).await? {
                None => return Ok(Standing::Waiting),
                Some(said) if !said.yes => return Ok(Standing::Refused),
                Some(said) => agreed.push(said),
            }
        }
        Ok(match agreed.is_empty() {
            true => Standing::Gone,
            false => Standing::Agreed(agreed),
        })
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
                // What is over is left to whoever writes that down.
                Standing::Gone => return Ok(Standing::Gone),
                settled => {
                    // It may have been said to another replica.
                    self.leave(id);
                    return Ok(settled);
                }
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
        self.seal_for(value, purpose, self.bounds.time)
    }

    pub(super) fn seal_for<T: Serialize>(
        &self,
        value: &T,
        purpose: &str,
        time: Duration,
    ) -> Option<String> {
        let purpose = format!("approval:{purpose}");
        let sealed = self.sealer.seal(value, &self.own, &purpose, time);
        sealed.map(crate::state::SealedText::into_string)
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn audit(&self) -> Option<&Audit> {
        self.audit.as_deref()
    }

    pub(super) fn open<T: DeserializeOwned>(&self, sealed: &[u8], purpose: &str) -> Option<T> {
        let text = std::str::from_utf8(sealed).ok()?;
        let purpose = format!("approval:{purpose}");
        self.sealer
            .open_long(text, &self.own, &purpose, 2 * MOST_BYTES)
            .ok()
    }

    fn places<T>(&self, with: impl FnOnce(&mut Places) -> T) -> T {
        with(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn leave(&self, id: &str) {
        self.places(|places| places.leave(id));
    }

    /// The answer counts. It is written down now: whoever called may never come back.
    fn heard(&self, pending: &Pending, id: &str, place: u8, decision: &Decision) {
        if !decision.yes || place + 1 >= pending.people {
            self.leave(id);
        }
        if let Some(audit) = &self.audit {
            let matter = Matter::of(pending, Some(audit));
            audit.answered(id, &matter, decision);
        }
        self.woken.notify_waiters();
    }

    /// Writes down, for as long as there is this desk, which of its questions nobody answered.
    pub(crate) fn watch(self: &Arc<Self>) {
        let (desk, asked) = (Arc::downgrade(self), Arc::clone(&self.asked));
        tokio::spawn(async move {
            loop {
                let next = match Weak::upgrade(&desk) {
                    Some(desk) => desk.places(|places| places.next_end()),
                    None => return,
                };
                match next {
                    Some(next) => tokio::time::sleep_until(next + GRACE).await,
                    None => asked.notified().await,
                }
                match Weak::upgrade(&desk) {
                    Some(desk) => desk.give_up(Instant::now()).await,
                    None => return,
                }
            }
        });
    }

    /// Gives up what has run out by then.
    pub(super) async fn give_up(&self, then: Instant) {
        while let Some((id, matter)) = self.places(|places| places.over(then)) {
            // The answers outlive the question: another replica may have heard them.
            let is_open = match self.said(&id, matter.people).await {
                Ok(standing) => standing == Standing::Waiting,
                Err(_) => true,
            };
            if let Some(audit) = self.audit.as_ref().filter(|_| is_open) {
                audit.unanswered(&id, &matter, "none");
            }
        }
    }

    /// The server ends, and writes down what it asked and has heard no answer to: nobody else
    /// will. Until then the store is asked whether there is one; what it has not said by then
    /// counts as open.
    ///
    /// Where replicas share the store a question outlives who asked it: it is `left`, and the one
    /// that hears a late answer writes that.
    pub(crate) async fn close(&self, until: Instant) {
        let answer = match self.store.is_shared() {
            true => "left",
            false => "none",
        };
        self.is_closed.store(true, Ordering::SeqCst);
        while let Some((id, matter)) = self.places(Places::first) {
            let said = tokio::time::timeout_at(until, self.said(&id, matter.people)).await;
            let is_open = !matches!(said, Ok(Ok(standing)) if standing != Standing::Waiting);
            if let Some(audit) = self.audit.as_ref().filter(|_| is_open) {
                audit.unanswered(&id, &matter, answer);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.places(|places| places.len())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Who watches ends, too.
        self.asked.notify_one();
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

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |since| since.as_secs())
}

fn millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(u64::MAX)
}

/// After the end of a question, before it is said that nobody answered: an answer of the last
/// moment is on its way to the store.
const GRACE: Duration = Duration::from_secs(1);
/// Of one question, sealed: what is longer than this nobody reads.
const MOST_BYTES: usize = 512 * 1024;
/// Between two looks, where another replica may have heard the answer.
const SHARED_PAUSE: Duration = Duration::from_millis(500);
/// Between two looks, where only the end of the time is not heard.
const OWN_PAUSE: Duration = Duration::from_secs(5);
