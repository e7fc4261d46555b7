//! Hardened MCP servers: a tool's Rust signature is its permission.

pub mod audit;
pub mod auth;
mod call;
pub mod capability;
#[doc(hidden)]
pub mod definition;
mod error;
mod layer;
mod limits;
pub mod manifest;
mod output;
pub mod pipeline;
pub mod prelude;
mod schema;
pub mod server;
pub mod state;
#[cfg(feature = "testing")]
pub mod testing;

pub use limits::Limits;
pub use error::{Error, Result, ToolError, ToolResult};
pub use mcp_secure_macros::{args, capability, output, secure_server};
pub use output::{
    CompletionOutput, Json, PromptOutput, ResourceBody, ResourceOutput, ToolOutput, ToolReply,
};
pub use rmcp::model;
pub use server::SecureServer;
pub use schema::{Args, ToolArg};
pub use {schemars, serde, serde_json};

/// What the generated code names. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use std::{
        boxed::Box, option::Option, path::PathBuf, result::Result, string::String, vec, vec::Vec,
    };

    pub use futures::future::BoxFuture;

    pub use crate::{
        call::{Call, argument, arguments, at_start, text_argument},
        capability::{
            Extracted, Extractor, Facts, Grant, Handle, extracted, facts, fs::FsRoot,
        },
        definition::{
            About, Access, Completion, Definition, Hints, Policy, Prompt, Resource, SecureInit,
            SecureService, Target, Tool,
        },
        error::{ToolError, ToolResult},
        output::{
            CompletionOutput, Completions, PromptOutput, PromptReply, ResourceBody,
            ResourceOutput, ToolOutput, ToolReply,
        },
        schema::{ArgRules, Args, Input, InputBuilder, ToolArg},
    };
    pub use core::time::Duration;
    pub use {schemars, serde};
}
