//! What the tests of this package share: the tools that `cargo xtask test` installs, servers
//! as child processes, and the proxy that brings the token.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

mod proxy;
mod server;
mod tools;

pub(crate) use proxy::Proxy;
pub(crate) use server::Server;
pub(crate) use tools::{node, node_modules, output_of, python, scripts};
