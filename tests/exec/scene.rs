//! A program, a folder, and handles on both.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mcp_secure::{
    capability::{
        Lease,
        exec::{Exec, ExecError, ExecGrant, Output},
        fs::{__lease, Fs, FsLimits, FsPolicy, OpenRoot, ReadOnly, ReadWrite},
    },
    prelude::*,
};
use serde_json::Value;

/// The program that misbehaves.
#[capability(exec)]
pub struct Probe;

/// The folder it works in.
#[capability(fs)]
pub struct Work;

/// A folder that its grant does not name.
#[capability(fs)]
pub struct Other;

pub struct Scene {
    folder: tempfile::TempDir,
    pub program: PathBuf,
    pub lease: Lease,
}

impl Scene {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("exec-").tempdir().unwrap();
        let program = folder.path().join("bin/probe");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        let scene = Self {
            program,
            folder,
            lease: __lease::new(),
        };
        scene.install(&scene.program);
        scene
    }

    /// Puts the program under a path.
    pub fn install(&self, path: &Path) {
        fs::copy(env!("CARGO_BIN_EXE_probe"), path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(path)
    }

    pub fn open(&self, grant: ExecGrant<Probe>) -> Exec<Probe> {
        self.open_program(grant, &self.program).unwrap()
    }

    pub fn open_program(
        &self,
        grant: ExecGrant<Probe>,
        program: &Path,
    ) -> mcp_secure::Result<Exec<Probe>> {
        let folders = [("work", &*self.path("work"))];
        Exec::__for_tests(grant, Some(program), &folders, self.lease.clone())
    }

    /// A handle that may write in the folder.
    pub fn working(&self) -> Exec<Probe> {
        self.open(Probe::from_operator().folder::<Work, ReadWrite>())
    }

    pub fn work(&self) -> Fs<Work, ReadWrite> {
        Fs::__for_tests(&self.root(), self.lease.clone())
    }

    pub fn work_read_only(&self) -> Fs<Work, ReadOnly> {
        Fs::__for_tests(&self.root(), self.lease.clone())
    }

    pub fn root(&self) -> OpenRoot {
        OpenRoot::open(self.path("work"), FsPolicy::default(), FsLimits::default()).unwrap()
    }

    /// The processes that left their number in the folder.
    pub fn left(&self) -> Vec<u32> {
        let names = fs::read_dir(self.path("work")).unwrap();
        names
            .filter_map(|name| {
                let name = name.unwrap().file_name().into_string().unwrap();
                name.strip_prefix("pid-")?.parse().ok()
            })
            .collect()
    }

    /// Waits until so many are there.
    pub async fn there_are(&self, count: usize) {
        until("the tree", || self.left().len() == count).await;
    }

    /// That none of them runs any more.
    pub async fn all_are_gone(&self, count: usize) {
        let left = self.left();
        assert_eq!(left.len(), count, "the tree was not there");
        until("the end of the tree", || !left.iter().any(|pid| runs(*pid))).await;
    }
}

pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process exists and is more than a remnant that somebody else has to wait for.
pub fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim().starts_with('Z'))
}

/// What the program said about itself.
pub fn told(output: Result<Output, ExecError>) -> Value {
    let output = output.unwrap().success().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}
