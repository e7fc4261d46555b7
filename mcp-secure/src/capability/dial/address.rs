//! Which addresses are somewhere on the public internet, and which are special.
//!
//! A name that an attacker controls may resolve to anything: the metadata service of a cloud,
//! the loopback of this host, a router. So an address is refused unless nothing speaks against
//! it, and the forms in which IPv6 carries another address are refused as they are, not
//! unwrapped: whoever means an IPv4 address can say so.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What an address is, if it is not an ordinary one of the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    row: &'static Row,
}

impl Special {
    /// In the words of its registry: `private use`, `link local`.
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    /// The RFC, registry or document that says so.
    pub fn source(&self) -> &'static str {
        self.row.source
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.row.name, self.row.source)
    }
}

/// Whether an address is an ordinary one of the public internet.
///
/// # Errors
///
/// What it is instead.
pub fn judge(address: IpAddr) -> Result<(), Special> {
    match special(address) {
        None => Ok(()),
        Some(row) => Err(Special { row }),
    }
}

/// As [`judge`], for a grant. One that allows private addresses opens those of one's own host
/// and network; what is left (the metadata services above all) only for the very address that
/// was granted. Nothing opens what is no address of one machine.
pub(crate) fn judge_for(
    address: IpAddr,
    allow_private: bool,
    is_granted_literal: bool,
) -> Result<(), Special> {
    match judge(address) {
        Err(special)
            if allow_private
                && match special.row.opens {
                    Opens::Private => true,
                    Opens::Literal => is_granted_literal,
                    Opens::Never => false,
                } =>
        {
            Ok(())
        }
        verdict => verdict,
    }
}

/// What a grant can do about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    /// `allow_private` opens it.
    Private,
    /// `allow_private` opens it if this address, and not a name, is what was granted.
    Literal,
    /// Nothing does: it stands for no single machine.
    Never,
}

/// One range of special addresses.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    prefix: Prefix,
    name: &'static str,
    source: &'static str,
    opens: Opens,
}

#[derive(Debug, PartialEq, Eq)]
enum Prefix {
    V4(Ipv4Addr, u32),
    V6(Ipv6Addr, u32),
    /// Not a prefix: the last 64 bits of an address that embeds an IPv4 address (RFC 5214).
    Isatap,
    /// Whatever no row and no registry has given out.
    Rest,
}

impl Prefix {
    fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(net, bits), IpAddr::V4(address)) => {
                let shift = 32 - bits;
                u64::from(net.to_bits()) >> shift == u64::from(address.to_bits()) >> shift
            }
            (Self::V6(net, bits), IpAddr::V6(address)) => {
                (net.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            (Self::Isatap, IpAddr::V6(address)) => {
                let [.., a, b, _, _] = address.segments();
                matches!((a, b), (0x0000 | 0x0200, 0x5efe))
            }
            _ => false,
        }
    }
}

fn special(address: IpAddr) -> Option<&'static Row> {
    let rows = match address {
        IpAddr::V4(_) => V4,
        IpAddr::V6(_) => V6,
    };
    let row = rows.iter().find(|row| row.prefix.contains(address));
    match address {
        IpAddr::V6(address) if row.is_none() && !GLOBAL.contains(IpAddr::V6(address)) => {
            Some(&UNALLOCATED)
        }
        _ => row,
    }
}

/// All that IANA has given out for use on the internet (RFC 4291, section 2.4).
const GLOBAL: Prefix = Prefix::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

static UNALLOCATED: Row = Row {
    prefix: Prefix::Rest,
    name: "not allocated",
    source: "IANA IPv6 address space",
    opens: Opens::Never,
};

const fn v4(
    net: [u8; 4],
    bits: u32,
    name: &'static str,
    source: &'static str,
    opens: Opens,
) -> Row {
    let [a, b, c, d] = net;
    Row {
        prefix: Prefix::V4(Ipv4Addr::new(a, b, c, d), bits),
        name,
        source,
        opens,
    }
}

const fn v6(
    net: [u16; 8],
    bits: u32,
    name: &'static str,
    source: &'static str,
    opens: Opens,
) -> Row {
    let [a, b, c, d, e, f, g, h] = net;
    Row {
        prefix: Prefix::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits),
        name,
        source,
        opens,
    }
}

use Opens::{Literal, Never, Private};

/// The first row that contains an address says what it is.
#[rustfmt::skip]
const V4: &[Row] = &[
    // Services of clouds at addresses that look like others'. They hand out credentials.
    v4([100, 100, 100, 200], 32, "metadata service", "Alibaba Cloud", Literal),
    v4([168, 63, 129, 16], 32, "platform service", "Azure WireServer; in no registry", Literal),
    v4([192, 0, 0, 192], 32, "metadata service", "Oracle Cloud", Literal),
    v4([169, 254, 0, 0], 16, "link local, metadata services", "RFC 3927", Literal),
    v4([0, 0, 0, 0], 8, "this network", "RFC 791", Never),
    v4([10, 0, 0, 0], 8, "private use", "RFC 1918", Private),
    v4([100, 64, 0, 0], 10, "shared address space", "RFC 6598", Private),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122", Private),
    v4([172, 16, 0, 0], 12, "private use", "RFC 1918", Private),
    // With its two anycast services that are reachable: none of them speaks what a tool would.
    v4([192, 0, 0, 0], 24, "protocol assignments", "RFC 6890", Literal),
    v4([192, 0, 2, 0], 24, "documentation", "RFC 5737", Literal),
    v4([192, 31, 196, 0], 24, "AS112", "RFC 7535", Literal),
    v4([192, 52, 193, 0], 24, "AMT relays", "RFC 7450", Literal),
    v4([192, 88, 99, 0], 24, "6to4 relays", "RFC 7526", Literal),
    v4([192, 168, 0, 0], 16, "private use", "RFC 1918", Private),
    v4([192, 175, 48, 0], 24, "AS112", "RFC 7534", Literal),
    v4([198, 18, 0, 0], 15, "benchmarking", "RFC 2544", Literal),
    v4([198, 51, 100, 0], 24, "documentation", "RFC 5737", Literal),
    v4([203, 0, 113, 0], 24, "documentation", "RFC 5737", Literal),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 1112", Never),
    v4([240, 0, 0, 0], 4, "reserved, broadcast", "RFC 1112, RFC 8190", Never),
];

/// As [`V4`]; what is in no row and not in [`GLOBAL`] is not allocated.
#[rustfmt::skip]
const V6: &[Row] = &[
    v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254], 128, "metadata service", "Amazon EC2", Literal),
    v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254], 128, "metadata service", "Google Cloud", Literal),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified", "RFC 4291", Never),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback", "RFC 4291", Private),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4 compatible", "RFC 4291", Never),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4 mapped", "RFC 4291", Never),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4 translated", "RFC 2765", Never),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64", "RFC 6052", Never),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "local NAT64", "RFC 8215", Never),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discard only", "RFC 6666", Never),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "dummy", "RFC 9780", Never),
    Row { prefix: Prefix::Isatap, name: "ISATAP", source: "RFC 5214", opens: Never },
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo", "RFC 4380", Never),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking", "RFC 5180", Literal),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, "ORCHID", "RFC 4843", Never),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, "ORCHIDv2", "RFC 7343", Never),
    // Of these some anycast services and drone identifiers are reachable, and no servers.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocol assignments", "RFC 2928", Literal),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation", "RFC 3849", Literal),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4", "RFC 3056", Never),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "AS112", "RFC 7534", Literal),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation", "RFC 9637", Literal),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing", "RFC 9602", Never),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local", "RFC 4193", Private),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link local", "RFC 4291", Literal),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site local", "RFC 3879", Literal),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast", "RFC 4291", Never),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn no_measured_vector_is_judged_wrong() {
        #[derive(serde::Deserialize)]
        struct Vectors {
            deny: Vec<IpAddr>,
            allow: Vec<IpAddr>,
        }
        let vectors: Vectors = serde_json::from_str(include_str!("vectors.json")).unwrap();
        assert_eq!((vectors.deny.len(), vectors.allow.len()), (60, 20));
        let passed: Vec<_> = vectors.deny.iter().filter(|a| judge(**a).is_ok()).collect();
        let stopped: Vec<_> = vectors
            .allow
            .iter()
            .filter(|a| judge(**a).is_err())
            .collect();
        assert!(
            passed.is_empty() && stopped.is_empty(),
            "{passed:?} {stopped:?}"
        );
    }

    /// First and last address of a prefix.
    fn ends(prefix: &str) -> [IpAddr; 2] {
        let (net, bits) = prefix.split_once('/').unwrap();
        let bits: u32 = bits.parse().unwrap();
        match ip(net) {
            IpAddr::V4(net) => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                [net, Ipv4Addr::from_bits(net.to_bits() | host)].map(IpAddr::V4)
            }
            IpAddr::V6(net) => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                [net, Ipv6Addr::from_bits(net.to_bits() | host)].map(IpAddr::V6)
            }
        }
    }

    /// The IANA IPv4 and IPv6 Special-Purpose Address Registries: block, and whether it is
    /// globally reachable ("N/A" counts as no). Reachable ones are refused too, with one
    /// reason each beside the row that does so.
    #[rustfmt::skip]
    const REGISTRY: &[(&str, bool)] = &[
        ("0.0.0.0/8", false), ("0.0.0.0/32", false), ("10.0.0.0/8", false), ("100.64.0.0/10", false),
        ("127.0.0.0/8", false), ("169.254.0.0/16", false), ("172.16.0.0/12", false),
        ("192.0.0.0/24", false), ("192.0.0.0/29", false), ("192.0.0.8/32", false),
        ("192.0.0.9/32", true), ("192.0.0.10/32", true), ("192.0.0.170/32", false),
        ("192.0.0.171/32", false), ("192.0.2.0/24", false), ("192.31.196.0/24", true),
        ("192.52.193.0/24", true), ("192.88.99.0/24", false), ("192.88.99.2/32", false),
        ("192.168.0.0/16", false), ("192.175.48.0/24", true), ("198.18.0.0/15", false),
        ("198.51.100.0/24", false), ("203.0.113.0/24", false), ("240.0.0.0/4", false),
        ("255.255.255.255/32", false),
        ("::1/128", false), ("::/128", false), ("::ffff:0:0/96", false), ("64:ff9b::/96", true),
        ("64:ff9b:1::/48", false), ("100::/64", false), ("100:0:0:1::/64", false),
        ("2001::/23", false), ("2001::/32", false), ("2001:1::1/128", true),
        ("2001:1::2/128", true), ("2001:1::3/128", true), ("2001:2::/48", false),
        ("2001:3::/32", true), ("2001:4:112::/48", true), ("2001:10::/28", false),
        ("2001:20::/28", true), ("2001:30::/28", true), ("2001:db8::/32", false),
        ("2002::/16", false), ("2620:4f:8000::/48", true), ("3fff::/20", false),
        ("5f00::/16", false), ("fc00::/7", false), ("fe80::/10", false),
    ];

    #[test]
    fn each_row_of_the_registries_is_refused_from_end_to_end() {
        for (prefix, _) in REGISTRY {
            for end in ends(prefix) {
                assert!(judge(end).is_err(), "{prefix}: {end}");
            }
        }
        // What is reachable by the registry and refused all the same: the whole list.
        assert_eq!(REGISTRY.iter().filter(|(_, global)| *global).count(), 14);
    }

    #[test]
    fn each_row_ends_where_it_says() {
        for row in V4.iter().chain(V6) {
            let prefix = match row.prefix {
                Prefix::V4(net, bits) => format!("{net}/{bits}"),
                Prefix::V6(net, bits) => format!("{net}/{bits}"),
                Prefix::Isatap | Prefix::Rest => continue,
            };
            for end in ends(&prefix) {
                assert!(
                    row.prefix.contains(end) && judge(end).is_err(),
                    "{prefix}: {end}"
                );
            }
            let [first, last] = ends(&prefix);
            let outside = match (first, last) {
                (IpAddr::V4(a), IpAddr::V4(b)) => [
                    a.to_bits().checked_sub(1).map(Ipv4Addr::from_bits),
                    b.to_bits().checked_add(1).map(Ipv4Addr::from_bits),
                ]
                .map(|end| end.map(IpAddr::V4)),
                (IpAddr::V6(a), IpAddr::V6(b)) => [
                    a.to_bits().checked_sub(1).map(Ipv6Addr::from_bits),
                    b.to_bits().checked_add(1).map(Ipv6Addr::from_bits),
                ]
                .map(|end| end.map(IpAddr::V6)),
                _ => unreachable!(),
            };
            for end in outside.into_iter().flatten() {
                assert!(!row.prefix.contains(end), "{prefix}: {end}");
            }
        }
    }

    /// The cases of Stripe's smokescreen (its tests for NAT64, 6to4 and Teredo), and the
    /// neighbours of the shared address space.
    #[test]
    fn the_cases_of_a_peer_are_judged_as_there_or_stricter() {
        for denied in [
            "64:ff9b::ac1c:5",
            "64:ff9b::c000:201",
            "64:ff9b::a00:1",
            "64:ff9b::808:808",
            "64:ff9b::ffff:ffff",
            "2002:c000:201::1",
            "2002:a00:1::1",
            "2002:808:808::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "100.64.0.1",
            "100.127.255.254",
            "::ffff:10.0.0.1",
            "::1",
            "127.0.0.1",
        ] {
            assert!(judge(ip(denied)).is_err(), "{denied}");
        }
        for allowed in [
            "100.63.255.254",
            "100.128.0.1",
            "2001:4860:4860::8888",
            "8.8.8.8",
        ] {
            assert!(judge(ip(allowed)).is_ok(), "{allowed}");
        }
    }

    #[test]
    fn a_private_grant_opens_ones_own_network_and_no_metadata_service() {
        for opened in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd12::1",
        ] {
            assert!(judge_for(ip(opened), true, false).is_ok(), "{opened}");
            assert!(judge_for(ip(opened), false, true).is_err(), "{opened}");
        }
        for literal_only in [
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "192.0.0.192",
            "fe80::1",
        ] {
            assert!(
                judge_for(ip(literal_only), true, false).is_err(),
                "{literal_only}"
            );
            assert!(
                judge_for(ip(literal_only), true, true).is_ok(),
                "{literal_only}"
            );
        }
        for never in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(judge_for(ip(never), true, true).is_err(), "{never}");
        }
    }
}
