//! Databases behind handles, attacked.
//!
//! `sqlite` and `postgres` hold a handle as a tool would; `wiring` starts a server as a child
//! process and speaks to it over standard input and output. PostgreSQL is a server that the
//! test starts itself, in a folder of its own, from the system's package.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod cluster;
mod postgres;
mod sqlite;
mod tcp;
mod wire;
mod wiring;
