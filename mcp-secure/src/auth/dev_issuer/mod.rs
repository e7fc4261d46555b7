//! An authorization server for trying things, on loopback and nowhere else.
//!
//! A developer wants to see a client log in before there is an issuer to log in at. This is that
//! issuer: authorization code with PKCE, refresh tokens, client credentials, dynamic registration,
//! resource indicators, metadata. Its key is made at the start and its memory ends with it. Anybody
//! who reaches it may say who they are, so it refuses every address that others could reach, and
//! exists only behind the feature `dev-issuer`.
//!
//! ```text
//! key        what it signs with            door       hosts, paths, CORS, limits
//! shelf      what it remembers, bounded    client     who asks, and where answers go
//! authorize  a person says yes             token      what a client gets for it
//! ```

mod authorize;
mod client;
mod door;
mod key;
mod shelf;
mod token;

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::{net::TcpListener, task::JoinHandle};

use self::{
    authorize::{Code, Pending},
    client::Client,
    key::{Key, random},
    shelf::Shelf,
    token::Family,
};
use crate::error::{Error, Result};

/// A development issuer, before it is started.
///
/// ```no_run
/// use mcp_secure::auth::DevIssuer;
///
/// # async fn example() -> mcp_secure::Result<()> {
/// let issuer = DevIssuer::new().resource("http://127.0.0.1:8000/mcp").start().await?;
/// let token = issuer.token("alice", "notes:read", "http://127.0.0.1:8000/mcp")?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DevIssuer {
    listen: String,
    resources: Vec<String>,
    person: String,
    agrees: bool,
    lifetime: Duration,
}

impl Default for DevIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl DevIssuer {
    /// One on 127.0.0.1 at a port that is free, where `alice` logs in.
    pub fn new() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            resources: Vec::new(),
            person: "alice".to_owned(),
            agrees: false,
            lifetime: Duration::from_secs(300),
        }
    }

    /// Listens there: an address of loopback and a port.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// A server that tokens may be for (RFC 8707), as its clients write its URL. The first one is
    /// what a request that names none gets. At least one is needed.
    #[must_use]
    pub fn resource(mut self, url: impl Into<String>) -> Self {
        self.resources.push(url.into());
        self
    }

    /// Who logs in where a client does not say (`login_hint`).
    #[must_use]
    pub fn person(mut self, name: impl Into<String>) -> Self {
        self.person = name.into();
        self
    }

    /// The person agrees to everything without being shown a page: for tests.
    #[must_use]
    pub fn agrees(mut self) -> Self {
        self.agrees = true;
        self
    }

    /// How long an access token lives: five minutes, at most a day.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Starts it; it ends when what this returns is dropped.
    ///
    /// # Errors
    ///
    /// If others could reach the address, it is taken, or no resource is named.
    pub async fn start(self) -> Result<RunningIssuer> {
        let refuse = |why: &str, help: &str| Err(Error::new(why).help(help));
        let addresses: Vec<SocketAddr> = match self.listen.to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(_) => {
                return refuse(
                    &format!("`{}` is no address and port", self.listen),
                    "write `127.0.0.1:9000`",
                );
            }
        };
        if addresses.is_empty() || addresses.iter().any(|one| !one.ip().is_loopback()) {
            return refuse(
                &format!("the development issuer cannot listen on `{}`", self.listen),
                "anybody may log in as anybody there: use 127.0.0.1 or [::1]",
            );
        }
        if self.resources.is_empty() {
            return refuse(
                "the development issuer has no resource that its tokens are for",
                "name your server as its clients do: `.resource(\"http://127.0.0.1:8000/mcp\")`",
            );
        }
        for resource in &self.resources {
            client::is_resource(resource)?;
        }
        if self.lifetime.is_zero() || self.lifetime > Duration::from_secs(86_400) {
            return refuse(
                "an access token cannot live as long as that",
                "use a second to a day",
            );
        }
        let listener = TcpListener::bind(addresses.as_slice())
            .await
            .map_err(|error| Error::new(format!("cannot listen on `{}`: {error}", self.listen)))?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::new(format!("cannot listen on `{}`: {error}", self.listen)))?;
        let secret = SecretString::from(random()?);
        let issuer = Arc::new(Issuer {
            url: format!("http://{address}"),
            key: Key::new()?,
            resources: self.resources,
            person: self.person,
            agrees: self.agrees,
            lifetime: self.lifetime.as_secs(),
            machine: secret,
            clients: Shelf::new(Duration::from_secs(86_400)),
            pending: Shelf::new(Duration::from_secs(600)),
            codes: Shelf::new(Duration::from_secs(60)),
            refresh: Shelf::new(Duration::from_secs(86_400)),
        });
        let task = tokio::spawn(door::serve(listener, Arc::clone(&issuer)));
        Ok(RunningIssuer { issuer, task })
    }
}

/// A development issuer that runs.
pub struct RunningIssuer {
    issuer: Arc<Issuer>,
    task: JoinHandle<()>,
}

impl RunningIssuer {
    /// Its issuer identifier: what [`ResourceServer::new`](super::ResourceServer::new) takes first.
    /// It is on loopback, so the server needs
    /// [`allow_private_issuer`](super::ResourceServer::allow_private_issuer) too.
    pub fn url(&self) -> &str {
        &self.issuer.url
    }

    /// The id of the client that may ask for a token of its own (client credentials).
    pub fn machine(&self) -> &'static str {
        client::MACHINE
    }

    /// The secret of that client, made at the start.
    pub fn machine_secret(&self) -> &SecretString {
        &self.issuer.machine
    }

    /// An access token without any asking: for a test, or for a first `curl`.
    ///
    /// # Errors
    ///
    /// If its tokens cannot be for this resource.
    pub fn token(&self, person: &str, scope: &str, resource: &str) -> Result<SecretString> {
        if !self.issuer.resources.iter().any(|known| known == resource) {
            return Err(
                Error::new(format!("this issuer's tokens are not for `{resource}`"))
                    .help("name it with `.resource(…)`"),
            );
        }
        let granted = token::Granted {
            person: person.to_owned(),
            client: client::ANYBODY.to_owned(),
            scope: scope.to_owned(),
            resource: resource.to_owned(),
        };
        self.issuer.access_token(&granted).map(SecretString::from)
    }

    /// Runs until its task ends, which it does not by itself.
    pub async fn forever(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for RunningIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for RunningIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningIssuer")
            .field("url", &self.issuer.url)
            .finish_non_exhaustive()
    }
}

/// All that it knows.
struct Issuer {
    url: String,
    key: Key,
    resources: Vec<String>,
    person: String,
    agrees: bool,
    /// Seconds.
    lifetime: u64,
    machine: SecretString,
    clients: Shelf<Client>,
    pending: Shelf<Pending>,
    codes: Shelf<Code>,
    refresh: Shelf<Family>,
}

impl Issuer {
    fn is_machine(&self, secret: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        let known = self.machine.expose_secret().as_bytes();
        known.ct_eq(secret.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests;
