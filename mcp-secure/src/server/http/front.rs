//! What stands between a TCP connection and the ring: a proxy of the operator's, TLS, both,
//! or nothing; and the rule who may do without.

use std::{net::SocketAddr, sync::Arc};

use http::uri::Scheme;
use rmcp::ServerHandler;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::util::Either;

#[cfg(feature = "tls")]
use super::tls::{Acceptor, Dressed, Secured, Tls};
use super::{
    authenticate::Auth,
    connection::drive,
    host,
    proxy::{Proxied, Proxies},
    refusal::Tally,
    ring::{Shared, ring},
};
use crate::{Error, Result, server::resolve::Unfit};

/// What an author declares of it.
#[derive(Default)]
pub(super) struct Exposure {
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
    pub(super) proxies: Option<Vec<String>>,
    /// An application with a listener of its own ends TLS.
    pub(super) elsewhere: bool,
}

/// The same, checked and read.
#[derive(Default)]
pub(crate) struct Front {
    #[cfg(feature = "tls")]
    pub(crate) secure: Option<Arc<Acceptor>>,
    pub(crate) proxies: Option<Arc<Proxies>>,
}

impl Exposure {
    /// Whether others than this machine's users reach a server at this address. One behind a
    /// proxy is reached by whoever reaches the proxy.
    pub(super) fn is_public(&self, address: SocketAddr) -> bool {
        !address.ip().is_loopback() || self.proxies.is_some()
    }

    pub(super) fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// What clients write before the name: a declared proxy ends TLS.
    pub(super) fn outer_scheme(&self) -> &'static str {
        match self.has_tls() || self.elsewhere || self.proxies.is_some() {
            true => "https",
            false => "http",
        }
    }

    /// Why this must not be reached by others, if so, and what to change.
    pub(super) fn unfit(&self, hosts: &[String], local_token: bool) -> Option<Unfit> {
        if !self.has_tls() && !self.elsewhere && self.proxies.is_none() {
            return Some(Unfit {
                why: "the server has no TLS",
                help: "add `.tls(Tls::files(…))` (feature `tls`), or `.behind_proxy([…])` where \
                       a proxy of yours ends TLS; or use 127.0.0.1 or [::1]",
            });
        }
        if local_token {
            return Some(Unfit {
                why: "the local token is for the user of this machine alone",
                help: "declare who may come: `.resource_server(…)`, `.api_keys(…)`, or client \
                       certificates; or use 127.0.0.1 or [::1] without a proxy",
            });
        }
        if hosts.is_empty() {
            return Some(Unfit {
                why: "the server has no name there",
                help: "add `.allow_host(\"mcp.example\")` for each name that clients use: other \
                       values of `Host` are refused",
            });
        }
        None
    }

    /// That nobody else listens.
    pub(super) fn has_a_listener(&self) -> Result<()> {
        match self.elsewhere {
            false => Ok(()),
            true => Err(
                Error::new("this server has a listener of its own, and no TLS").help(
                    "`.tls_of_the_application()` is for `.layer(…)`; use `.tls(Tls::files(…))`",
                ),
            ),
        }
    }

    /// What clients of an application with a listener of its own write before its name.
    pub(super) fn outside(&self) -> Result<(&'static [Scheme], &'static str)> {
        if self.has_tls() {
            return Err(Error::new("a layer has no listener that could end TLS").help(
                "end it in the application and say `.tls_of_the_application()`, or name the proxy \
                 that does: `.behind_proxy([…])`",
            ));
        }
        Ok(match (&self.proxies, self.elsewhere) {
            (Some(_), _) => (host::PROXIED, "https"),
            (None, true) => (host::TLS, "https"),
            (None, false) => (host::PLAIN, "http"),
        })
    }

    /// That clients show certificates, and to this server.
    #[cfg(feature = "tls")]
    pub(super) fn shows_certificates(&self) -> Result<()> {
        let ask = self.tls.as_ref().is_some_and(|tls| tls.clients.is_some());
        match (ask, &self.proxies) {
            (true, None) => Ok(()),
            (_, Some(_)) => Err(Error::new(
                "client certificates are shown to the proxy, not to this server",
            )
            .help("take `.behind_proxy(…)` away, or let callers show something else")),
            (false, None) => Err(Error::new("no client is asked for a certificate")
                .help("add `.tls(Tls::files(…).client_certificates(\"ca.pem\"))` to the table")),
        }
    }

    /// Reads what it names.
    ///
    /// # Errors
    ///
    /// When a proxy is no address, or a file not what it has to be.
    #[cfg_attr(not(feature = "tls"), allow(unused_variables))]
    pub(super) fn open(
        self,
        address: SocketAddr,
        hosts: &[String],
        limits: &super::HttpLimits,
    ) -> Result<Front> {
        let proxies = match &self.proxies {
            Some(declared) => Some(Arc::new(Proxies::new(declared)?)),
            None => None,
        };
        #[cfg(feature = "tls")]
        let secure = match self.tls {
            Some(tls) => {
                let place = super::tls::Place {
                    hosts: hosts.to_vec(),
                    is_loopback: address.ip().is_loopback(),
                    is_behind_proxy: proxies.is_some(),
                };
                Some(Arc::new(Acceptor::open(tls, place, limits)?))
            }
            None => None,
        };
        Ok(Front {
            #[cfg(feature = "tls")]
            secure,
            proxies,
        })
    }
}

impl Front {
    pub(crate) fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.secure.is_some() {
            return "https";
        }
        "http"
    }

    /// Whether a connection costs a handshake, and is not a declared proxy's.
    #[cfg(feature = "tls")]
    pub(crate) fn pays_for_connections(&self) -> bool {
        self.secure.is_some() && self.proxies.is_none()
    }
}

/// Serves one connection: through TLS, if that is declared, and then the ring.
pub(crate) async fn serve<Io, S>(
    io: Io,
    front: Arc<Front>,
    shared: Arc<Shared<S>>,
    auth: Arc<Auth>,
    tally: Tally,
    shutdown: CancellationToken,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: ServerHandler,
{
    #[cfg(feature = "tls")]
    let (io, dress) = match &front.secure {
        None => (Secured::Plain { io }, super::tls::Dress::default()),
        Some(acceptor) => {
            let shaken = tokio::select! {
                shaken = acceptor.shake(io, &tally) => shaken,
                () = shutdown.cancelled() => return,
            };
            match shaken {
                Some((io, dress)) => (io, dress),
                None => return,
            }
        }
    };
    let service = match &front.proxies {
        None => Either::Left(ring(&shared, &auth, &tally)),
        Some(proxies) => Either::Right(Proxied {
            proxies: proxies.clone(),
            shared: shared.clone(),
            auth,
            tally: tally.clone(),
        }),
    };
    #[cfg(feature = "tls")]
    let service = Dressed::new(dress, service);
    drive(io, service, shared.limits.clone(), tally, shutdown).await;
}
