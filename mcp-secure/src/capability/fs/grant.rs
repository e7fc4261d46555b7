//! The grant of a folder.

use std::{
    any::Any,
    marker::PhantomData,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{FsLimits, FsPolicy, FsRoot, OpenRoot};
use crate::{
    capability::{Asked, Binding, FileAccess, FileNeed, Grant, Opening, Rights, Source},
    error::{Error, Result},
};

/// The ceiling of a folder in code, from `R::from_operator()` or `R::at(path)`.
pub struct FsGrant<R> {
    path: Option<PathBuf>,
    policy: FsPolicy,
    of: PhantomData<fn() -> R>,
}

impl<R: FsRoot> FsGrant<R> {
    /// The folder is named by the operator.
    #[doc(hidden)]
    pub fn from_operator() -> Self {
        Self {
            path: None,
            policy: FsPolicy::default(),
            of: PhantomData,
        }
    }

    /// The folder is fixed in code; the operator may only narrow it.
    #[doc(hidden)]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::from_operator()
        }
    }

    /// Replaces the component policy of the folder: which names are closed, and for what.
    #[must_use]
    pub fn policy(mut self, policy: FsPolicy) -> Self {
        self.policy = policy;
        self
    }
}

impl<R: FsRoot> From<FsGrant<R>> for Grant {
    fn from(grant: FsGrant<R>) -> Self {
        Self::of::<R>(Folder {
            name: R::NAME,
            path: grant.path,
            policy: grant.policy,
        })
    }
}

struct Folder {
    name: &'static str,
    path: Option<PathBuf>,
    policy: FsPolicy,
}

impl Source for Folder {
    fn kind(&self) -> &'static str {
        "fs"
    }

    fn value_name(&self) -> &'static str {
        "PATH"
    }

    fn in_code(&self) -> Option<String> {
        self.path.as_ref().map(|path| path.display().to_string())
    }

    fn bind(&self, asked: Option<&Asked<'_>>, cwd: &Path) -> Result<Binding> {
        let asked = asked.map(Asked::path).transpose()?;
        let fixed = self.path.as_ref().map(|path| cwd.join(path));
        match (fixed, asked) {
            (None, Some(path)) | (Some(path), None) => Ok(Binding {
                value: path.into_os_string(),
                ceiling: None,
            }),
            (Some(ceiling), Some(path)) if is_inside(&path, &ceiling) => Ok(Binding {
                value: path.into_os_string(),
                ceiling: Some(ceiling.into_os_string()),
            }),
            (Some(ceiling), Some(path)) => Err(Error::new(format!(
                "`{}` is fixed in code at `{}`, and `{}` is not inside of it",
                self.name,
                ceiling.display(),
                path.display()
            ))
            .help("leave the grant out, or name a folder inside")),
            (None, None) => Err(Error::new(format!("`{}` is not granted", self.name))),
        }
    }

    /// Opens the folder, and holds it inside its ceiling once links are followed.
    fn open(
        &self,
        binding: &Binding,
        rights: Rights,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Any + Send + Sync>> {
        let explain = |error| {
            Error::new(format!(
                "the grant `{}` cannot be opened: {error}",
                self.name
            ))
        };
        let open = |path: &Path| {
            OpenRoot::open(path, self.policy.clone(), FsLimits::default()).map_err(explain)
        };
        let root = open(Path::new(&binding.value))?;
        if let Some(ceiling) = &binding.ceiling {
            let outer = open(Path::new(ceiling))?;
            if !root.path().starts_with(outer.path()) {
                return Err(Error::new(format!(
                    "the grant `{}` is bound to `{}`, which is outside of `{}`",
                    self.name,
                    root.path().display(),
                    outer.path().display()
                ))
                .help("bind it to a folder inside of the one that the code names"));
            }
        }
        opening.needs.files.push(FileNeed {
            path: root.path().to_owned(),
            access: if rights.writes {
                FileAccess::Write
            } else {
                FileAccess::Read
            },
            because: self.name.to_owned(),
        });
        Ok(Arc::new(root))
    }
}

/// By the text alone; a `..` is never inside.
fn is_inside(path: &Path, ceiling: &Path) -> bool {
    !path.components().any(|part| part == Component::ParentDir) && path.starts_with(ceiling)
}
