//! One connection to a Redis, for all who ask: made by the dialer, made again when it breaks,
//! and left alone for a while when that does not help.
//!
//! Whoever asks waits no longer than the time-out, no more than so many wait at once, and none
//! once the breaker is open: a Redis that hangs must not make this server hang.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::{
    about::{judge, shown},
    address::Address,
    breaker::{Breaker, Change},
};
use crate::{
    capability::dial::{Meter, Metered, Route},
    error::{Error, Result},
    state::StoreError,
};

/// The way to one Redis. Knows commands and answers, and nothing of what they are for.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

/// What a link is made of.
pub(super) struct Parts {
    pub(super) address: Address,
    pub(super) route: Route,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) timeout: Duration,
    pub(super) waiting: usize,
}

struct Inner {
    parts: Parts,
    waiting: Arc<Semaphore>,
    breaker: Arc<Breaker>,
    live: Mutex<Option<Live>>,
    /// Held by the one who connects.
    connecting: tokio::sync::Mutex<()>,
}

/// A connection that has answered.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    driver: Arc<Driver>,
    meter: Meter,
}

/// What moves the bytes. The connection ends with it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            waiting: Arc::new(Semaphore::new(parts.waiting)),
            breaker: Arc::default(),
            live: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            parts,
        }))
    }

    /// The answer to a command, or why there is none.
    ///
    /// In a task of its own: a caller who goes away takes neither the place in the queue nor
    /// what the breaker learns with him. Otherwise a client that hangs up early, often, fills
    /// the queue of a Redis that hangs.
    pub(super) async fn ask(&self, command: Cmd) -> std::result::Result<Value, StoreError> {
        self.exchange(vec![command]).await
    }

    /// The same for a script: by its digest first, and whole where that is not known, after a
    /// restart or a fail-over.
    pub(super) async fn ask_script(
        &self,
        commands: [Cmd; 2],
    ) -> std::result::Result<Value, StoreError> {
        self.exchange(commands.into()).await
    }

    async fn exchange(&self, commands: Vec<Cmd>) -> std::result::Result<Value, StoreError> {
        let inner = Arc::clone(&self.0);
        let pass = inner
            .breaker
            .enter(Instant::now())
            .ok_or(StoreError::Unreachable)?;
        let permit = Arc::clone(&inner.waiting)
            .try_acquire_owned()
            .map_err(|_| StoreError::Full)?;
        let asking = tokio::spawn(async move {
            let _permit = permit;
            let mut used = None;
            let exchange = inner.exchange(&commands, &mut used);
            let done = match tokio::time::timeout(inner.parts.timeout, exchange).await {
                Ok(done) => done,
                Err(_) => Err(Trouble::of(Error::new("it took too long"))),
            };
            let change = match &done {
                // It answers: there is no room, and no use in another connection.
                Ok(_) | Err(Trouble::Full) => pass.good(),
                Err(Trouble::Broken(_)) => {
                    inner.forget(used.as_ref());
                    pass.bad(Instant::now(), jitter())
                }
            };
            inner.tell(change, &done);
            done.map_err(|trouble| match trouble {
                Trouble::Full => StoreError::Full,
                Trouble::Broken(_) => StoreError::Unreachable,
            })
        });
        asking.await.unwrap_or(Err(StoreError::Unreachable))
    }

    /// Connects, and does what `ask` will do, so that what cannot work stops the start.
    pub(super) async fn prove_one(&self, command: Cmd) -> Result<()> {
        self.prove([command], |value| *value == Value::Okay).await
    }

    /// As `prove_one`, for what has another answer.
    pub(super) async fn prove<const N: usize>(
        &self,
        commands: [Cmd; N],
        is_right: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let about = format!("the store `{}`: ", self.0.parts.address);
        let proving = async {
            let mut used = None;
            match self.0.exchange(&commands, &mut used).await {
                Ok(value) if is_right(&value) => Ok(()),
                Ok(_) => Err(Error::new("it answers something else than Redis does")),
                Err(Trouble::Full) => Err(Error::new("its memory is full")
                    .help("give it more, or find out what else is in it")),
                Err(Trouble::Broken(error)) => Err(*error),
            }
        };
        tokio::time::timeout(PATIENCE, proving)
            .await
            .unwrap_or_else(|_| Err(Error::new("it does not answer").help(REACH)))
            .map_err(|error| error.before(&about))
    }
}

/// Why a command has no answer.
enum Trouble {
    /// The server has no memory left for it.
    Full,
    /// The connection is of no use any more, or there is none.
    Broken(Box<Error>),
}

impl Trouble {
    fn of(error: Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

impl Inner {
    async fn exchange(
        &self,
        commands: &[Cmd],
        used: &mut Option<Live>,
    ) -> std::result::Result<Value, Trouble> {
        let live = used.insert(self.connection().await.map_err(Trouble::of)?);
        let mut last = Err(Trouble::of(Error::new("nothing was asked")));
        for command in commands {
            live.meter.allow(0);
            let answered = live.connection.send_packed_command(command).await;
            last = match answered.and_then(Value::extract_error) {
                Ok(value) => return Ok(value),
                Err(error) => match error.code() {
                    Some("NOSCRIPT") => Err(Trouble::of(told(&error))),
                    Some("OOM") => return Err(Trouble::Full),
                    _ => return Err(Trouble::of(told(&error))),
                },
            };
        }
        last
    }

    async fn connection(&self) -> Result<Live> {
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let live = self.connect().await?;
        *self.slot() = Some(live.clone());
        Ok(live)
    }

    fn live(&self) -> Option<Live> {
        let slot = self.slot();
        slot.as_ref()
            .filter(|live| !live.driver.0.is_finished())
            .cloned()
    }

    /// Closes a connection that failed, unless another one is there already.
    fn forget(&self, used: Option<&Live>) {
        let Some(used) = used else { return };
        used.driver.0.abort();
        let mut slot = self.slot();
        if slot
            .as_ref()
            .is_some_and(|live| Arc::ptr_eq(&live.driver, &used.driver))
        {
            *slot = None;
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Live> {
        let host = self.parts.address.place.host.single().unwrap_or_default();
        let dialed = self.parts.route.dial(&host).await.map_err(|error| {
            Error::new(error.to_string()).help(match error.control() {
                Some("net/address") => {
                    "if that is where it should be, add `.allow_private()` to the store"
                }
                _ => REACH,
            })
        })?;
        let meter = Meter::default();
        meter.allow(0);
        let stream = Metered::new(dialed.stream, meter.clone());
        match &self.parts.tls {
            None => self.greet(stream, meter).await,
            Some((connector, name)) => {
                let handshake = connector.connect(name.clone(), stream).await;
                let stream = handshake.map_err(|error| {
                    Error::new(format!("TLS: {error}")).help(
                        "name the authority of its certificate with `.ca_file(…)`, if it is one \
                         of your own",
                    )
                })?;
                self.greet(stream, meter).await
            }
        }
    }

    async fn greet<S>(&self, stream: S, meter: Meter) -> Result<Live>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut info = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            // One right less to be granted.
            .set_skip_set_lib_name();
        if let Some(user) = &self.parts.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.parts.password {
            info = info.set_password(password.expose_secret());
        }
        // The time of all that is asked is kept here, of connecting too.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (mut connection, driver) =
            MultiplexedConnection::new_with_config(&info, stream, config)
                .await
                .map_err(|error| told(&error))?;
        let driver = Arc::new(Driver(tokio::spawn(driver)));
        let about: String = redis::cmd("INFO")
            .query_async(&mut connection)
            .await
            .map_err(|error| told(&error))?;
        judge(&about)?;
        Ok(Live {
            connection,
            driver,
            meter,
        })
    }

    /// For the operator, once when it goes and once when it comes.
    fn tell(&self, change: Change, done: &std::result::Result<Value, Trouble>) {
        let address = &self.parts.address;
        match (change, done) {
            (Change::Opened, Err(Trouble::Broken(error))) => {
                tracing::warn!("the store `{address}` is not asked for now: {error}");
            }
            (Change::Closed, _) => tracing::info!("the store `{address}` answers again"),
            _ => {}
        }
    }
}

/// What Redis says, in our words.
fn told(error: &RedisError) -> Error {
    let words = shown(&error.to_string());
    let refused = matches!(error.kind(), redis::ErrorKind::AuthenticationFailed);
    match error.code() {
        Some("NOPERM") => Error::new(format!("it does not allow what is needed: {words}")).help(
            "give the user `+info`, `+set` and the keys of the namespace (`~NAMESPACE:*`); for \
                   limits `+eval`, `+evalsha`, `+get` and `+time` as well",
        ),
        Some("NOAUTH" | "WRONGPASS") => denied(&words),
        _ if refused => denied(&words),
        _ => Error::new(words),
    }
}

fn denied(words: &str) -> Error {
    Error::new(format!("it refuses the user or the password: {words}"))
        .help("look at `.user(…)` and the password, and at `requirepass` or the ACL of Redis")
}

fn jitter() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    let [jitter] = byte;
    jitter
}

const REACH: &str = "make sure that it runs, and that the address is right";

/// For the question at the start.
const PATIENCE: Duration = Duration::from_secs(10);
