//! TLS in front of the ring: rustls over AWS-LC, 1.3 only unless 1.2 is asked for by name.
//!
//! This room knows certificates, handshakes and one header; never a request's meaning. What it
//! tells the rest is the thumbprint of the certificate that a client showed.
//!
//! # No session is resumed
//!
//! Every connection is a whole handshake: there are no tickets, no session cache and no early
//! data. A ticket's key would be a secret that decrypts what was said before (RFC 8446 section
//! 8.1 and appendix F), a cache is memory that strangers fill, a resumed session skips the
//! check of the client's certificate, which may have been withdrawn with its authority since,
//! and data of a 0-RTT flight can be sent again by whoever recorded it. MCP clients keep their
//! connections, so there is little to gain.

mod acceptor;
mod certificate;
mod config;
mod dress;
mod files;
mod reload;
mod stream;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) use acceptor::Acceptor;
pub(crate) use dress::{Dress, Dressed};
pub(crate) use reload::watch;
pub(crate) use stream::Secured;

/// How a server shows who it is: files with a certificate and its key.
///
/// ```
/// use mcp_secure::server::http::{Http, Tls};
/// let http = Http::on("127.0.0.1:8443")
///     .tls(Tls::files("/etc/mcp/cert.pem", "/etc/mcp/key.pem"))
///     .local_token(["notes:read"]);
/// ```
///
/// # What is checked at the start
///
/// The key file is root's or the user's own and nobody else can read it (a file of root may be
/// readable by its group); the folders cannot be written by others; the key is the
/// certificate's; nothing in the chain is expired, not valid yet or out of order; and the
/// certificate is for every name of [`Http::allow_host`](super::Http::allow_host).
///
/// # Renewal
///
/// The files are looked at now and then, and at SIGHUP. A pair that passes the same checks is
/// used for new connections, and those that are open live on. One that does not is left, with
/// a line in the log and the control `tls/reload` in the audit log, and the old pair stays.
/// So that this works in the sandbox, the folders of the files stay readable to the process:
/// give them a folder of their own.
///
/// # What it speaks
///
/// TLS 1.3 with AES-GCM and ChaCha20, the hybrid of X25519 and ML-KEM-768 first; HTTP/2 and
/// HTTP/1.1 by ALPN, and a client that offers neither is refused. No session is resumed and no
/// early data is taken.
pub struct Tls {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) tls12: bool,
    pub(crate) clients: Option<Clients>,
    pub(crate) look_every: Duration,
    pub(crate) hsts: Duration,
}

/// Who may connect.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) authorities: PathBuf,
    pub(crate) is_required: bool,
}

/// What a server is for, which the certificate has to suit.
#[derive(Clone)]
pub(crate) struct Place {
    /// As declared: `mcp.example` or `mcp.example:8443`.
    pub(crate) hosts: Vec<String>,
    pub(crate) is_loopback: bool,
    pub(crate) is_behind_proxy: bool,
}

impl Tls {
    /// The chain, leaf first, and the leaf's key, both PEM.
    pub fn files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            chain: chain.into(),
            key: key.into(),
            tls12: false,
            clients: None,
            look_every: LOOK_EVERY,
            hsts: YEAR,
        }
    }

    /// Speaks TLS 1.2 as well, for clients that cannot do better: with ECDHE, AES-GCM or
    /// ChaCha20, and the extended master secret (RFC 7627) only.
    #[must_use]
    pub fn tls12(mut self) -> Self {
        self.tls12 = true;
        self
    }

    /// Only who shows a certificate of these authorities (PEM) may connect. They should be
    /// authorities for this purpose: whoever has a certificate of theirs gets to the door.
    ///
    /// The SHA-256 thumbprint is what certificate-bound tokens are held to (RFC 8705).
    /// Withdrawal lists are not read: let certificates live briefly.
    #[must_use]
    pub fn client_certificates(self, authorities: impl Into<PathBuf>) -> Self {
        self.clients(authorities, true)
    }

    /// As [`client_certificates`](Self::client_certificates), for those who have one. A bad
    /// certificate is refused all the same.
    #[must_use]
    pub fn optional_client_certificates(self, authorities: impl Into<PathBuf>) -> Self {
        self.clients(authorities, false)
    }

    fn clients(mut self, authorities: impl Into<PathBuf>, is_required: bool) -> Self {
        self.clients = Some(Clients {
            authorities: authorities.into(),
            is_required,
        });
        self
    }

    /// How often the files are looked at; 30 s unless said otherwise. SIGHUP does not wait.
    #[must_use]
    pub fn look_every(mut self, time: Duration) -> Self {
        self.look_every = time.max(Duration::from_secs(1));
        self
    }

    /// How long a browser that was here once never uses plain HTTP again (HSTS, RFC 6797): a
    /// year unless said otherwise, zero for never. A server on loopback does not say it: it
    /// would bind every port of `localhost`.
    #[must_use]
    pub fn hsts(mut self, time: Duration) -> Self {
        self.hsts = time;
        self
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let authorities = self.clients.iter().map(|c| c.authorities.as_path());
        [self.chain.as_path(), self.key.as_path()]
            .into_iter()
            .chain(authorities)
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(30);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
