//! A byte stream to one granted host and port, or Unix-domain socket.

use super::Capability;

/// A TCP service that a server needs, declared with `#[capability(tcp = "host:port")]`.
pub trait TcpEndpoint: Capability {
    /// `host:port` in code. `None`: the operator names it, or the path of a socket.
    const ADDRESS: Option<&'static str>;
    /// Private, loopback and other special addresses may be connected to.
    const ALLOW_PRIVATE: bool;
}
