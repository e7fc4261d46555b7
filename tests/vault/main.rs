//! The vault under attack. Every server is the test's own, on loopback.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(target_os = "linux")]
mod bao;
mod bytes;
mod certificate;
#[cfg(target_os = "linux")]
mod keyring;
mod kills;
#[cfg(target_os = "linux")]
mod memory;
mod people;
#[cfg(target_os = "linux")]
mod provide;
mod scene;
mod site;
mod ways;
mod wire;
mod world;
