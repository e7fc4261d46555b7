//! Accounts of callers at other servers: each caller gives this server a grant of their own there,
//! once, and calls in their name carry it.
//!
//! ```text
//! account    one endpoint: what each caller has for it, renewed when it is over
//! kept       what of that lies in the vault
//! operator   what is done by hand
//! ```
//!
//! How a person gives it, [`crate::connect`] knows. No token of a caller of this server goes
//! upstream, and none of upstream goes to a client.
//!
//! Sources: RFC 6749, 7009, 8252, 8628, 8707, 9700.

mod account;
mod kept;
mod operator;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

pub(crate) use self::account::Account;
use self::account::Accounts;
use super::{
    ClientAuth,
    issuer::{As, Issuer},
    scopes,
};
use crate::{
    Error, Result,
    capability::{
        Opening,
        net::{Target, fetch::FetchSettings},
    },
    vault,
};

/// An account of each caller's at another server, reached with an access token of theirs.
///
/// ```
/// use mcp_secure::auth::UpstreamOAuth;
///
/// UpstreamOAuth::new("https://auth.example", "notes-server")
///     .scopes(["calendar:read", "offline_access"])
///     .resource("https://calendar.example");
/// ```
///
/// Register the redirect URI `/connect/callback` at the origin of this server; for a server over
/// stdio or a Unix-domain socket it is `http://127.0.0.1/connect/callback` with whatever port
/// (RFC 8252 section 7.3).
#[must_use = "it does nothing until a grant has it"]
pub struct UpstreamOAuth {
    issuer: String,
    client: Client,
    scopes: Vec<String>,
    resource: Option<String>,
    device: bool,
    allow_private: bool,
    ca_files: Vec<PathBuf>,
    nameservers: Vec<SocketAddr>,
}

/// Who this server is there.
enum Client {
    /// Nobody in particular: PKCE is what proves that it is the one that asked.
    Public(String),
    Known(ClientAuth),
}

impl UpstreamOAuth {
    /// The issuer as it calls itself, to the last `/`, and the public client that this server is
    /// there. Where things are is read from the issuer's metadata (RFC 8414).
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::of(issuer.into(), Client::Public(client_id.into()))
    }

    /// As [`new`](Self::new), with a client that proves who it is: by a secret, or by a private key
    /// (RFC 7523).
    pub fn with_client(issuer: impl Into<String>, client: ClientAuth) -> Self {
        Self::of(issuer.into(), Client::Known(client))
    }

    fn of(issuer: String, client: Client) -> Self {
        Self {
            issuer,
            client,
            scopes: Vec::new(),
            resource: None,
            device: false,
            allow_private: false,
            ca_files: Vec::new(),
            nameservers: Vec::new(),
        }
    }

    /// What the tokens are to be good for. Tokens that are good for more are refused. Many issuers
    /// give a refresh token only to who asks for `offline_access`.
    pub fn scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The server that the tokens are for (RFC 8707), where the issuer wants to be told.
    pub fn resource(mut self, url: impl Into<String>) -> Self {
        self.resource = Some(url.into());
        self
    }

    /// By a code that the person types on another device (RFC 8628), for a server on a machine
    /// without a browser. Only over stdio: who types the code is not known, so on a network a
    /// caller could have another person's account put into their own name.
    pub fn device(mut self) -> Self {
        self.device = true;
        self
    }

    /// The issuer is on this machine or in the private network, where it may also be plain HTTP.
    pub fn allow_private_issuer(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// Trusts the certificate authorities in a file too, in PEM form.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Asks these for the issuer's name, and not who the system asks.
    pub fn nameservers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.nameservers.extend(servers);
        self
    }

    fn client_id(&self) -> &str {
        match &self.client {
            Client::Public(id) => id,
            Client::Known(client) => &client.id,
        }
    }

    /// For the manifest and the operator.
    pub(crate) fn terms(&self) -> Vec<String> {
        let how = match self.device {
            true => "by a device code",
            false => "on a page",
        };
        let mut terms = vec![format!(
            "sends each caller's own token of {}, which they give {} {how}",
            self.issuer,
            self.client_id()
        )];
        terms.extend(self.resource.iter().map(|url| format!("a token for {url}")));
        if !self.scopes.is_empty() {
            terms.push(format!("a token good for {}", self.scopes.join(" ")));
        }
        if self.allow_private {
            terms.push("the issuer of the token may be at a private address".to_owned());
        }
        for path in &self.ca_files {
            let path = path.display();
            terms.push(format!("trusts the authorities in {path} for tokens"));
        }
        for server in &self.nameservers {
            terms.push(format!("asks {server} for the name of the issuer"));
        }
        terms
    }

    fn check(&self) -> Result<()> {
        if self.client_id().is_empty() {
            return Err(Error::new("the client that asks for grants has no id")
                .help("write the id that the issuer gave this server"));
        }
        if let Some(bad) = self.scopes.iter().find(|scope| !scopes::is_scope(scope)) {
            return Err(Error::new(format!("`{}` is no scope", bad.escape_debug()))
                .help("a scope has no spaces, quotes or backslashes (RFC 6749 section 3.3)"));
        }
        let is_url = |text: &String| {
            url::Url::parse(text).is_ok_and(|url| url.has_host() && url.fragment().is_none())
        };
        match &self.resource {
            Some(resource) if !is_url(resource) => {
                Err(Error::new(format!("`{resource}` is no resource"))
                    .help("write an absolute URL without `#` (RFC 8707)"))
            }
            _ => Ok(()),
        }
    }

    /// Opens the way to the issuer.
    fn issuer(&self, capability: Option<&'static str>, opening: &mut Opening) -> Result<Issuer> {
        let settings = FetchSettings {
            of: capability,
            allow_private: self.allow_private,
            ca_files: self.ca_files.clone(),
            nameservers: self.nameservers.clone(),
            max_response: Some(64 * 1024),
            max_per_second: Some(200),
            ..FetchSettings::default()
        };
        let this = As {
            client_id: self.client_id(),
            auth: match &self.client {
                Client::Public(_) => None,
                Client::Known(client) => Some(client),
            },
            // An operator who takes something back sends nobody anywhere.
            in_browsers: capability.is_some() && !self.device,
        };
        Issuer::open("sdk/upstream", &self.issuer, this, settings, opening)
            .map_err(|error| error.before("the issuer of the callers' accounts: "))
    }

    /// Checks all that was said, and opens the way to the issuer.
    pub(crate) fn open(
        self: &Arc<Self>,
        capability: &'static str,
        target: &Target,
        opening: &mut Opening,
    ) -> Result<Account> {
        self.check()?;
        let people = vault::people_to_write(opening)?;
        let issuer = self.issuer(Some(capability), opening)?;
        let account = Account::new(capability, target, Arc::clone(self), issuer, people)?;
        if let Some(accounts) = opening.shared::<Accounts>() {
            accounts.0.push(account.clone());
        }
        Ok(account)
    }
}

/// All that callers connect at this server, once its grants are open.
pub(crate) fn accounts_of(opening: &mut Opening) -> Vec<Account> {
    opening
        .shared::<Accounts>()
        .map(|accounts| accounts.0.clone())
        .unwrap_or_default()
}
