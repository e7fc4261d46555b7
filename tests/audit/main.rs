//! The audit log, attacked by crash, by full disk and by who can write it, through a real server.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly; the allowance in clippy.toml does not reach helpers"
)]

mod chain;
mod crash;
mod independent;
mod place;
mod rotation;
mod scene;
