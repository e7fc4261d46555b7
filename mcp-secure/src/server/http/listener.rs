//! From a declaration to a running server: bind, accept, drain.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rmcp::ServerHandler;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    api_keys,
    authenticate::Auth,
    endpoint::Endpoint,
    front::{self, Front},
    headers::DecidingHeaders,
    host::Hosts,
    limits::HttpLimits,
    origin::Origins,
    pages::Site,
    query::NoQueryTokens,
    rate::Limiter,
    refusal::{CONNECTION_CAP, PreAuthSink, Tally, UNDECLARED_PROXY},
    ring::{Issued, Shared},
    rmcp_leaf::Leaf,
    session_cap::BoundedSessions,
};
use crate::{
    Error, Result,
    layer::load_shed::Room,
    page::{Door, Place},
    state::Sealer,
};

/// A server that has its address and is not serving yet.
pub(crate) struct Bound {
    pub(crate) listener: Listener,
    pub(crate) hosts: Hosts,
    pub(crate) origins: Origins,
    pub(crate) endpoint: Endpoint,
    pub(crate) limits: HttpLimits,
    pub(crate) legacy_sessions: bool,
    pub(crate) issued: Issued,
    /// Where persons are asked, and how it is known who they are; `None` where no browser gets.
    pub(crate) page: Option<(Place, Door)>,
}

/// Where connections come from.
pub(crate) enum Listener {
    Tcp {
        socket: std::net::TcpListener,
        local: SocketAddr,
        auth: Arc<Auth>,
        token: Option<PathBuf>,
        front: Arc<Front>,
        limiter: Option<Arc<Limiter>>,
    },
    #[cfg(unix)]
    Unix(super::unix::Socket),
}

/// One accepted connection, and how its requests get a principal.
pub(crate) enum Accepted<Io> {
    Connection {
        io: Io,
        peer: Option<IpAddr>,
        auth: Arc<Auth>,
    },
    /// Closed at once.
    Refused {
        control: &'static str,
        peer: Option<IpAddr>,
    },
}

/// A socket that accepts.
pub(crate) trait Accept: Send + Sync {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn accept(&self) -> impl Future<Output = io::Result<Accepted<Self::Io>>> + Send;

    /// What stands before the ring.
    fn front(&self) -> Arc<Front>;
}

impl Bound {
    /// The address, with the port that the system chose if it was asked for port 0.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Tcp { local, .. } => Some(*local),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        }
    }

    /// What clients write before the address.
    pub(crate) fn scheme(&self) -> &'static str {
        match &self.listener {
            Listener::Tcp { front, .. } => front.scheme(),
            #[cfg(unix)]
            Listener::Unix(_) => "http",
        }
    }

    /// Hears signals from here on; inside of the runtime, before the server says that it is
    /// there.
    pub(crate) fn hear(&self) {
        #[cfg(feature = "tls")]
        if let Listener::Tcp { front, .. } = &self.listener
            && let Some(secure) = &front.secure
        {
            secure.hear();
        }
    }

    /// Files that decide who the server is: where they are, what each is, and whether it is a
    /// secret.
    pub(crate) fn own_files(&self) -> Vec<(&'static str, &Path, bool)> {
        let mut own = Vec::new();
        own.extend(
            self.token_path()
                .map(|path| ("the token file", path, false)),
        );
        if let Listener::Tcp { auth, .. } = &self.listener
            && let Auth::ApiKeys(keys) = &**auth
        {
            own.push(("the file of API keys", keys.path(), true));
        }
        #[cfg(feature = "tls")]
        if let Listener::Tcp { front, .. } = &self.listener
            && let Some(secure) = &front.secure
        {
            own.push(("the certificate file", secure.chain_path(), false));
            own.push(("the private key file", secure.key_path(), true));
            let authorities = secure.authorities_path();
            own.extend(
                authorities.map(|path| ("the file of the clients' authorities", path, false)),
            );
        }
        own
    }

    /// The file with the token, for the client's configuration.
    pub(crate) fn token_path(&self) -> Option<&Path> {
        match &self.listener {
            Listener::Tcp { token, .. } => token.as_deref(),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        }
    }

    /// What it still does in the file system: it clears its socket away, and reads renewed
    /// certificates and keys.
    pub(crate) fn needs(&self) -> Vec<crate::capability::FileNeed> {
        match &self.listener {
            #[cfg_attr(not(feature = "tls"), allow(unused_variables))]
            Listener::Tcp { auth, front, .. } => {
                let mut needs = Vec::new();
                #[cfg(feature = "tls")]
                needs.extend(front.secure.iter().flat_map(|secure| secure.needs()));
                if let Auth::ApiKeys(keys) = &**auth {
                    needs.push(keys.need());
                }
                needs
            }
            #[cfg(unix)]
            Listener::Unix(socket) => socket
                .folder()
                .map(|folder| crate::capability::FileNeed {
                    path: folder.to_owned(),
                    access: crate::capability::FileAccess::Remove,
                    because: "the server's socket".to_owned(),
                })
                .into_iter()
                .collect(),
        }
    }

    /// Serves until `shutdown` fires, then lets running requests end for as long as the
    /// limits say.
    pub(crate) async fn serve<S: ServerHandler>(
        self,
        make: impl Fn() -> S + Send + Sync + 'static,
        sealer: Sealer,
        sites: Arc<[Arc<dyn Site>]>,
        sink: Arc<dyn PreAuthSink>,
        room: Room,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let Self {
            listener,
            hosts,
            origins,
            endpoint,
            limits,
            legacy_sessions,
            issued,
            page: _,
        } = self;
        // Ends what still runs when the drain is over; rmcp's sessions hang on it, too.
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        let sessions = Arc::new(BoundedSessions::new(&limits));
        let limiter = match &listener {
            Listener::Tcp { limiter, .. } => limiter.clone(),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        };
        let shared = Arc::new(Shared {
            hosts: Arc::new(hosts),
            origins: Arc::new(origins),
            endpoint: Arc::new(endpoint),
            query: Arc::new(NoQueryTokens),
            headers: Arc::new(DecidingHeaders),
            issued,
            sites,
            leaf: Leaf::new(make, &sessions, &limits, legacy_sessions, stop.clone()),
            sealer,
            sessions,
            room,
            limiter,
            limits,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(sweep(shared.sessions.clone(), shutdown.clone()));
        match listener {
            Listener::Tcp {
                socket,
                auth,
                front,
                limiter,
                ..
            } => {
                let socket = tokio::net::TcpListener::from_std(socket)
                    .map_err(|e| Error::new(format!("the listener cannot be used: {e}")))?;
                if let Auth::ApiKeys(keys) = &*auth {
                    let tally = Tally::new(sink.clone(), None);
                    tasks.spawn(api_keys::watch(keys.clone(), tally, shutdown.clone()));
                }
                #[cfg(feature = "tls")]
                if let Some(secure) = &front.secure {
                    let tally = Tally::new(sink.clone(), None);
                    let watch = super::tls::watch(secure.clone(), tally, shutdown.clone());
                    tasks.spawn(watch);
                }
                let listener = Tcp {
                    socket,
                    auth,
                    front,
                    limiter,
                };
                accept(&listener, &shared, &sink, &shutdown, &mut tasks).await;
            }
            #[cfg(unix)]
            Listener::Unix(socket) => {
                let listener = socket.into_tokio()?;
                accept(&listener, &shared, &sink, &shutdown, &mut tasks).await;
            }
        }
        // What has not begun does not begin any more, and hears it now.
        shared.room.close();
        let drained = timeout(shared.limits.drain, all(&mut tasks)).await;
        stop.cancel();
        if drained.is_err() {
            // A last moment for answers to the cancellation, then the tasks are dropped.
            let _ = timeout(LAST_MOMENT, all(&mut tasks)).await;
        }
        Ok(())
    }
}

/// Accepts until the shutdown; each connection is a task.
async fn accept<S: ServerHandler, L: Accept>(
    listener: &L,
    shared: &Arc<Shared<S>>,
    sink: &Arc<dyn PreAuthSink>,
    shutdown: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(
        shared.limits.connections.min(Semaphore::MAX_PERMITS),
    ));
    let mut place = None;
    loop {
        while tasks.try_join_next().is_some() {}
        if place.is_none() {
            place = places.clone().try_acquire_owned().ok();
            if place.is_none() {
                Tally::new(sink.clone(), None).count(CONNECTION_CAP);
                tokio::select! {
                    freed = places.clone().acquire_owned() => place = freed.ok(),
                    () = shutdown.cancelled() => return,
                }
            }
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok(Accepted::Connection { io, peer, auth }) => {
                let tally = Tally::new(sink.clone(), peer);
                let (front, shared) = (listener.front(), shared.clone());
                let shutdown = shutdown.clone();
                let place = place.take();
                tasks.spawn(async move {
                    front::serve(io, front, shared, auth, tally, shutdown).await;
                    drop(place);
                });
            }
            Ok(Accepted::Refused { control, peer }) => {
                Tally::new(sink.clone(), peer).count(control);
            }
            // A peer that left, or no descriptors: one of them passes at once, the other in
            // a moment, and neither is a reason to stop.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Ends old sessions, whatever the connections are doing.
async fn sweep(sessions: Arc<BoundedSessions>, shutdown: CancellationToken) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => sessions.sweep().await,
            () = shutdown.cancelled() => return,
        }
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

struct Tcp {
    socket: tokio::net::TcpListener,
    auth: Arc<Auth>,
    front: Arc<Front>,
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    limiter: Option<Arc<Limiter>>,
}

impl Accept for Tcp {
    type Io = tokio::net::TcpStream;

    async fn accept(&self) -> io::Result<Accepted<Self::Io>> {
        let (io, peer) = self.socket.accept().await?;
        // A socket for both families names IPv4 peers in IPv6's clothes, which would put all
        // of them into one network.
        let peer = peer.ip().to_canonical();
        let refused = |control| {
            Ok(Accepted::Refused {
                control,
                peer: Some(peer),
            })
        };
        if let Some(proxies) = &self.front.proxies
            && !proxies.trusts(peer)
        {
            return refused(UNDECLARED_PROXY);
        }
        // Before the handshake, which is what costs.
        #[cfg(feature = "tls")]
        if let Some(limiter) = &self.limiter
            && self.front.pays_for_connections()
            && limiter.connection(peer).is_err()
        {
            return refused(super::refusal::RATE.control);
        }
        io.set_nodelay(true)?;
        Ok(Accepted::Connection {
            io,
            peer: Some(peer),
            auth: self.auth.clone(),
        })
    }

    fn front(&self) -> Arc<Front> {
        self.front.clone()
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const LAST_MOMENT: Duration = Duration::from_millis(500);
const SWEEP: Duration = Duration::from_secs(30);
