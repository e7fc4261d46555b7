//! Testing a server of your own: handles for unit tests, and the whole stack in memory.
//!
//! For tests only: with the feature `testing`, a release build does not compile.

#[cfg(not(debug_assertions))]
compile_error!(
    "the feature `testing` of mcp-secure lends authority without an operator: \
     it is for tests, and a release build must not have it"
);

mod client;
mod server;

pub use client::TestClient;
pub use server::TestServer;
