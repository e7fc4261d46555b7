//! A vault as a server has it: open for as long as the grants are opened, and for what they
//! spend.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, uri::PathAndQuery};
use zeroize::Zeroizing;

use super::{
    NewCredential, Owner, People, Placement, Redactor, SecretProvider, VaultFile, VaultKey, Wanted,
    admin::{Open, copy, previous},
    credential::{check_name, host_rule},
    format::Record,
    people::{self, MOST_EACH},
    provide::{Kept, Stored, made},
    tripwire,
};
use crate::{
    Error, Result,
    auth::Principal,
    capability::{
        FileAccess, FileNeed, Opening,
        net::{NetError, Target},
    },
    state::Starting,
};

/// What an endpoint spends, as `#[capability(net, credential = "…")]` and
/// [`NetGrant::credential`](crate::capability::net::NetGrant::credential) declare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spends {
    pub(crate) name: &'static str,
    pub(crate) per_user: bool,
    /// The author said that it may be in an address.
    pub(crate) in_query: bool,
}

impl Spends {
    /// A name in the vault; `per_user`: each caller has one of their own.
    pub const fn new(name: &'static str, per_user: bool) -> Self {
        Self {
            name,
            per_user,
            in_query: false,
        }
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
    /// `None`: all of its credentials come from providers.
    file: Option<(VaultFile, VaultKey)>,
    people: Option<PathBuf>,
    people_anchors: Option<PathBuf>,
    provided: Vec<(NewCredential, Arc<dyn SecretProvider>)>,
}

impl Vault {
    /// A vault in a file, which `mcp-secure vault init` makes.
    pub fn file(path: impl Into<PathBuf>, key: VaultKey) -> Self {
        Self {
            file: Some((VaultFile::at(path), key)),
            people: None,
            people_anchors: None,
            provided: Vec::new(),
        }
    }

    /// No file: all credentials come from [providers](Self::provide).
    #[must_use]
    pub fn without_file() -> Self {
        Self {
            file: None,
            people: None,
            people_anchors: None,
            provided: Vec::new(),
        }
    }

    /// A credential that is not in the file: its name, hosts and placement, and where its secret
    /// comes from. A provider that gives none stops the start; one that is down later has the
    /// calls refused that need it, once what it gave last is over.
    ///
    /// ```
    /// # fn main() -> mcp_secure::Result<()> {
    /// use mcp_secure::vault::{NewCredential, OpenBao, Placement, Vault};
    ///
    /// let github = NewCredential::new("github", Placement::Bearer, ["https://api.github.com"])?;
    /// let bao = OpenBao::kv("https://bao.example.com", "secret", "stars/github", "token")
    ///     .token_file("/run/bao-agent/token");
    /// let vault = Vault::without_file().provide(github, bao);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn provide(mut self, credential: NewCredential, provider: impl SecretProvider) -> Self {
        self.provided.push((credential, Arc::new(provider)));
        self
    }

    /// Refuses an older vault than the newest that was written with this anchor.
    #[must_use]
    pub fn anchor(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = self.file.map(|(file, key)| (file.anchor(path), key));
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

    /// Refuses older entries of a caller than the newest that were written with these anchors, a
    /// file for each in this folder. See [`People::anchors`].
    #[must_use]
    pub fn people_anchors(mut self, folder: impl Into<PathBuf>) -> Self {
        self.people_anchors = Some(folder.into());
        self
    }

    /// The file and its key, for the verbs of a server's own binary.
    pub(super) fn stored(&self) -> Option<(&VaultFile, &VaultKey)> {
        self.file.as_ref().map(|(file, key)| (file, key))
    }

    /// The folders of callers' credentials and of their anchors.
    pub(super) fn of_people(&self) -> Option<(&Path, Option<&Path>)> {
        let people = self.people.as_deref()?;
        Some((people, self.people_anchors.as_deref()))
    }

    /// Makes the folders that a sandbox lets a server read. Not for a look at the configuration,
    /// which leaves nothing behind.
    pub(crate) fn prepare(&self) -> Result<()> {
        match &self.people {
            Some(folder) => people::make(folder)?,
            None => return Ok(()),
        }
        match &self.people_anchors {
            Some(folder) => people::make_anchors(folder),
            None => Ok(()),
        }
    }

    /// Opens it for the grants that follow.
    pub(crate) fn enter(&self, opening: &mut Opening) -> Result<()> {
        #[cfg(target_os = "linux")]
        let untidy = super::hygiene::tidy();
        #[cfg(not(target_os = "linux"))]
        let untidy = None;
        let open = match &self.file {
            Some((file, key)) => Some(file.open(key)?),
            None => None,
        };
        self.check_provided(open.as_ref())?;
        opening.secrets.extend(self.own_files());
        let people = match &self.people {
            Some(folder) => {
                let open = open.as_ref().ok_or_else(|| {
                    Error::new("there are credentials of callers, and no file of a vault")
                        .help("their keys are made of a secret in it: name one with `Vault::file`")
                })?;
                let folder = std::path::absolute(folder).map_err(|error| {
                    Error::new(format!("the folder of callers' credentials: {error}"))
                })?;
                opening.own.push(FileNeed {
                    path: folder.clone(),
                    access: FileAccess::Read,
                    because: "the credentials of callers".to_owned(),
                });
                let mut people = People::of(&folder, MOST_EACH, open)?;
                if let Some(anchors) = &self.people_anchors {
                    let anchors = std::path::absolute(anchors).map_err(|error| {
                        Error::new(format!("the folder of callers' anchors: {error}"))
                    })?;
                    opening.own.push(FileNeed {
                        path: anchors.clone(),
                        access: FileAccess::Read,
                        because: "the anchors of callers' credentials".to_owned(),
                    });
                    people = people.anchors(anchors);
                }
                Some(Arc::new(people))
            }
            None => None,
        };
        if let Some(shelf) = opening.shared::<Shelf>() {
            *shelf = Shelf {
                is_there: true,
                open,
                provided: self.provided.iter().map(lent).collect(),
                kept: Vec::new(),
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

    /// One name is one credential: which of two is spent is no matter of order.
    fn check_provided(&self, open: Option<&Open>) -> Result<()> {
        let mut names: Vec<&str> = open
            .iter()
            .flat_map(|open| &open.sealed.records)
            .map(|record| record.name.as_str())
            .collect();
        for (credential, provider) in &self.provided {
            let name = credential.name.as_str();
            if names.contains(&name) {
                return Err(Error::new(format!(
                    "there are two credentials `{name}`, and one comes from {}",
                    provider.kind()
                ))
                .help("take one out; none is a second choice behind the other"));
            }
            if matches!(
                credential.placement,
                Placement::Canary | Placement::ClientKey | Placement::Password
            ) {
                return Err(Error::new(format!(
                    "the credential `{name}` is a {}, and those are in the file of the vault",
                    credential.placement
                ))
                .help("store it with `mcp-secure vault set`"));
            }
            names.push(name);
        }
        Ok(())
    }

    /// What no tool may read, and what each is.
    fn own_files(&self) -> Vec<(&'static str, PathBuf)> {
        let mut all = Vec::new();
        if let Some((file, key)) = &self.file {
            all.push(("the vault", file.path().to_owned()));
            all.push(("the vault before", previous(file.path())));
            let anchor = file.anchor_path().map(Path::to_owned);
            all.extend(anchor.map(|path| ("the anchor of the vault", path)));
            all.extend(key.path().map(|path| ("the key of the vault", path)));
        }
        let folders = self.people.as_deref().map(people::folders);
        let folders = folders.into_iter().flatten();
        all.extend(folders.map(|path| ("the folder of callers' credentials", path)));
        let anchors = self.people_anchors.clone();
        all.extend(anchors.map(|path| ("the folder of callers' anchors", path)));
        all
    }
}

/// The open vault, among the grants that are being opened.
#[derive(Default)]
struct Shelf {
    is_there: bool,
    open: Option<Open>,
    /// What comes from elsewhere.
    provided: Vec<Lent>,
    /// What of it is asked for while the server runs: one for all endpoints that spend it.
    kept: Vec<(&'static str, Arc<Kept>)>,
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

/// A credential, and where it comes from.
type Lent = (NewCredential, Arc<dyn SecretProvider>);

fn lent((credential, provider): &Lent) -> Lent {
    (credential.again(), Arc::clone(provider))
}

/// What an endpoint has to spend.
pub(crate) enum Purse {
    /// The same for whoever calls, as its provider has it now.
    Provided(Arc<Kept>),
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
    place: Place,
    redactor: Arc<Redactor>,
}

/// Where in a request it goes, as it is there.
enum Place {
    Header(HeaderName, HeaderValue),
    /// The name of the parameter, and the parameter.
    Query(String, Zeroizing<String>),
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
        let in_query = |credential: &NewCredential| {
            match credential.placement {
            Placement::Query(_) if !spends.in_query => Err(Error::new(format!(
                "the credential `{name}` goes into the query of addresses, and those are written down"
            ))
            .help("use a header, or write `dangerous::credential_in_query(…)` around the grant")),
            _ => Ok(()),
        }
        };
        if let Some((credential, provider)) = shelf.lent(name) {
            in_query(&credential)?;
            let wanted = Wanted {
                name,
                credential: &credential,
            };
            let purse = Self::provided(wanted, &provider, target, opening)?;
            if let Self::One(spent) = &purse {
                spent.remember();
            }
            return Ok(purse);
        }
        let (record, secret) = shelf.take(name, &target)?;
        let credential = NewCredential::of(&record)?;
        in_query(&credential)?;
        let stored = Stored::new(record.version, secret);
        let wanted = Wanted {
            name,
            credential: &credential,
        };
        Self::provided(
            wanted,
            &(Arc::new(stored) as Arc<dyn SecretProvider>),
            target,
            opening,
        )
    }

    /// What a provider has: for good, or to be asked for.
    fn provided(
        wanted: Wanted<'_>,
        provider: &Arc<dyn SecretProvider>,
        target: &Target,
        opening: &mut Opening,
    ) -> Result<Self> {
        let Wanted { name, credential } = wanted;
        // The hosts, before anybody is asked for anything.
        covers(name, &credential.hosts, target)?;
        let known = opening.shared::<Shelf>().and_then(|shelf| {
            let mut kept = shelf.kept.iter();
            kept.find(|(of, _)| *of == name)
                .map(|(_, kept)| Arc::clone(kept))
        });
        if let Some(kept) = known {
            return Ok(Self::Provided(kept));
        }
        let explain = |error: Error| error.before(&format!("the credential `{name}`: "));
        let known = provider
            .start(&wanted, &mut Starting::of(opening))
            .map_err(explain)?;
        if let Some(known) = known {
            let spent = made(credential, &known, 1, target)?;
            return Ok(Self::One(Arc::new(spent)));
        }
        let kept = Arc::new(Kept::new(
            name,
            credential.again(),
            target.clone(),
            Arc::clone(provider),
        ));
        let first = Arc::clone(&kept);
        opening
            .ready
            .push(Box::pin(async move { first.begin().await }));
        if let Some(shelf) = opening.shared::<Shelf>() {
            shelf.kept.push((name, Arc::clone(&kept)));
        }
        Ok(Self::Provided(kept))
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
            Self::Provided(kept) => return kept.spent().await,
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
    covers(name, &record.hosts, &target)?;
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
    opening.own.extend(people.written().map(|folder| FileNeed {
        path: folder.to_owned(),
        access: FileAccess::Write,
        because: "what callers connect".to_owned(),
    }));
    Ok(people)
}

/// The vault, for an endpoint that spends this.
fn shelf<'s>(name: &str, opening: &'s mut Opening) -> Result<&'s mut Shelf> {
    check_name(name)?;
    let shelf = opening.shared::<Shelf>().filter(|shelf| shelf.is_there);
    shelf.ok_or_else(|| {
        Error::new(format!("it spends `{name}`, and the server has no vault"))
            .help("add `.vault(Vault::file(…))` to the server")
    })
}

impl Shelf {
    /// What comes from elsewhere under this name.
    fn lent(&self, name: &str) -> Option<Lent> {
        let mut provided = self.provided.iter();
        provided
            .find(|(credential, _)| credential.name == name)
            .map(lent)
    }

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

/// The key of the client certificate for an endpoint.
///
/// # Errors
///
/// As for an endpoint; and when it is no key, or comes from elsewhere than the file.
pub(crate) fn client_key(
    spends: Spends,
    target: &Target,
    opening: &mut Opening,
) -> Result<rustls::pki_types::PrivateKeyDer<'static>> {
    let name = spends.name;
    let (record, secret) = shelf(name, opening)?.take(name, target)?;
    covers(name, &record.hosts, target)?;
    let key = super::credential::client_key(&secret);
    key.filter(|_| record.placement == Placement::CLIENT_KEY && !spends.per_user)
        .ok_or_else(|| {
            Error::new(format!(
                "the credential `{name}` is a {}, and would be the key of a certificate",
                record.placement
            ))
            .help("store it with `--client-key`; each caller has none of their own")
        })
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
            place: Place::Header(http::header::AUTHORIZATION, value),
            redactor: Arc::new(Redactor::new([token.as_bytes()])?),
        })
    }

    pub(super) fn of(
        record: &Record,
        secret: &[u8],
        target: &Target,
        of_caller: bool,
    ) -> Result<Self> {
        let name = &record.name;
        covers(name, &record.hosts, target)?;
        let placement: Placement = record.placement.parse()?;
        if let Placement::Query(parameter) = placement {
            if of_caller {
                return Err(Error::new(format!(
                    "the caller's credential `{name}` goes into a query, which none of a caller does"
                )));
            }
            let pair = Zeroizing::new(format!("{parameter}={}", *escaped(secret)));
            return Ok(Self {
                name: name.clone(),
                version: record.version,
                of_caller,
                place: Place::Query(parameter, pair),
                redactor: Arc::new(Redactor::new([secret])?),
            });
        }
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
            _ => (joined(b"", secret), Redactor::new([secret])?),
        };
        let mut value = HeaderValue::from_bytes(&text)
            .map_err(|_| Error::new(format!("the credential `{name}` fits no header")))?;
        value.set_sensitive(true);
        Ok(Self {
            name: name.clone(),
            version: record.version,
            of_caller,
            place: Place::Header(header, value),
            redactor: Arc::new(redactor),
        })
    }

    /// Of what is kept.
    #[cfg(feature = "upstream")]
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Whether a caller has set what this goes into: a header, or a parameter of a path with its
    /// query.
    pub(crate) fn is_in(&self, headers: &HeaderMap, path: &str) -> bool {
        match &self.place {
            Place::Header(name, _) => headers.contains_key(name),
            Place::Query(name, _) => path.split_once('?').is_some_and(|(_, query)| {
                let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                pairs.any(|(key, _)| key == name.as_str())
            }),
        }
    }

    /// Puts it into a request.
    pub(crate) fn spend<B>(&self, request: &mut Request<B>) -> std::result::Result<(), NetError> {
        match &self.place {
            Place::Header(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
            }
            Place::Query(_, pair) => {
                let path = request
                    .uri()
                    .path_and_query()
                    .map_or("/", PathAndQuery::as_str);
                let sign = if path.contains('?') { '&' } else { '?' };
                let path = Zeroizing::new(format!("{path}{sign}{}", **pair));
                let path = PathAndQuery::try_from(path.as_str());
                *request.uri_mut() = path.map_err(|_| NetError::Credential)?.into();
            }
        }
        Ok(())
    }

    /// For the audit: which it is, and never what.
    pub(crate) fn label(&self) -> String {
        let whose = if self.of_caller { "the caller's " } else { "" };
        format!("{whose}`{}` version {}", self.name, self.version)
    }

    /// Whether it is one of a caller's own.
    pub(crate) fn is_of_caller(&self) -> bool {
        self.of_caller
    }

    /// From now on it is looked for in all that leaves, whoever calls.
    pub(crate) fn remember(&self) {
        match self.of_caller {
            true => tripwire::know(&self.redactor),
            false => tripwire::know_provided(&self.name, &self.redactor),
        }
    }

    /// Finds it in what comes back.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

/// Whether a credential may go there.
fn covers(name: &str, hosts: &[String], target: &Target) -> Result<()> {
    let covers = |host: &String| host_rule(host).is_ok_and(|rule| target.is_inside(&rule));
    match hosts.iter().any(covers) {
        true => Ok(()),
        false => Err(Error::new(format!(
            "net/credential: the credential `{name}` is for {}, and would go to `{target}`",
            hosts.join(", ")
        ))
        .help("bind the grant to one of those, or store it again with `--host`")),
    }
}

/// A secret, and what of it is one by itself: the password of a pair, the lines of a key.
fn parts(secret: &[u8]) -> Vec<&[u8]> {
    if secret.starts_with(b"-----BEGIN") {
        let lines = secret.split(|byte| b"\r\n".contains(byte));
        return lines
            .filter(|line| line.len() >= 16 && !line.starts_with(b"-----"))
            .collect();
    }
    let colon = secret.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|at| secret.get(at + 1..));
    vec![secret, password.unwrap_or_default()]
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

/// For a query: all but the letters that nothing is done to (RFC 3986 section 2.3).
fn escaped(secret: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(secret.len() * 3));
    for &byte in secret {
        match byte {
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => {
                out.push('%');
                for half in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(half.into(), 16).unwrap_or('0');
                    out.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
    out
}

fn joined(scheme: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + secret.len()));
    text.extend_from_slice(scheme);
    text.extend_from_slice(secret);
    text
}
