//! Where the Redis is, as an author writes it.

use std::fmt;

use crate::{
    capability::{dial::HostRule, tcp::Place},
    error::{Error, Result},
};

/// `rediss://HOST:PORT`, `redis://HOST:PORT` on this machine, or `unix:/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) place: Place,
    /// With the name in the address.
    pub(super) tls: bool,
}

impl Address {
    /// Reads it. Nothing is percent-decoded, and there is no user, password or database in it.
    pub(super) fn parse(written: &str) -> Result<Self> {
        // Not shown where it is refused: what is no address may be anything, a password too.
        if written.contains('@') {
            return Err(
                Error::new("the address of the store has a name or a password in it").help(
                    "say them with `.user(…)` and `.password_file(…)`; and change the password, \
                     which stands in a program",
                ),
            );
        }
        let (tls, rest) = if let Some(rest) = written.strip_prefix("rediss://") {
            (true, rest)
        } else if let Some(rest) = written.strip_prefix("redis://") {
            (false, rest)
        } else if let Some(path) = written.strip_prefix("unix:") {
            (false, path)
        } else {
            return Err(Error::new("the store has no address of a Redis").help(FORM));
        };
        // `unix://host:port` is a host to some, and a path to the kernel.
        let is_path = rest.starts_with('/') && !rest.starts_with("//");
        if is_path != written.starts_with("unix:") {
            return Err(Error::new("the store has no address of a Redis").help(FORM));
        }
        let place = Place::parse(rest).map_err(|error| error.before("the store: "))?;
        Ok(Self { place, tls })
    }

    /// Whether it may be dialled like this.
    pub(super) fn check(&self, allow_private: bool) -> Result<()> {
        if self.tls || self.is_socket() {
            return Ok(());
        }
        if self.place.host.is_this_machine() && allow_private {
            return Ok(());
        }
        Err(Error::new(format!(
            "`{self}` sends the password in the clear, and whoever is on the way can say that \
             nothing was used before"
        ))
        .help(
            "write `rediss://…`; or use a Unix-domain socket, or a loopback address with \
             `.allow_private()`",
        ))
    }

    pub(super) fn is_socket(&self) -> bool {
        matches!(self.place.host, HostRule::Unix(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.tls, self.is_socket()) {
            (true, _) => "rediss://",
            (false, false) => "redis://",
            (false, true) => "unix:",
        };
        write!(f, "{scheme}{}", self.place)
    }
}

const FORM: &str = "write `rediss://HOST:PORT`, or `unix:/PATH` for a Unix-domain socket";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_in_one_form() {
        for (written, shown) in [
            (
                "rediss://Redis.internal:6379",
                "rediss://redis.internal:6379",
            ),
            ("redis://127.0.0.1:6380", "redis://127.0.0.1:6380"),
            ("rediss://[2001:db8::1]:6379", "rediss://[2001:db8::1]:6379"),
            ("unix:/run/redis/redis.sock", "unix:/run/redis/redis.sock"),
        ] {
            let address = Address::parse(written).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(Address::parse(shown).unwrap(), address);
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for written in [
            "rediss://:hunter2@redis.internal:6379",
            "rediss://mcp:hunter2@redis.internal:6379",
            "hunter2",
            "redis.internal:6379,password=hunter2",
        ] {
            let error = Address::parse(written).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("help:"), "{error}");
        }
    }

    #[test]
    fn what_means_two_things_to_two_readers_is_refused() {
        for written in [
            "",
            "redis.internal:6379",
            "rediss://redis.internal",
            "rediss://redis.internal:6379/0",
            "rediss://redis.internal:6379?protocol=resp3",
            "rediss://redis.internal:6379#insecure",
            "rediss://*.internal:6379",
            "rediss://0x7f.1:6379",
            "rediss:///run/redis.sock",
            "unix:redis.sock",
            "unix:/run/../tmp/redis.sock",
            "unix://redis.internal:6379",
            "REDISS://redis.internal:6379",
        ] {
            assert!(Address::parse(written).is_err(), "{written}");
        }
    }

    #[test]
    fn without_tls_only_this_host_is_reached() {
        let check = |text: &str, private| Address::parse(text).unwrap().check(private).is_ok();
        assert!(check("rediss://redis.internal:6379", false));
        assert!(check("unix:/run/redis/redis.sock", false));
        assert!(check("redis://127.0.0.1:6379", true));
        for (text, private) in [
            ("redis://127.0.0.1:6379", false),
            ("redis://redis.internal:6379", true),
            ("redis://10.0.0.1:6379", true),
        ] {
            assert!(!check(text, private), "{text}");
        }
    }
}
