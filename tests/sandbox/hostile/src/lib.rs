//! A dependency that has turned. A tool calls it as it calls any other, and it tries what such
//! crates have tried: to read secrets, to send them away, to start something, to get out.
//!
//! Every attempt is made so that it does no harm where it works, and so that it can be told
//! whether it would have: an error that comes after the kernel has let it through counts as
//! success.

mod files;
mod kernel;
mod network;
mod processes;

use std::{io, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What lies around for it to find. The test puts it there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Around {
    /// A secret in a folder that is not granted.
    pub secret: PathBuf,
    /// The folder that is granted.
    pub granted: PathBuf,
    /// Somebody who listens on TCP.
    pub tcp: SocketAddr,
    /// Somebody who waits for UDP.
    pub udp: SocketAddr,
    /// Somebody who listens on a Unix-domain socket with a path.
    pub unix: PathBuf,
    /// Somebody who waits for datagrams on one.
    pub datagrams: PathBuf,
    /// Somebody who listens on one without a path.
    pub abstract_name: String,
    /// A process of the same user.
    pub victim: i32,
}

/// How one attempt went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Went {
    /// What was tried.
    pub name: String,
    /// Whether the kernel let it through.
    pub done: bool,
    /// The kernel's error, or what was got.
    pub said: String,
}

/// One thing to try.
pub struct Attempt {
    /// What it is.
    pub name: &'static str,
    /// Only root surely can, sandbox or not: the call is root's, or Yama is set to keep others
    /// from it.
    pub for_root: bool,
    attempt: fn(&Around) -> io::Result<String>,
}

/// Everything that it tries.
pub fn attempts() -> Vec<Attempt> {
    let all = [
        files::ATTEMPTS,
        network::ATTEMPTS,
        processes::ATTEMPTS,
        kernel::ATTEMPTS,
    ];
    let row = |(name, attempt): &(&'static str, fn(&Around) -> io::Result<String>)| Attempt {
        name,
        for_root: FOR_ROOT.contains(name),
        attempt: *attempt,
    };
    all.iter().flat_map(|rows| rows.iter().map(row)).collect()
}

/// Tries it all.
pub fn go(around: &Around) -> Vec<Went> {
    attempts()
        .into_iter()
        .map(|attempt| {
            let (done, said) = match (attempt.attempt)(around) {
                Ok(got) => (true, got),
                Err(error) => (false, error.to_string()),
            };
            Went {
                name: attempt.name.to_owned(),
                done,
                said,
            }
        })
        .collect()
}

type Rows = &'static [(&'static str, fn(&Around) -> io::Result<String>)];

const FOR_ROOT: &[&str] = &[
    "mount",
    "chroot",
    "ptrace another process",
    "read another process's memory",
    "take another process's descriptor",
];

/// What was read, cut short.
fn cut(text: impl AsRef<[u8]>) -> String {
    let text = String::from_utf8_lossy(text.as_ref());
    text.chars().filter(|c| !c.is_control()).take(24).collect()
}

/// An error that says that the kernel had already let it through.
fn unless<T>(
    result: Result<T, impl Into<io::Error>>,
    harmless: &[rustix::io::Errno],
) -> io::Result<String> {
    match result.map_err(Into::into) {
        Ok(_) => Ok("done".to_owned()),
        Err(error) => {
            let is_harmless = harmless
                .iter()
                .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
            if is_harmless {
                Ok(format!("let through ({error})"))
            } else {
                Err(error)
            }
        }
    }
}
