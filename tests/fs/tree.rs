//! A folder that is granted, one beside it that is not, and a handle on the first.

use std::{
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use mcp_secure::{
    ToolError,
    capability::{
        Capability, Lease,
        fs::{__lease, Fs, FsError, FsLimits, FsPolicy, FsRoot, OpenRoot, ReadWrite, RelPath},
    },
};
use tempfile::TempDir;

pub(crate) struct Notes;

impl FsRoot for Notes {}
impl Capability for Notes {
    const NAME: &'static str = "notes";
    const DOC: &'static str = "The notes.";
    const PRIVATE: bool = true;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Kernel,
    Portable,
}

impl Backend {
    pub(crate) fn open(self, path: &Path) -> mcp_secure::Result<OpenRoot> {
        self.open_with(path, FsPolicy::default(), FsLimits::default())
    }

    pub(crate) fn open_with(
        self,
        path: &Path,
        policy: FsPolicy,
        limits: FsLimits,
    ) -> mcp_secure::Result<OpenRoot> {
        let root = match self {
            Self::Kernel => OpenRoot::open(path, policy, limits)?,
            Self::Portable => OpenRoot::__open_portable(path, policy, limits)?,
        };
        // Otherwise the same backend would be tested twice.
        if cfg!(target_os = "linux") {
            assert_eq!(root.resolves_in_kernel(), self == Self::Kernel);
        }
        Ok(root)
    }
}

pub(crate) struct Tree {
    temp: TempDir,
    pub(crate) backend: Backend,
    pub(crate) root: PathBuf,
    pub(crate) outside: PathBuf,
    pub(crate) lease: Lease,
    pub(crate) fs: Fs<Notes, ReadWrite>,
}

impl Tree {
    pub(crate) fn new(backend: Backend) -> Self {
        Self::with(backend, FsPolicy::default(), FsLimits::default())
    }

    pub(crate) fn with(backend: Backend, policy: FsPolicy, limits: FsLimits) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let (root, outside) = (base.join("granted"), base.join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::create_dir(base.join("granted_evil")).unwrap();
        fs::write(base.join("granted_evil/secret.txt"), SECRET).unwrap();
        fs::write(outside.join("secret.txt"), SECRET).unwrap();
        fs::write(root.join("inside.txt"), "inside").unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("sub/deep.txt"), "deep").unwrap();
        let lease = __lease::new();
        let opened = backend.open_with(&root, policy, limits).unwrap();
        let fs = Fs::__for_tests(&opened, lease.clone());
        Self {
            temp,
            backend,
            root,
            outside,
            lease,
            fs,
        }
    }

    /// The same folder under another policy and limits.
    pub(crate) fn again(&self, policy: FsPolicy, limits: FsLimits) -> Fs<Notes, ReadWrite> {
        let opened = self.backend.open_with(&self.root, policy, limits).unwrap();
        Fs::__for_tests(&opened, self.lease.clone())
    }

    pub(crate) fn link(&self, target: impl AsRef<Path>, name: &str) {
        std::os::unix::fs::symlink(target, self.root.join(name)).unwrap();
    }

    pub(crate) fn base(&self) -> &Path {
        self.temp.path()
    }

    /// The error of something that must be refused, after a look at what it gives away.
    #[track_caller]
    pub(crate) fn refused<T: Debug>(&self, result: Result<T, FsError>) -> FsError {
        let error = result.expect_err("refused");
        let host = self.base().canonicalize().unwrap();
        let tool = ToolError::from(error.clone());
        for said in [
            error.to_string(),
            format!("{error:?}"),
            format!("{tool:?}"),
            tool.public_message().unwrap_or_default().to_owned(),
        ] {
            for secret in [
                host.to_str().unwrap(),
                host.file_name().unwrap().to_str().unwrap(),
                SECRET,
            ] {
                assert!(!said.contains(secret), "gives away the host's path: {said}");
            }
        }
        error
    }

    /// Nothing outside has changed, and no unfinished write is left inside.
    #[track_caller]
    pub(crate) fn is_unharmed(&self) {
        let names: Vec<_> = fs::read_dir(&self.outside)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["secret.txt"], "written outside");
        assert_eq!(
            fs::read_to_string(self.outside.join("secret.txt")).unwrap(),
            SECRET
        );
        assert!(
            self.leftovers().is_empty(),
            "left behind: {:?}",
            self.leftovers()
        );
    }

    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        fn look(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(".mcp-secure-")
                {
                    found.push(entry.path());
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    look(&entry.path(), found);
                }
            }
        }
        let mut found = Vec::new();
        look(self.temp.path(), &mut found);
        found
    }
}

/// What must never be read.
pub(crate) const SECRET: &str = "TOP-SECRET";

#[track_caller]
pub(crate) fn rel(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Each attack becomes two tests, one a backend.
macro_rules! attacks {
    ($($(#[$meta:meta])* async fn $name:ident($tree:ident: Tree) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[allow(unused_mut)]
            async fn attack($tree: $crate::tree::Tree) $body

            #[tokio::test]
            $(#[$meta])*
            async fn in_the_kernel() {
                attack($crate::tree::Tree::new($crate::tree::Backend::Kernel)).await;
            }

            #[tokio::test]
            $(#[$meta])*
            async fn name_by_name() {
                attack($crate::tree::Tree::new($crate::tree::Backend::Portable)).await;
            }
        }
    )*};
}
