//! Asks the Secret Service from a process of its own.
//!
//! The library for the bus starts threads and leaves them. A sandbox closes around the thread
//! that closes it, and one that is there already would stay outside: so a server starts itself
//! again, reads one line, and the other process is gone before the sandbox closes.

use std::{
    io::{Read as _, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::net::sockopt;
use zeroize::Zeroizing;

use super::secret_service;
use crate::{Error, Result};

static BY_CHILD: AtomicBool = AtomicBool::new(false);

/// From now on this process starts another one to ask.
pub(crate) fn by_child() {
    BY_CHILD.store(true, Ordering::Relaxed);
}

pub(super) fn read(name: &str) -> Result<Zeroizing<String>> {
    if !BY_CHILD.load(Ordering::Relaxed) {
        return secret_service::read(name);
    }
    let wrong =
        |error: std::io::Error| Error::new(format!("the Secret Service cannot be asked: {error}"));
    let (ours, theirs) = UnixStream::pair().map_err(wrong)?;
    ours.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
    let mut child = Command::new("/proc/self/exe")
        .env(MARK, name)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .map_err(wrong)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(MAX));
    let read = (&ours).take(MAX as u64).read_to_end(&mut answer);
    // One that waits for a person to answer a dialog is not waited for.
    let _ = child.kill();
    let _ = child.wait();
    if let Err(error) = read {
        let silent = Error::new(format!("the Secret Service does not answer: {error}"));
        return Err(silent.help("is a dialog open that asks to unlock the keyring?"));
    }
    match answer.split_first() {
        Some((b'+', key)) => super::text(key),
        Some((b'-', words)) => Err(Error::new(String::from_utf8_lossy(words).into_owned())),
        _ => Err(Error::new("the Secret Service was not asked").help(
            "the server starts itself to ask: `main` must come to `run` with the same arguments",
        )),
    }
}

/// Asks and answers, if that is what this process is for. `None`: it is not.
pub(crate) fn serve_as_reader() -> Option<Result<()>> {
    let name = std::env::var(MARK).ok()?;
    Some(serve(&name))
}

fn serve(name: &str) -> Result<()> {
    let stdin = rustix::stdio::stdin();
    let is_ours = sockopt::socket_peercred(stdin)
        .is_ok_and(|peer| Some(peer.pid) == rustix::process::getppid());
    if !is_ours {
        return Err(
            Error::new(format!("the variable `{MARK}` is not for people"))
                .help("a server sets it itself; run the program without it"),
        );
    }
    let mut answer = Zeroizing::new(Vec::with_capacity(MAX));
    match super::check(name).and_then(|()| secret_service::read(name)) {
        Ok(key) => {
            answer.push(b'+');
            answer.extend_from_slice(key.as_bytes());
        }
        Err(error) => {
            answer.push(b'-');
            answer.extend_from_slice(error.to_string().as_bytes());
        }
    }
    let socket = stdin
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
        .and_then(|mut socket| socket.write_all(&answer));
    socket.map_err(|error| Error::new(format!("the server cannot be answered: {error}")))
}

const MARK: &str = "MCP_SECURE_KEYRING_READER";
const PATIENCE: Duration = Duration::from_secs(30);
const MAX: usize = 8 * 1024;
