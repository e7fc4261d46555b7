//! A vault as a server has it: open for as long as the grants are opened, and for what they
//! spend.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::{
    Placement, Redactor, VaultFile, VaultKey,
    admin::{Open, previous},
    credential::host_rule,
};
use crate::{
    Error, Result,
    capability::{Opening, net::Target},
};

/// The vault of a server: the file, and the one source of its key.
///
/// It is read once, before the sandbox closes. The master key is gone when the grants are open;
/// what stays in the process are the credentials that they spend.
pub struct Vault {
    file: VaultFile,
    key: VaultKey,
}

impl Vault {
    /// A vault in a file, which `mcp-secure vault init` makes.
    pub fn file(path: impl Into<PathBuf>, key: VaultKey) -> Self {
        Self {
            file: VaultFile::at(path),
            key,
        }
    }

    /// Refuses an older vault than the newest that was written with this anchor.
    #[must_use]
    pub fn anchor(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = self.file.anchor(path);
        self
    }

    /// Opens it for the grants that follow.
    pub(crate) fn enter(&self, opening: &mut Opening) -> Result<()> {
        let open = self.file.open(&self.key)?;
        opening.secrets.extend(self.own_files());
        if let Some(shelf) = opening.shared::<Shelf>() {
            shelf.0 = Some(open);
        }
        Ok(())
    }

    /// Closes it: the master key is wiped.
    pub(crate) fn leave(opening: &mut Opening) {
        if let Some(shelf) = opening.shared::<Shelf>() {
            shelf.0 = None;
        }
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
        all
    }
}

/// The open vault, among the grants that are being opened.
#[derive(Default)]
struct Shelf(Option<Open>);

/// A credential that an endpoint spends. It has no `Debug`, and nothing gives its value but
/// [`spend`](Self::spend), which puts it into a request that has passed every check.
pub(crate) struct Spent {
    name: String,
    version: u32,
    header: HeaderName,
    value: HeaderValue,
    redactor: Arc<Redactor>,
}

/// The credential of an endpoint.
///
/// # Errors
///
/// When there is no vault, no such credential, or one that is for another host.
pub(crate) fn spendable(name: &str, target: &Target, opening: &mut Opening) -> Result<Spent> {
    let open = opening
        .shared::<Shelf>()
        .and_then(|shelf| shelf.0.as_ref())
        .ok_or_else(|| {
            Error::new(format!("it spends `{name}`, and the server has no vault"))
                .help("add `.vault(Vault::file(…))` to the server")
        })?;
    let records = &open.sealed.records;
    let record = records.iter().find(|record| record.name == name);
    let record = record.ok_or_else(|| {
        Error::new(format!("the vault has no credential `{name}`"))
            .help(format!("store it: `mcp-secure vault set {name} --host …`"))
    })?;
    // Opened first: the hosts are what they were when it was sealed, or it does not open.
    let secret = open.secret(record)?;
    let covers = |host: &String| host_rule(host).is_ok_and(|rule| target.is_inside(&rule));
    if !record.hosts.iter().any(covers) {
        return Err(Error::new(format!(
            "net/credential: the credential `{name}` is for {}, and would go to `{target}`",
            record.hosts.join(", ")
        ))
        .help("bind the grant to one of those, or store it again with `--host`"));
    }
    let placement: Placement = record.placement.parse()?;
    let (text, redactor) = match placement {
        Placement::Bearer => (joined(b"Bearer ", &secret), Redactor::new(&[&secret])?),
        Placement::Basic => {
            let pair = Zeroizing::new(STANDARD.encode(&*secret));
            let colon = secret.iter().position(|byte| *byte == b':');
            let password = colon
                .and_then(|at| secret.get(at + 1..))
                .unwrap_or_default();
            (
                joined(b"Basic ", pair.as_bytes()),
                Redactor::new(&[&secret, password, pair.as_bytes()])?,
            )
        }
        Placement::Header(_) => (joined(b"", &secret), Redactor::new(&[&secret])?),
    };
    let mut value = HeaderValue::from_bytes(&text)
        .map_err(|_| Error::new(format!("the credential `{name}` fits no header")))?;
    value.set_sensitive(true);
    Ok(Spent {
        name: record.name.clone(),
        version: record.version,
        header: placement.header()?,
        value,
        redactor: Arc::new(redactor),
    })
}

impl Spent {
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
        format!("`{}` version {}", self.name, self.version)
    }

    /// Finds it in what comes back.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

fn joined(scheme: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + secret.len()));
    text.extend_from_slice(scheme);
    text.extend_from_slice(secret);
    text
}
