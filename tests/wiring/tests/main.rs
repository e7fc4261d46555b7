//! Every control, attacked through a real transport: a child process on pipes, or HTTP.
//!
//! Each test looks at what the caller was told, at whether user code ran, and at the audit
//! record. `README.md` lists for each layer which of them turns red without it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly; the allowance in clippy.toml does not reach helpers"
)]

mod cases;
mod harness;
