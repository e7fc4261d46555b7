//! Streamable HTTP: on loopback, on a Unix-domain socket, and for others through TLS or a proxy.
//!
//! Everything here is about a connection and a request head. What a message asks for is
//! judged by the pipeline, so this folder must never look at a tool, a prompt or a scope.
//!
//! The order of the checks is the list in `ring.rs`; each has a file of its own.

mod activity;
mod api_keys;
mod authenticate;
mod body;
mod builder;
#[cfg_attr(
    not(feature = "oauth"),
    allow(dead_code, reason = "only an authorization server's tokens need it")
)]
mod challenge;
mod connection;

mod endpoint;
mod front;
mod full;
mod gate;
mod headers;
mod host;
mod hygiene;
#[cfg(feature = "oauth")]
mod issued;
mod layer;
mod limits;
mod linger;
mod listener;
mod local_token;
#[cfg_attr(
    not(feature = "oauth"),
    allow(dead_code, reason = "only an authorization server's tokens need it")
)]
mod metadata;
mod origin;
mod pages;
mod proxy;
mod query;
mod rate;
mod refusal;
mod request_body;
mod retry_after;
mod ring;
mod rmcp_leaf;
mod sealed_sessions;
mod session_cap;
mod shutdown;
mod step_up;
mod straight;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
pub(crate) mod unix;
mod unrecorded;

pub(crate) use builder::Served;
pub use builder::{Authenticated, Http, NoAuth};
pub use layer::{HttpLayer, HttpService, LayerBody, ScopeLayer, ScopeService};
pub use limits::HttpLimits;
pub use rate::PeerRate;
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use unix::Unix;

pub(crate) use listener::Bound;
pub(crate) use pages::{MOST_FORM, Page, PageListener, Site};
pub(crate) use refusal::PreAuthSink;
pub(crate) use shutdown::on_signal;
pub(crate) use unrecorded::Recorded;
