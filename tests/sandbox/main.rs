//! The OS ring, attacked from inside a tool through a real transport.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail loudly; the allowance in clippy.toml does not reach helpers"
)]

mod hostile;
mod reaching;
mod report;
mod server;
mod start;
