//! An endpoint as it is lent to a program: host and port, and the limits of the grant.
//!
//! What the program says inside of its TLS nobody sees. So only a grant that says nothing of it
//! can be lent: a path, a rule or a version of TLS would be a promise that nobody keeps.

#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "programs are started on Linux only")
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    Connect, Endpoint, Net, NetError, NetLimits, OpenNet, client::CallSide, target::Scheme,
};
use crate::{
    capability::{
        Opening,
        dial::{DialError, Dialed},
    },
    error::{Error, Result},
};

/// The endpoints that are open so far, and why not to lend them, if there is a reason.
#[derive(Default)]
pub(crate) struct Lendable(BTreeMap<&'static str, Option<&'static str>>);

impl Lendable {
    /// An endpoint was opened.
    pub(super) fn enter(opening: &mut Opening, open: &OpenNet, tls13_only: bool) {
        let reason = if open.target.scheme != Scheme::Https {
            Some("that is plain HTTP, which nobody tunnels")
        } else if !open.target.prefix.is_empty() {
            Some("the grant of that ends with a path")
        } else if !open.rules.is_empty() {
            Some("the grant of that has rules about what a request may say")
        } else if tls13_only {
            Some("the grant of that asks for TLS 1.3")
        } else {
            None
        };
        if let Some(shared) = opening.shared::<Self>() {
            shared.0.insert(open.name, reason);
        }
    }

    /// Whether a program may be lent this endpoint.
    ///
    /// # Errors
    ///
    /// When it is not granted yet, or says what cannot be kept.
    pub(crate) fn check(opening: &mut Opening, endpoint: &str, program: &str) -> Result<()> {
        match opening.shared::<Self>().and_then(|s| s.0.get(endpoint)) {
            Some(None) => Ok(()),
            Some(Some(reason)) => Err(Error::new(format!(
                "it may be lent `{endpoint}`, and {reason}: nobody sees what the program says there"
            ))
            .help(format!(
                "declare one more endpoint for `{program}`, for the same host and without that"
            ))),
            None => Err(Error::new(format!(
                "it may be lent `{endpoint}`, which is not granted yet"
            ))
            .help(format!(
                "write `.grant(…)` for `{endpoint}` above the one for `{program}`"
            ))),
        }
    }
}

impl<E: Endpoint> Net<E, Connect> {
    /// To be lent on, for as long as the call lives.
    pub(crate) fn outlet(&self) -> Outlet {
        Outlet {
            open: Arc::clone(&self.open),
            call: Arc::clone(&self.call),
        }
    }
}

/// One endpoint, lent to one run of a program.
pub(crate) struct Outlet {
    open: Arc<OpenNet>,
    call: Arc<CallSide>,
}

impl Outlet {
    /// The name of the capability.
    pub(crate) fn name(&self) -> &'static str {
        self.open.name
    }

    /// Whether this is the one that was granted. The host without brackets, in lower case.
    pub(crate) fn covers(&self, host: &str, port: u16) -> bool {
        self.open.target.port == port && self.open.target.host.covers(host)
    }

    pub(crate) fn limits(&self) -> &NetLimits {
        &self.open.limits
    }

    /// Whether the call still runs that the endpoint was lent to.
    pub(crate) fn is_live(&self) -> bool {
        self.call.lease.is_live()
    }

    /// Returns when it does not.
    pub(crate) async fn is_revoked(&self) {
        while self.is_live() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// One more exchange of this grant, as a request is one.
    pub(crate) async fn pass(
        &self,
        deadline: Instant,
    ) -> std::result::Result<OwnedSemaphorePermit, NetError> {
        self.open.pass(deadline).await
    }

    /// Resolves, judges and connects, as for a request.
    pub(crate) async fn dial(&self, host: &str) -> std::result::Result<Dialed, DialError> {
        self.open.dial(host).await
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(50);
