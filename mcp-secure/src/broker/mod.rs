//! Helpers: processes of the same program that do for the server what its sandbox forbids.
//!
//! A helper is started before the sandbox closes, from the same binary and with a sandbox of its
//! own. It is told once what it may do, and then asked through a [`Channel`]; what comes back
//! are descriptors. One helper connects to the granted endpoints; one for each granted program
//! starts it. Where there is no sandbox there are no helpers: the same code then runs inside.
//!
//! This room knows sockets and processes. It knows no tool, no request and no transport.

#![cfg_attr(
    not(all(feature = "sandbox", feature = "tcp", feature = "exec")),
    allow(
        dead_code,
        unused_imports,
        reason = "a server without such grants, or without a sandbox, starts no helper"
    )
)]

#[cfg(target_os = "linux")]
mod channel;
#[cfg(all(target_os = "linux", feature = "sandbox"))]
mod launch;
mod needs;
#[cfg(all(target_os = "linux", feature = "sandbox"))]
mod roles;

#[cfg(target_os = "linux")]
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub(crate) use channel::{Channel, Conversation};
#[cfg(all(target_os = "linux", feature = "sandbox"))]
pub(crate) use launch::{serve_as_helper, start};
pub(crate) use needs::{Apart, HelperLimits, HelperNeeds};

/// What a helper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Resolves granted names and connects to granted endpoints.
    Dial,
    /// Starts one granted program.
    Spawn,
    /// Starts the one program that knows a credential.
    Credential,
    /// Shows what it cannot do. For tests.
    #[cfg(feature = "testing")]
    Probe,
}

/// A helper that must be started before the sandbox closes.
pub(crate) struct HelperSpec {
    pub(crate) role: Role,
    /// For the log and the report: the name of the capability.
    pub(crate) name: String,
    /// What it is told, once: the role's own type.
    pub(crate) policy: serde_json::Value,
    /// Where its channel goes.
    pub(crate) line: Line,
}

/// The way to a helper, once it runs. Empty where there is none.
#[derive(Clone, Default)]
pub(crate) struct Line(
    #[cfg(target_os = "linux")] Arc<OnceLock<Helper>>,
    #[cfg(not(target_os = "linux"))] Arc<OnceLock<()>>,
);

/// A helper that runs.
#[cfg(target_os = "linux")]
struct Helper {
    channel: Channel,
    /// What it made for the server, before its sandbox closed.
    handed: Option<OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Line {
    /// The helper, or `None` where the work is done inside.
    pub(crate) fn get(&self) -> Option<&Channel> {
        self.0.get().map(|helper| &helper.channel)
    }

    /// What the helper made for the server, if it made something.
    pub(crate) fn handed(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.get()?.handed.as_ref()?.as_fd())
    }

    /// The helper is up. A second one is ignored: a line is connected once.
    pub(crate) fn connect(&self, channel: Channel, handed: Option<OwnedFd>) {
        let _ = self.0.set(Helper { channel, handed });
    }
}
