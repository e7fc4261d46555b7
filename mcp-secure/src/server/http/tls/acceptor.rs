//! The handshake: bounded in number and time, each failure counted.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use http::HeaderValue;
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{Dress, Place, Secured, Tls, config::load, files};
use crate::{
    Result,
    auth::PeerThumbprint,
    capability::{FileAccess, FileNeed},
    seen::Seen,
    server::http::{
        HttpLimits,
        rate::network,
        refusal::{HANDSHAKE, HANDSHAKE_TIME, HANDSHAKES, Tally},
    },
};

/// Makes TLS of connections, with the newest good certificate.
pub(crate) struct Acceptor {
    pub(super) tls: Tls,
    pub(super) place: Place,
    pub(super) current: RwLock<Arc<ServerConfig>>,
    /// What the files were when they were read.
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) hangup: Mutex<Option<super::reload::Hangup>>,
    hsts: Option<HeaderValue>,
    shaking: Mutex<Shaking>,
    most: usize,
    time: Duration,
}

/// Handshakes that are going on, and how many each network has.
#[derive(Default)]
struct Shaking {
    all: usize,
    each: HashMap<Option<(u8, u128)>, usize>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When one is not what it has to be.
    pub(crate) fn open(mut tls: Tls, place: Place, limits: &HttpLimits) -> Result<Self> {
        let mut paths = vec![&mut tls.chain, &mut tls.key];
        paths.extend(tls.clients.as_mut().map(|clients| &mut clients.authorities));
        for path in paths {
            *path = std::path::absolute(&*path).map_err(|e| {
                crate::Error::new(format!("`{}` has no absolute path: {e}", path.display()))
            })?;
        }
        let seen = tls.paths().map(Seen::of).collect();
        let loaded = load(&tls, &place)?;
        super::reload::warn_of_end(loaded.expires);
        let seconds = tls.hsts.as_secs();
        let hsts = (seconds > 0 && !place.is_loopback)
            .then(|| HeaderValue::try_from(format!("max-age={seconds}")).ok())
            .flatten();
        Ok(Self {
            current: RwLock::new(loaded.config),
            seen: Mutex::new(seen),
            hangup: Mutex::default(),
            hsts,
            shaking: Mutex::default(),
            most: limits.handshakes,
            time: limits.handshake_time,
            tls,
            place,
        })
    }

    pub(crate) fn key_path(&self) -> &std::path::Path {
        &self.tls.key
    }

    pub(crate) fn chain_path(&self) -> &std::path::Path {
        &self.tls.chain
    }

    pub(crate) fn authorities_path(&self) -> Option<&std::path::Path> {
        self.tls.clients.as_ref().map(|c| c.authorities.as_path())
    }

    /// What a renewal reads under the sandbox.
    pub(crate) fn needs(&self) -> Vec<FileNeed> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for path in self.tls.paths() {
            folders.extend(files::folders(path));
        }
        folders.sort();
        folders.dedup();
        let need = |path| FileNeed {
            path,
            access: FileAccess::Read,
            because: "the server's certificate".to_owned(),
        };
        folders.into_iter().map(need).collect()
    }

    /// Makes TLS of one connection, or counts why not.
    pub(crate) async fn shake<Io>(&self, io: Io, tally: &Tally) -> Option<(Secured<Io>, Dress)>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(place) = self.begin(tally.peer()) else {
            tally.count(HANDSHAKES);
            return None;
        };
        let config = self
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let shaken = timeout(self.time, TlsAcceptor::from(config).accept(io)).await;
        drop(place);
        let io = match shaken {
            Ok(Ok(io)) => io,
            Ok(Err(_)) => {
                tally.count(HANDSHAKE);
                return None;
            }
            Err(_) => {
                tally.count(HANDSHAKE_TIME);
                return None;
            }
        };
        // Behind a proxy it would be the proxy's, and a token bound to it be everybody's.
        let thumbprint = match self.place.is_behind_proxy {
            true => None,
            false => {
                let shown = io.get_ref().1.peer_certificates();
                shown
                    .and_then(<[_]>::first)
                    .map(|leaf| PeerThumbprint(Sha256::digest(leaf).into()))
            }
        };
        let dress = Dress {
            thumbprint,
            hsts: self.hsts.clone(),
        };
        Some((Secured::Tls { io: Box::new(io) }, dress))
    }

    /// A place for a handshake, if there is one. A network has at most a quarter of them, so
    /// that no single one can keep all others out by never finishing.
    fn begin(&self, peer: Option<IpAddr>) -> Option<Begun<'_>> {
        let key = peer.map(network);
        let each = match self.place.is_behind_proxy {
            true => self.most,
            false => self.most.div_ceil(4),
        };
        let mut shaking = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = shaking.each.get(&key).copied().unwrap_or(0);
        if shaking.all >= self.most || of_network >= each {
            return None;
        }
        shaking.all += 1;
        shaking.each.insert(key, of_network + 1);
        Some(Begun {
            shaking: &self.shaking,
            key,
        })
    }
}

/// One handshake that is going on.
struct Begun<'a> {
    shaking: &'a Mutex<Shaking>,
    key: Option<(u8, u128)>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut shaking = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        shaking.all = shaking.all.saturating_sub(1);
        if let Some(count) = shaking.each.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                shaking.each.remove(&self.key);
            }
        }
    }
}
