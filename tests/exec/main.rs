//! The handle that starts programs under attack.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub
)]

mod arguments;
mod ends;
mod lending;
mod limits;
mod network;
mod program;
mod sandbox;
mod scene;
mod surroundings;
mod wire;
