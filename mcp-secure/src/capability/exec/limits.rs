//! How much one run may take, and how options end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much one run of a program may take. What exceeds it is killed with all that it started.
///
/// ```
/// use std::time::Duration;
/// use mcp_secure::capability::exec::ExecLimits;
///
/// let limits = ExecLimits { wall: Duration::from_secs(5), ..ExecLimits::default() };
/// # assert_eq!(limits.stdout, 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecLimits {
    /// Time from start to end. 30 s.
    pub wall: Duration,
    /// Processor time of one process, in whole seconds (`RLIMIT_CPU`). 10 s.
    pub cpu: Duration,
    /// Bytes on standard input. 1 MiB.
    pub stdin: u64,
    /// Bytes on standard output. 1 MiB.
    pub stdout: u64,
    /// Bytes on standard error. 64 KiB.
    pub stderr: u64,
    /// Bytes of one file that it writes (`RLIMIT_FSIZE`). 16 MiB.
    pub file_size: u64,
    /// Bytes of address space of one process (`RLIMIT_AS`). 2 GiB.
    pub memory: u64,
    /// Processes and threads beyond those that run when it starts (`RLIMIT_NPROC`). The kernel
    /// counts this per user, and not at all for root. 32.
    pub processes: u64,
    /// Open descriptors of one process (`RLIMIT_NOFILE`). 128.
    pub open_files: u64,
}

impl Default for ExecLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(30),
            cpu: Duration::from_secs(10),
            stdin: 1 << 20,
            stdout: 1 << 20,
            stderr: 64 << 10,
            file_size: 16 << 20,
            memory: 2 << 30,
            processes: 32,
            open_files: 128,
        }
    }
}

impl ExecLimits {
    pub(super) fn term(&self) -> String {
        format!(
            "limits: {} ms, {} ms of processor time, {} bytes in, {} and {} out, {} bytes a file, \
             {} bytes of memory, {} processes, {} open files",
            self.wall.as_millis(),
            self.cpu.as_millis(),
            self.stdin,
            self.stdout,
            self.stderr,
            self.file_size,
            self.memory,
            self.processes,
            self.open_files,
        )
    }
}

/// What a program takes as the end of its options. It is put in front of the first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `--`, as nearly every program that uses `getopt`, clap, argparse or Go's `pflag`.
    DoubleDash,
    /// `--end-of-options`, as git, where `--` stands between revisions and paths.
    EndOfOptions,
    /// The program has none. Then no argument may look like an option, and a value is given as
    /// `--name=value` only.
    None,
}

impl Separator {
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::DoubleDash => Some("--"),
            Self::EndOfOptions => Some("--end-of-options"),
            Self::None => None,
        }
    }
}
