//! Handles: the only way from a tool to the world.
//!
//! A parameter whose type is a handle is granted by the operator and lent for one call; it
//! never comes from the model. This room knows nothing of transports or layers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

mod approved;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) mod authority;
mod client;
#[cfg(feature = "tcp")]
pub(crate) mod dial;
#[cfg(feature = "exec")]
pub mod exec;
mod extract;
pub mod fs;
mod grant;
mod mode;
#[cfg(feature = "net")]
pub mod net;
mod seals;
mod session;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub mod sql;
#[cfg(feature = "tcp")]
pub mod tcp;
pub(crate) mod trail;

pub use approved::Approved;
pub use client::{Answer, Elicit, Log, Progress};
#[cfg(feature = "deprecated-protocol")]
pub use client::{Roots, Sample};
pub use extract::{Extracted, Extractor, extracted};
pub(crate) use grant::{
    Asked, Binding, FileAccess, FileNeed, Needs, Opening, Rights, Source, absolute,
};
pub use grant::{Grant, Grants};
pub use mode::{Mode, ReadOnly, ReadWrite};
pub(crate) use seals::Sealing;
pub use seals::{Carried, Sealed, Seals};
pub use session::Session;
pub(crate) use session::Shelved;
#[cfg_attr(
    not(any(feature = "tcp", feature = "exec", feature = "sqlite")),
    allow(unused_imports, reason = "files leave no steps yet")
)]
pub(crate) use trail::{Step, Steps, Trail};

use crate::{call::Call, definition::TextException, error::ToolResult};

/// Something real that a server needs, declared with `#[capability(…)]`. Each kind adds a trait
/// of its own, such as [`FsRoot`](fs::FsRoot).
pub trait Capability: 'static {
    /// The name under which the operator grants it.
    const NAME: &'static str;
    /// What it is for: the doc comment of the declaration.
    const DOC: &'static str;
    /// What it holds is the user's own.
    const PRIVATE: bool;
    /// Text rules that were set aside for its name and its doc comment.
    #[doc(hidden)]
    const EXCEPTIONS: &'static [TextException] = &[];
}

/// A type that can be lent to a call, with the facts that everything else is derived from.
///
/// Implemented by this crate's handles only. Your own extractor implements [`Extractor`],
/// whose facts are those of the handles it is made of, so it cannot understate them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has the name of a handle but is not one",
    label = "this parameter would be granted, not sent by the model",
    note = "use the types of `mcp_secure::prelude`, or mark an `Extractor` of your own with `#[handle]`"
)]
pub trait Handle: sealed::Sealed + Sized + Send {
    /// One entry for each right that this parameter carries.
    const FACTS: &'static [Facts];

    #[doc(hidden)]
    fn lend(call: &mut Call) -> ToolResult<Self>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// What one handle allows: the security facts that annotations, the manifest, the approval
/// rule and the sandbox are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The kind of handle: `fs`, `principal`, `elicit` and so on.
    pub kind: &'static str,
    /// The name under which the operator grants it; empty if there is nothing to grant.
    pub capability: &'static str,
    /// The access in words, such as `read-only`.
    pub access: &'static str,
    /// It can change something that outlives the call.
    pub writes: bool,
    /// What it changes may be lost: it can overwrite or delete.
    pub destructive: bool,
    /// It reaches beyond this server and its host.
    pub open_world: bool,
    /// What it reads is the user's own and must not leave by an open sink.
    pub private: bool,
    /// It can carry data to an address that is not fixed at compile time.
    pub open_sink: bool,
    /// A person must agree before each use, unless the tool opts out by name.
    pub needs_approval: bool,
    /// It is behind an [`Approved`] witness.
    pub approved: bool,
}

impl Facts {
    /// A handle that can do nothing outside the call.
    pub const fn inert(kind: &'static str) -> Self {
        Self {
            kind,
            capability: "",
            access: "",
            writes: false,
            destructive: false,
            open_world: false,
            private: false,
            open_sink: false,
            needs_approval: false,
            approved: false,
        }
    }
}

/// Checks over the facts of a parameter, made by the code that `#[secure_server]` writes.
#[doc(hidden)]
pub mod facts {
    use super::Facts;

    macro_rules! any {
        ($(#[$doc:meta] $name:ident = $($field:ident)&&+ $(&& !$not:ident)?;)*) => {$(
            #[$doc]
            pub const fn $name(facts: &[Facts]) -> bool {
                let mut rest = facts;
                while let [first, tail @ ..] = rest {
                    if $(first.$field)&&+ $(&& !first.$not)? {
                        return true;
                    }
                    rest = tail;
                }
                false
            }
        )*};
    }

    any! {
        /// Some right needs a person's agreement and has no witness.
        unapproved = needs_approval && !approved;
        /// Some right is behind a witness.
        approved = approved;
        /// Some right writes.
        writes = writes;
        /// Some right can destroy.
        destructive = destructive;
        /// Some right reaches beyond the host.
        open_world = open_world;
        /// Some right reads what is private.
        private = private;
        /// Some right can send to an open sink.
        open_sink = open_sink;
    }
}

/// How long a handle lives: until the call that it was lent to ends.
///
/// A handle that was stored or spawned away answers "revoked".
#[derive(Clone)]
pub struct Lease(Arc<AtomicBool>);

impl Lease {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether the call is still running.
    pub fn is_live(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn revoke(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Revokes the lease when the call ends, however it ends.
pub(crate) struct LeaseGuard(pub(crate) Lease);

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.0.revoke();
    }
}
