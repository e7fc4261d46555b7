//! HTTPS requests to one granted endpoint, and to nothing else.

mod https_url;
mod rule;

pub use https_url::HttpsUrl;
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub use rule::__found;
pub use rule::EgressRule;

use super::Capability;

/// An HTTP endpoint that a server needs, declared with `#[capability(net = "https://…")]`.
pub trait Endpoint: Capability {
    /// The address in code: scheme, host (exact or `*.suffix`), port, path prefix. `None`: the
    /// operator names it.
    const URL: Option<&'static str>;
    /// The host may be a wildcard: whoever holds the handle chooses where data goes.
    const OPEN: bool;
    /// Private, loopback and other special addresses may be connected to.
    const ALLOW_PRIVATE: bool;
}
