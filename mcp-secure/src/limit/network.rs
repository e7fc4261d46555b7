//! What is one caller's whatever address they have now.

use std::net::IpAddr;

/// The network that a peer can roam in: an IPv4 /24 or an IPv6 /56, since a limit on single IPv6
/// addresses limits nobody. The first number tells the two kinds apart.
pub(crate) fn network(peer: IpAddr) -> (u8, u128) {
    match peer.to_canonical() {
        IpAddr::V4(v4) => (4, u128::from(u32::from(v4) >> 8)),
        IpAddr::V6(v6) => (6, u128::from(v6) >> (128 - 56)),
    }
}
