//! What an author declares: an address, and who may come.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use super::{
    api_keys::ApiKeys,
    authenticate::Auth,
    endpoint::Endpoint,
    front::Exposure,
    host::{self, Hosts},
    limits::HttpLimits,
    listener::{Bound, Listener},
    local_token::{LocalToken, default_token_path},
    origin::Origins,
    proxy::Proxies,
    rate::{Limiter, PeerRate},
    ring::Issued,
};
#[cfg(feature = "oauth")]
use crate::auth::{ResourceServer, oauth::SignIn};
use crate::{
    Error, Result,
    capability::Opening,
    page::{Door as PageDoor, Place},
    server::resolve::Unfit,
    state::Store,
};

/// Streamable HTTP: on a loopback address, or for others with TLS.
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
/// * An address that others reach (any that is not loopback, and any behind a proxy) without
///   [`tls`](Self::tls) or [`behind_proxy`](Self::behind_proxy), without
///   [`allow_host`](Self::allow_host), or with nothing but the local token.
/// * A `Host` that is not one of the loopback names with the bound port (on loopback), or one
///   that [`allow_host`](Self::allow_host) added; an `Origin`, where there is one, that is not the
///   server's own or from [`allow_origin`](Self::allow_origin). Nothing turns these off.
/// * Every request without a good credential, before its body is read.
pub struct Http<A = NoAuth> {
    on: String,
    path: String,
    hosts: Vec<String>,
    origins: Vec<String>,
    limits: HttpLimits,
    legacy_sessions: bool,
    exposure: Exposure,
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
    /// What the server remembers with, if it was told.
    #[cfg_attr(not(feature = "oauth"), allow(dead_code))]
    pub(crate) store: Option<&'a Arc<dyn Store>>,
    /// Whether it has pages for persons, who then sign in if they can.
    #[cfg_attr(not(feature = "oauth"), allow(dead_code))]
    pub(crate) has_pages: bool,
}

enum Declared {
    #[cfg(feature = "oauth")]
    ResourceServer(Box<ResourceServer>),
    LocalToken {
        path: Option<PathBuf>,
        scopes: Vec<String>,
    },
    ApiKeys(PathBuf),
    #[cfg(feature = "tls")]
    Certificates(Vec<(String, crate::auth::Principal)>),
    #[cfg(any(test, feature = "testing"))]
    Table(Vec<(&'static str, crate::auth::Principal)>),
}

impl Http<NoAuth> {
    /// An address: `127.0.0.1:8443`, `[::1]:8443`, `localhost:8443`, `0.0.0.0:8443`. Port 0
    /// lets the system choose. It is checked when the server starts.
    pub fn on(address: impl Into<String>) -> Self {
        Self {
            on: address.into(),
            path: "/mcp".into(),
            hosts: Vec::new(),
            origins: Vec::new(),
            limits: HttpLimits::default(),
            legacy_sessions: true,
            exposure: Exposure::default(),
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

    /// Callers show an API key that this file knows: for a handful of programs, where there is
    /// no authorization server. Others may reach the server, with TLS.
    ///
    /// `mcp-secure keys add --file …` makes keys, each with a subject, scopes and an end;
    /// `revoke` and `rotate` are heard within a second. The file holds digests and no key. It
    /// has to be the user's own, with mode 0600, in a folder that nobody else writes and no
    /// tool reads.
    ///
    /// ```
    /// use mcp_secure::server::http::Http;
    /// let http = Http::on("127.0.0.1:8443").api_keys("/etc/notes/keys/keys.json");
    /// ```
    ///
    /// # What it is not
    ///
    /// A key is good for as long as it lives for whoever has it: there is no proof of
    /// possession and no consent of a person, and a caller without a scope cannot ask for it.
    /// Where people sign in, use [`resource_server`](Self::resource_server).
    #[must_use]
    pub fn api_keys(self, file: impl Into<PathBuf>) -> Http<Authenticated> {
        self.with(Declared::ApiKeys(file.into()))
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
    pub fn resource_server(mut self, resource_server: ResourceServer) -> Http<Authenticated> {
        // Who calls the resource by its name means this server.
        let host = super::issued::authority(resource_server.written_resource());
        self.hosts.extend(host);
        self.with(Declared::ResourceServer(Box::new(resource_server)))
    }

    /// Callers show a client certificate that is in this table: thumbprint, subject, scopes.
    /// For a handful of clients; it needs [`Tls::client_certificates`](super::Tls).
    ///
    /// The thumbprint is the SHA-256 of the certificate in hexadecimal, with colons or
    /// without: what `openssl x509 -noout -fingerprint -sha256 -in client.pem` prints.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificates_table<'a>(
        self,
        people: impl IntoIterator<Item = (&'a str, &'a str, &'a [&'a str])>,
    ) -> Http<Authenticated> {
        use crate::auth::{Assurance, Principal};
        let person = |(thumbprint, subject, scopes): (&str, &str, &[&str])| {
            let principal =
                Principal::minted("client-certificate", subject, Assurance::ClientCertificate);
            (
                thumbprint.to_owned(),
                principal.scopes(scopes.iter().copied()),
            )
        };
        self.with(Declared::Certificates(
            people.into_iter().map(person).collect(),
        ))
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
            exposure,
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
            exposure,
            auth,
        }
    }
}

impl<A> Http<A> {
    /// Serves TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: super::Tls) -> Self {
        self.exposure.tls = Some(tls);
        self
    }

    /// The application that this stands in ends TLS itself: for [`layer`](Self::layer) alone.
    #[must_use]
    pub fn tls_of_the_application(mut self) -> Self {
        self.exposure.elsewhere = true;
        self
    }

    /// Only these addresses may connect, and they are trusted to say for whom they ask:
    /// `10.0.0.7` or `10.0.0.0/24`. The proxy ends TLS and sets `X-Forwarded-For` or
    /// `Forwarded`; a request without, or with both, is refused.
    #[must_use]
    pub fn behind_proxy<I: IntoIterator<Item = T>, T: Into<String>>(
        mut self,
        addresses: I,
    ) -> Self {
        let proxies = self.exposure.proxies.get_or_insert_default();
        proxies.extend(strings(addresses));
        self
    }

    /// Lets pages of one more origin call, as a browser spells it: `https://app.example`.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Answers to one more `Host`: a name, with the bound port or none, or `name:port`. Where
    /// others reach the server, at least one is needed.
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

    /// What clients write before the name, and the first name that is declared.
    pub(crate) fn outside(&self) -> (&'static str, Option<&str>) {
        let host = self.hosts.first().map(String::as_str);
        (self.exposure.outer_scheme(), host)
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.exposure.has_tls()
    }

    pub(crate) fn has_proxy(&self) -> bool {
        self.exposure.proxies.is_some()
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
            Declared::ApiKeys(_) => false,
            #[cfg(feature = "oauth")]
            Declared::ResourceServer(_) => false,
            #[cfg(feature = "tls")]
            Declared::Certificates(_) => false,
            #[cfg(any(test, feature = "testing"))]
            Declared::Table(_) => false,
        }
    }

    /// What callers show, for their configuration.
    pub(crate) fn shown_by_callers(&self) -> crate::server::resolve::Shown {
        use crate::server::resolve::Shown;
        match &self.auth.0 {
            Declared::LocalToken { .. } => Shown::TokenFile,
            Declared::ApiKeys(_) => Shown::ApiKey,
            #[cfg(feature = "oauth")]
            Declared::ResourceServer(_) => Shown::AccessToken,
            #[cfg(feature = "tls")]
            Declared::Certificates(_) => Shown::Certificate,
            #[cfg(any(test, feature = "testing"))]
            Declared::Table(_) => Shown::ApiKey,
        }
    }

    /// Whether callers come with access tokens.
    #[cfg(feature = "oauth")]
    pub(crate) fn takes_tokens(&self) -> bool {
        matches!(self.auth.0, Declared::ResourceServer(_))
    }

    /// The client by which persons sign in where its callers do.
    #[cfg(feature = "oauth")]
    pub(crate) fn signs_in_by(&self) -> Option<&str> {
        match &self.auth.0 {
            Declared::ResourceServer(declared) => declared.signs_in_by(),
            _ => None,
        }
    }

    /// The same, as the operator says it.
    #[cfg(feature = "oauth")]
    pub(crate) fn sign_in_by(&mut self, client_id: &str) {
        if let Declared::ResourceServer(declared) = &mut self.auth.0 {
            declared.sign_in_by(client_id);
        }
    }

    /// Whose word is taken for who calls, for the manifest. What was always so has no line.
    pub(crate) fn callers(&self) -> Vec<String> {
        match &self.auth.0 {
            #[cfg(feature = "oauth")]
            Declared::ResourceServer(declared) => declared.terms(),
            Declared::ApiKeys(file) => vec![format!("API keys of {}", file.display())],
            #[cfg(feature = "tls")]
            Declared::Certificates(people) => people
                .iter()
                .map(|(thumbprint, who)| format!("certificate {thumbprint} is {}", who.subject()))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Why others may not reach this server, if they may not.
    pub(crate) fn unfit(&self) -> Option<Unfit> {
        let local_token = matches!(self.auth.0, Declared::LocalToken { .. });
        self.exposure.unfit(&self.hosts, local_token)
    }

    /// Where it is to be, if it may be there.
    fn sited(&self) -> Result<Sited> {
        self.limits.check()?;
        let endpoint = Endpoint::new(&self.path)?;
        let address = address(&self.on)?;
        let public = self.exposure.is_public(address);
        if let Some(unfit) = self.unfit().filter(|_| public) {
            return Err(Error::new(unfit.at(&self.on)).help(unfit.help));
        }
        Ok(Sited {
            address,
            public,
            endpoint,
            rate: self.limits.rate.or(public.then(Default::default)),
        })
    }

    /// Takes the address and the token. The server's name is the token file's.
    ///
    /// # Errors
    ///
    /// When others reach the address and may not, when it is taken, or when a name or the token file is not
    /// what it has to be.
    pub(crate) fn bind(self, served: &mut Served<'_>) -> Result<Bound> {
        let Sited {
            address,
            public,
            endpoint,
            rate,
        } = self.sited()?;
        let Self {
            on,
            hosts,
            origins,
            limits,
            legacy_sessions,
            exposure,
            auth,
            ..
        } = self;
        exposure.has_a_listener()?;
        let exposure_scheme = exposure.outer_scheme();
        #[cfg(feature = "tls")]
        if let Declared::Certificates(_) = &auth.0 {
            exposure.shows_certificates()?;
        }
        let front = exposure.open(address, &hosts, &limits)?;
        let schemes = match (front.proxies.is_some(), front.scheme()) {
            (true, _) => host::PROXIED,
            (false, "https") => host::TLS,
            _ => host::PLAIN,
        };
        let socket = std::net::TcpListener::bind(address).map_err(|e| {
            Error::new(format!("cannot listen on `{on}`: {e}"))
                .help("another server may run there; choose another port, or 0 for a free one")
        })?;
        let prepared = socket
            .set_nonblocking(true)
            .and_then(|()| socket.local_addr());
        let local = prepared.map_err(|e| Error::new(format!("cannot listen on `{on}`: {e}")))?;
        let outside = match public {
            true => exposure_scheme,
            false => front.scheme(),
        };
        let mut opened = auth.0.open(&endpoint, served)?;
        let page = opened.page(outside, public, local, hosts.first());
        let Opened {
            auth,
            token,
            issued,
            ..
        } = opened;
        let named = (hosts.as_slice(), origins.as_slice());
        let (hosts, origins) = names(public, local, front.scheme(), named)?;
        Ok(Bound {
            hosts: hosts.with_schemes(schemes),
            origins,
            endpoint,
            limits,
            legacy_sessions,
            listener: Listener::Tcp {
                socket,
                local,
                auth: Arc::new(auth),
                token,
                front: Arc::new(front),
                limiter: rate.map(|rate| Arc::new(Limiter::new(rate))),
            },
            issued,
            page,
        })
    }
}

impl Http<Authenticated> {
    /// What stands at the door of an application with a listener of its own.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind), and when the port or TLS is to come from here.
    pub(super) fn door(self, served: &mut Served<'_>) -> Result<Door> {
        let Sited {
            address,
            public,
            endpoint,
            rate,
        } = self.sited()?;
        let Self {
            on,
            hosts,
            origins,
            limits,
            exposure,
            auth,
            ..
        } = self;
        if address.port() == 0 {
            return Err(
                Error::new(format!("`{on}` does not say at which port callers are"))
                    .help("write the port that the application listens on"),
            );
        }
        let (schemes, scheme) = exposure.outside()?;
        // A layer sees requests, and not the handshake that they came through.
        #[cfg(feature = "tls")]
        if let Declared::Certificates(_) = &auth.0 {
            return Err(Error::new("a layer is shown no client certificates")
                .help("let callers show something else, or use a listener of this crate"));
        }
        let proxies = exposure.open(address, &hosts, &limits)?.proxies;
        let Opened { auth, issued, .. } = auth.0.open(&endpoint, served)?;
        let named = (hosts.as_slice(), origins.as_slice());
        let (hosts, origins) = names(public, address, scheme, named)?;
        Ok(Door {
            hosts: Arc::new(hosts.with_schemes(schemes)),
            origins: Arc::new(origins),
            auth: Arc::new(auth),
            issued,
            limiter: rate.map(|rate| Arc::new(Limiter::new(rate))),
            proxies,
            most_bytes: limits.body_bytes as u64,
        })
    }
}

/// Where a server is.
struct Sited {
    address: SocketAddr,
    /// Others than this machine's users reach it.
    public: bool,
    endpoint: Endpoint,
    rate: Option<PeerRate>,
}

/// The names that it has there, and the pages that may call it: what is declared, and on loopback
/// its own.
fn names(
    public: bool,
    local: SocketAddr,
    scheme: &str,
    (hosts, origins): (&[String], &[String]),
) -> Result<(Hosts, Origins)> {
    Ok(match public {
        true => (
            Hosts::declared(local.port(), hosts)?,
            Origins::declared(origins)?,
        ),
        false => (
            Hosts::new(local, hosts)?,
            Origins::new(scheme, local.port(), origins)?,
        ),
    })
}

/// The checks on a request head, for a ring that is not this crate's.
pub(super) struct Door {
    pub(super) hosts: Arc<Hosts>,
    pub(super) origins: Arc<Origins>,
    pub(super) auth: Arc<Auth>,
    pub(super) issued: Issued,
    pub(super) limiter: Option<Arc<Limiter>>,
    pub(super) proxies: Option<Arc<Proxies>>,
    pub(super) most_bytes: u64,
}

/// Who may come, read from where it was declared to be.
struct Opened {
    auth: Auth,
    token: Option<PathBuf>,
    issued: Issued,
    door: Opens,
}

/// How it is known on the page who a person is.
enum Opens {
    Link,
    #[cfg(feature = "oauth")]
    SignIn {
        origin: String,
        sign_in: Option<Box<SignIn>>,
    },
}

impl Opened {
    /// Where the page is. Nobody is shown one whose callers sign in somewhere, where it was not
    /// said by what persons do.
    #[cfg_attr(not(feature = "oauth"), allow(unused_mut))]
    fn page(
        &mut self,
        scheme: &str,
        public: bool,
        local: SocketAddr,
        name: Option<&String>,
    ) -> Option<(Place, PageDoor)> {
        let authority = match name {
            Some(name) if public => {
                let is_usual = scheme == "https" && local.port() == 443;
                let is_elsewhere = local.ip().is_loopback() || is_usual;
                match name.contains(':') || is_elsewhere {
                    true => name.clone(),
                    false => format!("{name}:{}", local.port()),
                }
            }
            None if public => return None,
            _ => local.to_string(),
        };
        let place = Place::new(scheme, &authority);
        match std::mem::replace(&mut self.door, Opens::Link) {
            Opens::Link => Some((place, PageDoor::Link)),
            #[cfg(feature = "oauth")]
            Opens::SignIn { origin, sign_in } => {
                let door = match sign_in {
                    Some(sign_in) => PageDoor::SignIn(sign_in),
                    None => PageDoor::Shut,
                };
                Some((Place { origin }, door))
            }
        }
    }
}

impl Declared {
    fn open(self, endpoint: &Endpoint, served: &mut Served<'_>) -> Result<Opened> {
        let known = |auth| Opened {
            auth,
            token: None,
            issued: Issued::default(),
            door: Opens::Link,
        };
        #[cfg(not(feature = "oauth"))]
        let _ = endpoint;
        Ok(match self {
            #[cfg(feature = "oauth")]
            Self::ResourceServer(declared) => {
                let (tokens, issued, sign_in) = super::issued::open(*declared, endpoint, served)?;
                let origin = tokens.origin();
                Opened {
                    issued,
                    door: Opens::SignIn {
                        origin,
                        sign_in: sign_in.map(Box::new),
                    },
                    ..known(Auth::Tokens(Box::new(tokens)))
                }
            }
            Self::LocalToken { path, scopes } => {
                let path = path.map_or_else(|| default_token_path(served.name), Ok)?;
                let token = LocalToken::open(&path, scopes)?;
                Opened {
                    token: Some(path),
                    ..known(Auth::LocalToken(token))
                }
            }
            Self::ApiKeys(file) => {
                let keys = ApiKeys::open(&file, &served.scopes)?;
                known(Auth::ApiKeys(Arc::new(keys)))
            }
            #[cfg(feature = "tls")]
            Self::Certificates(people) => known(Auth::Certificates(thumbprints(people)?)),
            #[cfg(any(test, feature = "testing"))]
            Self::Table(people) => known(Auth::Table(people)),
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
            store: None,
            has_pages: false,
        })
    }
}

/// The address as an author writes it.
fn address(on: &str) -> Result<SocketAddr> {
    let parsed = match on.strip_prefix("localhost:") {
        Some(port) => port
            .parse()
            .ok()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
        None => on.parse().ok(),
    };
    parsed.ok_or_else(|| {
        Error::new(format!("`{on}` is not an address"))
            .help("write an IP address and a port, such as `127.0.0.1:8443`")
    })
}

/// Thumbprints as people write them.
#[cfg(feature = "tls")]
fn thumbprints(
    people: Vec<(String, crate::auth::Principal)>,
) -> Result<std::collections::HashMap<[u8; 32], crate::auth::Principal>> {
    let mut table = std::collections::HashMap::new();
    for (text, principal) in people {
        let wrong = |what| {
            Error::new(format!("the thumbprint `{text}` {what}"))
                .help("write what `openssl x509 -noout -fingerprint -sha256 -in client.pem` prints")
        };
        let digits = text.replace(':', "");
        let mut thumbprint = [0; 32];
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong("is not a SHA-256 in hexadecimal"));
        }
        for (byte, place) in thumbprint.iter_mut().zip((0..64).step_by(2)) {
            let pair = digits.get(place..place + 2).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
        if table.insert(thumbprint, principal).is_some() {
            return Err(wrong("is in the table twice"));
        }
    }
    Ok(table)
}

pub(crate) fn strings<I: IntoIterator<Item = T>, T: Into<String>>(items: I) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn without_tls_a_name_and_callers_only_a_loopback_address_is_bound() {
        let people = || vec![("t", crate::auth::Principal::local_user())];
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("t/token");
        let fails = |http: Http<Authenticated>| {
            let error = http.bind_alone("s").err().unwrap().to_string();
            assert!(error.contains("help:"), "{error}");
            error
        };
        for open in ["0.0.0.0:0", "[::]:0", "[::ffff:127.0.0.1]:0", "192.0.2.1:0"] {
            let http = || Http::on(open).allow_host("mcp.example");
            assert!(fails(http().table(people())).contains("no TLS"), "{open}");
            let proxied = || http().behind_proxy(["192.0.2.7"]);
            let error = fails(proxied().local_token_at(&token, ["a"]));
            assert!(error.contains("the local token"), "{error}");
            let nameless = Http::on(open).behind_proxy(["192.0.2.7"]).table(people());
            assert!(fails(nameless).contains("no name"), "{open}");
        }
        // What is behind a proxy is reached by others wherever it is bound.
        let http = || Http::on("127.0.0.1:0").behind_proxy(["127.0.0.1"]);
        assert!(fails(http().local_token_at(&token, ["a"])).contains("the local token"));
        assert!(fails(http().table(people())).contains("no name"));
        assert!(
            http()
                .allow_host("mcp.example")
                .table(people())
                .bind_alone("s")
                .is_ok()
        );
        for good in ["127.0.0.1:0", "127.0.0.2:1", "[::1]:0", "localhost:0"] {
            assert!(address(good).unwrap().ip().is_loopback(), "{good}");
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
                address(bad)
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
