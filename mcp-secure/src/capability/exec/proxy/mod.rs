//! The network that a program is lent: a proxy of ours, on loopback, for one run.
//!
//! A program takes a host name and a port from its command line, its files and its server, and
//! the kernel knows no names. So it gets no network but one port, where this proxy listens. Each
//! tunnel (RFC 9110, section 9.3.6) is held against the endpoints that were lent to its run, and
//! is then made as for a request of our own: by the dialer, which resolves and judges.
//!
//! ```text
//! head     what is asked, and answered        tunnel     one of them, from start to end
//! ```
//!
//! With a sandbox the listener was made by the spawner in an empty network, and nobody but the
//! program can reach it. Otherwise every process of the machine can, and the token of the run
//! keeps them out.

mod head;
mod tunnel;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, sockopt};
use tokio::{
    io::AsyncWriteExt as _, net::TcpStream, sync::Semaphore, task::JoinHandle, time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::head::{Answer, Ask, Head, NoHead};
use super::policy::{DOOR_USER, Door};
use crate::{
    broker::Line,
    capability::{Step, Trail, net::Outlet},
};

/// The proxy of one granted program. It is made when the first run is lent something.
#[derive(Default)]
pub(super) struct Proxy(OnceLock<Open>);

struct Open {
    port: u16,
    guests: Arc<Guests>,
    accepting: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The runs that are under way.
#[derive(Default)]
struct Guests(Mutex<Vec<Arc<Guest>>>);

/// One run, and what it was lent.
pub(super) struct Guest {
    token: Token,
    /// The name of the program's capability.
    program: &'static str,
    outlets: Vec<Outlet>,
    trail: Trail,
    /// Requests so far, refused ones as well.
    asked: AtomicUsize,
    /// One permit for each tunnel that is open.
    room: Arc<Semaphore>,
    over: CancellationToken,
}

impl Proxy {
    /// Lets a run in. It is out when what is returned is dropped.
    pub(super) fn admit(
        &self,
        line: &Line,
        program: &'static str,
        outlets: Vec<Outlet>,
        trail: &Trail,
    ) -> io::Result<Admitted> {
        let open = match self.0.get() {
            Some(open) => open,
            None => {
                let made = Open::new(line)?;
                // Of two that are made at once one is dropped, and stops.
                self.0.get_or_init(|| made)
            }
        };
        let guest = Arc::new(Guest {
            token: Token::new()?,
            program,
            outlets,
            trail: trail.clone(),
            asked: AtomicUsize::new(0),
            room: Arc::new(Semaphore::new(MOST_OPEN)),
            over: CancellationToken::new(),
        });
        open.guests.lock().push(Arc::clone(&guest));
        Ok(Admitted {
            door: Door {
                port: open.port,
                token: guest.token.to_string(),
            },
            guest,
            guests: Arc::clone(&open.guests),
        })
    }
}

/// A run that is let in.
pub(super) struct Admitted {
    door: Door,
    guest: Arc<Guest>,
    guests: Arc<Guests>,
}

impl Admitted {
    /// What the program must know.
    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// The run is over: cuts off what is left of its tunnels, and waits until their steps are
    /// written.
    pub(super) async fn leave(self) {
        let guest = Arc::clone(&self.guest);
        drop(self);
        let all = u32::try_from(MOST_OPEN).unwrap_or(u32::MAX);
        let _ = timeout(SETTLE, guest.room.acquire_many(all)).await;
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.guest.over.cancel();
        self.guests
            .lock()
            .retain(|guest| !Arc::ptr_eq(guest, &self.guest));
    }
}

impl Guests {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Guest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose token this is. All are compared.
    fn find(&self, head: &Head) -> Option<Arc<Guest>> {
        let mut found = None;
        for guest in self.lock().iter() {
            if head.shows(&guest.token) {
                found = Some(Arc::clone(guest));
            }
        }
        found
    }
}

impl Open {
    fn new(line: &Line) -> io::Result<Self> {
        let listener = match line.get() {
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            // A helper without one was not told that its program may be lent something.
            Some(_) => listener(
                line.handed()
                    .ok_or(io::ErrorKind::Unsupported)?
                    .try_clone_to_owned()?,
            )?,
        };
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let guests = Arc::<Guests>::default();
        Ok(Self {
            port,
            accepting: tokio::spawn(accept(listener, Arc::clone(&guests))),
            guests,
        })
    }
}

/// What a helper handed over is a listener on loopback, or nothing.
fn listener(fd: OwnedFd) -> io::Result<TcpListener> {
    let is_one = sockopt::socket_domain(&fd) == Ok(AddressFamily::INET)
        && sockopt::socket_type(&fd) == Ok(SocketType::STREAM)
        && sockopt::socket_acceptconn(&fd) == Ok(true);
    let listener = TcpListener::from(fd);
    match listener.local_addr() {
        Ok(SocketAddr::V4(address)) if is_one && address.ip().is_loopback() => Ok(listener),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

async fn accept(listener: tokio::net::TcpListener, guests: Arc<Guests>) {
    let lobby = Arc::new(Semaphore::new(MOST_IN_LOBBY));
    loop {
        // Who says nothing keeps a place for a few seconds; the next one waits for it.
        let Ok(place) = Arc::clone(&lobby).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Too many descriptors, or one that was gone before it was taken.
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let guests = Arc::clone(&guests);
        tokio::spawn(async move {
            let mut stream = stream;
            let greeted = greet(&mut stream, &guests).await;
            drop(place);
            match greeted {
                Ok((guest, head)) => guest.serve(stream, head).await,
                Err(Some(answer)) => say(&mut stream, answer).await,
                Err(None) => {}
            }
        });
    }
}

/// Reads what is asked, and finds the run that asks.
async fn greet(
    stream: &mut TcpStream,
    guests: &Guests,
) -> Result<(Arc<Guest>, Head), Option<Answer>> {
    let _ = stream.set_nodelay(true);
    match Head::read(stream).await {
        Ok(head) => match guests.find(&head) {
            Some(guest) => Ok((guest, head)),
            None => {
                // Some programs ask without it first, to see what kind is wanted.
                if head.has_credentials() {
                    tracing::warn!(
                        control = "exec/network",
                        "the proxy of a program was asked with a token of no run"
                    );
                }
                Err(Some(Answer::Stranger))
            }
        },
        Err(NoHead::Malformed) => Err(Some(Answer::Malformed)),
        Err(NoHead::Gone) => Err(None),
    }
}

async fn say(stream: &mut TcpStream, answer: Answer) {
    let _ = timeout(SETTLE, async {
        stream.write_all(answer.bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

impl Guest {
    /// One request of the run.
    async fn serve(self: Arc<Self>, mut stream: TcpStream, head: Head) {
        let refused = |action: String, control, detail: &str| {
            self.trail.add(Step {
                kind: "exec",
                file: None,
                capability: self.program,
                action,
                outcome: "denied",
                control: Some(control),
                detail: Some(detail.to_owned()),
                bytes_in: 0,
                bytes_out: 0,
            });
        };
        let Ask::Connect { host, port } = &head.ask else {
            refused(
                "proxy".to_owned(),
                "exec/network",
                "a request that is no CONNECT: plain HTTP is not lent",
            );
            return say(&mut stream, Answer::NoTunnel).await;
        };
        let action = match host.contains(':') {
            true => format!("CONNECT [{host}]:{port}"),
            false => format!("CONNECT {host}:{port}"),
        };
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let count = self.asked.fetch_add(1, Ordering::Relaxed);
        let (Ok(permit), 0..MOST_ASKED) = (permit, count) else {
            refused(action, "net/rate", "too many tunnels of one run");
            return say(&mut stream, Answer::TooMany).await;
        };
        let Some(outlet) = self.outlets.iter().find(|o| o.covers(host, *port)) else {
            refused(action, "net/host", "it was lent no such host and port");
            return say(&mut stream, Answer::Refused).await;
        };
        tunnel::serve(&self, outlet, &action, stream, &head, host).await;
        drop(permit);
    }
}

/// What the program of one run shows, and nobody else can guess: 128 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    fn new() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(crate::hex::hex(&bytes)))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tunnels of one run that are open at once.
const MOST_OPEN: usize = 16;
/// Requests of one run.
const MOST_ASKED: usize = 256;
/// Connections of all runs of a program that have not said who they are.
const MOST_IN_LOBBY: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
/// For an answer to be taken, and for tunnels to notice the end of their run.
const SETTLE: Duration = Duration::from_secs(1);
