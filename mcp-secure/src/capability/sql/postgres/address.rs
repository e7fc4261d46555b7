//! The address of a PostgreSQL database, as an operator writes it.

use std::{fmt, net::IpAddr, path::PathBuf};

use crate::{
    capability::dial::HostRule,
    error::{Error, Result},
};

/// `postgres://USER@HOST:PORT/DATABASE`, or `postgres://USER@/DATABASE?host=/FOLDER` for a
/// Unix-domain socket. Without a password: an address is in process lists, in logs and in the
/// manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) user: String,
    pub(super) host: HostRule,
    pub(super) port: u16,
    pub(super) database: String,
    /// A file with the password, which is read once, at the start.
    pub(super) passfile: Option<PathBuf>,
    /// Certificates to trust instead of the public ones.
    pub(super) rootcert: Option<PathBuf>,
    /// TLS, with the name in the address. Off only where no other host sees the bytes.
    pub(super) tls: bool,
}

impl Address {
    /// Reads it. There is no percent-decoding, and nothing that means two things to two readers.
    pub(crate) fn parse(written: &str) -> Result<Self> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| written.strip_prefix(scheme))
            .ok_or_else(|| {
                // Not shown: what is no address may be anything, a password too.
                Error::new("this is not the address of a PostgreSQL database").help(FORM)
            })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest
            .split_once('/')
            .ok_or_else(|| Error::new("the address names no database").help(FORM))?;
        let (user, place) = authority
            .rsplit_once('@')
            .ok_or_else(|| Error::new("the address names no user").help(FORM))?;
        if user.contains(':') {
            return Err(Error::new(
                "the address has a password in it, which everyone \
                 on this machine can read while the server runs",
            )
            .help(
                "write the password to a file with `chmod 600`, and name that with \
                 `?passfile=/path`; and change the password, which has been shown",
            ));
        }
        let user = word("user", user)?;
        let database = word("database", database)?;
        let mut address = Self {
            user,
            host: HostRule::Exact(String::new()),
            port: PORT,
            database,
            passfile: None,
            rootcert: None,
            tls: true,
        };
        let mut socket = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "host" => socket = Some(absolute(key, value)?),
                "passfile" => address.passfile = Some(absolute(key, value)?),
                "sslrootcert" => address.rootcert = Some(absolute(key, value)?),
                "sslmode" => {
                    address.tls = match value {
                        "verify-full" => true,
                        "disable" => false,
                        _ => {
                            return Err(Error::new(format!("`sslmode={value}` is not known here"))
                                .help("it is `verify-full`, which is the default, or `disable`"));
                        }
                    }
                }
                "password" => {
                    return Err(Error::new("the address has a password in it")
                        .help("name a file that holds it with `?passfile=/path`"));
                }
                _ => {
                    return Err(Error::new(format!("`{key}` is not known in an address"))
                        .help("there are `host`, `passfile`, `sslmode` and `sslrootcert`"));
                }
            }
        }
        let (host, port) = split(place)?;
        if let Some(port) = port {
            address.port = port;
        }
        address.host = match (host, socket) {
            ("", Some(folder)) => {
                address.tls = false;
                HostRule::Unix(folder.join(format!(".s.PGSQL.{}", address.port)))
            }
            ("", None) => return Err(Error::new("the address names no host").help(FORM)),
            (host, None) => HostRule::parse(host, false)?,
            (_, Some(_)) => {
                return Err(Error::new("the address names two hosts")
                    .help("`?host=/FOLDER` stands instead of a host and its port"));
            }
        };
        Ok(address)
    }

    /// Whether it may be dialled like this.
    pub(crate) fn check(&self, allow_private: bool) -> Result<()> {
        if self.tls || matches!(self.host, HostRule::Unix(_)) {
            return Ok(());
        }
        if self.host.is_this_machine() && allow_private {
            return Ok(());
        }
        Err(Error::new(format!(
            "`sslmode=disable` sends the password and all data to `{}` in the clear",
            self.host
        ))
        .help(
            "leave it out; or use a Unix-domain socket, or a loopback address with a \
             capability that is declared `allow_private`",
        ))
    }
}

/// As it is read again, and shown.
#[cfg(feature = "vault")]
impl Address {
    /// The server alone, as a vault names it.
    pub(crate) fn server(&self) -> Result<String> {
        match &self.host {
            HostRule::Unix(_) => Err(Error::new(
                "a password of the vault is for a server on the network, and this is a socket",
            )
            .help("the server knows by the socket who asks: leave `.credential(…)` away")),
            host => Ok(format!("postgres://{host}:{}", self.port)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = Vec::new();
        write!(f, "postgres://{}@", self.user)?;
        match &self.host {
            HostRule::Unix(socket) => {
                if self.port != PORT {
                    write!(f, ":{}", self.port)?;
                }
                let folder = socket.parent().unwrap_or(socket);
                options.push(format!("host={}", folder.display()));
            }
            host => write!(f, "{host}:{}", self.port)?,
        }
        write!(f, "/{}", self.database)?;
        for (key, path) in [
            ("passfile", &self.passfile),
            ("sslrootcert", &self.rootcert),
        ] {
            options.extend(path.iter().map(|path| format!("{key}={}", path.display())));
        }
        if !self.tls && !matches!(self.host, HostRule::Unix(_)) {
            options.push("sslmode=disable".to_owned());
        }
        for (index, option) in options.iter().enumerate() {
            write!(f, "{}{option}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// A host and a port; IPv6 in brackets.
fn split(place: &str) -> Result<(&str, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest
                .split_once(']')
                .ok_or_else(|| Error::new(format!("`{place}` has no `]`")).help(FORM))?;
            (address, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if place.starts_with('[') && host.parse::<IpAddr>().is_err() {
        return Err(Error::new(format!("`{host}` is no IPv6 address")).help(FORM));
    }
    let Some(port) = port else {
        return Ok((host, None));
    };
    match port.parse() {
        Ok(number) if number > 0 && !port.starts_with(['+', '0']) => Ok((host, Some(number))),
        _ => Err(Error::new(format!("`{port}` is no port")).help(FORM)),
    }
}

fn word(what: &str, written: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !written.is_empty() && written.len() <= 63 && written.chars().all(plain) {
        return Ok(written.to_owned());
    }
    Err(
        Error::new(format!("the {what} of the address is not acceptable"))
            .help("it has letters, digits, `_`, `-` and `.`, and nothing is percent-encoded"),
    )
}

fn absolute(key: &str, written: &str) -> Result<PathBuf> {
    let path = PathBuf::from(written);
    let plain = !written.contains(['%', '\0', '?', '#']) && !written.contains("..");
    if path.is_absolute() && plain {
        return Ok(path);
    }
    Err(Error::new(format!("`{key}={written}` is no absolute path"))
        .help("write the whole path, as it is"))
}

const FORM: &str = "write `postgres://USER@HOST:PORT/DATABASE`, or \
                    `postgres://USER@/DATABASE?host=/FOLDER` for a Unix-domain socket";

const PORT: u16 = 5432;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Address> {
        Address::parse(text)
    }

    #[test]
    fn an_address_is_read_and_shown_in_one_form() {
        for (written, shown) in [
            (
                "postgresql://reader@DB.example.com/app",
                "postgres://reader@db.example.com:5432/app",
            ),
            (
                "postgres://reader@[2001:db8::1]:6000/app?sslrootcert=/etc/ca.pem&passfile=/run/pw",
                "postgres://reader@[2001:db8::1]:6000/app?passfile=/run/pw&sslrootcert=/etc/ca.pem",
            ),
            (
                "postgres://reader@/app?host=/run/postgresql",
                "postgres://reader@/app?host=/run/postgresql",
            ),
            (
                "postgres://reader@:5433/app?host=/run/postgresql",
                "postgres://reader@:5433/app?host=/run/postgresql",
            ),
            (
                "postgres://r@127.0.0.1:5/app?sslmode=disable",
                "postgres://r@127.0.0.1:5/app?sslmode=disable",
            ),
        ] {
            let address = parse(written).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(parse(shown).unwrap(), address);
        }
        let socket = parse("postgres://r@:5433/app?host=/run/postgresql").unwrap();
        assert_eq!(
            socket.host,
            HostRule::Unix("/run/postgresql/.s.PGSQL.5433".into())
        );
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for written in [
            "postgres://reader:hunter2@db.example.com/app",
            "postgres://reader:hunter2@x@db.example.com/app",
            "postgres://reader@db.example.com/app?password=hunter2",
            "host=db.example.com password=hunter2",
        ] {
            let error = parse(written).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_means_two_things_to_two_readers_is_refused() {
        for written in [
            "postgres://db.example.com/app",
            "postgres://reader@db.example.com",
            "postgres://reader@db.example.com/",
            "postgres://reader@/app",
            "postgres://reader@db.example.com/app?host=/run/postgresql",
            "postgres://reader@a.example.com,b.example.com/app",
            "postgres://reader@*.example.com/app",
            "postgres://reader@db.example.com:0/app",
            "postgres://reader@db.example.com:+5/app",
            "postgres://reader@db.example.com:99999/app",
            "postgres://reader@0x7f.1/app",
            "postgres://read%65r@db.example.com/app",
            "postgres://reader@db.example.com/app#x",
            "postgres://reader@db.example.com/app/x",
            "postgres://reader@db.example.com/app?options=-c%20x",
            "postgres://reader@db.example.com/app?sslmode=prefer",
            "postgres://reader@db.example.com/app?sslmode=require",
            "postgres://reader@/app?host=run/postgresql",
            "postgres://reader@[::1/app",
            "mysql://reader@db.example.com/app",
        ] {
            assert!(parse(written).is_err(), "{written}");
        }
    }

    #[test]
    fn without_tls_only_this_host_is_reached() {
        let check = |text: &str, private| parse(text).unwrap().check(private).is_ok();
        assert!(check("postgres://r@db.example.com/app", false));
        assert!(check("postgres://r@/app?host=/run/postgresql", false));
        assert!(check("postgres://r@127.0.0.1/app?sslmode=disable", true));
        for (text, private) in [
            ("postgres://r@127.0.0.1/app?sslmode=disable", false),
            ("postgres://r@db.example.com/app?sslmode=disable", true),
            ("postgres://r@10.0.0.1/app?sslmode=disable", true),
        ] {
            assert!(!check(text, private), "{text}");
        }
    }
}
