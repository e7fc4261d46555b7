//! A proxy in front: whose word is taken for where a request comes from.
//!
//! A forwarded header is written by anybody who can connect. So only declared addresses may
//! connect at all, and of what they pass on only the part counts that they wrote themselves:
//! the list is read from the right, through the hops that are declared, to the first that is
//! not. What stands left of it, the client wrote (`tower_governor` and many others take the
//! first value, which is the client's choice).

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderMap, HeaderName, Request, Response, header};
use hyper::body::Incoming;
use rmcp::ServerHandler;
use tower::{Service, ServiceExt};

use super::{
    authenticate::Auth,
    body::Body,
    hygiene::harden,
    refusal::{PROXY_PLAIN, PROXY_SILENT, Refusal, Tally},
    ring::{Shared, ring},
};
use crate::{Error, Result};

/// The addresses that are trusted to say for whom they ask.
pub(crate) struct Proxies(Vec<Block>);

#[derive(Debug, PartialEq, Eq)]
struct Block {
    address: IpAddr,
    bits: u32,
}

impl Proxies {
    /// Addresses and blocks: `10.0.0.7`, `10.0.0.0/24`, `2001:db8::/64`.
    pub(crate) fn new(declared: &[String]) -> Result<Self> {
        let wrong = |text: &str, what: &str| {
            Error::new(format!("`{text}` {what}"))
                .help("name the proxy's address or block: `10.0.0.7`, `10.0.0.0/24`")
        };
        if declared.is_empty() {
            return Err(wrong("behind_proxy", "names no proxy"));
        }
        let block = |text: &String| {
            let (address, bits) = match text.split_once('/') {
                None => (text.as_str(), None),
                Some((address, bits)) => (address, Some(bits)),
            };
            let address: IpAddr = address
                .parse()
                .map_err(|_| wrong(text, "is not an address or a block of addresses"))?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = match bits {
                None => most,
                Some(bits) => bits
                    .parse()
                    .ok()
                    .filter(|bits| *bits <= most)
                    .ok_or_else(|| wrong(text, "is not an address or a block of addresses"))?,
            };
            if bits < most / 4 {
                return Err(wrong(text, "is too wide a block to be a proxy of yours"));
            }
            if address.to_canonical() != address {
                return Err(wrong(text, "is an IPv4 address in the clothes of IPv6"));
            }
            Ok(Block { address, bits })
        };
        declared.iter().map(block).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|block| block.contains(peer))
    }

    /// Where a request comes from, as the declared hops tell it.
    pub(super) fn client(&self, headers: &HeaderMap) -> Result<IpAddr, &'static Refusal> {
        let proto = headers.get_all(X_FORWARDED_PROTO);
        if proto
            .iter()
            .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"https"))
        {
            return Err(&PROXY_PLAIN);
        }
        let (forwarded, x_forwarded_for) = (
            hops(headers, &header::FORWARDED)?,
            hops(headers, &X_FORWARDED_FOR)?,
        );
        // A proxy writes one of the two and lets the other pass as the client wrote it.
        let client = match (forwarded.as_slice(), x_forwarded_for.as_slice()) {
            ([], hops) => self.first_stranger(hops, address),
            (hops, []) => self.first_stranger(hops, forwarded_for),
            _ => None,
        };
        client.ok_or(&PROXY_SILENT)
    }

    /// From the right; all of it ours is a request of our own network.
    fn first_stranger(
        &self,
        hops: &[&str],
        read: impl Fn(&str) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        let mut last = None;
        for hop in hops.iter().rev().take(MOST_HOPS) {
            let address = read(hop)?;
            if !self.trusts(address) {
                return Some(address);
            }
            last = Some(address);
        }
        last.filter(|_| hops.len() <= MOST_HOPS)
    }
}

impl Block {
    fn contains(&self, peer: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let shift = width - self.bits;
            shift >= 128 || a >> shift == b >> shift
        };
        match (self.address, peer) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
            _ => false,
        }
    }
}

/// All values of a header as one list, in the order of the hops.
fn hops<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, &'static Refusal> {
    let mut hops = Vec::new();
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| &PROXY_SILENT)?;
        hops.extend(value.split(',').map(str::trim));
    }
    Ok(hops)
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let address: IpAddr = text.parse().ok().or_else(bare).or_else(with_port)?;
    Some(address.to_canonical())
}

/// The `for` of one element of `Forwarded` (RFC 7239 section 4). Plain HTTP on the way is
/// refused like silence: the token has been read by others.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in element.split(';') {
        let (name, value) = pair.trim().split_once('=')?;
        let quoted = || value.strip_prefix('"')?.strip_suffix('"');
        let value = quoted().unwrap_or(value);
        match name.to_ascii_lowercase().as_str() {
            "for" if found.is_none() => found = Some(address(value)?),
            "for" => return None,
            "proto" if !value.eq_ignore_ascii_case("https") => return None,
            _ => {}
        }
    }
    found
}

/// One connection of a proxy: each request has a peer of its own, and so a ring of its own.
pub(crate) struct Proxied<S> {
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) tally: Tally,
}

impl<S: ServerHandler> Service<Request<Incoming>> for Proxied<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        let client = match self.proxies.client(request.headers()) {
            Ok(client) => client,
            Err(refusal) => {
                let response = self.tally.refuse(refusal, request.version());
                return std::future::ready(Ok(harden(response))).boxed();
            }
        };
        // Nothing behind this asks them again, with another reading.
        for name in [
            header::FORWARDED,
            X_FORWARDED_FOR,
            X_FORWARDED_PROTO,
            X_FORWARDED_HOST,
            X_REAL_IP,
        ] {
            request.headers_mut().remove(name);
        }
        let tally = self.tally.for_peer(client);
        ring(&self.shared, &self.auth, &tally)
            .oneshot(request)
            .boxed()
    }
}

impl<S> Clone for Proxied<S> {
    fn clone(&self) -> Self {
        Self {
            proxies: self.proxies.clone(),
            shared: self.shared.clone(),
            auth: self.auth.clone(),
            tally: self.tally.clone(),
        }
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// A longer way is not of a network that somebody declared by hand.
const MOST_HOPS: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proxies(declared: &[&str]) -> Result<Proxies> {
        let declared: Vec<String> = declared.iter().map(|d| (*d).to_owned()).collect();
        Proxies::new(&declared)
    }

    fn client(headers: &[(&str, &str)]) -> Option<String> {
        let proxies = proxies(&["10.0.0.0/24", "2001:db8:f::/64"]).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(
                name,
                http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        proxies.client(&map).ok().map(|ip| ip.to_string())
    }

    #[test]
    fn the_client_is_the_rightmost_that_is_not_declared() {
        let xff = "x-forwarded-for";
        for (value, expected) in [
            ("198.51.100.1", Some("198.51.100.1")),
            ("6.6.6.6, 198.51.100.1", Some("198.51.100.1")),
            ("10.0.0.9, 198.51.100.1", Some("198.51.100.1")),
            ("198.51.100.1, 10.0.0.9, 10.0.0.8", Some("198.51.100.1")),
            ("10.0.0.9", Some("10.0.0.9")),
            ("nonsense, 198.51.100.1", Some("198.51.100.1")),
            ("198.51.100.1:4711", Some("198.51.100.1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("2001:db8::1, 2001:db8:f::5", Some("2001:db8::1")),
            ("::ffff:198.51.100.1", Some("198.51.100.1")),
            ("198.51.100.1, nonsense", None),
            ("198.51.100.1, nonsense, 10.0.0.8", None),
            ("198.51.100.1,", None),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(client(&[(xff, value)]).as_deref(), expected, "{value:?}");
        }
        // Several headers are one list.
        let two = [(xff, "6.6.6.6"), (xff, "198.51.100.1")];
        assert_eq!(client(&two).as_deref(), Some("198.51.100.1"));
        let ours = vec!["10.0.0.9"; 17].join(", ");
        assert_eq!(client(&[(xff, &ours)]), None);
    }

    #[test]
    fn the_standard_header_is_read_likewise() {
        for (value, expected) in [
            ("for=198.51.100.1", Some("198.51.100.1")),
            (
                "For=\"[2001:db8::1]:4711\";proto=https",
                Some("2001:db8::1"),
            ),
            (
                "for=6.6.6.6, for=198.51.100.1;by=10.0.0.9",
                Some("198.51.100.1"),
            ),
            ("for=198.51.100.1, for=10.0.0.9", Some("198.51.100.1")),
            ("for=198.51.100.1;proto=http", None),
            ("for=_hidden", None),
            ("for=unknown", None),
            ("by=10.0.0.9", None),
            ("for=6.6.6.6;for=198.51.100.1", None),
            ("for=\"6.6.6.6, for=198.51.100.1\"", None),
        ] {
            assert_eq!(
                client(&[("forwarded", value)]).as_deref(),
                expected,
                "{value:?}"
            );
        }
    }

    #[test]
    fn two_kinds_none_and_plain_http_are_refused() {
        assert_eq!(client(&[]), None);
        let both = [
            ("forwarded", "for=6.6.6.6"),
            ("x-forwarded-for", "198.51.100.1"),
        ];
        assert_eq!(client(&both), None);
        let one = ("x-forwarded-for", "198.51.100.1");
        for (proto, good) in [
            ("https", true),
            ("HTTPS", true),
            ("http", false),
            ("https, http", false),
        ] {
            assert_eq!(
                client(&[one, ("x-forwarded-proto", proto)]).is_some(),
                good,
                "{proto}"
            );
        }
    }

    #[test]
    fn only_declared_addresses_are_trusted() {
        let proxies = proxies(&["10.0.0.7", "192.0.2.0/24", "2001:db8::/64"]).unwrap();
        for (peer, expected) in [
            ("10.0.0.7", true),
            ("::ffff:10.0.0.7", true),
            ("10.0.0.8", false),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("2001:db8::ffff", true),
            ("2001:db8:0:1::1", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(proxies.trusts(peer.parse().unwrap()), expected, "{peer}");
        }
    }

    #[test]
    fn a_proxy_that_is_everybody_or_nobody_stops_the_start() {
        for bad in [
            "",
            "proxy.example",
            "10.0.0.0/33",
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/7",
            "10.0.0.7:80",
            "::ffff:10.0.0.7",
        ] {
            let error = proxies(&[bad]).err().unwrap().to_string();
            assert!(error.contains("help:"), "{bad}: {error}");
        }
        assert!(proxies(&[]).is_err());
    }
}
