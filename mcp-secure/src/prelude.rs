//! Everything a server author names.

pub use crate::{
    Args, Error, Json, ResourceBody, ToolError, ToolResult,
    auth::Principal,
    capability,
    capability::{
        Approved, Elicit, Extractor, Log, Progress,
        fs::{Fs, ReadOnly, ReadWrite, RelPath},
    },
    SecureServer, secure_server,
};
