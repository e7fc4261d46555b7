//! What is said of a credential: its name, its hosts, and where it goes.

use std::{fmt, str::FromStr};

use http::HeaderName;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::format::{MAX_SECRET, MAX_TEXT, MOST_HOSTS, NONCE, Record};
use crate::{
    Error, Result,
    capability::{
        dial::HostRule,
        net::{Scheme, Target, is_forbidden},
    },
};

/// Where in a request a credential goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
    /// `Authorization: Basic …` (RFC 7617); the secret is `user:password`.
    Basic,
    /// A header of its own, such as `x-api-key`, in lower case.
    Header(String),
    /// A parameter of this name in the query of the address, which servers, proxies and
    /// histories write down. Spent only where the grant says
    /// [`dangerous::credential_in_query`](crate::dangerous::credential_in_query).
    Query(String),
    /// The private key of a client certificate, in PEM form (PKCS #8): into the TLS handshake of an
    /// endpoint whose grant names the certificate, by `NetGrant::client_certificate`.
    ClientKey,
    /// Into the handshake of a PostgreSQL server, by `SqlGrant::credential`; its hosts are
    /// written `postgres://HOST:PORT`.
    Password,
    /// Nowhere: it is a canary. Whoever uses it has found it in a place where nobody should
    /// look, and a server that sees it leave says so.
    Canary,
    /// What an issuer gave this server for a caller: an endpoint that was declared with
    /// `.connect(…)` spends of it what is good for now, and no other does.
    Grant,
}

impl Placement {
    pub(super) const CANARY: &str = "canary";
    const GRANT: &str = "grant";
    pub(super) const PASSWORD: &str = "password";
    pub(super) const CLIENT_KEY: &str = "client-key";

    /// Whether its header or its parameter is one.
    fn check(&self) -> Result<()> {
        let name = match self {
            Self::ClientKey => return Ok(()),
            Self::Query(name) => name,
            _ => return self.header().map(drop),
        };
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fine) {
            return Err(Error::new(format!(
                "`{}` is no parameter for a secret",
                name.escape_debug()
            ))
            .help("write letters, digits, `-`, `_` and `.`"));
        }
        Ok(())
    }

    /// The name of the header.
    pub(super) fn header(&self) -> Result<HeaderName> {
        match self {
            Self::Bearer | Self::Basic => Ok(http::header::AUTHORIZATION),
            Self::Query(_) => Err(Error::new("a parameter of a query goes into no header")),
            Self::ClientKey => Err(Error::new(
                "the key of a client certificate goes into no header",
            )
            .help("name the certificate with `NetGrant::client_certificate`")),
            Self::Password => Err(Error::new("a password of a database goes into no header")
                .help("spend it with `SqlGrant::credential`")),
            Self::Canary => Err(Error::new("a canary is spent by nothing")
                .help("name another credential; this one is there to be found by thieves")),
            Self::Grant => Err(
                Error::new("a grant of an issuer is spent by what connects to it")
                    .help("name another credential, or declare the endpoint with `.connect(…)`"),
            ),
            Self::Header(name) => HeaderName::from_lowercase(name.as_bytes())
                .ok()
                .filter(|name| !is_forbidden(name.as_str()) && name != "user-agent")
                .ok_or_else(|| {
                    Error::new(format!(
                        "`{}` is no header for a secret",
                        name.escape_debug()
                    ))
                    .help(
                        "write it in lower case; those that say where a request goes cannot be it",
                    )
                }),
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Basic => f.write_str("basic"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Password => f.write_str(Self::PASSWORD),
            Self::Canary => f.write_str(Self::CANARY),
            Self::Grant => f.write_str(Self::GRANT),
            Self::ClientKey => f.write_str(Self::CLIENT_KEY),
        }
    }
}

impl FromStr for Placement {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let placement = match text {
            "bearer" => Self::Bearer,
            "basic" => Self::Basic,
            Self::CANARY => return Ok(Self::Canary),
            Self::GRANT => return Ok(Self::Grant),
            Self::PASSWORD => return Ok(Self::Password),
            Self::CLIENT_KEY => return Ok(Self::ClientKey),
            _ => match (text.strip_prefix("header "), text.strip_prefix("query ")) {
                (Some(name), _) => Self::Header(name.to_owned()),
                (_, Some(name)) => Self::Query(name.to_owned()),
                (None, None) => {
                    return Err(
                        Error::new(format!("`{}` is no placement", text.escape_debug()))
                            .help("write `bearer`, `basic`, or `header NAME`"),
                    );
                }
            },
        };
        placement.check()?;
        Ok(placement)
    }
}

/// A credential that is to be stored: everything but the secret.
#[must_use = "it does nothing until it is stored"]
pub struct NewCredential {
    pub(super) name: String,
    pub(super) placement: Placement,
    pub(super) hosts: Vec<String>,
}

impl NewCredential {
    /// `name` is what a grant calls it; each of `hosts` is an origin that it may be sent to, such as
    /// `https://api.example.com`, perhaps with a path.
    ///
    /// # Errors
    ///
    /// When a name, a host or the placement is none. Plain HTTP is refused but for this machine.
    pub fn new<H: Into<String>>(
        name: impl Into<String>,
        placement: Placement,
        hosts: impl IntoIterator<Item = H>,
    ) -> Result<Self> {
        let name = name.into();
        check_name(&name)?;
        let is_sent = !matches!(
            placement,
            Placement::Canary | Placement::Grant | Placement::Password
        );
        if is_sent {
            placement.check()?;
        }
        let mut all = Vec::new();
        for host in hosts {
            let host = host.into();
            if placement == Placement::Password {
                all.push(database(&host)?);
                continue;
            }
            let target = host_rule(&host)?;
            if target.scheme == Scheme::Http && !is_here(&target.host) {
                return Err(Error::new(format!(
                    "`{host}` is plain HTTP: everybody on the way reads the secret"
                ))
                .help("write `https://`; only a server on this machine can do without"));
            }
            if target.scheme == Scheme::Http && placement == Placement::ClientKey {
                return Err(
                    Error::new(format!("`{host}` has no TLS, which the key is for"))
                        .help("write `https://`"),
                );
            }
            all.push(target.to_string());
        }
        all.sort();
        all.dedup();
        if all.is_empty() || all.len() > MOST_HOSTS {
            return Err(Error::new(format!(
                "`{name}` is for no host, or for more than {MOST_HOSTS}"
            ))
            .help("say where it may be sent: `https://api.example.com`"));
        }
        Ok(Self {
            name,
            placement,
            hosts: all,
        })
    }

    /// What an entry of the file says.
    pub(super) fn of(record: &Record) -> Result<Self> {
        Ok(Self {
            name: record.name.clone(),
            placement: record.placement.parse()?,
            hosts: record.hosts.clone(),
        })
    }

    /// The same once more. There is no secret in it.
    pub(super) fn again(&self) -> Self {
        Self {
            name: self.name.clone(),
            placement: self.placement.clone(),
            hosts: self.hosts.clone(),
        }
    }

    /// As an entry of the file says it, for a secret that is in none.
    pub(super) fn record(&self, version: u32) -> Record {
        Record {
            name: self.name.clone(),
            version,
            placement: self.placement.to_string(),
            created: 0,
            hosts: self.hosts.clone(),
            nonce: [0; NONCE],
            sealed: Vec::new(),
        }
    }

    /// The secret as it is kept. Nothing of it is repeated.
    pub(crate) fn check(&self, secret: &SecretString) -> Result<Zeroizing<Vec<u8>>> {
        let secret = secret.expose_secret();
        let wrong = |what: &str, help: &str| {
            Err(Error::new(format!("the secret for `{}` {what}", self.name)).help(help.to_owned()))
        };
        if secret.len() < SHORTEST || secret.len() > MAX_SECRET {
            return wrong(
                "has fewer than 8 bytes, or more than 8,192",
                "a shorter one could not be told from other words of a response",
            );
        }
        let plain = |b: u8| (0x21..0x7f).contains(&b);
        let is_key = self.placement == Placement::ClientKey;
        if is_key && client_key(secret.as_bytes()).is_none() {
            return wrong("is no private key", "store one in PEM form, as PKCS #8");
        }
        let inside = |b: u8| {
            plain(b)
                || (b == b' ' && self.placement != Placement::Bearer)
                || (is_key && b"\r\n".contains(&b))
        };
        let ends = [secret.bytes().next(), secret.bytes().last()];
        if !secret.bytes().all(inside) || !ends.into_iter().flatten().all(plain) {
            return wrong(
                "has a space, a line break or a character that no header may have",
                "store it as its issuer printed it",
            );
        }
        if self.placement == Placement::Basic && !secret.contains(':') {
            return wrong("has no `:`", "for `basic` store `user:password`");
        }
        Ok(Zeroizing::new(secret.as_bytes().to_vec()))
    }
}

/// The key in a text of PEM form.
pub(super) fn client_key(pem: &[u8]) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).ok()
}

/// A database server, in the one form that is compared.
fn database(written: &str) -> Result<String> {
    let place = written.strip_prefix("postgres://").and_then(|rest| {
        let (host, port) = rest.rsplit_once(':')?;
        let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
        // Names, addresses, and `[addresses]`: as an address of a grant is printed.
        let fine = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
        let is_host = !host.is_empty() && host.bytes().all(fine);
        is_host.then(|| format!("postgres://{}:{port}", host.to_ascii_lowercase()))
    });
    place
        .filter(|place| place.len() <= MAX_TEXT)
        .ok_or_else(|| {
            Error::new(format!(
                "`{}` is no database server",
                written.escape_debug()
            ))
            .help("write `postgres://HOST:PORT`, without a user and a database")
        })
}

/// A host of a record, read as the grants are.
pub(super) fn host_rule(written: &str) -> Result<Target> {
    if written.len() > MAX_TEXT {
        return Err(Error::new("a host is longer than any"));
    }
    Target::parse(written, false)
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty()
        || name.len() > 64
        || !name.chars().all(fine)
        || !name.starts_with(|c: char| c.is_ascii_lowercase())
    {
        return Err(Error::new(format!(
            "`{}` is no name of a credential",
            name.escape_debug()
        ))
        .help(
            "write a letter, then letters, digits, `-`, `_` and `.`, all in lower case, 64 at most",
        ));
    }
    Ok(())
}

fn is_here(host: &HostRule) -> bool {
    match host {
        HostRule::Literal(address) => address.is_loopback(),
        HostRule::Exact(name) => name == "localhost",
        _ => false,
    }
}

const SHORTEST: usize = 8;
