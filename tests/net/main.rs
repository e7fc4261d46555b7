//! The network handle under attack: hosts, addresses, redirects, certificates, bodies. Every
//! server, name server and authority is the test's own, on loopback.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod address;
mod body;
mod caps;
mod dns;
mod lease;
mod pool;
mod redirect;
mod rows;
mod rule;
mod site;
mod tls;
mod value;
mod wire;
mod world;
