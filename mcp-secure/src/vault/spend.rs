//! A vault as a server declares it: opened for as long as the grants are opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    NewCredential, People, Placement, Redactor, SecretProvider, VaultFile, VaultKey,
    admin::{Open, previous},
    format::Record,
    people::{self, MOST_EACH},
    purse::{Shelf, lent},
    spent::parts,
    tripwire,
};
use crate::{
    Error, Result,
    capability::{FileAccess, FileNeed, Opening},
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
            // An issuer gives it, for one caller who agreed; from a provider it would be everybody's.
            if credential.placement == Placement::Grant {
                return Err(Error::new(format!(
                    "the credential `{name}` is a {}, and those come from no provider",
                    credential.placement
                ))
                .help("declare the endpoint with `.connect(…)`: each caller connects an account"));
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
