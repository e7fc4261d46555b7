//! The process that connects for the server, whose sandbox has no `socket` and no `connect`.
//!
//! It knows the rules of all grants from its start, and is then asked with the name of a rule
//! and a host. What it answers is a descriptor, which the server holds against the same rule
//! again. It takes nothing else from the server: a server that was taken over can ask for what
//! it was granted, and for no address of its own choice.

#![cfg_attr(
    not(feature = "sandbox"),
    allow(
        dead_code,
        unused_imports,
        reason = "without a sandbox there are no helpers"
    )
)]

use std::{
    collections::BTreeSet,
    io,
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    sync::Arc,
};

use rustix::net::{AddressFamily, SocketType, sockopt};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{
    DialError, DialPolicy, DialRule, Dialed, HostRule, Peer, Stream,
    connect::{Dialer, verify},
};
use crate::broker::{Channel, Conversation};

/// One request: the rule by its name, and a host that it covers.
#[derive(Serialize, Deserialize)]
struct Ask {
    rule: String,
    host: String,
}

/// What comes back; with a peer comes one descriptor.
type Reply = Result<Peer, DialError>;

/// The server's side: asks, and holds what comes back against the rule.
pub(super) async fn ask(
    channel: &Channel,
    rule: &DialRule,
    host: &str,
) -> Result<Dialed, DialError> {
    let broken = |detail: String| DialError::Helper { detail };
    let ask = Ask {
        rule: rule.name.clone(),
        host: host.to_owned(),
    };
    let conversation = channel.ask(&ask, &[]).map_err(|e| broken(e.to_string()))?;
    let (reply, fds) = conversation
        .recv::<Reply>()
        .await
        .map_err(|e| broken(e.to_string()))?
        .ok_or_else(|| broken("it is gone".to_owned()))?;
    let peer = reply?;
    let [fd] = <[OwnedFd; 1]>::try_from(fds)
        .map_err(|fds| broken(format!("{} descriptors instead of one", fds.len())))?;
    let stream = accept(fd, &peer, rule)?;
    Ok(Dialed { stream, peer })
}

/// A descriptor is what the rule allows, or nothing.
fn accept(fd: OwnedFd, peer: &Peer, rule: &DialRule) -> Result<Stream, DialError> {
    let family = sockopt::socket_domain(&fd).map_err(|_| DialError::Peer)?;
    if sockopt::socket_type(&fd) != Ok(SocketType::STREAM) {
        return Err(DialError::Peer);
    }
    rustix::io::ioctl_fionbio(&fd, true).map_err(|_| DialError::Peer)?;
    match (peer, &rule.host) {
        (Peer::Unix(path), HostRule::Unix(granted))
            if path == granted && family == AddressFamily::UNIX =>
        {
            let stream = tokio::net::UnixStream::from_std(UnixStream::from(fd));
            stream.map(Stream::Unix).map_err(|_| DialError::Peer)
        }
        (Peer::Tcp(address), HostRule::Exact(_) | HostRule::Under(_) | HostRule::Literal(_))
            if matches!(family, AddressFamily::INET | AddressFamily::INET6)
                && address.port() == rule.port =>
        {
            rule.judge(*address)?;
            if let HostRule::Literal(granted) = rule.host
                && granted != address.ip()
            {
                return Err(DialError::Peer);
            }
            let stream = tokio::net::TcpStream::from_std(TcpStream::from(fd))
                .map_err(|_| DialError::Peer)?;
            verify(&stream, *address)?;
            Ok(Stream::Tcp(stream))
        }
        _ => Err(DialError::Peer),
    }
}

/// The helper's side: answers until the server is gone. Starts a runtime of its own on this
/// thread, and no other thread.
pub(crate) fn serve(channel: Channel, policy: DialPolicy) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(answer_all(channel, policy))
}

async fn answer_all(channel: Channel, policy: DialPolicy) -> io::Result<()> {
    let channel = Conversation::new(channel)?;
    let policy = Arc::new(policy);
    let dialer = Arc::new(Dialer::default());
    let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
    loop {
        let (ask, conversation, _) = match channel.answer::<Ask>().await {
            Ok(Some(asked)) => asked,
            Ok(None) => return Ok(()),
            // One message that is no question; the next one may be.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
            Err(error) if is_json(&error) => continue,
            Err(error) => return Err(error),
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let _ = conversation.send(&Reply::Err(DialError::Busy), &[]);
            continue;
        };
        let (policy, dialer) = (Arc::clone(&policy), Arc::clone(&dialer));
        tokio::spawn(async move {
            let _permit = permit;
            let _ = answer(&ask, conversation, &policy, &dialer).await;
        });
    }
}

/// How `serde_json` says that a text is none: it has no kind of its own for that.
fn is_json(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|e| e.is::<serde_json::Error>())
}

async fn answer(
    ask: &Ask,
    conversation: Channel,
    policy: &DialPolicy,
    dialer: &Dialer,
) -> io::Result<()> {
    let Some(rule) = policy.rules.iter().find(|rule| rule.name == ask.rule) else {
        return conversation.send(&Reply::Err(DialError::NotGranted), &[]);
    };
    let conversation = Conversation::new(conversation)?;
    let dialed = tokio::select! {
        dialed = dialer.dial(rule, &ask.host) => dialed,
        () = tokio::time::sleep(rule.connect_timeout) => Err(DialError::Timeout),
        // Nothing more is said by who asks, except by hanging up.
        _ = conversation.recv::<()>() => return Ok(()),
    };
    match dialed {
        Ok(Dialed { stream, peer }) => {
            let fd = match &stream {
                Stream::Tcp(stream) => stream.as_fd(),
                Stream::Unix(stream) => stream.as_fd(),
            };
            conversation.send(&Reply::Ok(peer), &[fd])
        }
        Err(error) => conversation.send(&Reply::Err(error), &[]),
    }
}

/// What the helper itself must be able to do, so that everything else can be closed to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HelperNeeds {
    /// Files it reads, where they exist. The first use is after its sandbox closed.
    pub(crate) read: Vec<PathBuf>,
    /// Sockets in the file system that it connects to.
    pub(crate) sockets: Vec<PathBuf>,
    /// TCP ports that it connects to, name servers included (an answer may not fit a datagram).
    pub(crate) tcp_ports: BTreeSet<u16>,
    /// Ports of name servers, which it asks by UDP.
    pub(crate) udp_ports: BTreeSet<u16>,
}

/// As plain data, for the sandbox of the helper.
pub(crate) fn helper_needs(policy: &DialPolicy) -> HelperNeeds {
    let mut needs = HelperNeeds::default();
    for rule in &policy.rules {
        let is_name = match &rule.host {
            HostRule::Unix(path) => {
                needs.sockets.push(path.clone());
                continue;
            }
            HostRule::Literal(_) => false,
            HostRule::Exact(_) | HostRule::Under(_) => true,
        };
        needs.tcp_ports.insert(rule.port);
        if !is_name {
            continue;
        }
        let mut ports: BTreeSet<u16> = rule.nameservers.iter().map(SocketAddr::port).collect();
        if ports.is_empty() {
            for file in ["/etc/resolv.conf", "/etc/hosts"] {
                if !needs.read.iter().any(|known| known.as_os_str() == file) {
                    needs.read.push(file.into());
                }
            }
            ports.insert(53);
        }
        needs.tcp_ports.extend(&ports);
        needs.udp_ports.extend(&ports);
    }
    needs
}

/// Connections that are being made at once.
const MOST_AT_ONCE: usize = 64;
