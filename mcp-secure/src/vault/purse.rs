//! What the endpoints of a server spend, taken out of the open vault while they are opened, or
//! asked for when somebody calls.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    NewCredential, Owner, People, Placement, SecretProvider, Spends, Wanted,
    admin::{Open, copy},
    credential::check_name,
    format::Record,
    provide::{Kept, Stored, made},
    spent::{Spent, covers},
};
#[cfg(feature = "upstream")]
use crate::capability::{FileAccess, FileNeed};
use crate::{
    Error, Result,
    auth::Principal,
    capability::{
        Opening,
        net::{NetError, Target},
    },
    state::Starting,
};

/// The open vault, among the grants that are being opened.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) is_there: bool,
    pub(super) open: Option<Open>,
    /// What comes from elsewhere.
    pub(super) provided: Vec<Lent>,
    /// What of it is asked for while the server runs: one for all endpoints that spend it.
    pub(super) kept: Vec<(&'static str, Arc<Kept>)>,
    pub(super) people: Option<Arc<People>>,
    /// The names of those that are spent.
    pub(super) spent: Vec<&'static str>,
    /// What the system did not do for this process.
    #[cfg_attr(
        not(feature = "sandbox"),
        allow(dead_code, reason = "`doctor` alone says it, and is of the sandbox")
    )]
    pub(super) untidy: Option<String>,
}

/// A credential, and where it comes from.
pub(super) type Lent = (NewCredential, Arc<dyn SecretProvider>);

pub(super) fn lent((credential, provider): &Lent) -> Lent {
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
            Self::Each { name, people, .. } => {
                let owner = caller.map(|caller| Owner::new(caller.issuer(), caller.subject()));
                if let Some(Ok(owner)) = owner
                    && people.doubts().refuse(&owner, name, spent.version())
                {
                    tracing::warn!(
                        target: "mcp_secure::upstream",
                        control = "upstream/refused",
                        credential = name,
                        "the endpoint answers 401 to a credential of the caller's own"
                    );
                }
                // There is no other one until its person has entered it.
                false
            }
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
