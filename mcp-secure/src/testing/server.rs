//! Handles on temporary grants.

use std::{any::TypeId, ffi::OsStr, path::Path, sync::Arc};

use crate::{
    Result,
    auth::Principal,
    call::Call,
    capability::{
        Asked, Grant, Grants, Handle, LeaseGuard, Opening, Rights,
        fs::{FsLimits, FsPolicy, FsRoot, OpenRoot},
    },
    error::ToolResult,
};

/// Lends handles to unit tests. Tool functions stay plain `async fn`s, so a test calls them
/// like any other function.
///
/// ```
/// use mcp_secure::{prelude::*, testing::TestServer};
///
/// /// The folder with the user's notes.
/// #[capability(fs, private)]
/// struct Notes;
/// struct NotesServer;
///
/// #[secure_server]
/// impl NotesServer {
///     /// Read one note.
///     #[tool(public)]
///     async fn read_note(&self, name: RelPath, notes: Fs<Notes, ReadOnly>) -> ToolResult<String> {
///         Ok(notes.read_to_string(&name).await?)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> mcp_secure::Result<()> {
/// let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("a.md"), "hello").unwrap();
/// let server = TestServer::new().grant::<Notes>(folder.path())?;
/// let name = RelPath::parse("a.md").unwrap();
/// let text = NotesServer.read_note(name, server.lend().unwrap()).await.unwrap();
/// assert_eq!(text, "hello");
/// # Ok(()) }
/// ```
pub struct TestServer {
    grants: Grants,
    principal: Principal,
    guards: std::sync::Mutex<Vec<LeaseGuard>>,
    opening: std::sync::Mutex<Opening>,
}

impl Default for TestServer {
    fn default() -> Self {
        Self::new()
    }
}

impl TestServer {
    /// A server that grants nothing yet, and a principal without scopes.
    pub fn new() -> Self {
        Self {
            grants: Grants::default(),
            principal: Principal::local_user(),
            guards: std::sync::Mutex::default(),
            opening: std::sync::Mutex::default(),
        }
    }

    /// Grants a folder, under the same rules as an operator's `--grant`.
    ///
    /// # Errors
    ///
    /// When an operator could not grant it either.
    pub fn grant<R: FsRoot>(mut self, path: impl AsRef<Path>) -> Result<Self> {
        let root = OpenRoot::open(path, FsPolicy::default(), FsLimits::default())?;
        self.grants.insert(TypeId::of::<R>(), Arc::new(root));
        Ok(self)
    }

    /// Grants what another kind of capability stands for, under the same rules as an operator's
    /// `--grant NAME=VALUE`. What a real server would ask of the other side before it serves is
    /// not asked.
    ///
    /// # Errors
    ///
    /// When an operator could not grant it either.
    pub fn granted(mut self, grant: impl Into<Grant>, value: impl AsRef<OsStr>) -> Result<Self> {
        let grant = grant.into();
        let base = Path::new("/");
        let asked = Asked {
            written: value.as_ref(),
            base,
        };
        let binding = grant.source.bind(Some(&asked), base)?;
        let rights = Rights { writes: true };
        // One for all: a program is lent what was granted before it.
        let opening = self.opening.get_mut();
        let opening = opening.unwrap_or_else(std::sync::PoisonError::into_inner);
        let opened = grant.source.open(&binding, rights, opening)?;
        self.grants.insert(grant.type_id, opened);
        Ok(self)
    }

    /// Ends the calls to which handles were lent so far.
    pub fn end_calls(&self) {
        self.guards
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clear();
    }

    /// Who the handles are lent to.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// Lends a handle, with every approval given. It lives as long as this server.
    ///
    /// # Errors
    ///
    /// When nothing is granted for it.
    pub fn lend<H: Handle>(&self) -> ToolResult<H> {
        let grants = Arc::new(self.grants.clone());
        let mut call = Call::outside_of_requests(grants, self.principal.clone());
        call.approve_for_tests();
        self.guards
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(LeaseGuard(call.lease.clone()));
        H::lend(&mut call)
    }
}
