//! One stack for every request: on each transport, in both protocol generations.
//!
//! `rmcp` has no message-level middleware, so `Hardened` turns each of the 32 methods of
//! its `ServerHandler` into a [`McpRequest`] and sends it through one tower stack, which
//! `stack.rs` lists from the outside in. Nothing here knows a transport.

mod connection;
#[cfg(feature = "http")]
mod decided;
mod digest;
mod dispatch;
mod hardened;
mod journey;
mod op;
mod refusal;
mod registry;
mod request;
#[cfg(feature = "http")]
mod retry_after;
pub(crate) mod stack;
mod taint;

pub(crate) use connection::Connection;
#[cfg(feature = "http")]
pub(crate) use decided::Decided;
pub(crate) use digest::arguments_digest;
pub(crate) use dispatch::{Dispatch, Handlers, round_purpose};
pub(crate) use hardened::{Hardened, VERSIONS, foreign, protocol_versions};
pub(crate) use journey::{Journey, Noted, Phases, Subject};
pub use op::{McpOp, McpReply};
pub use refusal::Refusal;
pub(crate) use refusal::{Shape, Verdict, code};
pub(crate) use registry::{Decision, Registry, ResourceKind, ToolEntry, annotations, decide};
pub use request::McpRequest;
pub(crate) use request::{Checked, CheckedOp, LeavingCancels, Rounds};
#[cfg(feature = "http")]
pub(crate) use retry_after::RetryAfter;
pub use stack::Inner;
pub use taint::Taint;

/// The error type of every service in the stack; a [`Refusal`] inside, or whatever a
/// user's layer put there, which is masked.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A boxed future of a layer.
pub(crate) type ReplyFuture = futures::future::BoxFuture<'static, Result<McpReply, BoxError>>;
