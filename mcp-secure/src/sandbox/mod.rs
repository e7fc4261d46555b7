//! The OS ring: what the grants do not name, the kernel refuses.
//!
//! A handle is a promise of our own code; a dependency can call `std::fs` all the same. So
//! `run()` works out what all grants together need, and closes the rest before any thread
//! exists: files by Landlock, sockets, programs and other processes by seccomp, and what the
//! process may become by dropping it. What the closed server cannot do any more, helpers do for
//! it, each in a sandbox of its own.
//!
//! It is closed in one direction: later code of the same process can tighten it, never loosen.
//! Linux only; elsewhere the server starts, and says what is not kept.
//!
//! This room knows paths, ports and the kernel; no capability, tool or transport.

#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "there is nothing to close yet")
)]

#[cfg(target_os = "linux")]
mod clean;
#[cfg(target_os = "linux")]
mod linux;
mod report;
#[cfg(target_os = "linux")]
mod self_test;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub(crate) use report::level;
pub use report::{HelperReport, HelperRow, Level, Reach, Row, SandboxReport, SelfTest, Tried};

use crate::{
    Error, Result,
    broker::{Apart, HelperLimits, HelperNeeds},
    capability::{FileAccess, FileNeed, Needs},
};

/// What a server asks of the operating system beside its grants, for
/// [`SecureServer::sandbox`](crate::SecureServer::sandbox).
///
/// Without one a server closes what it can and says what it could not. To take rings away is
/// in [`dangerous`](crate::dangerous).
///
/// ```
/// use mcp_secure::sandbox::{Level, Sandbox};
///
/// let sandbox = Sandbox::new()
///     .require(Level::Full)
///     .keep_env("NOTES_THEME")
///     .read("/usr/share/zoneinfo");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    pub(crate) require: Level,
    pub(crate) keep_env: BTreeSet<String>,
    pub(crate) read: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    /// Why there is none.
    pub(crate) without: Option<String>,
    /// Why code beside the handles may use the network.
    pub(crate) ambient_network: Option<String>,
    #[cfg(feature = "testing")]
    pub(crate) probe: bool,
}

impl Sandbox {
    /// Nothing beside the grants.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses to start below this level. The operator can ask for more, never for less
    /// (`[sandbox] require = "full"`).
    #[must_use]
    pub fn require(mut self, level: Level) -> Self {
        self.require = self.require.max(level);
        self
    }

    /// Keeps a variable of the environment. Those that say who and where the user is stay
    /// anyway (`HOME`, `PATH`, `LANG`, `TZ`, `XDG_…` and the like); everything else is gone
    /// before user code serves anybody, also from `/proc/self/environ`.
    #[must_use]
    pub fn keep_env(mut self, name: impl Into<String>) -> Self {
        self.keep_env.insert(name.into());
        self
    }

    /// Leaves a folder or file within reach of code that has no handle on it: the data of a
    /// library, such as time zones. An absolute path; one that is not there stops the start.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// As [`read`](Self::read), to write as well: a library's cache. Every tool, and all they
    /// call, can write there.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// Starts a helper that does nothing but show what it cannot do. For tests.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_probe(mut self) -> Self {
        self.probe = true;
        self
    }

    /// Closes this process, for a program that does not call
    /// [`run`](crate::SecureServer::run). The first thing in `main`, before any thread and any
    /// runtime: what was started before is not held by Landlock. What is open stays open, and
    /// only the paths of [`read`](Self::read) and [`write`](Self::write) can be opened after.
    ///
    /// It may start the program again, with the same arguments and a clean environment.
    ///
    /// # Errors
    ///
    /// When a path is not there, or when the level is below the one that is
    /// [required](Self::require).
    pub fn enter(self) -> Result<SandboxReport> {
        let rows = self.start_clean();
        let report = self.close(Needs::default(), rows, Vec::new())?;
        self.suffices(&report)?;
        Ok(report)
    }

    /// What it loosens, for the manifest.
    pub(crate) fn terms(&self) -> Vec<String> {
        let paths = |does: &'static str, paths: &[PathBuf]| {
            let line = |path: &PathBuf| format!("{does} `{}`", path.display());
            paths.iter().map(line).collect::<Vec<_>>()
        };
        let mut terms = paths("reads", &self.read);
        terms.extend(paths("writes", &self.write));
        let env = self.keep_env.iter();
        terms.extend(env.map(|name| format!("keeps the variable `{name}`")));
        let network = self.ambient_network.iter();
        terms.extend(network.map(|why| format!("any network: {why}")));
        let without = self.without.iter();
        terms.extend(without.map(|why| format!("there is none: {why}")));
        terms
    }

    /// Whether there is one at all.
    pub(crate) fn is_on(&self) -> bool {
        self.without.is_none()
    }

    /// With what the operator asks for: more to hold, and other variables.
    pub(crate) fn with_operator(mut self, require: Option<Level>, env: &[String]) -> Self {
        self.keep_env.extend(env.iter().cloned());
        self.require(require.unwrap_or_default())
    }

    /// Leaves the inherited environment and descriptors behind. May start the program again.
    pub(crate) fn start_clean(&self) -> Vec<Row> {
        #[cfg(target_os = "linux")]
        if self.is_on() {
            return clean::start(&self.keep_env);
        }
        Vec::new()
    }

    /// The environment of a helper: it runs the same `main`.
    #[cfg(target_os = "linux")]
    pub(crate) fn environment(
        &self,
    ) -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
        clean::kept(&self.keep_env)
    }

    /// Closes the process around what it still needs, and tries whether that holds.
    pub(crate) fn close(
        &self,
        needs: Needs,
        rows: Vec<Row>,
        helpers: Vec<HelperReport>,
    ) -> Result<SandboxReport> {
        if let Some(why) = &self.without {
            let because = format!("`dangerous::without_sandbox`: {why}");
            return Ok(SandboxReport {
                rows: vec![Row::new("sandbox", "none", Level::None, because)],
                ..SandboxReport::default()
            });
        }
        let profile = Profile {
            files: self.files(needs)?,
            programs: Vec::new(),
            network: match self.ambient_network {
                None => Network::None,
                Some(_) => Network::Ambient,
            },
            limits: HelperLimits::default(),
        };
        let mut report = SandboxReport {
            files: profile.files.iter().map(Reach::of).collect(),
            rows,
            helpers,
            ..SandboxReport::default()
        };
        let (more, abi) = enter(&profile)?;
        report.rows.extend(more);
        report.landlock_abi = abi;
        #[cfg(target_os = "linux")]
        {
            report.self_tests = self_test::run(&profile);
        }
        report.sum();
        Ok(report)
    }

    /// # Errors
    ///
    /// When less is there than is required.
    pub(crate) fn suffices(&self, report: &SandboxReport) -> Result<()> {
        if report.level >= self.require {
            return Ok(());
        }
        let weak: Vec<String> = report.weak().collect();
        Err(Error::new(format!(
            "the sandbox is `{}`, and `{}` is required: {}",
            report.level,
            self.require,
            weak.join("; ")
        ))
        .help(
            "run on a kernel with Landlock (Linux 6.10 or later; a container must not forbid it), \
             or take `require` back; `doctor` shows all of it",
        ))
    }

    fn files(&self, needs: Needs) -> Result<Vec<FileNeed>> {
        let mut files = needs.files;
        let declared = self
            .read
            .iter()
            .map(|path| (path, FileAccess::Read))
            .chain(self.write.iter().map(|path| (path, FileAccess::Write)));
        for (path, access) in declared {
            absolute(path)?;
            files.push(FileNeed {
                path: path.clone(),
                access,
                because: "declared in code".to_owned(),
            });
        }
        Ok(files)
    }
}

fn absolute(path: &Path) -> Result<()> {
    if path.is_absolute() && path.parent().is_some() {
        return Ok(());
    }
    Err(Error::new(format!(
        "`{}` cannot be left within reach by `.sandbox(…)`",
        path.display()
    ))
    .help("name an absolute path, and not the root of the file system"))
}

impl Reach {
    fn of(need: &FileNeed) -> Self {
        Self {
            path: need.path.display().to_string(),
            access: match need.access {
                FileAccess::Read => "read",
                FileAccess::Write => "write",
                FileAccess::Remove => "remove",
            },
            because: need.because.clone(),
        }
    }
}

/// What one process may still do.
pub(crate) struct Profile {
    files: Vec<FileNeed>,
    /// What it may execute.
    programs: Vec<PathBuf>,
    network: Network,
    limits: HelperLimits,
}

/// What sockets are for.
enum Network {
    /// There are none.
    None,
    /// To connect; TCP to these ports.
    Connect {
        ports: Vec<u16>,
        /// See [`HelperNeeds::apart`].
        apart: Option<Apart>,
        udp: bool,
        unix: bool,
    },
    /// TCP and UDP, anywhere.
    Ambient,
}

impl Profile {
    fn starts_programs(&self) -> bool {
        !self.programs.is_empty()
    }
}

impl From<HelperNeeds> for Profile {
    fn from(needs: HelperNeeds) -> Self {
        let HelperNeeds {
            files,
            exec_paths,
            connect_ports: ports,
            apart,
            udp,
            unix_connect: unix,
            limits,
        } = needs;
        Self {
            files,
            programs: exec_paths,
            network: match ports.is_empty() && !udp && !unix {
                true => Network::None,
                false => Network::Connect {
                    ports,
                    apart,
                    udp,
                    unix,
                },
            },
            limits,
        }
    }
}

/// Closes a helper.
pub(crate) fn enter_helper(needs: HelperNeeds) -> Result<Vec<HelperRow>> {
    let (rows, _) = enter(&needs.into())?;
    Ok(rows
        .into_iter()
        .map(|row| HelperRow {
            name: row.name.to_owned(),
            wanted: row.wanted,
            got: row.got,
            because: row.because,
        })
        .collect())
}

/// Gives this process a network of its own, with a loopback and nothing else. Before any thread.
#[cfg(all(target_os = "linux", feature = "exec"))]
pub(crate) fn apart() -> Apart {
    linux::apart()
}

#[cfg(target_os = "linux")]
fn enter(profile: &Profile) -> Result<(Vec<Row>, u32)> {
    linux::enter(profile)
}

#[cfg(not(target_os = "linux"))]
fn enter(_: &Profile) -> Result<(Vec<Row>, u32)> {
    let because = "this system has no OS ring yet: the handles are a promise of this program only";
    let names = [
        "environment",
        "descriptors",
        "files",
        "network",
        "programs",
        "other processes",
        "system calls",
        "capabilities",
    ];
    let rows = names.map(|name| Row::new(name, "closed", Level::None, because));
    Ok((rows.into(), 0))
}

/// What a helper shows that does nothing else.
#[cfg(all(target_os = "linux", feature = "testing"))]
pub(crate) fn probe() -> Vec<SelfTest> {
    self_test::run(&HelperNeeds::default().into())
}
