//! What a helper's own sandbox leaves open, as its role works it out of its policy.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::capability::FileNeed;

/// Everything that one helper may still do. What is not in here, its kernel refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HelperNeeds {
    /// Folders and files that stay within reach. With `unix_connect`, also the sockets (or
    /// their folders) that it connects to.
    pub(crate) files: Vec<FileNeed>,
    /// Files that it may execute, and folders of such: the program, its loader, what it starts.
    /// Empty: `execve` is refused, and so is a new process.
    pub(crate) exec_paths: Vec<PathBuf>,
    /// The TCP ports that it may connect to, at any address: the kernel knows no names. Empty,
    /// with `udp` and `unix_connect` off: it cannot make a socket at all.
    pub(crate) connect_ports: Vec<u16>,
    /// For whom the ports are for one listener of our own: whether the process has a network of
    /// its own with nothing else in it, or why not. `None`: the ports are at other hosts.
    pub(crate) apart: Option<Apart>,
    /// It sends datagrams: it asks name servers.
    pub(crate) udp: bool,
    /// It connects to Unix-domain sockets with a path.
    pub(crate) unix_connect: bool,
    /// Its resource limits, which what it starts inherits.
    pub(crate) limits: HelperLimits,
}

/// Whether a process has a network of its own; why not, if it has none.
pub(crate) type Apart = Result<(), String>;

/// Resource limits of one process. `None`: as the server was started with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HelperLimits {
    /// Open descriptors (`RLIMIT_NOFILE`).
    pub(crate) open_files: Option<u64>,
    /// The longest file that it writes, in bytes (`RLIMIT_FSIZE`).
    pub(crate) file_size: Option<u64>,
    /// Address space in bytes (`RLIMIT_AS`).
    pub(crate) memory: Option<u64>,
    /// Time on the processor in seconds (`RLIMIT_CPU`).
    pub(crate) cpu_seconds: Option<u64>,
    /// Processes of the same user, counted over the whole machine (`RLIMIT_NPROC`).
    pub(crate) processes: Option<u64>,
}
