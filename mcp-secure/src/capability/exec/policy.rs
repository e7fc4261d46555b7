//! What the spawner is told once, what it is asked, and what it answers.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ExecError, ExecLimits};

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
}

/// What the sandbox of a spawner must leave open, for itself and for the program: the program
/// inherits it. There is no network in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HelperNeeds {
    /// Read files and list folders.
    pub(crate) read: Vec<PathBuf>,
    /// Read and write, but not create: `/dev/null`.
    pub(crate) device: Vec<PathBuf>,
    /// Read, write, create and remove.
    pub(crate) write: Vec<PathBuf>,
    /// Run, besides read: the program, its loader, and what the code says that it runs.
    pub(crate) execute: Vec<PathBuf>,
}

impl Policy {
    /// What a helper with this policy needs. Paths that do not exist are left out.
    #[allow(dead_code, reason = "only the sandbox of a helper asks")]
    pub(super) fn needs(&self, loader: Option<&Path>) -> HelperNeeds {
        let mut needs = HelperNeeds::default();
        let there = |path: &&Path| path.exists();
        needs.read.extend(
            LIBRARIES
                .iter()
                .map(Path::new)
                .filter(there)
                .map(Path::to_owned),
        );
        needs.read.extend(self.reads.iter().cloned());
        needs.device.extend(
            DEVICES
                .iter()
                .map(Path::new)
                .filter(there)
                .map(Path::to_owned),
        );
        for (folder, writes) in &self.folders {
            if *writes {
                needs.write.push(folder.clone());
            } else {
                needs.read.push(folder.clone());
            }
        }
        needs.execute.push(self.program.clone());
        needs.execute.extend(loader.map(Path::to_owned));
        needs.execute.extend(self.runs.iter().cloned());
        needs
    }
}

/// A command. With it come the descriptors of a folder, and of standard input, output and error.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) args: Vec<String>,
}

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

/// What nearly every program reads: libraries, and how the loader finds them.
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
