//! A person agrees, or nothing runs: on the page, with a real browser and with sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod browser;
mod chromium;
mod client;
mod connect;
mod cookies;
/// One request over one connection, as the tests of access tokens send it.
#[path = "../../oauth/tests/http.rs"]
#[allow(dead_code, reason = "they send more than is sent here")]
mod http;
mod operator;
mod others;
mod page;
mod records;
mod remember;
mod replicas;
mod secure;
mod webhook;
mod world;
