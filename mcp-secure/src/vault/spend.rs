//! A vault as a server has it: open for as long as the grants are opened, and for what they
//! spend.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::{
    Owner, People, Placement, Redactor, VaultFile, VaultKey,
    admin::{Open, copy, previous},
    credential::{check_name, host_rule},
    format::Record,
    people::{self, MOST_EACH},
    tripwire,
};
use crate::{
    Error, Result,
    auth::Principal,
    capability::{
        FileAccess, FileNeed, Opening,
        net::{NetError, Target},
    },
};

/// What an endpoint spends, as `#[capability(net, credential = "…")]` and
/// [`NetGrant::credential`](crate::capability::net::NetGrant::credential) declare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spends {
    pub(crate) name: &'static str,
    pub(crate) per_user: bool,
}

impl Spends {
    /// A name in the vault; `per_user`: each caller has one of their own.
    pub const fn new(name: &'static str, per_user: bool) -> Self {
        Self { name, per_user }
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn is_per_user(&self) -> bool {
        self.per_user
    }
}

/// The vault of a server: the file, and the one source of its key.
///
/// It is read once, before the sandbox closes. The master key is gone when the grants are open;
/// what stays in the process are the credentials that they spend.
pub struct Vault {
    file: VaultFile,
    key: VaultKey,
    people: Option<PathBuf>,
}

impl Vault {
    /// A vault in a file, which `mcp-secure vault init` makes.
    pub fn file(path: impl Into<PathBuf>, key: VaultKey) -> Self {
        Self {
            file: VaultFile::at(path),
            key,
            people: None,
        }
    }

    /// Refuses an older vault than the newest that was written with this anchor.
    #[must_use]
    pub fn anchor(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = self.file.anchor(path);
        self
    }

    /// The folder with the credentials of each caller, for endpoints that spend those. The server
    /// reads in it when somebody calls, so what is stored or removed there holds from the next
    /// call on.
    #[must_use]
    pub fn people(mut self, folder: impl Into<PathBuf>) -> Self {
        self.people = Some(folder.into());
        self
    }

    /// Makes the folders that a sandbox lets a server read. Not for a look at the configuration,
    /// which leaves nothing behind.
    pub(crate) fn prepare(&self) -> Result<()> {
        match &self.people {
            Some(folder) => people::make(folder),
            None => Ok(()),
        }
    }

    /// Opens it for the grants that follow.
    pub(crate) fn enter(&self, opening: &mut Opening) -> Result<()> {
        #[cfg(target_os = "linux")]
        let untidy = super::hygiene::tidy();
        #[cfg(not(target_os = "linux"))]
        let untidy = None;
        let open = self.file.open(&self.key)?;
        opening.secrets.extend(self.own_files());
        let people = match &self.people {
            Some(folder) => {
                let folder = std::path::absolute(folder).map_err(|error| {
                    Error::new(format!("the folder of callers' credentials: {error}"))
                })?;
                opening.own.push(FileNeed {
                    path: folder.clone(),
                    access: FileAccess::Read,
                    because: "the credentials of callers".to_owned(),
                });
                Some(Arc::new(People::of(&folder, MOST_EACH, &open)?))
            }
            None => None,
        };
        if let Some(shelf) = opening.shared::<Shelf>() {
            *shelf = Shelf {
                open: Some(open),
                people,
                spent: Vec::new(),
                untidy,
            };
        }
        Ok(())
    }

    /// Closes it: the master key is wiped. What is spent, and what is a canary, is looked for in
    /// all that leaves from now on.
    pub(crate) fn leave(opening: &mut Opening) -> Result<()> {
        let Some(shelf) = opening.shared::<Shelf>().map(std::mem::take) else {
            return Ok(());
        };
        let Some(open) = &shelf.open else {
            return Ok(());
        };
        let redactor = |wanted: &dyn Fn(&Record) -> bool| -> Result<Option<Redactor>> {
            let records = open.sealed.records.iter().filter(|record| wanted(record));
            let secrets: Vec<_> = records
                .map(|record| open.secret(record))
                .collect::<Result<_>>()?;
            let parts = secrets.iter().flat_map(|secret| parts(secret));
            match secrets.is_empty() {
                true => Ok(None),
                false => Redactor::new(parts).map(Some),
            }
        };
        tripwire::arm(
            redactor(&|record| shelf.spent.contains(&record.name.as_str()))?,
            redactor(&|record| record.placement == Placement::CANARY)?,
        );
        Ok(())
    }

    /// What an operator should do, before it is closed: a line each.
    #[cfg_attr(
        not(feature = "sandbox"),
        allow(dead_code, reason = "`doctor` alone says it, and is of the sandbox")
    )]
    pub(crate) fn reminders(opening: &mut Opening) -> Vec<String> {
        let Some(shelf) = opening.shared::<Shelf>() else {
            return Vec::new();
        };
        let records = shelf.open.iter().flat_map(|open| &open.sealed.records);
        let spent = records.filter(|record| shelf.spent.contains(&record.name.as_str()));
        let line = |record: &Record| {
            let days = days_since(record.created);
            let name = &record.name;
            (days >= OLD).then(|| {
                format!(
                    "the credential `{name}` is {days} days old: renew it at its issuer, and store \
                     it with `mcp-secure vault set {name}`"
                )
            })
        };
        spent.filter_map(line).chain(shelf.untidy.clone()).collect()
    }

    /// What no tool may read, and what each is.
    fn own_files(&self) -> Vec<(&'static str, PathBuf)> {
        let mut all = vec![
            ("the vault", self.file.path().to_owned()),
            ("the vault before", previous(self.file.path())),
        ];
        let anchor = self.file.anchor_path().map(Path::to_owned);
        all.extend(anchor.map(|path| ("the anchor of the vault", path)));
        all.extend(self.key.path().map(|path| ("the key of the vault", path)));
        let folders = self.people.as_deref().map(people::folders);
        let folders = folders.into_iter().flatten();
        all.extend(folders.map(|path| ("the folder of callers' credentials", path)));
        all
    }
}

/// The open vault, among the grants that are being opened.
#[derive(Default)]
struct Shelf {
    open: Option<Open>,
    people: Option<Arc<People>>,
    /// The names of those that are spent.
    spent: Vec<&'static str>,
    /// What the system did not do for this process.
    #[cfg_attr(
        not(feature = "sandbox"),
        allow(dead_code, reason = "`doctor` alone says it, and is of the sandbox")
    )]
    untidy: Option<String>,
}

/// What an endpoint has to spend.
pub(crate) enum Purse {
    /// The same for whoever calls.
    One(Arc<Spent>),
    /// What each caller's issuer gave for them.
    #[cfg(feature = "upstream")]
    Connected(crate::auth::oauth::upstream::Account),
    /// Each caller's own, opened when they call.
    Each {
        name: &'static str,
        target: Target,
        people: Arc<People>,
    },
}

/// A credential that an endpoint spends. It has no `Debug`, and nothing gives its value but
/// [`spend`](Self::spend), which puts it into a request that has passed every check.
pub(crate) struct Spent {
    name: String,
    version: u32,
    of_caller: bool,
    header: HeaderName,
    value: HeaderValue,
    redactor: Arc<Redactor>,
}

impl Purse {
    /// What an endpoint has.
    ///
    /// # Errors
    ///
    /// When there is no vault, no such credential, or one that is for another host.
    pub(crate) fn open(spends: Spends, target: &Target, opening: &mut Opening) -> Result<Self> {
        let name = spends.name;
        let shelf = shelf(name, opening)?;
        if spends.per_user {
            let people = shelf.people.as_ref().ok_or_else(|| {
                Error::new(format!(
                    "it spends each caller's `{name}`, and the vault has no folder for those"
                ))
                .help("add `.people(FOLDER)` to the vault of the server")
            })?;
            return Ok(Self::Each {
                name,
                target: target.clone(),
                people: Arc::clone(people),
            });
        }
        let (record, secret) = shelf.take(name, &target)?;
        Spent::of(&record, &secret, target, false).map(|spent| Self::One(Arc::new(spent)))
    }

    /// The endpoint answered 401 to this. Whether there is another one to try.
    #[cfg(feature = "upstream")]
    pub(crate) async fn refused(&self, caller: Option<&Principal>, spent: &Spent) -> bool {
        match self {
            Self::Connected(account) => account.refused(caller, spent.version()).await,
            _ => false,
        }
    }

    /// What is spent for this caller.
    pub(crate) async fn spent(
        &self,
        caller: Option<&Principal>,
    ) -> std::result::Result<Arc<Spent>, NetError> {
        let (name, target, people) = match self {
            Self::One(spent) => return Ok(Arc::clone(spent)),
            #[cfg(feature = "upstream")]
            Self::Connected(account) => return account.spent(caller).await,
            Self::Each {
                name,
                target,
                people,
            } => (*name, target.clone(), Arc::clone(people)),
        };
        let missing = |detail: String| NetError::NoCredential { detail };
        let caller = caller.ok_or_else(|| missing("nobody calls".to_owned()))?;
        let owner = Owner::new(caller.issuer(), caller.subject());
        let owner = owner.map_err(|error| missing(error.to_string()))?;
        let found = tokio::task::spawn_blocking(move || {
            let found = people.secret(&owner, name)?;
            let spent = found.map(|(record, secret)| Spent::of(&record, &secret, &target, true));
            spent.transpose()
        });
        match found.await {
            Ok(Ok(Some(spent))) => Ok(Arc::new(spent)),
            Ok(Ok(None)) => Err(missing(format!("this caller has no credential `{name}`"))),
            Ok(Err(error)) => Err(missing(error.to_string())),
            Err(_) => Err(missing("the credential was not read".to_owned())),
        }
    }
}

/// The secret by which this server proves who it is at an issuer.
///
/// # Errors
///
/// When there is none of that name, or it is for another host.
#[cfg(feature = "oauth")]
pub(crate) fn secret_for(
    name: &'static str,
    url: &str,
    opening: &mut Opening,
) -> Result<Zeroizing<String>> {
    let target = Target::parse(url, false)?;
    let (record, secret) = shelf(name, opening)?.take(name, &target)?;
    let covers = |host: &String| host_rule(host).is_ok_and(|rule| target.is_inside(&rule));
    if !record.hosts.iter().any(covers) {
        return Err(Error::new(format!(
            "net/credential: the credential `{name}` is for {}, and would go to `{target}`",
            record.hosts.join(", ")
        ))
        .help("store it again with `--host`"));
    }
    let text = std::str::from_utf8(&secret)
        .map_err(|_| Error::new(format!("the credential `{name}` is no text")))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The credentials of callers, which the server also writes from now on.
#[cfg(feature = "upstream")]
pub(crate) fn people_to_write(opening: &mut Opening) -> Result<Arc<People>> {
    let people = opening
        .shared::<Shelf>()
        .and_then(|shelf| shelf.people.clone())
        .ok_or_else(|| {
            Error::new("it keeps what each caller connects, and the server has no place for it")
                .help("add `.vault(Vault::file(…).people(FOLDER))` to the server")
        })?;
    opening.own.push(FileNeed {
        path: people.folder().to_owned(),
        access: FileAccess::Write,
        because: "what callers connect".to_owned(),
    });
    Ok(people)
}

/// The vault, for an endpoint that spends this.
fn shelf<'s>(name: &str, opening: &'s mut Opening) -> Result<&'s mut Shelf> {
    check_name(name)?;
    let shelf = opening
        .shared::<Shelf>()
        .filter(|shelf| shelf.open.is_some());
    shelf.ok_or_else(|| {
        Error::new(format!("it spends `{name}`, and the server has no vault"))
            .help("add `.vault(Vault::file(…))` to the server")
    })
}

impl Shelf {
    /// One of the server's, which is spent from now on.
    fn take(
        &mut self,
        name: &'static str,
        place: &dyn std::fmt::Display,
    ) -> Result<(Record, Zeroizing<Vec<u8>>)> {
        let missing = || {
            Error::new(format!("the vault has no credential `{name}`")).help(format!(
                "store it: `mcp-secure vault set {name} --host {place}`, with the vault and its key"
            ))
        };
        let open = self.open.as_ref().ok_or_else(missing)?;
        let mut records = open.sealed.records.iter();
        let record = records.find(|record| record.name == name);
        let record = record.ok_or_else(missing)?;
        // Opened first: the hosts are what they were when it was sealed, or it does not open.
        let secret = open.secret(record)?;
        self.spent.push(name);
        Ok((copy(record), secret))
    }
}

/// The password for a database server, such as `postgres://db.example.com:5432`.
///
/// # Errors
///
/// As for an endpoint; and when it is no password, or that of another server.
#[cfg(feature = "postgres")]
pub(crate) fn password(
    name: &'static str,
    place: &str,
    opening: &mut Opening,
) -> Result<secrecy::SecretString> {
    let (record, secret) = shelf(name, opening)?.take(name, &place)?;
    if record.placement != Placement::PASSWORD || !record.hosts.iter().any(|host| host == place) {
        return Err(Error::new(format!(
            "the credential `{name}` is a {} for {}, and would be the password at `{place}`",
            record.placement,
            record.hosts.join(", ")
        ))
        .help("store it again with `--password` and this `--host`"));
    }
    String::from_utf8(secret.to_vec())
        .map(Into::into)
        .map_err(|_| Error::new(format!("the credential `{name}` is no text")))
}

impl Spent {
    /// An access token of a caller's (RFC 6750), for as long as one request takes.
    #[cfg(feature = "upstream")]
    pub(crate) fn of_token(name: &str, version: u32, token: &str) -> Result<Self> {
        let text = joined(b"Bearer ", token.as_bytes());
        let mut value = HeaderValue::from_bytes(&text)
            .map_err(|_| Error::new(format!("the token for `{name}` fits no header")))?;
        value.set_sensitive(true);
        Ok(Self {
            name: name.to_owned(),
            version,
            of_caller: true,
            header: http::header::AUTHORIZATION,
            value,
            redactor: Arc::new(Redactor::new([token.as_bytes()])?),
        })
    }

    fn of(record: &Record, secret: &[u8], target: &Target, of_caller: bool) -> Result<Self> {
        let name = &record.name;
        let covers = |host: &String| host_rule(host).is_ok_and(|rule| target.is_inside(&rule));
        if !record.hosts.iter().any(covers) {
            return Err(Error::new(format!(
                "net/credential: the credential `{name}` is for {}, and would go to `{target}`",
                record.hosts.join(", ")
            ))
            .help("bind the grant to one of those, or store it again with `--host`"));
        }
        let placement: Placement = record.placement.parse()?;
        let header = placement.header()?;
        let (text, redactor) = match placement {
            Placement::Bearer => (joined(b"Bearer ", secret), Redactor::new([secret])?),
            Placement::Basic => {
                let pair = Zeroizing::new(STANDARD.encode(secret));
                let colon = secret.iter().position(|byte| *byte == b':');
                let password = colon
                    .and_then(|at| secret.get(at + 1..))
                    .unwrap_or_default();
                (
                    joined(b"Basic ", pair.as_bytes()),
                    Redactor::new([secret, password, pair.as_bytes()])?,
                )
            }
            Placement::Header(_) | Placement::Canary | Placement::Grant | Placement::Password => {
                (joined(b"", secret), Redactor::new([secret])?)
            }
        };
        let mut value = HeaderValue::from_bytes(&text)
            .map_err(|_| Error::new(format!("the credential `{name}` fits no header")))?;
        value.set_sensitive(true);
        Ok(Self {
            name: name.clone(),
            version: record.version,
            of_caller,
            header,
            value,
            redactor: Arc::new(redactor),
        })
    }

    /// Of what is kept.
    #[cfg(feature = "upstream")]
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Whether a caller has set the header that this goes into.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(&self.header)
    }

    /// Puts it into a request.
    pub(crate) fn spend(&self, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }

    /// For the audit: which it is, and never what.
    pub(crate) fn label(&self) -> String {
        let whose = if self.of_caller { "the caller's " } else { "" };
        format!("{whose}`{}` version {}", self.name, self.version)
    }

    /// Finds it in what comes back.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

/// A secret, and what of it is one by itself: the password of a pair.
fn parts(secret: &[u8]) -> [&[u8]; 2] {
    let colon = secret.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|at| secret.get(at + 1..));
    [secret, password.unwrap_or_default()]
}

#[cfg_attr(
    not(feature = "sandbox"),
    allow(dead_code, reason = "`doctor` alone says it, and is of the sandbox")
)]
fn days_since(created: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs().saturating_sub(created) / (24 * 3600))
}

/// When a secret should have been renewed, in days.
#[cfg_attr(
    not(feature = "sandbox"),
    allow(dead_code, reason = "`doctor` alone says it, and is of the sandbox")
)]
const OLD: u64 = 90;

fn joined(scheme: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + secret.len()));
    text.extend_from_slice(scheme);
    text.extend_from_slice(secret);
    text
}
