//! Where authority enters the program: the operator binds a capability to something real.

use std::{any::TypeId, collections::HashMap, path::PathBuf, sync::Arc};

use super::fs::{FsPolicy, FsRoot, OpenRoot};
use crate::definition::TextException;

/// A capability that a server declares with [`grant`](crate::SecureServer::grant): the
/// ceiling in code, which the operator binds with `--grant name=path` or the config file.
pub struct Grant {
    pub(crate) type_id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) private: bool,
    pub(crate) exceptions: &'static [TextException],
    pub(crate) source: GrantSource,
    pub(crate) policy: FsPolicy,
}

/// Where the binding comes from.
pub(crate) enum GrantSource {
    /// The operator must name it.
    Operator,
    /// The code names it; the operator may only leave it.
    Path(PathBuf),
}

impl Grant {
    /// The folder for `R` is named by the operator.
    #[doc(hidden)]
    pub fn fs_from_operator<R: FsRoot>() -> Self {
        Self::fs::<R>(GrantSource::Operator)
    }

    /// The folder for `R` is fixed in code.
    #[doc(hidden)]
    pub fn fs_at<R: FsRoot>(path: impl Into<PathBuf>) -> Self {
        Self::fs::<R>(GrantSource::Path(path.into()))
    }

    /// Replaces the component policy of a folder: which names are closed, and for what.
    #[must_use]
    pub fn policy(mut self, policy: FsPolicy) -> Self {
        self.policy = policy;
        self
    }

    fn fs<R: FsRoot>(source: GrantSource) -> Self {
        Self {
            type_id: TypeId::of::<R>(),
            name: R::NAME,
            doc: R::DOC,
            private: R::PRIVATE,
            exceptions: R::EXCEPTIONS,
            source,
            policy: FsPolicy::default(),
        }
    }
}

/// The open grants of a running server, by capability type.
#[derive(Clone, Default)]
pub struct Grants {
    fs: HashMap<TypeId, Arc<OpenRoot>>,
}

impl Grants {
    pub(crate) fn insert_fs(&mut self, capability: TypeId, root: Arc<OpenRoot>) {
        self.fs.insert(capability, root);
    }

    pub(crate) fn fs<R: FsRoot>(&self) -> Option<&Arc<OpenRoot>> {
        self.fs.get(&TypeId::of::<R>())
    }
}
