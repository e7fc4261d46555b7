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
mod http;
mod others;
mod page;
mod replicas;
mod world;
