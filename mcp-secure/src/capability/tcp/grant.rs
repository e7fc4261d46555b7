//! The grant of a service behind a socket.

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{OpenTcp, TcpEndpoint};
use crate::{
    capability::{
        Asked, Binding, Grant, Opening, Rights, Source,
        dial::{self, DialRule, HostRule},
    },
    error::{Error, Result},
};

/// How much one connection may take, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpLimits {
    /// Bytes that may come by one connection. 8 MiB.
    pub max_read: u64,
    /// Bytes that may go out by one connection. 8 MiB.
    pub max_written: u64,
    /// Without any byte, either way. 10 s.
    pub idle_timeout: Duration,
    /// From the time it is connected, or taken out of the pool, to its end. 60 s.
    pub timeout: Duration,
    /// Connections of the grant that are in use at once. 8.
    pub connections: usize,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            max_read: 8 << 20,
            max_written: 8 << 20,
            idle_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            connections: 8,
        }
    }
}

impl TcpLimits {
    /// Other [`max_read`](Self::max_read) and [`max_written`](Self::max_written).
    #[must_use]
    pub fn bytes(mut self, read: u64, written: u64) -> Self {
        (self.max_read, self.max_written) = (read, written);
        self
    }

    /// Another [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Another [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Other [`connections`](Self::connections).
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }
}

/// The ceiling of a service in code, from `E::from_operator()` or `E::declared()`.
///
/// It is bound by `host:port`, or by the absolute path of a Unix-domain socket.
pub struct TcpGrant<E> {
    address: Option<&'static str>,
    limits: TcpLimits,
    of: PhantomData<fn() -> E>,
}

impl<E: TcpEndpoint> TcpGrant<E> {
    /// The service is named by the operator.
    #[doc(hidden)]
    pub fn from_operator() -> Self {
        Self {
            address: None,
            limits: TcpLimits::default(),
            of: PhantomData,
        }
    }

    /// The service is fixed in code.
    #[doc(hidden)]
    pub fn declared() -> Self {
        Self {
            address: E::ADDRESS,
            ..Self::from_operator()
        }
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(mut self, limits: TcpLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl<E: TcpEndpoint> From<TcpGrant<E>> for Grant {
    fn from(grant: TcpGrant<E>) -> Self {
        Self::of::<E>(Declared {
            name: E::NAME,
            address: grant.address,
            allow_private: E::ALLOW_PRIVATE,
            limits: grant.limits,
        })
    }
}

struct Declared {
    name: &'static str,
    address: Option<&'static str>,
    allow_private: bool,
    limits: TcpLimits,
}

impl Source for Declared {
    fn kind(&self) -> &'static str {
        "tcp"
    }

    fn value_name(&self) -> &'static str {
        "HOST:PORT"
    }

    fn in_code(&self) -> Option<String> {
        self.address.map(str::to_owned)
    }

    fn terms(&self) -> Vec<String> {
        let limits = &self.limits;
        let mut terms = vec![format!(
            "at most {} bytes in, {} bytes out and {} s a connection, {} connections",
            limits.max_read,
            limits.max_written,
            limits.timeout.as_secs(),
            limits.connections
        )];
        if self.allow_private {
            terms.push("private addresses".to_owned());
        }
        terms
    }

    fn bind(&self, asked: Option<&Asked<'_>>, _: &Path) -> Result<Binding> {
        let fixed = self.address.map(Place::parse).transpose()?;
        let asked = asked.map(|asked| Place::parse(asked.text()?)).transpose()?;
        match (fixed, asked) {
            (Some(fixed), Some(asked)) if fixed != asked => Err(Error::new(format!(
                "`{}` is fixed in code at `{fixed}`, and `{asked}` is another service",
                self.name
            ))
            .help("leave the grant out")),
            (Some(place), _) | (None, Some(place)) => Ok(Binding {
                value: place.to_string().into(),
                ceiling: None,
            }),
            (None, None) => Err(Error::new(format!("`{}` is not granted", self.name))),
        }
    }

    fn open(
        &self,
        binding: &Binding,
        _: Rights,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Any + Send + Sync>> {
        let explain = |error: Error| error.before(&format!("the grant `{}`: ", self.name));
        let text = binding.value.to_string_lossy();
        let place = Place::parse(&text).map_err(explain)?;
        if let HostRule::Unix(socket) = &place.host {
            own_place(socket).map_err(explain)?;
        }
        let host = place.host.single().unwrap_or_default();
        let mut rule = DialRule::new(self.name, place.host, place.port);
        rule.allow_private = self.allow_private;
        let route = dial::route(rule, opening).map_err(explain)?;
        Ok(Arc::new(OpenTcp::new(host, route, self.limits)))
    }
}

/// A host and a port, or a socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: HostRule,
    pub(crate) port: u16,
}

impl Place {
    pub(crate) fn parse(written: &str) -> Result<Self> {
        if written.starts_with('/') {
            let path = PathBuf::from(written);
            let plain = path.components().all(|part| part.as_os_str() != "..");
            if plain && !written.contains('\0') && path.file_name().is_some() {
                return Ok(Self {
                    host: HostRule::Unix(path),
                    port: 0,
                });
            }
            return Err(Error::new(format!("`{written}` is no path of a socket"))
                .help("write the whole path, without `..`"));
        }
        let no_port = || {
            Error::new(format!("`{written}` is not a host and a port"))
                .help("write `host:port`, or the absolute path of a Unix-domain socket")
        };
        let (host, port) = written.rsplit_once(':').ok_or_else(no_port)?;
        // `::1:80` is an address without a port to some, and with one to others.
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(no_port());
        }
        let number: u16 = port.parse().map_err(|_| no_port())?;
        if number == 0 || port.starts_with(['0', '+']) {
            return Err(no_port());
        }
        Ok(Self {
            host: HostRule::parse(host, false)?,
            port: number,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostRule::Unix(path) => path.display().fmt(f),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// A folder in which only its owner puts sockets: whoever puts another one in its place is
/// spoken to instead, and told what is secret.
pub(crate) fn own_place(socket: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let folder = socket.parent().unwrap_or(socket);
        let about = std::fs::metadata(folder)
            .map_err(|e| Error::new(format!("`{}`: {}", folder.display(), e.kind())))?;
        if about.mode() & 0o002 != 0 {
            return Err(Error::new(format!(
                "every user of this machine may put a socket of theirs in `{}`",
                folder.display()
            ))
            .help("let the service have its socket in a folder of its own, below `/run`, say"));
        }
        Ok(())
    }
    #[cfg(not(unix))]
    Err(Error::new(format!(
        "`{}`: there are no Unix-domain sockets here",
        socket.display()
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_is_kept_in_one_form() {
        for (written, shown) in [
            ("Redis.internal:6379", "redis.internal:6379"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("/run/x.sock", "/run/x.sock"),
        ] {
            assert_eq!(Place::parse(written).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_one_place_is_refused() {
        for written in [
            "",
            "redis.internal",
            "redis.internal:",
            "redis.internal:0",
            "redis.internal:080",
            "redis.internal:+80",
            "redis.internal:99999",
            "*.internal:80",
            "::1:80",
            "user@redis.internal:80",
            "http://redis.internal:80",
            "0x7f.1:80",
            "2130706433:80",
            "x.sock",
            "/",
            "/run/../tmp/x.sock",
        ] {
            assert!(Place::parse(written).is_err(), "{written}");
        }
    }
}
