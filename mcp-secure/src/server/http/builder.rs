//! What an author declares: an address, and who may come.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use super::{
    authenticate::Auth,
    endpoint::Endpoint,
    host::Hosts,
    limits::HttpLimits,
    listener::{Bound, Listener},
    local_token::{LocalToken, default_token_path},
    origin::Origins,
    ring::Issued,
};
#[cfg(feature = "oauth")]
use crate::auth::ResourceServer;
use crate::{Error, Result, capability::Opening};

/// Streamable HTTP on a loopback address.
///
/// It cannot be served before it says how callers are authenticated.
///
/// ```
/// use mcp_secure::server::http::Http;
/// let http = Http::on("127.0.0.1:8443").local_token(["notes:read", "notes:write"]);
/// ```
///
/// # What it refuses
///
/// * An address that is not loopback: TLS and OAuth are not available in this version.
/// * A `Host` that is not one of the loopback names with the bound port, or one that
///   [`allow_host`](Self::allow_host) added; an `Origin`, where there is one, that is not the
///   server's own or from [`allow_origin`](Self::allow_origin). Nothing turns these off.
/// * Every request without a good credential, before its body is read.
pub struct Http<A = NoAuth> {
    on: String,
    path: String,
    hosts: Vec<String>,
    origins: Vec<String>,
    limits: HttpLimits,
    legacy_sessions: bool,
    auth: A,
}

/// An [`Http`] that does not say yet who may come.
pub struct NoAuth(());

/// An [`Http`] that knows its callers.
pub struct Authenticated(Declared);

/// What a listener is told of the server that it is for.
pub(crate) struct Served<'a> {
    /// The server's name.
    pub(crate) name: &'a str,
    /// Every scope that something of the server needs, sorted; what is hidden is not told.
    pub(crate) scopes: Vec<String>,
    /// Where it says what it still has to reach.
    #[cfg_attr(not(feature = "oauth"), allow(dead_code))]
    pub(crate) opening: &'a mut Opening,
}

enum Declared {
    #[cfg(feature = "oauth")]
    ResourceServer(Box<ResourceServer>),
    LocalToken {
        path: Option<PathBuf>,
        scopes: Vec<String>,
    },
    #[cfg(any(test, feature = "testing"))]
    Table(Vec<(&'static str, crate::auth::Principal)>),
}

impl Http<NoAuth> {
    /// An address: `127.0.0.1:8443`, `[::1]:8443` or `localhost:8443`. Port 0 lets the
    /// system choose. It is checked when the server starts.
    pub fn on(address: impl Into<String>) -> Self {
        Self {
            on: address.into(),
            path: "/mcp".into(),
            hosts: Vec::new(),
            origins: Vec::new(),
            limits: HttpLimits::default(),
            legacy_sessions: true,
            auth: NoAuth(()),
        }
    }

    /// Callers show a random token that lies in a file only its owner can read: the default
    /// for a server that runs beside its client. Whoever shows it has these scopes.
    ///
    /// The file is `$XDG_RUNTIME_DIR/mcp-secure/<server>.token`, or, where there is no such
    /// directory, `~/.local/state/mcp-secure/<server>.token`. It is made at the first start
    /// with mode 0600 and used again after, so that clients keep working; delete it to
    /// change the token. A file with other rights, another owner, or a link, stops the start.
    #[must_use]
    pub fn local_token<I: IntoIterator<Item = T>, T: Into<String>>(
        self,
        scopes: I,
    ) -> Http<Authenticated> {
        self.with(Declared::LocalToken {
            path: None,
            scopes: strings(scopes),
        })
    }

    /// Like [`local_token`](Self::local_token), with the file in another place. Its folder
    /// must belong to the user and be writable by nobody else; it is made if missing.
    #[must_use]
    pub fn local_token_at<I: IntoIterator<Item = T>, T: Into<String>>(
        self,
        path: impl Into<PathBuf>,
        scopes: I,
    ) -> Http<Authenticated> {
        self.with(Declared::LocalToken {
            path: Some(path.into()),
            scopes: strings(scopes),
        })
    }

    /// Callers show an access token that an authorization server has issued for this server:
    /// OAuth 2.1, as the MCP authorization specification asks for it.
    ///
    /// The server then also answers for its metadata (RFC 9728), names it in each 401, and tells a
    /// caller whose token lacks a scope which scopes to come back with (403).
    ///
    /// ```
    /// use mcp_secure::prelude::*;
    /// let http = Http::on("127.0.0.1:8443").resource_server(ResourceServer::new(
    ///     "https://auth.example",
    ///     "https://mcp.example/mcp",
    /// ));
    /// ```
    #[cfg(feature = "oauth")]
    #[must_use]
    pub fn resource_server(self, resource_server: ResourceServer) -> Http<Authenticated> {
        self.with(Declared::ResourceServer(Box::new(resource_server)))
    }

    /// Several users, each with a constant token, a subject and scopes: for tests of what
    /// one user of a server can do to another. Only with the feature `testing`.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn test_users<'a>(
        self,
        users: impl IntoIterator<Item = (&'static str, &'a str, &'a [&'a str])>,
    ) -> Http<Authenticated> {
        use crate::auth::{Assurance, Principal};
        let user = |(token, subject, scopes): (_, &str, &[&str])| {
            let principal = Principal::minted("test", subject, Assurance::LocalToken);
            (token, principal.scopes(scopes.iter().copied()))
        };
        self.with(Declared::Table(users.into_iter().map(user).collect()))
    }

    #[cfg(test)]
    pub(crate) fn table(
        self,
        people: Vec<(&'static str, crate::auth::Principal)>,
    ) -> Http<Authenticated> {
        self.with(Declared::Table(people))
    }

    fn with(self, declared: Declared) -> Http<Authenticated> {
        let Self {
            on,
            path,
            hosts,
            origins,
            limits,
            legacy_sessions,
            auth: NoAuth(()),
        } = self;
        let auth = Authenticated(declared);
        Http {
            on,
            path,
            hosts,
            origins,
            limits,
            legacy_sessions,
            auth,
        }
    }
}

impl<A> Http<A> {
    /// Lets pages of one more origin call, as a browser spells it: `https://app.example`.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Answers to one more `Host`: a name, with the bound port or none, or `name:port`.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// The one path of the server; `/mcp` unless said otherwise.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether clients of the 2025-11-25 revision get sessions (they do, by default).
    /// Without, there is no GET and no DELETE, and such a client can initialize but not go on.
    #[must_use]
    pub fn legacy_sessions(mut self, on: bool) -> Self {
        self.legacy_sessions = on;
        self
    }

    /// The address and the endpoint's path, as the author wrote them.
    pub(crate) fn declared(&self) -> (&str, &str) {
        (&self.on, &self.path)
    }

    /// The operator's address instead of the author's; it is checked like the other.
    pub(crate) fn move_to(&mut self, address: impl Into<String>) {
        self.on = address.into();
    }

    pub(crate) fn limits_mut(&mut self) -> &mut HttpLimits {
        &mut self.limits
    }
}

impl Http<Authenticated> {
    /// The operator's token file instead of the author's. `false` if there is no such file.
    pub(crate) fn keep_token_at(&mut self, file: PathBuf) -> bool {
        match &mut self.auth.0 {
            Declared::LocalToken { path, .. } => {
                *path = Some(file);
                true
            }
            #[cfg(feature = "oauth")]
            Declared::ResourceServer(_) => false,
            #[cfg(any(test, feature = "testing"))]
            Declared::Table(_) => false,
        }
    }

    /// Takes the address and the token. The server's name is the token file's.
    ///
    /// # Errors
    ///
    /// When the address is not loopback or taken, or when a name or the token file is not
    /// what it has to be.
    pub(crate) fn bind(self, served: &mut Served<'_>) -> Result<Bound> {
        let Self {
            on,
            path,
            #[cfg_attr(not(feature = "oauth"), allow(unused_mut))]
            mut hosts,
            origins,
            limits,
            legacy_sessions,
            auth,
        } = self;
        limits.check()?;
        let endpoint = Endpoint::new(&path)?;
        let address = loopback(&on)?;
        let socket = std::net::TcpListener::bind(address).map_err(|e| {
            Error::new(format!("cannot listen on `{on}`: {e}"))
                .help("another server may run there; choose another port, or 0 for a free one")
        })?;
        let prepared = socket
            .set_nonblocking(true)
            .and_then(|()| socket.local_addr());
        let local = prepared.map_err(|e| Error::new(format!("cannot listen on `{on}`: {e}")))?;
        #[cfg_attr(not(feature = "oauth"), allow(unused_mut))]
        let mut issued = Issued::default();
        let (auth, token) = match auth.0 {
            #[cfg(feature = "oauth")]
            Declared::ResourceServer(declared) => {
                hosts.extend(super::issued::authority(declared.resource()));
                let (tokens, said) = super::issued::open(*declared, &endpoint, served)?;
                issued = said;
                (Auth::Tokens(Box::new(tokens)), None)
            }
            Declared::LocalToken { path, scopes } => {
                let path = path.map_or_else(|| default_token_path(served.name), Ok)?;
                (
                    Auth::LocalToken(LocalToken::open(&path, scopes)?),
                    Some(path),
                )
            }
            #[cfg(any(test, feature = "testing"))]
            Declared::Table(people) => (Auth::Table(people), None),
        };
        Ok(Bound {
            listener: Listener::Tcp {
                socket,
                local,
                auth: Arc::new(auth),
                token,
            },
            hosts: Hosts::new(local, &hosts)?,
            origins: Origins::new(local.port(), &origins)?,
            endpoint,
            limits,
            legacy_sessions,
            issued,
        })
    }
}

#[cfg(test)]
impl Http<Authenticated> {
    /// Binds for a server without anything to reach.
    pub(crate) fn bind_alone(self, name: &str) -> Result<Bound> {
        self.bind(&mut Served {
            name,
            scopes: Vec::new(),
            opening: &mut Opening::default(),
        })
    }
}

/// The address, if it is one that only this machine reaches.
fn loopback(on: &str) -> Result<SocketAddr> {
    let parsed = match on.strip_prefix("localhost:") {
        Some(port) => port
            .parse()
            .ok()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
        None => on.parse().ok(),
    };
    match parsed {
        Some(address) if address.ip().is_loopback() => Ok(address),
        Some(_) => Err(
            Error::new(format!("`{on}` is not a loopback address")).help(
                "use 127.0.0.1 or [::1]: TLS and OAuth, without which nobody else may reach a \
             server, are not available in this version",
            ),
        ),
        None => Err(Error::new(format!("`{on}` is not an address"))
            .help("write an IP address and a port, such as `127.0.0.1:8443`")),
    }
}

pub(crate) fn strings<I: IntoIterator<Item = T>, T: Into<String>>(items: I) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_loopback_address_is_bound() {
        for good in ["127.0.0.1:0", "127.0.0.2:1", "[::1]:0", "localhost:0"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in [
            "0.0.0.0:1",
            "[::]:1",
            "192.168.0.1:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            let error = loopback(bad).unwrap_err().to_string();
            assert!(
                error.contains("loopback") && error.contains("help:"),
                "{error}"
            );
        }
        for bad in [
            "",
            "127.0.0.1",
            "localhost",
            "localhost:x",
            "a:1",
            "127.0.0.1:65536",
            "127.1:1",
        ] {
            assert!(
                loopback(bad)
                    .unwrap_err()
                    .to_string()
                    .contains("not an address"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_bad_declaration_is_an_error_at_the_start_and_not_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("t/token");
        let http = || Http::on("127.0.0.1:0").local_token_at(&token, ["a"]);
        assert!(http().bind_alone("s").is_ok());
        assert!(http().path("mcp").bind_alone("s").is_err());
        assert!(http().allow_origin("null").bind_alone("s").is_err());
        assert!(http().allow_host("http://x").bind_alone("s").is_err());
        let limits = HttpLimits {
            header_bytes: 1,
            ..HttpLimits::default()
        };
        assert!(http().limits(limits).bind_alone("s").is_err());
        let mut moved = http();
        assert_eq!(moved.declared(), ("127.0.0.1:0", "/mcp"));
        moved.move_to("0.0.0.0:1");
        assert!(
            moved.bind_alone("s").is_err(),
            "the operator's address is checked, too"
        );
        let mut kept = http();
        let elsewhere = dir.path().join("t/elsewhere");
        assert!(kept.keep_token_at(elsewhere.clone()));
        assert_eq!(
            kept.bind_alone("s").unwrap().token_path(),
            Some(&*elsewhere)
        );
        let taken = http().bind_alone("s").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let second = Http::on(address)
            .local_token_at(&token, ["a"])
            .bind_alone("s");
        assert!(second.err().unwrap().to_string().contains("another server"));
    }
}
