//! Files below one folder, and nothing else.

use std::{marker::PhantomData, sync::Arc};

use super::{Facts, Handle, Lease, sealed::Sealed};
use crate::{call::Call, error::{ToolError, ToolResult}};

/// A folder that a server needs, declared with `#[capability(fs)]`.
pub trait FsRoot: 'static {
    /// The name under which the operator grants it.
    const NAME: &'static str;
    /// What it is for: the doc comment of the declaration.
    const DOC: &'static str;
    /// What it holds is the user's own.
    const PRIVATE: bool;
}

/// Reading only.
pub struct ReadOnly;
/// Reading and writing.
pub struct ReadWrite;

/// How a folder is lent: [`ReadOnly`] or [`ReadWrite`].
pub trait Mode: Sealed + Send + Sync + 'static {
    #[doc(hidden)]
    const WRITES: bool;
}

impl Sealed for ReadOnly {}
impl Sealed for ReadWrite {}
impl Mode for ReadOnly {
    const WRITES: bool = false;
}
impl Mode for ReadWrite {
    const WRITES: bool = true;
}

/// An opened folder.
pub struct OpenRoot {}

/// A folder lent to one call.
pub struct Fs<R, M> {
    #[expect(dead_code)]
    root: Arc<OpenRoot>,
    #[expect(dead_code)]
    lease: Lease,
    of: PhantomData<fn() -> (R, M)>,
}

impl<R: FsRoot, M: Mode> Sealed for Fs<R, M> {}

impl<R: FsRoot, M: Mode> Handle for Fs<R, M> {
    const FACTS: &'static [Facts] = &[Facts {
        capability: R::NAME,
        access: if M::WRITES { "read-write" } else { "read-only" },
        writes: M::WRITES,
        destructive: M::WRITES,
        private: R::PRIVATE,
        needs_approval: M::WRITES,
        ..Facts::inert("fs")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let root = call.grants.fs::<R>().cloned().ok_or_else(|| {
            ToolError::internal(format_args!("no grant for capability `{}`", R::NAME))
        })?;
        Ok(Self { root, lease: call.lease.clone(), of: PhantomData })
    }
}

/// Why a file operation was refused.
#[derive(Debug)]
pub enum FsError {}

impl std::fmt::Display for FsError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
impl std::error::Error for FsError {}

impl FsError {
    pub(crate) fn to_tool_error(&self) -> ToolError {
        match *self {}
    }
}
