//! A key that a program prints: of a password manager, of a cloud, of a device.
//!
//! It is started once, before the sandbox closes, by its absolute path and without a shell. What
//! it prints goes from the pipe into memory that is wiped.

use std::{
    io::{ErrorKind, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use crate::{Error, Result};

pub(super) fn read(program: &Path, args: &[String]) -> Result<Zeroizing<String>> {
    let wrong = |what: String| Error::new(format!("the program `{}` {what}", program.display()));
    if !program.is_absolute() {
        return Err(wrong("is not named by an absolute path".to_owned())
            .help("what `PATH` finds first is for others to decide"));
    }
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(format!("cannot be started: {error}")))?;
    let text = printed(&mut child);
    if text.is_err() {
        let _ = child.kill();
    }
    let ended = child.wait();
    let text = text.map_err(|what| wrong(what.to_owned()))?;
    // A half of a key is printed by programs that then fail.
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(wrong(format!("failed: {status}"))),
        Err(error) => return Err(wrong(format!("is not known to have ended: {error}"))),
    }
    let len = text.trim_end_matches(['\r', '\n']).len();
    if len == 0 {
        return Err(wrong("printed nothing".to_owned()));
    }
    let mut text = text;
    text.truncate(len);
    Ok(text)
}

/// All that it prints, until it closes its output.
fn printed(child: &mut Child) -> std::result::Result<Zeroizing<String>, &'static str> {
    let mut pipe = child.stdout.take().ok_or("has no output")?;
    // In one piece from the start: memory that grows leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0; MAX]);
    let (mut len, until) = (0, Instant::now() + PATIENCE);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| "cannot be waited for")?;
        let ready = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&left));
        match ready {
            Ok(0) => return Err("takes longer than 30 seconds"),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Err("cannot be waited for"),
        }
        let rest = bytes.get_mut(len..).filter(|rest| !rest.is_empty());
        match pipe.read(rest.ok_or("prints more than any key")?) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err("cannot be read"),
        }
    }
    let text = std::str::from_utf8(bytes.get(..len).unwrap_or_default());
    text.map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| "prints what is no text")
}

const PATIENCE: Duration = Duration::from_secs(30);
const MAX: usize = 4096;
