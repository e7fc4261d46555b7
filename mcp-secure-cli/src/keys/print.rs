//! What goes to standard output.

use std::{
    io::{self, Write as _},
    time::SystemTime,
};

use mcp_secure::{
    Error, Result,
    auth::api_keys::{ApiKey, Secret},
};

use super::time::written;

/// The one time that a key is seen.
pub(super) fn secret(secret: &Secret) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", secret.reveal())?;
    out.flush()
}

pub(super) fn list(keys: &[ApiKey], now: SystemTime) -> Result<()> {
    let mut out = io::stdout().lock();
    let widest = keys.iter().map(|key| key.subject().len()).max();
    let widest = widest.unwrap_or_default();
    let mut all = || {
        for key in keys {
            let end = key
                .expires()
                .map_or_else(|| "no expiry".to_owned(), written);
            let begin = key
                .not_before()
                .map(|begin| format!(" from {}", written(begin)));
            let scopes: Vec<&str> = key.scopes().collect();
            writeln!(
                out,
                "{}  {:<8} {:<widest$}  {end:<20}  {}{}",
                key.id(),
                key.state(now),
                key.subject(),
                scopes.join(" "),
                begin.unwrap_or_default(),
            )?;
        }
        out.flush()
    };
    match all() {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("the output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}
