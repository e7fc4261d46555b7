//! What a Redis says of itself, and whether it can be relied on to remember.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// Holds the answer to `INFO` against what a store of used-up facts needs. Asked on every new
/// connection: after a fail-over the same name is another server.
pub(super) fn judge(info: &str) -> Result<()> {
    let said: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let say = |key: &str| said.get(key).copied().unwrap_or("nothing");

    let version = say("redis_version");
    let major = version
        .split('.')
        .next()
        .and_then(|n| n.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        return Err(Error::new(format!(
            "the store is Redis `{}`, which is too old",
            shown(version)
        ))
        .help(format!("use Redis {OLDEST} or newer, or Valkey")));
    }
    let mode = say("redis_mode");
    if mode != "standalone" {
        return Err(
            Error::new(format!("the store is a Redis in mode `{}`", shown(mode)))
                .help("name the one server that holds the keys, not a cluster or a sentinel"),
        );
    }
    let role = say("role");
    if role != "master" {
        return Err(Error::new(format!(
            "the store is a Redis with the role `{}`: what is written to another one may be \
             missing here, and a replay would go through",
            shown(role)
        ))
        .help("name the server that is written to"));
    }
    let policy = say("maxmemory_policy");
    if policy != "noeviction" {
        return Err(Error::new(format!(
            "the store forgets when its memory is full: `maxmemory-policy` is `{}`, and what \
             was used once could be used again",
            shown(policy)
        ))
        .help("set `maxmemory-policy noeviction` in the configuration of Redis"));
    }
    if say("loading") == "1" {
        return Err(Error::new("the store is still loading what it remembers").help("try again"));
    }
    Ok(())
}

/// What a server wrote, for a message.
pub(super) fn shown(text: &str) -> String {
    let start = text.chars().take(100);
    start.flat_map(char::escape_default).collect()
}

/// The first with users of their own (ACL).
const OLDEST: u32 = 6;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n\
                        # Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\n\
                        # Replication\r\nrole:master\r\n";

    #[test]
    fn a_server_that_remembers_is_taken() {
        judge(GOOD).unwrap();
    }

    #[test]
    fn a_server_that_forgets_or_lags_is_not() {
        for (good, bad, word) in [
            ("7.0.15", "5.0.14", "too old"),
            ("7.0.15", "x", "too old"),
            ("standalone", "cluster", "cluster"),
            ("standalone", "sentinel", "sentinel"),
            ("role:master", "role:slave", "slave"),
            ("noeviction", "allkeys-lru", "allkeys-lru"),
            ("noeviction", "volatile-ttl", "volatile-ttl"),
            ("noeviction", "\u{1b}[2J", "u{1b}"),
            ("maxmemory_policy:", "x:", "nothing"),
            ("loading:0", "loading:1", "loading"),
        ] {
            let error = judge(&GOOD.replace(good, bad)).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("help:"), "{error}");
        }
        assert!(judge("").is_err());
    }
}
