//! A Redis that remembers what was used once, for all replicas of a server.
//!
//! ```text
//! address   where it is                 link      one connection, kept up
//! limits    buckets of all replicas
//! about     whether it remembers        breaker   when it is left alone
//! ```
//!
//! This room knows keys and time; nothing of proofs, approvals or requests.

mod about;
mod address;
mod breaker;
mod limits;
mod link;

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use futures::future::BoxFuture;
use redis::{Cmd, Value};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

pub use self::limits::RedisLimits;
use self::{
    address::Address,
    link::{Link, Parts},
};
use super::{Starting, Store, StoreError};
use crate::{
    capability::{
        authority,
        dial::{self, DialRule, HostRule},
        tcp::own_place,
    },
    error::{Error, Result},
    secret_file::secret_file,
};

/// What was used once, remembered by a Redis: of two replicas that are shown the same proof or
/// the same approval, one hears that it is new.
///
/// ```
/// use mcp_secure::state::RedisStore;
///
/// RedisStore::at("rediss://redis.internal:6379")
///     .namespace("notes")
///     .user("notes")
///     .password_file("/run/secrets/redis")
///     .allow_private();
/// ```
///
/// It is reached as a granted service is: its name is resolved once and each address judged, TLS
/// has the name in the address, and the sandbox leaves no other way. A key is a hash, so that
/// nobody chooses keys or reads what was used. While Redis does not answer, whatever relies on it
/// is refused, at once after a few time-outs in a row; a restart of this server is not needed.
///
/// The start stops if Redis cannot be reached, refuses the password, is a replica, a cluster or a
/// sentinel, or may evict keys (`maxmemory-policy` other than `noeviction`).
///
/// What it does not cover: Redis copies to its replicas later, and writes to its disk later or
/// never. What it was told in the last moment before a crash or a fail-over may be forgotten, and
/// could then be used a second time while it is still fresh.
#[must_use = "a store does nothing until a server has it"]
pub struct RedisStore {
    address: String,
    namespace: String,
    user: Option<String>,
    password: Option<Password>,
    ca_file: Option<PathBuf>,
    allow_private: bool,
    timeout: Duration,
    waiting: usize,
    link: OnceLock<Link>,
}

enum Password {
    Text(SecretString),
    File(PathBuf),
}

impl RedisStore {
    /// `rediss://HOST:PORT`; `redis://127.0.0.1:PORT` with [`allow_private`](Self::allow_private);
    /// or `unix:/PATH`. Without a user, a password or a number of a database. It is checked when
    /// the server starts.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            namespace: "mcp-secure".to_owned(),
            user: None,
            password: None,
            ca_file: None,
            allow_private: false,
            timeout: Duration::from_secs(1),
            waiting: 256,
            link: OnceLock::new(),
        }
    }

    /// What each key begins with, `mcp-secure` if nothing is said. Replicas of one server have
    /// the same, and servers that have nothing to do with each other have others.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The user of Redis' ACL. It needs `+info`, `+set`, `+get` where persons answer
    /// on a page or elsewhere, and the keys `~NAMESPACE:*`.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The password, in a file that not every user of the machine can read.
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.password = Some(Password::File(path.into()));
        self
    }

    /// The password, from wherever your program keeps it; never from its own text.
    pub fn password(mut self, password: SecretString) -> Self {
        self.password = Some(Password::Text(password));
        self
    }

    /// Trusts the certificate authorities in this file, in PEM form, instead of the public ones.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// The Redis may be on this machine or in the private network.
    pub fn allow_private(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// How long one answer may take, connecting included: a second.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many may wait for an answer at once: 256. More are refused.
    pub fn waiting(mut self, most: usize) -> Self {
        self.waiting = most;
        self
    }

    /// Everything that can be wrong without asking.
    fn check(&self) -> Result<Address> {
        let address = Address::parse(&self.address)?;
        address.check(self.allow_private)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let namespace = &self.namespace;
        if namespace.is_empty() || namespace.len() > 64 || !namespace.chars().all(plain) {
            return Err(Error::new(format!(
                "`{}` cannot be the namespace of a store",
                namespace.escape_debug()
            ))
            .help("write at most 64 letters, digits, `_`, `-` and `.`"));
        }
        if self.password.is_none() && !address.is_socket() {
            return Err(Error::new(format!(
                "the store `{address}` has no password: whoever reaches it can make it forget"
            ))
            .help("add `.password_file(…)`, and `requirepass` or a user in the ACL of Redis"));
        }
        if self.user.is_some() && self.password.is_none() {
            return Err(
                Error::new("the store has a user and no password").help("add `.password_file(…)`")
            );
        }
        if self.timeout.is_zero() || self.timeout > LONGEST || self.waiting == 0 {
            return Err(
                Error::new("the time-out or the queue of the store is out of bounds")
                    .help("the time-out is at most a minute, and at least one request may wait"),
            );
        }
        Ok(address)
    }

    /// `what` it is for, in what the sandbox is told.
    fn open(&self, starting: &mut Starting<'_>, what: &str) -> Result<Link> {
        let address = self.check()?;
        if let HostRule::Unix(socket) = &address.place.host {
            own_place(socket).map_err(|error| error.before("the store: "))?;
        }
        let tls = if address.tls {
            let config = authority::client_config(self.ca_file.as_deref())
                .map_err(|error| error.before("the authorities of the store: "))?;
            let name = address.place.host.single().unwrap_or_default();
            let name = ServerName::try_from(name.clone()).map_err(|_| {
                Error::new(format!("`{name}` is no name that a certificate can have"))
            })?;
            Some((config.into(), name))
        } else {
            None
        };
        let password = match &self.password {
            None => None,
            Some(Password::Text(text)) => Some(text.clone()),
            Some(Password::File(path)) => {
                let text = secret_file(path).map_err(|error| error.before("the store: "))?;
                Some(SecretString::from(text.as_str()))
            }
        };
        if password
            .as_ref()
            .is_some_and(|p| p.expose_secret().is_empty())
        {
            return Err(Error::new("the password of the store is empty")
                .help("look where your program has it from"));
        }
        let name = format!("sdk/{what}/{}", self.namespace);
        let mut rule = DialRule::new(&name, address.place.host.clone(), address.place.port);
        rule.allow_private = self.allow_private;
        Ok(Link::new(Parts {
            route: dial::route(rule, starting.opening())?,
            address,
            tls,
            user: self.user.clone(),
            password,
            timeout: self.timeout,
            waiting: self.waiting,
        }))
    }

    /// For the manifest: what is done there, and what it is let.
    fn terms_of(&self, what: &str) -> Vec<String> {
        let Ok(address) = Address::parse(&self.address) else {
            return vec![format!("{what} by a Redis without an address")];
        };
        let mut terms = vec![format!(
            "{what} at {address}, below {}",
            self.namespace.escape_debug()
        )];
        if self.allow_private {
            terms.push("the store may be at a private address".to_owned());
        }
        if let Some(path) = &self.ca_file {
            terms.push(format!(
                "trusts the authorities in {} for the store",
                path.display()
            ));
        }
        terms
    }

    /// Under the namespace, and hashed: a `jti` is chosen by a client, who must neither choose
    /// a key of somebody else's nor fill the memory with long ones.
    fn key(&self, key: &str) -> String {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

        let digest = Sha256::new_with_prefix(b"mcp-secure store\0")
            .chain_update(key)
            .finalize();
        format!("{}:{}", self.namespace, URL_SAFE_NO_PAD.encode(digest))
    }

    /// One command does both, on the server's clock: between a look and a write another replica
    /// would find nothing, too.
    fn set_new(&self, key: &str, value: &[u8], ttl: Duration) -> Cmd {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("SET");
        command
            .arg(self.key(key))
            .arg(value)
            .arg("NX")
            .arg("PX")
            .arg(millis.clamp(1, MOST_MILLIS));
        command
    }
}

/// Of the answer to a `SET` with `NX`.
fn was_new(answer: &Value) -> std::result::Result<bool, StoreError> {
    match answer {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        _ => Err(StoreError::Unreachable),
    }
}

impl Store for RedisStore {
    fn insert_new<'a>(
        &'a self,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, std::result::Result<bool, StoreError>> {
        Box::pin(async move {
            // Without a server that started it there is no way to it.
            let link = self.link.get().ok_or(StoreError::Unreachable)?;
            was_new(&link.ask(self.set_new(key, b"1", ttl)).await?)
        })
    }

    fn keep<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, std::result::Result<bool, StoreError>> {
        Box::pin(async move {
            let link = self.link.get().ok_or(StoreError::Unreachable)?;
            was_new(&link.ask(self.set_new(key, value, ttl)).await?)
        })
    }

    fn look<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, std::result::Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let link = self.link.get().ok_or(StoreError::Unreachable)?;
            let mut command = redis::cmd("GET");
            command.arg(self.key(key));
            match link.ask(command).await? {
                Value::BulkString(bytes) => Ok(Some(bytes)),
                Value::Nil => Ok(None),
                _ => Err(StoreError::Unreachable),
            }
        })
    }

    fn start(&self, starting: &mut Starting<'_>) -> Result<()> {
        if self.link.get().is_some() {
            return Ok(());
        }
        let link = self.open(starting, "store")?;
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|e| Error::new(format!("the system has no randomness: {e}")))?;
        let probe = self.set_new(&format!("start:{id:?}"), b"1", Duration::from_millis(1));
        let asking = link.clone();
        starting
            .opening()
            .ready
            .push(Box::pin(async move { asking.prove_one(probe).await }));
        // Only one thread starts a server.
        let _ = self.link.set(link);
        Ok(())
    }

    fn terms(&self) -> Vec<String> {
        self.terms_of("what was used is remembered")
    }

    fn secret_path(&self) -> Option<&Path> {
        match &self.password {
            Some(Password::File(path)) => Some(path),
            _ => None,
        }
    }
}

/// Of the time-out.
const LONGEST: Duration = Duration::from_secs(60);

/// A year. Redis refuses what overflows its clock.
const MOST_MILLIS: u64 = 365 * 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn good() -> RedisStore {
        RedisStore::at("rediss://redis.internal:6379").password(SecretString::from("s3cret"))
    }

    fn refused(store: RedisStore) -> String {
        let error = store.check().unwrap_err().to_string();
        assert!(
            error.contains("help:") && !error.contains("s3cret"),
            "{error}"
        );
        error
    }

    #[test]
    fn what_weakens_it_stops_the_start() {
        good().check().unwrap();
        let open = RedisStore::at("rediss://redis.internal:6379");
        assert!(refused(open).contains("no password"));
        let socket = || RedisStore::at("unix:/run/redis/redis.sock");
        socket().check().unwrap();
        assert!(refused(socket().user("mcp")).contains("no password"));
        for namespace in ["", "a:b", "a b", "a*", "\u{1b}[2J", &"a".repeat(65)] {
            assert!(refused(good().namespace(namespace)).contains("namespace"));
        }
        refused(good().timeout(Duration::ZERO));
        refused(good().timeout(Duration::from_secs(61)));
        refused(good().waiting(0));
    }

    #[test]
    fn a_caller_chooses_no_key_and_nobody_reads_one() {
        let store = good().namespace("notes");
        let keys = ["x", "y", "mcp-secure:x", &"x".repeat(100_000)].map(|key| store.key(key));
        for key in &keys {
            assert!(key.starts_with("notes:") && key.len() == "notes:".len() + 43);
        }
        assert_ne!(keys[0], keys[1]);
        assert_ne!(store.key("x"), good().key("x"));
    }

    #[tokio::test]
    async fn a_store_that_no_server_started_refuses() {
        let day = Duration::from_secs(86_400);
        assert_eq!(
            good().insert_new("x", day).await,
            Err(StoreError::Unreachable)
        );
    }
}
