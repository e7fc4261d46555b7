//! Who is giving something just now. Cells of the store that are written once, sealed, and over
//! after ten minutes: whichever replica a browser comes to, it finds the same.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::{Access, page::PREFIX};
use crate::{
    approval::{How, Person},
    audit::{Audit, Change},
    auth::{Assurance, Principal},
    call::nonce,
    hex::hex,
    page::Entrance,
    state::{Sealer, Store, StoreError},
};

/// The desk of one server.
pub(crate) struct Desk {
    pub(super) entrance: Arc<Entrance>,
    pub(super) server: &'static str,
    pub(super) all: Arc<[Access]>,
    store: Arc<dyn Store>,
    sealer: Sealer,
    /// Nobody: what is kept is sealed for the server itself.
    own: Principal,
    /// When those were begun that this process began.
    begun: Mutex<VecDeque<Instant>>,
    /// Where codes are typed: over stdio, where there is one process.
    typed: Mutex<HashMap<String, Typed>>,
    woken: Notify,
    /// Where it is written down who gave what, and took it back.
    audit: OnceLock<Arc<Audit>>,
}

/// How it stands with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    Waiting,
    Connected,
    /// It was not finished, or there is none.
    Over,
}

/// Why nobody can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeskError {
    /// As many connect as may.
    Full,
    NoRandomness,
    Store(StoreError),
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            other => Self::Store(other),
        }
    }
}

/// One caller, on the way to one thing.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) caller: Person,
    capability: String,
}

/// The page where a code is typed, and the code if it is not in there.
pub(super) type Typed = (String, Option<String>);

impl Desk {
    pub(crate) fn new(
        entrance: Arc<Entrance>,
        server: &'static str,
        all: Arc<[Access]>,
        store: Arc<dyn Store>,
        sealer: Sealer,
    ) -> Self {
        Self {
            entrance,
            server,
            all,
            store,
            sealer,
            own: Principal::minted("server", "connections", Assurance::Declared),
            begun: Mutex::default(),
            typed: Mutex::default(),
            woken: Notify::new(),
            audit: OnceLock::new(),
        }
    }

    /// What persons give and take back is written down there.
    pub(crate) fn record_in(&self, audit: &Arc<Audit>) {
        let _ = self.audit.set(Arc::clone(audit));
        for access in self.all.iter() {
            access.record_in(audit);
        }
    }

    /// A person has done so, and it is done.
    pub(super) fn record(&self, change: &Change<'_>) {
        if let Some(audit) = self.audit.get() {
            audit.account(change);
        }
    }

    /// How it is known who somebody on the page is: by their sign-in, or by the link alone.
    pub(super) fn how(&self) -> &'static str {
        match self.entrance.signs_in() {
            true => How::Page.as_str(),
            false => How::Link.as_str(),
        }
    }

    /// A person has given it.
    pub(super) fn given(
        &self,
        access: &Access,
        what: &'static str,
        whose: &Person,
        how: &'static str,
    ) {
        self.record(&Change {
            what,
            grant: Some(access.capability()),
            entry: access.entry(),
            whose,
            how: Some(how),
            taken_back: None,
            control: None,
        });
    }

    /// The number under which this caller connects this: the one that waits, or a new one. It is
    /// 128 random bits, which say nothing and give no right by themselves.
    pub(crate) async fn ask(
        &self,
        caller: &Principal,
        access: &Access,
    ) -> Result<String, DeskError> {
        let pending = Pending {
            caller: Person::of(caller),
            capability: access.capability().to_owned(),
        };
        let whose = pending.whose();
        for place in 0..MOST_EACH {
            let pointer = format!("connect/of/{whose}/{place}");
            // The second time, somebody was quicker; what they began is there to read.
            for _ in 0..2 {
                if let Some(id) = self.read::<String>(&pointer).await? {
                    if self.standing(&id).await? == Standing::Waiting {
                        return Ok(id);
                    }
                    break;
                }
                self.take_place()?;
                let id = nonce().ok_or(DeskError::NoRandomness)?;
                if self.write(&cell(&id), &pending).await? && self.write(&pointer, &id).await? {
                    return Ok(id);
                }
            }
        }
        Err(DeskError::Full)
    }

    /// The link. It says nothing of anybody, and gives no right.
    pub(crate) fn link(&self, id: &str) -> String {
        self.entrance.place().at(&format!("{PREFIX}{id}"))
    }

    pub(crate) async fn standing(&self, id: &str) -> Result<Standing, StoreError> {
        if self.pending(id).await?.is_none() {
            return Ok(Standing::Over);
        }
        let settled = self.read(&settled_cell(id)).await?;
        Ok(settled.unwrap_or(Standing::Waiting))
    }

    /// Waits until somebody has finished it, for so long at most.
    pub(crate) async fn wait(&self, id: &str, most: Duration) -> Result<Standing, StoreError> {
        let deadline = tokio::time::Instant::now() + most;
        let pause = match self.store.is_shared() {
            true => SHARED_PAUSE,
            false => OWN_PAUSE,
        };
        loop {
            let woken = self.woken.notified();
            tokio::pin!(woken);
            // Before the look: what is settled between the look and the wait is heard.
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

    /// It is finished. What was said first stays.
    pub(super) async fn settle(&self, id: &str, standing: Standing) -> Result<(), StoreError> {
        self.write(&settled_cell(id), &standing).await?;
        self.woken.notify_waiters();
        Ok(())
    }

    /// Who connects under this number, and what.
    pub(super) async fn look(&self, id: &str) -> Result<Option<(Pending, Access)>, StoreError> {
        let Some(pending) = self.pending(id).await? else {
            return Ok(None);
        };
        let is_it = |access: &&Access| access.capability() == pending.capability;
        let access = self.all.iter().find(is_it).cloned();
        Ok(access.map(|access| (pending, access)))
    }

    /// Whether this browser is the first that came with the link.
    pub(super) async fn claim(&self, id: &str, browser: &str) -> Result<bool, StoreError> {
        let cell = format!("connect/{id}/browser");
        crate::page::is_first(&self.store, &cell, browser, LIVES).await
    }

    /// Whether this is the first use of a state: what a browser carries, it can carry twice.
    pub(super) async fn is_unused(&self, state: &str) -> Result<bool, StoreError> {
        let digest = hex(&Sha256::digest(state));
        let key = format!("connect/state/{digest}");
        self.store.insert_new(&key, LIVES).await
    }

    /// Where the code of a device is typed, if it has one.
    pub(super) fn typed_at(&self, id: &str) -> Option<Typed> {
        let typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        typed.get(id).cloned()
    }

    pub(super) fn is_typed_at(&self, id: &str, at: Option<&Typed>) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        match at {
            Some(at) => typed.insert(id.to_owned(), at.clone()),
            None => typed.remove(id),
        };
    }

    async fn pending(&self, id: &str) -> Result<Option<Pending>, StoreError> {
        match is_id(id) {
            true => self.read(&cell(id)).await,
            false => Ok(None),
        }
    }

    async fn write<T: Serialize>(&self, cell: &str, value: &T) -> Result<bool, StoreError> {
        let sealed = self.sealer.seal(value, &self.own, &purpose(cell), LIVES);
        let Some(sealed) = sealed else {
            return Ok(false);
        };
        let text = sealed.into_string();
        self.store.keep(cell, text.as_bytes(), LIVES).await
    }

    /// What does not open was not written by this server.
    async fn read<T: DeserializeOwned>(&self, cell: &str) -> Result<Option<T>, StoreError> {
        let sealed = self.store.look(cell).await?;
        Ok(sealed.and_then(|sealed| {
            let text = std::str::from_utf8(&sealed).ok()?;
            self.sealer.open(text, &self.own, &purpose(cell)).ok()
        }))
    }

    fn take_place(&self) -> Result<(), DeskError> {
        let now = Instant::now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        while begun.front().is_some_and(|first| *first + LIVES <= now) {
            begun.pop_front();
        }
        if begun.len() >= MOST {
            return Err(DeskError::Full);
        }
        begun.push_back(now);
        Ok(())
    }
}

impl Pending {
    /// One name for this caller and this thing, in which no two are the same.
    fn whose(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"mcp-secure connect\0");
        for part in [&self.caller.issuer, &self.caller.subject, &self.capability] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex(&hash.finalize())
    }
}

/// As [`nonce`] writes them; anything else was never a number of ours.
fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    id.len() == 22 && id.bytes().all(plain)
}

fn cell(id: &str) -> String {
    format!("connect/{id}")
}

fn settled_cell(id: &str) -> String {
    format!("connect/{id}/settled")
}

fn purpose(cell: &str) -> String {
    format!("connect:{cell}")
}

/// Connections that one process begins in ten minutes.
const MOST: usize = 1024;
/// Those of one caller for one grant.
const MOST_EACH: usize = 8;
const LIVES: Duration = Duration::from_secs(600);
/// Between two looks, where another replica may have heard of it.
const SHARED_PAUSE: Duration = Duration::from_millis(500);
/// Between two looks, where only the end of the time is not heard.
const OWN_PAUSE: Duration = Duration::from_secs(5);
