//! One judged address after another, until one answers.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::{DialError, DialRule, Dialed, HostRule, Peer, Stream, resolve::Resolvers};

/// Resolves and connects, in whatever process it is.
#[derive(Default)]
pub(super) struct Dialer {
    resolvers: Resolvers,
}

impl Dialer {
    /// Connects to a host of a rule. The caller bounds the time.
    pub(super) async fn dial(&self, rule: &DialRule, host: &str) -> Result<Dialed, DialError> {
        if !rule.host.covers(host) {
            return Err(DialError::NotGranted);
        }
        let addresses = match &rule.host {
            HostRule::Literal(address) => vec![*address],
            // Held against the rule already; what looks like an address is none of its names.
            HostRule::Exact(_) | HostRule::Under(_) => {
                if host.parse::<IpAddr>().is_ok() {
                    return Err(DialError::NotGranted);
                }
                self.resolvers.all(host, &rule.nameservers).await?
            }
            #[cfg(unix)]
            HostRule::Unix(path) => return unix(path).await,
            #[cfg(not(unix))]
            HostRule::Unix(_) => return Err(DialError::NotGranted),
        };
        // All of them before the first: a name with one good and one bad answer (a "round
        // robin" rebinding) would be a matter of luck otherwise.
        let mut judged = Vec::with_capacity(addresses.len());
        for address in addresses {
            let address = SocketAddr::new(address, rule.port);
            rule.judge(address)?;
            judged.push(address);
        }
        let mut trouble = "no address".to_owned();
        for address in judged.into_iter().take(MOST_ADDRESSES) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    verify(&stream, address)?;
                    let _ = stream.set_nodelay(true);
                    return Ok(Dialed {
                        stream: Stream::Tcp(stream),
                        peer: Peer::Tcp(address),
                    });
                }
                Err(error) => trouble = format!("{address}: {error}"),
            }
        }
        Err(DialError::Connect { detail: trouble })
    }
}

/// Whether a socket is connected to an address, and not to itself: a connection to a port from
/// which the kernel also picks the near end can meet itself, and then echoes.
pub(super) fn verify(stream: &TcpStream, expected: SocketAddr) -> Result<(), DialError> {
    let (Ok(peer), Ok(near)) = (stream.peer_addr(), stream.local_addr()) else {
        return Err(DialError::Peer);
    };
    // A scope id is no part of what was judged.
    let same = (peer.ip(), peer.port()) == (expected.ip(), expected.port());
    if same && peer != near {
        Ok(())
    } else {
        Err(DialError::Peer)
    }
}

/// A socket in the file system. The name itself may be no link: it is what was granted.
#[cfg(unix)]
async fn unix(path: &std::path::Path) -> Result<Dialed, DialError> {
    use std::os::unix::fs::FileTypeExt as _;

    let failed = |error: std::io::Error| DialError::Connect {
        detail: error.to_string(),
    };
    let kind = std::fs::symlink_metadata(path).map_err(failed)?.file_type();
    if !kind.is_socket() {
        return Err(DialError::Peer);
    }
    let stream = tokio::net::UnixStream::connect(path)
        .await
        .map_err(failed)?;
    Ok(Dialed {
        stream: Stream::Unix(stream),
        peer: Peer::Unix(path.to_owned()),
    })
}

/// Addresses of one name that are tried. A name with more is balanced by its first ones.
const MOST_ADDRESSES: usize = 8;
