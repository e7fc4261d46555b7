//! From a granted name to a connected socket: resolve once, judge every answer, dial what was
//! judged. Used by every handle that reaches the network, and by the SDK's own fetches.
//!
//! A [`DialRule`] is what one grant may reach. [`route`] enters it, before the sandbox closes,
//! and gives the [`Route`] by which the grant connects: through the helper where one runs, and
//! inside of the server otherwise. Either way the socket is held against the rule again on the
//! side that uses it.
//!
//! This room knows names, addresses and sockets; nothing of HTTP, TLS, tools or requests.
//!
//! ```text
//! address   which addresses are special          host      what a grant may name
//! resolve   one question, all answers            connect   one judged address after another
//! helper    the same in a process of its own     error     why there is no connection
//! stream    a socket of either kind              meter     how much may arrive by it
//! ```

mod address;
mod connect;
mod error;
#[cfg(target_os = "linux")]
mod helper;
mod host;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod meter;
mod resolve;
mod stream;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

#[cfg_attr(
    not(feature = "net"),
    allow(unused_imports, reason = "the network handle shows them")
)]
pub use address::{Special, judge};
pub(crate) use error::DialError;
#[cfg(target_os = "linux")]
#[allow(unused_imports, reason = "the sandbox starts the helper")]
pub(crate) use helper::{HelperNeeds, helper_needs, serve};
#[cfg_attr(
    not(feature = "net"),
    allow(unused_imports, reason = "only URLs have hosts to be read")
)]
pub(crate) use host::{HostRule, canonical, is_label};
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) use meter::{Meter, Metered};
pub(crate) use stream::{Dialed, Peer, Stream};

use self::connect::Dialer;
use crate::{
    broker::{HelperSpec, Line, Role},
    capability::Opening,
    error::{Error, Result},
};

/// What one grant may connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DialRule {
    /// The name of the capability, or what the SDK itself fetches. Unique in a server.
    pub(crate) name: String,
    pub(crate) host: HostRule,
    /// Without meaning for a socket in the file system.
    pub(crate) port: u16,
    /// Loopback and private addresses are allowed; see [`address::judge_for`].
    pub(crate) allow_private: bool,
    /// For resolving and connecting together.
    pub(crate) connect_timeout: Duration,
    /// Who is asked for names. Empty: who the system asks.
    #[serde(default)]
    pub(crate) nameservers: Vec<SocketAddr>,
}

impl DialRule {
    /// A rule with the defaults for everything but its target.
    pub(crate) fn new(name: &str, host: HostRule, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            host,
            port,
            allow_private: false,
            connect_timeout: CONNECT_TIMEOUT,
            nameservers: Vec::new(),
        }
    }

    fn is_literal(&self) -> bool {
        matches!(self.host, HostRule::Literal(_))
    }

    /// Whether a socket may be connected to this.
    fn judge(&self, peer: SocketAddr) -> std::result::Result<(), DialError> {
        address::judge_for(peer.ip(), self.allow_private, self.is_literal()).map_err(|special| {
            DialError::Address {
                address: peer.ip(),
                what: special.to_string(),
            }
        })
    }
}

/// What the helper is told, once: the rules of all grants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DialPolicy {
    pub(crate) rules: Vec<DialRule>,
}

/// The way by which one grant connects.
#[derive(Clone)]
pub(crate) struct Route {
    rule: Arc<DialRule>,
    line: Line,
    /// Where there is no helper.
    inside: Arc<Dialer>,
}

impl Route {
    /// A route of its own, without a helper.
    #[cfg(test)]
    pub(crate) fn inside(rule: DialRule) -> Self {
        Self {
            inside: Arc::new(Dialer::default()),
            line: Line::default(),
            rule: Arc::new(rule),
        }
    }

    /// What it may reach.
    #[cfg(test)]
    pub(crate) fn rule(&self) -> &DialRule {
        &self.rule
    }

    /// Connects to a host that the rule covers, in the form that [`canonical`] gives.
    pub(crate) async fn dial(&self, host: &str) -> std::result::Result<Dialed, DialError> {
        if !self.rule.host.covers(host) {
            return Err(DialError::NotGranted);
        }
        let dialing = async {
            #[cfg(target_os = "linux")]
            if let Some(channel) = self.line.get() {
                return helper::ask(channel, &self.rule, host).await;
            }
            self.inside.dial(&self.rule, host).await
        };
        // The helper has its own clock; it may hang all the same.
        tokio::time::timeout(self.rule.connect_timeout, dialing)
            .await
            .unwrap_or(Err(DialError::Timeout))
    }
}

/// Enters a rule, and gives the way to use it. All grants share one helper, whose policy is
/// what has been entered so far.
///
/// # Errors
///
/// When the name of the rule is taken.
pub(crate) fn route(rule: DialRule, opening: &mut Opening) -> Result<Route> {
    let shared: &mut Shared = opening
        .shared()
        .ok_or_else(|| Error::new("the dialer cannot be shared"))?;
    if shared
        .policy
        .rules
        .iter()
        .any(|other| other.name == rule.name)
    {
        return Err(Error::new(format!(
            "two endpoints have the name `{}`",
            rule.name
        )));
    }
    shared.policy.rules.push(rule.clone());
    let route = Route {
        rule: Arc::new(rule),
        line: shared.line.clone(),
        inside: Arc::clone(&shared.inside),
    };
    let policy = serde_json::to_value(&shared.policy)
        .map_err(|error| Error::new(format!("the policy of the dialer: {error}")))?;
    match opening.helpers.iter_mut().find(|h| h.role == Role::Dial) {
        Some(helper) => helper.policy = policy,
        None => opening.helpers.push(HelperSpec {
            role: Role::Dial,
            name: "dial".to_owned(),
            policy,
            line: route.line.clone(),
        }),
    }
    Ok(route)
}

/// What the grants of one server have in common.
#[derive(Default)]
struct Shared {
    policy: DialPolicy,
    line: Line,
    inside: Arc<Dialer>,
}

/// Resolving and connecting together, unless the grant says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
