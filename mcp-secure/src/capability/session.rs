//! State between the calls of one session.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{Facts, Handle, Lease, sealed::Sealed};
use crate::{
    auth::Principal,
    call::Call,
    error::{ToolError, ToolResult},
    state::{Shelf, Shelves},
};

/// What tools keep between the calls of one session.
///
/// A field of your server is shared by everybody who calls it: a `Mutex<Vec<Item>>` there is one
/// basket for all users. This is one for each session, and there is no way to another one: a tool
/// is not told the key, so it cannot use a wrong one.
///
/// The key is the session and its owner where the protocol has sessions (2025-11-25), and the
/// process on stdio. In the 2026-07-28 revision over HTTP each request stands alone: there it is
/// issuer, subject and client, until an hour after the last request. The value is dropped with its
/// session, so what must not stay in memory wipes itself then (`SecretString`, `Zeroizing`). It is
/// in the memory of this process: another replica has its own, and a restart forgets it. Keep in
/// it what may be lost.
///
/// ```
/// use mcp_secure::prelude::*;
///
/// #[derive(Default)]
/// struct Basket(Vec<String>);
/// # struct S;
/// # #[secure_server] impl S {
/// /// Put something into the basket.
/// #[tool(public)]
/// async fn put(&self, item: String, basket: Session<Basket>) -> ToolResult<String> {
///     basket.with(|basket| {
///         basket.0.push(item);
///         format!("{} things", basket.0.len())
///     })
/// }
/// # }
/// ```
pub struct Session<T> {
    value: Arc<Mutex<T>>,
    lease: Lease,
}

impl<T: Default + Send + 'static> Session<T> {
    /// Reads and changes the value. Calls of the same session wait for one another meanwhile, so
    /// nothing slow belongs in here.
    ///
    /// # Errors
    ///
    /// After the call has ended. Also once after code in here has panicked, which may have left
    /// the value half changed: it begins anew, and this call is refused so that its caller knows.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> ToolResult<R> {
        if !self.lease.is_live() {
            return Err(ToolError::internal(
                "the state of a session was used after its call had ended",
            ));
        }
        match self.value.lock() {
            Ok(mut value) => Ok(use_it(&mut value)),
            Err(poisoned) => {
                *poisoned.into_inner() = T::default();
                self.value.clear_poison();
                Err(ToolError::refused(
                    "session/lost",
                    "what this session had kept was lost; begin again",
                    "user code panicked while it held the state of this session",
                ))
            }
        }
    }
}

/// Where a call finds its session's state.
#[derive(Clone)]
pub(crate) struct Shelved {
    /// Of its own connection.
    pub(crate) own: Arc<Shelf>,
    /// Where requests stand alone: of all principals.
    pub(crate) all: Option<Arc<Shelves>>,
}

impl Shelved {
    fn shelf(&self, principal: &Principal) -> ToolResult<Arc<Shelf>> {
        match &self.all {
            None => Ok(Arc::clone(&self.own)),
            Some(all) => all.of(&principal.key(), Instant::now()).map_err(|_| {
                ToolError::refused(
                    "session/full",
                    "the server keeps too much for others at the moment",
                    "there is no room for the state of one more principal",
                )
            }),
        }
    }
}

impl<T> Sealed for Session<T> {}

impl<T: Default + Send + 'static> Handle for Session<T> {
    const FACTS: &'static [Facts] = &[Facts::inert("session")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Self {
            value: call.shelved.shelf(&call.principal)?.of(),
            lease: call.lease.clone(),
        })
    }
}
