//! A clean start: no variable and no descriptor that nobody asked for.
//!
//! A server inherits the secrets of whoever starts it: clients pass their own environment on,
//! with the tokens of other programs in it (`/proc/self/environ` is what a hostile dependency
//! reads first), and descriptors that they forgot to close. A process cannot take a variable
//! out of its first memory without `unsafe`. It can start itself again.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
};

use super::report::{Level, Row};

/// Starts the program again, with the same arguments, if there is something to leave behind.
/// Returns in a clean process, or in one that could not be made so; the rows say which.
pub(super) fn start(keep: &BTreeSet<String>) -> Vec<Row> {
    let strange = strange(keep);
    let inherited = inherited(Path::new("/proc/self/fdinfo"));
    let mut failed = None;
    let again = std::env::var_os(AGAIN).is_some();
    if again {
        name_again();
    }
    if !again && (!strange.is_empty() || inherited != Some(0)) {
        close_fds::set_fds_cloexec(3, &[]);
        failed = Some(exec(keep));
    }
    let because = |what: &str| match &failed {
        Some(error) => format!("{what}: it could not be started again: {error}"),
        None => format!("{what}: something sets it before `run`"),
    };
    vec![
        match strange.as_slice() {
            [] => Row::new("environment", WANTED, Level::Full, "a clean start"),
            // Its name only: the value may be a secret.
            [first, ..] => Row::new(
                "environment",
                WANTED,
                Level::Partial,
                because(&format!("`{}` is in it", first.display())),
            ),
        },
        match inherited {
            Some(0) => Row::new("descriptors", "0, 1 and 2", Level::Full, "a clean start"),
            Some(more) => Row::new(
                "descriptors",
                "0, 1 and 2",
                Level::Partial,
                because(&format!("{more} more")),
            ),
            None => Row::new(
                "descriptors",
                "0, 1 and 2",
                Level::Partial,
                because("`/proc` cannot be read"),
            ),
        },
    ]
}

/// Only returns if it does not work.
fn exec(keep: &BTreeSet<String>) -> std::io::Error {
    let mut arguments = std::env::args_os();
    // The file that runs, also when another one has its path by now.
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command
        .args(arguments)
        .env_clear()
        .envs(kept(keep))
        .env(AGAIN, "1")
        .exec()
}

/// For who lists processes: the kernel names it after the path that was executed, `exe`.
fn name_again() {
    let first = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&first).file_name().unwrap_or_default();
    if let Ok(name) = std::ffi::CString::new(name.as_encoded_bytes()) {
        let _ = rustix::thread::set_name(&name);
    }
}

/// The variables that stay.
pub(super) fn kept(keep: &BTreeSet<String>) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| stays(name, keep))
}

fn strange(keep: &BTreeSet<String>) -> Vec<OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| !stays(name, keep))
        .collect()
}

fn stays(name: &OsStr, keep: &BTreeSet<String>) -> bool {
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || keep.contains(name)
    })
}

/// Descriptors above 2 that were there before the program: those it opened itself are closed
/// on `exec`, as everything is that Rust opens. `None` where that cannot be known.
fn inherited(info: &Path) -> Option<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(info).ok()? {
        let name = entry.ok()?.file_name();
        let number: u32 = name.to_str()?.parse().ok()?;
        if number <= 2 {
            continue;
        }
        // One that is gone was the one that lists this folder.
        let Ok(text) = std::fs::read_to_string(info.join(&name)) else {
            continue;
        };
        let flags = text
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())?;
        if flags & rustix::fs::OFlags::CLOEXEC.bits() == 0 {
            count += 1;
        }
    }
    Some(count)
}

const WANTED: &str = "what is on the list";

/// What a program needs to find its user's files and speak their language.
const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "TMPDIR",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    AGAIN,
];
const PREFIXES: &[&str] = &["LC_", "XDG_"];

/// Set by the first start, so that a program that sets a variable itself does not start for
/// ever. Who sets it from outside has a server that says it is not clean.
const AGAIN: &str = "MCP_SECURE_STARTED_CLEAN";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_does_not_stay_and_what_is_asked_for_does() {
        let keep = BTreeSet::from(["NOTES_THEME".to_owned()]);
        for name in ["PATH", "HOME", "LC_ALL", "XDG_RUNTIME_DIR", "NOTES_THEME"] {
            assert!(stays(OsStr::new(name), &keep), "{name}");
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PATHS",
            "NOTES_THEME2",
            "HTTP_PROXY",
        ] {
            assert!(!stays(OsStr::new(name), &keep), "{name}");
        }
    }

    #[test]
    fn a_descriptor_that_outlives_exec_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |fd: &str, flags: &str| {
            std::fs::write(
                folder.path().join(fd),
                format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n"),
            )
            .unwrap();
        };
        write("1", "0100002");
        write("3", "02100000");
        assert_eq!(inherited(folder.path()), Some(0));
        write("4", "0100002");
        assert_eq!(inherited(folder.path()), Some(1));
        assert_eq!(inherited(&folder.path().join("none")), None);
    }
}
