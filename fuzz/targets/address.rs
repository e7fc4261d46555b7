//! Whatever carries a special address is special, in every form that carries one.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use mcp_secure::capability::net::judge;

fuzz_target!(|input: (u32, u128)| {
    let (v4, v6) = (Ipv4Addr::from_bits(input.0), Ipv6Addr::from_bits(input.1));
    let low = u128::from(input.0);
    // Transition addresses are refused with any address inside: they are another spelling of it.
    for carrier in [
        low,
        0xffff << 32 | low,
        0xffff << 48 | low,
        0x0064_ff9b << 96 | low,
        0x0064_ff9b_0001 << 80 | low,
        0x2002 << 112 | low << 80 | (input.1 & ((1 << 80) - 1)),
        0x2001 << 112 | (input.1 & ((1 << 96) - 1)),
        input.1 >> 64 << 64 | 0x0000_5efe << 32 | low,
        input.1 >> 64 << 64 | 0x0200_5efe << 32 | low,
    ] {
        let carrier = Ipv6Addr::from_bits(carrier);
        assert!(judge(IpAddr::V6(carrier)).is_err(), "{carrier} carries {v4}");
    }
    // What the standard library knows to be special is, and more.
    if judge(IpAddr::V4(v4)).is_ok() {
        assert!(!v4.is_private() && !v4.is_loopback() && !v4.is_link_local(), "{v4}");
        assert!(!v4.is_multicast() && !v4.is_broadcast() && !v4.is_documentation(), "{v4}");
        assert!(!v4.is_unspecified() && v4.octets()[0] != 0 && v4.octets()[0] < 240, "{v4}");
    }
    if judge(IpAddr::V6(v6)).is_ok() {
        assert!(!v6.is_loopback() && !v6.is_multicast() && !v6.is_unspecified(), "{v6}");
        assert!(!v6.is_unique_local() && !v6.is_unicast_link_local(), "{v6}");
        assert!(v6.to_ipv4().is_none() && v6.segments()[0] >> 13 == 1, "{v6}");
    }
});
