//! Where authority enters the program: the operator binds a capability to something real.

#![cfg_attr(
    not(all(feature = "sandbox", feature = "net", feature = "exec")),
    allow(dead_code, unused_imports, reason = "each kind of grant uses its part")
)]

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::BoxFuture;

use super::Capability;
use crate::{
    broker::HelperSpec,
    definition::TextException,
    error::{Error, Result},
};

/// A capability that a server declares with [`grant`](crate::SecureServer::grant): the
/// ceiling in code, which the operator binds with `--grant name=value` or the config file.
///
/// Each kind has a type of its own that becomes this one, such as
/// [`FsGrant`](super::fs::FsGrant).
pub struct Grant {
    pub(crate) type_id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) private: bool,
    pub(crate) exceptions: &'static [TextException],
    pub(crate) source: Box<dyn Source>,
}

impl Grant {
    pub(crate) fn of<C: Capability>(source: impl Source + 'static) -> Self {
        Self {
            type_id: TypeId::of::<C>(),
            name: C::NAME,
            doc: C::DOC,
            private: C::PRIVATE,
            exceptions: C::EXCEPTIONS,
            source: Box::new(source),
        }
    }
}

/// One kind of capability: how it is bound to something real, and opened.
pub(crate) trait Source: Send + Sync {
    /// As in [`Facts::kind`](super::Facts::kind).
    fn kind(&self) -> &'static str;

    /// What an operator writes after `--grant NAME=`, for messages: `PATH`.
    fn value_name(&self) -> &'static str;

    /// What the code binds it to, in words for the manifest; `None` if the operator must.
    fn in_code(&self) -> Option<String>;

    /// What else the code says of it, for the manifest: one short line each. A change of these
    /// is shown as wider.
    fn terms(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads what the operator wrote, and holds it against what the code says. Touches nothing
    /// outside the process.
    fn bind(&self, asked: Option<&Asked<'_>>, cwd: &Path) -> Result<Binding>;

    /// Opens it, and says what the sandbox must leave open. Runs before the runtime exists and
    /// before the sandbox closes. The result is what [`Grants::get`] finds.
    fn open(
        &self,
        binding: &Binding,
        rights: Rights,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Any + Send + Sync>>;
}

/// What the handles of one capability add up to, over all tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// One of them writes.
    pub(crate) writes: bool,
}

/// What an operator wrote.
pub(crate) struct Asked<'a> {
    pub(crate) written: &'a OsStr,
    /// What a relative path in it is relative to.
    pub(crate) base: &'a Path,
}

impl Asked<'_> {
    /// It, as the path of a folder or file.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        absolute(self.base, Path::new(self.written))
    }

    /// It, as text.
    pub(crate) fn text(&self) -> Result<&str> {
        self.written.to_str().ok_or_else(|| {
            Error::new(format!("`{}` is not UTF-8", self.written.display())).help("write it again")
        })
    }
}

/// A path as an operator wrote it, made absolute.
pub(crate) fn absolute(base: &Path, written: &Path) -> Result<PathBuf> {
    let text = written.to_string_lossy();
    if text.is_empty() {
        return Err(Error::new("the path is empty").help("write the path of a folder or file"));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(Error::new(format!(
            "`{text}` begins with `~`, which only a shell replaces"
        ))
        .help("write the whole path"));
    }
    if text.contains('\0') {
        return Err(Error::new("the path has a zero byte in it").help("write the path again"));
    }
    Ok(base.join(written))
}

/// A capability bound to something real, before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// In the one form that the kind reads again: an absolute path, a URL.
    pub(crate) value: OsString,
    /// What the code fixed, if the operator narrowed it.
    pub(crate) ceiling: Option<OsString>,
}

/// What opening the grants of a server comes to, besides the grants themselves.
#[derive(Default)]
pub(crate) struct Opening {
    pub(crate) needs: Needs,
    /// Processes to start before the sandbox closes.
    pub(crate) helpers: Vec<HelperSpec>,
    /// What a grant asks of the other side before the server serves: runs in the runtime, under
    /// the sandbox, once the helpers are up. An error stops the start.
    pub(crate) ready: Vec<BoxFuture<'static, Result<()>>>,
    /// Files with secrets that were read, and what each is: no tool may reach them.
    pub(crate) secrets: Vec<(&'static str, PathBuf)>,
    /// What the server itself reads while it serves. No grant may reach it.
    pub(crate) own: Vec<FileNeed>,
    /// What needs to be shared by the grants of one kind: one dialer for all endpoints.
    shared: HashMap<TypeId, Box<dyn Any + Send>>,
}

impl Opening {
    /// The one value of its type, made on first use.
    pub(crate) fn shared<T: Default + Send + 'static>(&mut self) -> Option<&mut T> {
        self.shared
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::<T>::default())
            .downcast_mut()
    }
}

/// What the server process itself must still be able to do once the sandbox is closed. What a
/// helper does for it is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) files: Vec<FileNeed>,
}

/// A folder or file that stays within reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileNeed {
    pub(crate) path: PathBuf,
    pub(crate) access: FileAccess,
    /// For the report: the name of the capability, or what the server needs it for.
    pub(crate) because: String,
}

/// How a path stays within reach; everything below a folder has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileAccess {
    /// Read files and list folders.
    Read,
    /// Also write, create, rename and remove files and folders.
    Write,
    /// Nothing but remove files: what the server clears away when it ends.
    Remove,
}

/// The open grants of a running server, by capability type.
#[derive(Clone, Default)]
pub struct Grants(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Grants {
    pub(crate) fn insert(&mut self, capability: TypeId, opened: Arc<dyn Any + Send + Sync>) {
        self.0.insert(capability, opened);
    }

    /// What was opened for `C`, if it is a `T`.
    pub(crate) fn get<C: Capability, T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(self.0.get(&TypeId::of::<C>())?).downcast().ok()
    }
}
