//! API keys at the door: who shows one is its subject.
//!
//! The keys are those of a file, which is read again when it is another one. How a key looks
//! and what the file may be is in `auth/api_keys`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use subtle::ConstantTimeEq;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    authenticate::Denied,
    refusal::{INVALID_TOKEN, Tally},
};
use crate::{
    Result,
    auth::{
        Assurance, Principal,
        api_keys::{self, ApiKey, KeyFile, KeyState},
    },
    capability::{FileAccess, FileNeed},
    seen::Seen,
};

/// Admits whoever shows a key that the file knows.
pub(crate) struct ApiKeys {
    file: KeyFile,
    folder: PathBuf,
    /// Scopes that something of the server needs.
    scopes: Vec<String>,
    known: RwLock<Arc<Known>>,
    /// What the file was when it was read.
    seen: Mutex<Seen>,
}

/// By id.
type Known = HashMap<String, Holder>;

/// Who holds a key.
struct Holder {
    entry: ApiKey,
    principal: Principal,
    /// Fires when the key is not what it was: streams that it opened end.
    over: CancellationToken,
}

impl ApiKeys {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it is not what it has to be.
    pub(super) fn open(path: &Path, scopes: &[String]) -> Result<Self> {
        let (file, folder) = KeyFile::at(path).settled()?;
        let seen = file.look();
        let keys = Self {
            known: RwLock::default(),
            seen: Mutex::new(seen),
            scopes: scopes.to_vec(),
            file,
            folder,
        };
        keys.read()?;
        Ok(keys)
    }

    /// Who shows this, at this moment.
    ///
    /// An id that nobody has costs what a wrong secret costs, and is told the same.
    pub(super) fn verify(&self, presented: &[u8]) -> std::result::Result<Principal, Denied> {
        let id = api_keys::id_of(presented).ok_or_else(Denied::invalid)?;
        let known = self.known();
        let holder = known.get(id);
        let expected = holder.map_or(&NOBODY, |holder| holder.entry.sha256());
        let is_same = bool::from(api_keys::digest(presented).ct_eq(expected));
        let Some(holder) = holder.filter(|_| is_same) else {
            return Err(Denied::invalid());
        };
        // From here on it is the holder who asks. The answer is that of a wrong key all the
        // same; the operator learns more.
        match holder.entry.state(SystemTime::now()) {
            KeyState::Active => Ok(holder.principal.clone()),
            KeyState::NotYet => Err(Denied::by(NOT_YET, &INVALID_TOKEN, Vec::new())),
            KeyState::Expired => Err(Denied::by(EXPIRED, &INVALID_TOKEN, Vec::new())),
            KeyState::Revoked => Err(Denied::by(REVOKED, &INVALID_TOKEN, Vec::new())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What is read again under the sandbox.
    pub(super) fn need(&self) -> FileNeed {
        FileNeed {
            path: self.folder.clone(),
            access: FileAccess::Read,
            because: "the server's API keys".to_owned(),
        }
    }

    fn known(&self) -> Arc<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// Takes the keys of the file; says how many of them are good.
    fn read(&self) -> Result<usize> {
        let entries = self.file.list()?;
        let now = SystemTime::now();
        let good = entries.iter().filter(|e| e.state(now) == KeyState::Active);
        let good = good.count();
        let before = self.known();
        let mut known = Known::with_capacity(entries.len());
        for entry in entries {
            let same = before.get(entry.id()).filter(|old| old.entry == entry);
            let over = same.map_or_else(CancellationToken::new, |old| old.over.clone());
            if same.is_none() {
                self.warn_of(&entry);
            }
            let principal = Principal::minted(ISSUER, entry.subject(), Assurance::ApiKey)
                .scopes(entry.scopes())
                .with_key(entry.id(), entry.expires(), over.clone());
            let id = entry.id().to_owned();
            known.insert(
                id,
                Holder {
                    entry,
                    principal,
                    over,
                },
            );
        }
        let known = Arc::new(known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known.clone();
        // After: a stream that opens in between is opened by the new list, or ends here.
        for (id, old) in before.iter() {
            if known.get(id).is_none_or(|new| new.entry != old.entry) {
                old.over.cancel();
            }
        }
        Ok(good)
    }

    /// A scope that nothing needs is a typing error more often than not.
    fn warn_of(&self, entry: &ApiKey) {
        for scope in entry.scopes() {
            if !self.scopes.iter().any(|needed| needed == scope) {
                let id = entry.id();
                tracing::warn!("the API key `{id}` has the scope `{scope}`, which nothing needs");
            }
        }
    }

    /// Reads the file if it is another one than before.
    fn look(&self, tally: &Tally) {
        let now = self.file.look();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == now {
                return;
            }
            // Looked at before it is read: a change in between is another change.
            *seen = now;
        }
        match self.read() {
            Ok(good) => {
                crate::server::run::announce(&format!("new API keys: {good} are good now"));
            }
            Err(error) => {
                tally.count(RELOAD);
                tracing::warn!("the old API keys stay, the new ones are not used: {error}");
            }
        }
    }
}

/// Looks at the file until the server ends. Requests never wait for it.
pub(super) async fn watch(keys: Arc<ApiKeys>, tally: Tally, shutdown: CancellationToken) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let (keys, tally) = (keys.clone(), tally.clone());
        // Files may be slow; the runtime's workers answer requests.
        let _ = tokio::task::spawn_blocking(move || keys.look(&tally)).await;
    }
}

/// Who vouches for a subject: this server's own file.
const ISSUER: &str = "api-key";
/// What an id without a key is compared with, so that it costs the same. No key has this digest.
const NOBODY: [u8; 32] = [0; 32];
/// A good key, after its time.
const EXPIRED: &str = "keys/expired";
/// A good key, before its time.
const NOT_YET: &str = "keys/not-yet";
/// A good key that was taken back.
const REVOKED: &str = "keys/revoked";
/// The file changed, and what it holds is not used.
const RELOAD: &str = "keys/reload";
/// How long a revoked key is still taken, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
