//! Hardened MCP servers: a tool's Rust signature is its permission.
//!
//! You write plain `async fn`s. A parameter is either an *argument*, which the model sends,
//! or a *handle*, which the operator grants. From the signature come the implementation, the
//! JSON Schema, the annotations, the policy and the manifest; there is no second declaration
//! that could drift.
//!
//! ```no_run
//! use mcp_secure::prelude::*;
//!
//! /// The folder with the user's notes.
//! #[capability(fs, private)]
//! pub struct Notes;
//!
//! struct NotesServer;
//!
//! #[secure_server]
//! impl NotesServer {
//!     /// Read one note.
//!     #[tool(scope = "notes:read")]
//!     async fn read_note(&self, name: RelPath, notes: Fs<Notes, ReadOnly>) -> ToolResult<String> {
//!         Ok(notes.read_to_string(&name).await?)
//!     }
//! }
//!
//! fn main() -> mcp_secure::Result<()> {
//!     SecureServer::new(NotesServer)
//!         .grant(Notes::from_operator())
//!         .stdio(Principal::local_user().scopes(["notes:read"]))
//!         .run()
//! }
//! ```
//!
//! # The map
//!
//! | module | what is in it |
//! |---|---|
//! | [`prelude`] | what a server author names |
//! | [`server`] | the builder, and one folder for each transport |
//! | [`mod@capability`] | the handles: what a tool may reach |
//! | [`pipeline`] | the one stack that every request passes; your own layers see its types |
//! | [`auth`] | who is asking |
//! | [`policy`] | rules over who asks, for what, with which arguments |
//! | [`audit`] | what happened |
//! | [`manifest`] | what the server can do, for an auditor |
//! | [`state`] | what is remembered between requests |
//! | [`sandbox`] | what the kernel keeps |
//! | [`dangerous`] | what weakens a default |
//!
//! # What it cannot do
//!
//! Rust has no way to take ambient authority from a dependency: code that calls `std::fs`
//! itself is not stopped by a handle, only by the [`sandbox`]. Approval through the client proves that the *client*
//! says a person agreed. Nothing here decides whether retrieved text is true.

pub mod approval;
pub mod audit;
pub mod auth;
mod broker;
mod call;
pub mod capability;
#[cfg(feature = "upstream")]
mod connect;
pub mod dangerous;
#[doc(hidden)]
pub mod definition;
mod error;
mod hex;
mod kept_file;
mod layer;
mod limit;
mod limits;
pub mod log;
pub mod manifest;
mod metrics;
#[cfg(feature = "otel")]
pub mod otel;
mod output;
#[cfg(feature = "http")]
mod page;
pub mod pipeline;
pub mod policy;
pub mod prelude;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod schema;
mod secret_file;
#[cfg(feature = "http")]
mod seen;
pub mod server;
mod sha256;
pub mod state;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "vault")]
pub mod vault;

pub use error::{Error, Result, ToolError, ToolResult};
pub use layer::guard::{Hidden, Secret, TextPolicy};
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub use limit::BenchTable;
pub use limit::Rate;
pub use limits::Limits;
pub use mcp_secure_macros::{args, capability, output, secure_server};
pub use output::{
    CompletionOutput, Json, PromptOutput, ResourceBody, ResourceOutput, Spotlight, ToolOutput,
    ToolReply, Untrusted,
};
pub use rmcp::model;
pub use schema::{Args, ToolArg};
pub use server::SecureServer;
pub use {schemars, serde, serde_json};

/// What the generated code names. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use std::{
        boxed::Box, option::Option, path::PathBuf, result::Result, string::String, vec, vec::Vec,
    };

    pub use futures::future::BoxFuture;

    pub use crate::Rate;
    #[cfg(feature = "exec")]
    pub use crate::capability::exec::{ExecGrant, Program};
    #[cfg(feature = "net")]
    pub use crate::capability::net::{Endpoint, NetGrant};
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub use crate::capability::sql::{Database, Engine, SqlGrant};
    #[cfg(feature = "tcp")]
    pub use crate::capability::tcp::{TcpEndpoint, TcpGrant};
    #[cfg(feature = "vault")]
    pub use crate::vault::Spends as Credential;
    pub use crate::{
        call::{Call, argument, arguments, at_start, text_argument},
        capability::{
            Capability, Extracted, Extractor, Facts, Grant, Handle, extracted, facts,
            fs::{FsGrant, FsRoot},
        },
        definition::{
            About, Access, Completion, Definition, Hints, Policy, Prompt, Rates, Resource,
            SecureInit, SecureService, Target, TextException, Tool,
        },
        error::{ToolError, ToolResult},
        output::{
            CompletionOutput, Completions, PromptOutput, PromptReply, ResourceBody, ResourceOutput,
            ResourceReply, ToolOutput, ToolReply,
        },
        schema::{ArgRules, Args, AuditedArg, Input, InputBuilder, ToolArg},
    };
    pub use core::time::Duration;
    pub use {schemars, serde};
}
