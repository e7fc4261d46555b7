//! Secrets come from a terminal that does not show them, or from standard input: a command line
//! is in the history of a shell and in the list of processes.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _, Write as _},
};

use crate::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// From the terminal if standard input is one; else all of standard input, without the line end.
///
/// # Errors
///
/// When there is none, or too much.
pub fn secret(prompt: &str) -> Result<SecretString> {
    if io::stdin().is_terminal() {
        return passphrase(prompt);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX));
    io::stdin()
        .lock()
        .take(MAX as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::new(format!("standard input cannot be read: {error}")))?;
    text(&bytes)
}

/// Twice, as nobody sees it.
///
/// # Errors
///
/// When the two differ, or there is no terminal.
pub fn new_passphrase() -> Result<SecretString> {
    let first = passphrase("new passphrase: ")?;
    let second = passphrase("again: ")?;
    if first.expose_secret() != second.expose_secret() {
        return Err(Error::new("the two passphrases are not the same"));
    }
    Ok(first)
}

/// From the terminal, whatever standard input is.
///
/// # Errors
///
/// When there is none.
#[cfg(unix)]
pub fn passphrase(prompt: &str) -> Result<SecretString> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    let wrong = |error: &dyn std::fmt::Display| {
        Error::new(format!("there is no terminal to ask at: {error}"))
            .help("name a file or a descriptor instead")
    };
    let mut terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|error| wrong(&error))?;
    let before = tcgetattr(&terminal).map_err(|error| wrong(&error))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    write!(terminal, "{prompt}").map_err(|error| wrong(&error))?;
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(|error| wrong(&error))?;
    let mut line = Zeroizing::new(vec![0; MAX]);
    // A terminal gives a line at a time.
    let read = terminal.read(&mut line);
    let shown = tcsetattr(&terminal, OptionalActions::Flush, &before);
    let _ = writeln!(terminal);
    shown.map_err(|error| wrong(&error))?;
    let len = read.map_err(|error| wrong(&error))?;
    text(line.get(..len).unwrap_or_default())
}

/// From the terminal.
///
/// # Errors
///
/// Always: there is none on this system.
#[cfg(not(unix))]
pub fn passphrase(_: &str) -> Result<SecretString> {
    Err(Error::new("a vault needs Unix in this version"))
}

fn text(bytes: &[u8]) -> Result<SecretString> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::new("the secret is not text"))?
        .trim_end_matches(['\r', '\n']);
    if text.is_empty() || bytes.len() == MAX {
        return Err(Error::new("the secret is empty, or too long for one"));
    }
    Ok(SecretString::from(text))
}

const MAX: usize = 16 * 1024;
