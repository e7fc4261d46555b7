//! A resource server under attack: real processes, real sockets, a real authorization server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod browser;
mod clients;
mod connect;
mod connect_stdio;
mod enter;
mod exchange;
mod flows;
mod hostile;
mod http;
mod layer;
mod limits;
mod metadata;
mod opaque;
mod policies;
mod proof;
mod redis;
mod refused;
mod replicas;
mod rows;
mod sessions;
mod step_up;
mod tls;
mod token;
mod upstream;
mod wire;
mod world;
