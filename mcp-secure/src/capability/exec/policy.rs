//! What the spawner is told once, what it is asked, and what it answers.

#[cfg(all(feature = "sandbox", target_os = "linux"))]
use std::path::Path;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ExecError, ExecLimits};
#[cfg(all(feature = "sandbox", target_os = "linux"))]
use crate::{
    broker::{Apart, HelperLimits, HelperNeeds},
    capability::{FileAccess, FileNeed},
};

/// Everything that is fixed at start. A request names arguments and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Canonical.
    pub(super) program: PathBuf,
    /// As the code or the operator wrote it: some programs look at their name.
    pub(super) arg0: String,
    /// Of the file, in hexadecimal.
    pub(super) sha256: String,
    /// What stands in front of every command.
    pub(super) leading: Vec<String>,
    /// The whole environment.
    pub(super) env: Vec<(String, String)>,
    pub(super) limits: ExecLimits,
    /// An author's reason for an interpreter.
    pub(super) interpreter: bool,
    /// Files and folders that the program reads besides its libraries.
    pub(super) reads: Vec<PathBuf>,
    /// Files and folders with further programs that it may run.
    pub(super) runs: Vec<PathBuf>,
    /// Folders that it may work in, and whether it writes there.
    pub(super) folders: Vec<(PathBuf, bool)>,
    /// It may be lent the network, by a proxy of the server's.
    pub(super) network: bool,
}

impl Policy {
    /// What a helper with this policy needs, for itself and for the program, which inherits it.
    /// There is no network in it but the port of a proxy, where there may be one.
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    pub(super) fn needs(&self, loader: Option<&Path>, proxy: Option<(u16, &Apart)>) -> HelperNeeds {
        let need = |path: &Path, access| FileNeed {
            path: path.to_owned(),
            access,
            because: "program".to_owned(),
        };
        let system = |paths: &'static [&'static str]| {
            let paths = paths.iter().map(Path::new);
            paths.filter(|path| path.exists())
        };
        let read = system(LIBRARIES).chain(self.reads.iter().map(PathBuf::as_path));
        let mut files: Vec<FileNeed> = read.map(|path| need(path, FileAccess::Read)).collect();
        files.extend(system(DEVICES).map(|path| need(path, FileAccess::Write)));
        files.extend(self.folders.iter().map(|(folder, writes)| {
            let access = if *writes {
                FileAccess::Write
            } else {
                FileAccess::Read
            };
            need(folder, access)
        }));
        let mut exec_paths = vec![self.program.clone()];
        exec_paths.extend(loader.map(Path::to_owned));
        exec_paths.extend(self.runs.iter().cloned());
        HelperNeeds {
            files,
            exec_paths,
            connect_ports: proxy.iter().map(|(port, _)| *port).collect(),
            apart: proxy.map(|(_, apart)| apart.clone()),
            // The program inherits them from its first moment; its own are exact a moment later.
            limits: HelperLimits {
                open_files: Some(self.limits.open_files.max(OWN_FILES)),
                file_size: Some(self.limits.file_size),
                memory: Some(self.limits.memory.saturating_add(ROOM)),
                ..HelperLimits::default()
            },
            ..HelperNeeds::default()
        }
    }
}

/// A command. With it come the descriptors of a folder, and of standard input, output and error.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) args: Vec<String>,
    /// Where the network is, for a run that is lent some.
    pub(super) door: Option<Door>,
}

/// The proxy of one run, on loopback.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Door {
    pub(super) port: u16,
    /// What the run shows there.
    pub(super) token: String,
}

#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nothing is started")
)]
impl Door {
    /// Whether it is one and nothing else: it becomes a part of the program's environment.
    pub(super) fn is_one(&self) -> bool {
        self.port != 0
            && self.token.len() == 32
            && self.token.bytes().all(|b| b.is_ascii_hexdigit())
    }

    /// As programs look for it. There is none for plain HTTP, which is not lent.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        let url = format!("http://{DOOR_USER}:{}@127.0.0.1:{}", self.token, self.port);
        DOOR_VARIABLES.iter().map(move |name| (*name, url.clone()))
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({})", self.port)
    }
}

/// What stands before the token.
pub(super) const DOOR_USER: &str = "mcp";

/// The variables in which a program finds its proxy: no grant sets them for a program that may
/// be lent one.
pub(super) const DOOR_VARIABLES: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// What the spawner says in a conversation.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    Started,
    /// The file is not the one that was checked.
    Changed,
    /// The system did not start it.
    Failed(i32),
    /// The request is none that this spawner takes.
    Malformed,
    /// It ended, and nothing that it started is left.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
        timed_out: bool,
    },
}

/// Holds a command line to its size and to what a process can be given. Both sides ask.
pub(super) fn check_args(args: &[String]) -> Result<(), ExecError> {
    let refuse = |reason| Err(ExecError::Argument { reason });
    if args.len() > MAX_ARGS {
        return refuse("there are more than 512 words");
    }
    if args.iter().map(String::len).sum::<usize>() > MAX_BYTES {
        return refuse("they are longer than 32 KiB together");
    }
    if args.iter().any(|arg| arg.contains('\0')) {
        return refuse("there is a zero byte in it");
    }
    Ok(())
}

const MAX_ARGS: usize = 512;
/// In JSON a byte takes up to six, and a message holds 128 KiB; texts with many control
/// characters do not exist here, so that twice as long is the worst.
const MAX_BYTES: usize = 32 * 1024;

/// What a helper has open, at sixty-four runs.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
const OWN_FILES: u64 = 1024;
/// What it maps besides: stacks, arenas.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
const ROOM: u64 = 1 << 30;

/// What nearly every program reads: libraries, and how the loader finds them.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/locale",
    "/usr/share/zoneinfo",
];

/// What nearly every program opens. Writing them changes nothing.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/urandom"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_bounded_on_both_sides() {
        assert!(check_args(&vec!["x".to_owned(); 512]).is_ok());
        assert!(check_args(&vec!["x".to_owned(); 513]).is_err());
        assert!(check_args(&["x".repeat(32 * 1024)]).is_ok());
        assert!(check_args(&["x".repeat(32 * 1024 + 1)]).is_err());
        assert!(check_args(&["a\0b".to_owned()]).is_err());
    }
}
