//! The filesystem handle under attack. Every attack runs against both backends: the one
//! that lets the kernel resolve paths, and the one that walks name by name.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[macro_use]
mod tree;

mod assertions;
mod escape;
mod grants;
mod lease;
mod list;
#[cfg(target_os = "linux")]
mod mount;
mod policy;
mod race;
mod special;
mod write;
