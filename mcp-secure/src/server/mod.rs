//! What carries messages to the pipeline: one folder for each transport.

// The builder that calls `bind` and `serve` lives beside this folder.
#[cfg(feature = "http")]
#[allow(dead_code, unused_imports)]
pub mod http;
