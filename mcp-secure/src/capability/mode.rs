//! How something is lent: for reading, or for writing too.

use super::sealed::Sealed;

/// Reading only.
pub struct ReadOnly;
/// Reading and writing.
pub struct ReadWrite;

/// [`ReadOnly`] or [`ReadWrite`].
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

/// As in [`Facts::access`](super::Facts::access).
pub(super) const fn access<M: Mode>() -> &'static str {
    if M::WRITES { "read-write" } else { "read-only" }
}
