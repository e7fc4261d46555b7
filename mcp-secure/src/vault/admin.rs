//! What an operator does with a vault. Every change is made under a lock, to the file as it is
//! then, and is one replacement of the whole.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{
    NewCredential, VaultKey,
    anchor::{self, Anchor},
    credential::check_name,
    crypt::{Key, fill},
    format::{MAX_FILE, MOST_RECORDS, MOST_SLOTS, NONCE, Record, Sealed, Slot},
    key,
    people::{MOST_EACH, NEXT, People, ROOT},
};
use crate::{
    Error, Result,
    kept_file::{KeptFile, Kind},
};

/// The file of a vault, as an operator handles it. `mcp-secure vault` is this.
pub struct VaultFile {
    path: PathBuf,
    anchor: Option<PathBuf>,
    most: usize,
}

/// A credential of a vault, without its secret.
pub struct Entry {
    name: String,
    version: u32,
    placement: String,
    hosts: Vec<String>,
    created: u64,
}

impl Entry {
    /// What grants call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it was stored, which audit records name.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Where in a request it goes.
    pub fn placement(&self) -> &str {
        &self.placement
    }

    /// Where it may be sent.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// When this version was stored.
    pub fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.created.min(u64::from(u32::MAX) * 4))
    }
}

impl VaultFile {
    /// A file, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            anchor: None,
            most: MOST_RECORDS,
        }
    }

    /// As many as there may be.
    pub(super) fn most(mut self, most: usize) -> Self {
        self.most = most.min(MOST_RECORDS);
        self
    }

    /// Remembers the newest generation in a second file, and refuses an older vault. Put it
    /// where who could write the vault cannot.
    #[must_use]
    pub fn anchor(mut self, path: impl Into<PathBuf>) -> Self {
        self.anchor = Some(path.into());
        self
    }

    /// Makes a file with a new key, readable by this user alone.
    ///
    /// # Errors
    ///
    /// When it is there already, or cannot be written.
    pub fn make_key(path: &Path) -> Result<()> {
        key::make_file(path)
    }

    /// Makes an empty vault.
    ///
    /// # Errors
    ///
    /// When there is a vault already, or its key is none.
    pub fn init(&self, key: &VaultKey) -> Result<()> {
        let mut id = [0; 16];
        fill(&mut id)?;
        let is_of_caller = key.is_of_caller();
        self.create(id, key, || match is_of_caller {
            true => Ok(Vec::new()),
            false => Ok(vec![root(ROOT)?]),
        })
    }

    /// Stores a credential, and gives the number of its version.
    ///
    /// # Errors
    ///
    /// When the secret is none, the vault is full, or does not open.
    pub fn set(
        &self,
        key: &VaultKey,
        credential: &NewCredential,
        secret: &SecretString,
    ) -> Result<u32> {
        let secret = credential.check(secret)?;
        let most = self.most;
        self.change(key, |open| {
            let records = &mut open.sealed.records;
            let place = records.binary_search_by(|r| r.name.as_str().cmp(&credential.name));
            let version = match place {
                Ok(at) => records.get(at).map_or(0, |old| old.version),
                Err(_) => 0,
            };
            let mut record = Record {
                name: credential.name.clone(),
                version: version.saturating_add(1),
                placement: credential.placement.to_string(),
                created: now(),
                hosts: credential.hosts.clone(),
                nonce: [0; NONCE],
                sealed: Vec::new(),
            };
            seal(&open.master, &open.sealed.id, &mut record, &secret)?;
            let version = record.version;
            let records = &mut open.sealed.records;
            match place {
                Ok(at) => {
                    if let Some(old) = records.get_mut(at) {
                        *old = record;
                    }
                }
                Err(_) if records.len() >= most => {
                    return Err(Error::new(format!(
                        "there are {most} credentials, and no more may be"
                    ))
                    .help("take one out that nobody needs"));
                }
                Err(at) => records.insert(at, record),
            }
            Ok(version)
        })
    }

    /// What is in it.
    ///
    /// # Errors
    ///
    /// When it does not open.
    pub fn list(&self, key: &VaultKey) -> Result<Vec<Entry>> {
        let mut open = self.open(key)?;
        open.sealed.records.retain(|record| !is_own(record));
        let entry = |r: Record| Entry {
            name: r.name,
            version: r.version,
            placement: r.placement,
            hosts: r.hosts,
            created: r.created,
        };
        Ok(open.sealed.records.into_iter().map(entry).collect())
    }

    /// Takes a credential out, and out of the generation before as well.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or the vault does not open.
    pub fn remove(&self, key: &VaultKey, name: &str) -> Result<()> {
        check_name(name)?;
        self.change(key, |open| {
            let before = open.sealed.records.len();
            open.sealed.records.retain(|record| record.name != name);
            if open.sealed.records.len() == before {
                return Err(
                    Error::new(format!("there is no credential `{name}` in the vault"))
                        .help("`mcp-secure vault list` shows what there is"),
                );
            }
            Ok(())
        })?;
        self.forget_previous()
    }

    /// Seals everything anew under a new master key: for when that may be known. Other keys that
    /// open the vault cannot be carried over; they are dropped if `drop_others` says so. The
    /// generation before is removed.
    ///
    /// # Errors
    ///
    /// When other keys open it too and may not be dropped, or it does not open.
    pub fn rotate(&self, key: &VaultKey, drop_others: bool) -> Result<usize> {
        let count = self.change(key, |open| {
            if open.sealed.slots.len() > 1 && !drop_others {
                return Err(Error::new(format!(
                    "{} other keys open this vault, and would not any more",
                    open.sealed.slots.len() - 1
                ))
                .help("add `--drop-other-keys`, and put them in again with `rewrap --keep`"));
            }
            let master = Key::random()?;
            let slot = wrap(key, &open.sealed.id, &master)?;
            reseal(&open.master, &master, &mut open.sealed)?;
            if !key.is_of_caller() && !open.sealed.records.iter().any(|r| r.name == ROOT) {
                let (mut record, secret) = root(ROOT)?;
                seal(&master, &open.sealed.id, &mut record, &secret)?;
                open.sealed.records.insert(0, record);
            }
            open.sealed.slots = vec![slot];
            open.master = master;
            Ok(open.count())
        })?;
        self.forget_previous()?;
        Ok(count)
    }

    /// Renews what the keys of callers are made of, and moves what they have under it. Servers that
    /// spend it are to be started again. Stopped in between, it goes on when it is called again.
    ///
    /// # Errors
    ///
    /// When something of a caller's does not open, or it does not itself.
    pub fn rotate_people(
        &self,
        key: &VaultKey,
        folder: impl AsRef<Path>,
        anchors: Option<&Path>,
    ) -> Result<usize> {
        self.change(key, |open| {
            let records = &mut open.sealed.records;
            let Err(at) = records.binary_search_by(|r| r.name.as_str().cmp(NEXT)) else {
                return Ok(());
            };
            let (mut record, secret) = root(NEXT)?;
            seal(&open.master, &open.sealed.id, &mut record, &secret)?;
            records.insert(at, record);
            Ok(())
        })?;
        let open = self.open(key)?;
        let under = |root| {
            let people = People::under(root, folder.as_ref(), MOST_EACH, &open)?;
            Ok::<_, Error>(match anchors {
                Some(anchors) => people.anchors(anchors),
                None => people,
            })
        };
        let count = under(ROOT)?.move_to(&under(NEXT)?)?;
        self.change(key, |open| {
            let mut records = open.sealed.records.iter();
            let next = records.find(|record| record.name == NEXT);
            let next = next.ok_or_else(|| Error::new("the new root is gone"))?;
            let secret = open.secret(next)?;
            let (mut record, _) = root(ROOT)?;
            seal(&open.master, &open.sealed.id, &mut record, &secret)?;
            let records = &mut open.sealed.records;
            records.retain(|record| record.name != ROOT && record.name != NEXT);
            records.insert(0, record);
            Ok(())
        })?;
        self.forget_previous()?;
        Ok(count)
    }

    /// Lets another key open the vault, in place of this one or, with `keep`, besides it. No
    /// record is written anew. Without `keep` the generation before is removed: the old key
    /// opens it.
    ///
    /// # Errors
    ///
    /// When there is no room for one more key, or the vault does not open.
    pub fn rewrap(&self, key: &VaultKey, new: &VaultKey, keep: bool) -> Result<()> {
        self.change(key, |open| {
            new.material()?.check_new()?;
            let slot = wrap(new, &open.sealed.id, &open.master)?;
            if keep && open.sealed.slots.len() >= MOST_SLOTS {
                return Err(Error::new(format!(
                    "{MOST_SLOTS} keys open this vault, and more cannot"
                )));
            }
            if !keep && open.slot < open.sealed.slots.len() {
                open.sealed.slots.remove(open.slot);
            }
            open.sealed.slots.push(slot);
            Ok(())
        })?;
        if keep { Ok(()) } else { self.forget_previous() }
    }

    /// Writes a copy of the vault for another place: another id, another master key, opened by
    /// `new` alone.
    ///
    /// # Errors
    ///
    /// When there is a file at `to`, or this one does not open.
    pub fn export(&self, key: &VaultKey, to: &Self, new: &VaultKey) -> Result<usize> {
        let open = self.open(key)?;
        let mut id = [0; 16];
        fill(&mut id)?;
        let count = open.count();
        to.create(id, new, move || {
            let records = open.sealed.records.iter();
            records
                .map(|record| Ok((copy(record), open.secret(record)?)))
                .collect()
        })?;
        Ok(count)
    }

    /// Takes the generation before, when this one is torn. It becomes the newest, so that an
    /// anchor knows it.
    ///
    /// # Errors
    ///
    /// When there is none, or it does not open.
    pub fn restore(&self, key: &VaultKey) -> Result<u64> {
        let folder = open_file(&self.path)?;
        folder.lock()?;
        let old = Self::at(previous(&self.path));
        let bytes = open_file(&old.path)?.read(MAX_FILE)?.ok_or_else(|| {
            Error::new(format!("there is no `{}`", old.path.display()))
                .help("take the vault out of a backup")
        })?;
        let mut open = old.opened(&bytes, key)?;
        // A torn anchor is one reason to be here.
        let seen = match &self.anchor {
            Some(path) => Anchor::read(path).ok().flatten(),
            None => None,
        };
        let seen = seen.map_or(0, |anchor| anchor.generation());
        open.sealed.generation = open.sealed.generation.max(seen);
        self.commit(&folder, &mut open, None)?;
        Ok(open.sealed.generation)
    }

    /// Makes a vault of so many, at once. For the benchmark.
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    #[cfg(feature = "__bench")]
    #[doc(hidden)]
    pub fn __filled(&self, key: &VaultKey, count: usize) -> Result<()> {
        let mut id = [0; 16];
        fill(&mut id)?;
        let one = |n: usize| {
            let record = Record {
                name: format!("token-{n:05}"),
                version: 1,
                placement: "bearer".to_owned(),
                created: now(),
                hosts: vec!["https://api.example".to_owned()],
                nonce: [0; NONCE],
                sealed: Vec::new(),
            };
            (
                record,
                Zeroizing::new(format!("secret-of-{n:030}").into_bytes()),
            )
        };
        self.create(id, key, || {
            let all = std::iter::once(root(ROOT));
            all.chain((0..count).map(|n| Ok(one(n)))).collect()
        })
    }

    /// The credentials of each caller, in this folder.
    ///
    /// # Errors
    ///
    /// When the vault does not open.
    pub fn people(&self, key: &VaultKey, folder: impl AsRef<Path>) -> Result<People> {
        People::of(folder.as_ref(), MOST_EACH, &self.open(key)?)
    }

    /// Removes the generation before.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn forget_previous(&self) -> Result<()> {
        let folder = open_file(&self.path)?;
        folder.lock()?;
        open_file(&previous(&self.path))?.remove()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn anchor_path(&self) -> Option<&Path> {
        self.anchor.as_deref()
    }

    /// Reads it, and believes none of it before the key says so.
    pub(super) fn open(&self, key: &VaultKey) -> Result<Open> {
        // Before the vault: a writer writes the vault first.
        let anchor = self.read_anchor()?;
        let bytes = open_file(&self.path)?.read(MAX_FILE)?;
        let bytes = bytes.ok_or_else(|| self.missing())?;
        let open = self.opened(&bytes, key)?;
        if let Some(anchor) = anchor {
            anchor
                .check(&open.sealed, &bytes)
                .map_err(|error| self.wrong(error))?;
        }
        Ok(open)
    }

    fn read_anchor(&self) -> Result<Option<Anchor>> {
        let Some(path) = &self.anchor else {
            return Ok(None);
        };
        // One that is not there has been taken away.
        Anchor::read(path)?.map(Some).ok_or_else(|| {
            Error::new(format!("there is no anchor `{}`", path.display())).help(
                "find out who removed it; `mcp-secure vault anchor` writes one of the vault as it is",
            )
        })
    }

    /// Writes the anchor of the vault as it is.
    ///
    /// # Errors
    ///
    /// When no anchor is named, or the vault does not open.
    pub fn write_anchor(&self, key: &VaultKey) -> Result<u64> {
        let Some(path) = &self.anchor else {
            return Err(Error::new("no anchor is named").help("add `--anchor FILE`"));
        };
        let folder = open_file(&self.path)?;
        folder.lock()?;
        let bytes = folder.read(MAX_FILE)?.ok_or_else(|| self.missing())?;
        let open = self.opened(&bytes, key)?;
        Anchor::of(&open.sealed, &bytes).write(path)?;
        Ok(open.sealed.generation)
    }

    fn opened(&self, bytes: &[u8], key: &VaultKey) -> Result<Open> {
        let (sealed, body, mac) = Sealed::parse(bytes).map_err(|error| self.wrong(error))?;
        let material = key.material()?;
        for (at, slot) in sealed.slots.iter().enumerate() {
            let Some(kek) = material.key(&sealed.id, slot)? else {
                continue;
            };
            let aad = slot.aad(&sealed.id);
            let Some(master) = Key::unwrap(&kek, &slot.nonce, &slot.wrapped, &aad) else {
                continue;
            };
            if !mac_key(&master, &sealed.id)?.is_mac(body, mac) {
                return Err(self
                    .wrong(Error::new("was changed by somebody without its key").help(
                    "`mcp-secure vault restore` takes the generation before; find out who it was",
                )));
            }
            return Ok(Open {
                sealed,
                master,
                slot: at,
            });
        }
        Err(self.wrong(
            Error::new(format!("does not open with {}", key.kind()))
                .help("it may be the key of another vault; no other source is tried"),
        ))
    }

    fn change<T>(&self, key: &VaultKey, change: impl FnOnce(&mut Open) -> Result<T>) -> Result<T> {
        let folder = open_file(&self.path)?;
        folder.lock()?;
        let anchor = self.read_anchor()?;
        let before = folder.read(MAX_FILE)?.ok_or_else(|| self.missing())?;
        let mut open = self.opened(&before, key)?;
        if let Some(anchor) = anchor {
            anchor
                .check(&open.sealed, &before)
                .map_err(|error| self.wrong(error))?;
        }
        let done = change(&mut open)?;
        self.commit(&folder, &mut open, Some(&before))?;
        Ok(done)
    }

    /// One generation more. The one before is on disk, whole, before this one takes its place.
    fn commit(&self, folder: &KeptFile, open: &mut Open, before: Option<&[u8]>) -> Result<()> {
        open.sealed.generation = open
            .sealed
            .generation
            .checked_add(1)
            .ok_or_else(|| self.wrong(Error::new("has no generation left")))?;
        let bytes = open.print()?;
        if bytes.len() > MAX_FILE {
            return Err(self.wrong(Error::new("would be too large")));
        }
        if let Some(before) = before {
            open_file(&previous(&self.path))?.replace(before)?;
        }
        folder.replace(&bytes)?;
        match &self.anchor {
            Some(path) => Anchor::of(&open.sealed, &bytes).write(path),
            None => Ok(()),
        }
    }

    pub(super) fn create(
        &self,
        id: [u8; 16],
        key: &VaultKey,
        records: impl FnOnce() -> Result<Vec<(Record, Zeroizing<Vec<u8>>)>>,
    ) -> Result<()> {
        let folder = KeptFile::make(KIND, &self.path)?;
        folder.lock()?;
        if folder.read(MAX_FILE)?.is_some() {
            return Err(self.wrong(Error::new("is there already").help("name another file")));
        }
        if let Some(path) = &self.anchor {
            KeptFile::make(anchor::KIND, path)?;
            if Anchor::read(path)?.is_some() {
                return Err(Error::new(format!(
                    "there is an anchor `{}` already, of another vault or of one that was removed",
                    path.display()
                )));
            }
        }
        key.material()?.check_new()?;
        let master = Key::random()?;
        let mut sealed = Sealed {
            id,
            generation: 0,
            slots: vec![wrap(key, &id, &master)?],
            records: Vec::new(),
        };
        for (mut record, secret) in records()? {
            seal(&master, &id, &mut record, &secret)?;
            sealed.records.push(record);
        }
        let mut open = Open {
            sealed,
            master,
            slot: 0,
        };
        self.commit(&folder, &mut open, None)
    }

    fn missing(&self) -> Error {
        self.wrong(Error::new("is not there").help("make one with `mcp-secure vault init`"))
    }

    fn wrong(&self, error: Error) -> Error {
        error.before(&format!("the vault `{}` ", self.path.display()))
    }
}

/// A vault whose MAC was right. The master key is wiped when this goes.
pub(super) struct Open {
    pub(super) sealed: Sealed,
    master: Key,
    slot: usize,
}

impl Open {
    /// The secret of a record, if what is said about it is what was said when it was sealed.
    pub(super) fn secret(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>> {
        unseal(&self.master, &self.sealed.id, record)
    }

    /// How many credentials there are.
    fn count(&self) -> usize {
        let records = self.sealed.records.iter();
        records.filter(|record| !is_own(record)).count()
    }

    fn print(&self) -> Result<Vec<u8>> {
        let mut bytes = self.sealed.body();
        let mac = mac_key(&self.master, &self.sealed.id)?.mac(&bytes)?;
        bytes.extend(mac);
        Ok(bytes)
    }
}

/// The name of the generation before.
pub(super) fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".prev");
    name.into()
}

fn open_file(path: &Path) -> Result<KeptFile> {
    KeptFile::open(KIND, path)
}

fn wrap(key: &VaultKey, vault: &[u8; 16], master: &Key) -> Result<Slot> {
    let mut id = [0; 8];
    fill(&mut id)?;
    let mut slot = Slot {
        id,
        stretch: key.new_stretch()?,
        nonce: [0; NONCE],
        wrapped: Vec::new(),
    };
    let kek = key.material()?.key(vault, &slot)?;
    let kek = kek.ok_or_else(|| Error::new("the key does not fit its slot"))?;
    (slot.nonce, slot.wrapped) = master.wrap(&kek, &slot.aad(vault))?;
    Ok(slot)
}

fn seal(master: &Key, vault: &[u8; 16], record: &mut Record, secret: &[u8]) -> Result<()> {
    let aad = record.aad(vault);
    (record.nonce, record.sealed) = record_key(master, vault)?.seal(secret, &aad)?;
    Ok(())
}

fn unseal(master: &Key, vault: &[u8; 16], record: &Record) -> Result<Zeroizing<Vec<u8>>> {
    record_key(master, vault)?
        .open(&record.nonce, &record.sealed, &record.aad(vault))
        .ok_or_else(|| {
            Error::new(format!(
                "the credential `{}` was not stored with this name and these hosts",
                record.name
            ))
        })
}

fn reseal(old: &Key, new: &Key, sealed: &mut Sealed) -> Result<()> {
    for record in &mut sealed.records {
        let secret = unseal(old, &sealed.id, record)?;
        seal(new, &sealed.id, record, &secret)?;
    }
    Ok(())
}

pub(super) fn copy(record: &Record) -> Record {
    Record {
        name: record.name.clone(),
        version: record.version,
        placement: record.placement.clone(),
        created: record.created,
        hosts: record.hosts.clone(),
        nonce: [0; NONCE],
        sealed: Vec::new(),
    }
}

/// What the keys of callers are made of. It lies in the vault as a credential does, under a name
/// that none has.
fn root(name: &str) -> Result<(Record, Zeroizing<Vec<u8>>)> {
    let record = Record {
        name: name.to_owned(),
        version: 1,
        placement: "none".to_owned(),
        created: now(),
        hosts: vec!["none".to_owned()],
        nonce: [0; NONCE],
        sealed: Vec::new(),
    };
    Ok((record, Zeroizing::new(Key::random()?.bytes().to_vec())))
}

/// Whether it is of the vault itself, and no credential.
fn is_own(record: &Record) -> bool {
    record.name.starts_with('.')
}

fn record_key(master: &Key, vault: &[u8; 16]) -> Result<Key> {
    master.derive(vault, b"mcp-secure vault records v1")
}

fn mac_key(master: &Key, vault: &[u8; 16]) -> Result<Key> {
    master.derive(vault, b"mcp-secure vault mac v1")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) const KIND: Kind = Kind {
    what: "the vault",
    draft: DRAFT,
};

pub(super) const DRAFT: &str = ".vault-draft.";
