//! The user's scope takes every name that generated code could rely on.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    non_camel_case_types,
    unused_macros
)]

use ::mcp_secure::prelude::{
    Approved, Extractor, Fs, ReadOnly, ReadWrite, capability, secure_server,
};

mod core {}
mod std {}
mod alloc {}
mod rmcp {}
mod serde {}
mod schemars {}
mod futures {}
mod mcp_secure {}
struct Result;
struct Box;
struct Option;
struct String;
struct Vec;
struct Send;
struct Sync;
struct Default;
struct Into;
struct Call;
struct Handle;
struct Facts;
struct Tool;
struct Definition;
struct SecureService;
struct Some;
struct None;
struct Ok;
struct Err;
fn drop() {}
fn argument() {}
fn call() {}
macro_rules! assert {
    ($($t:tt)*) => {
        compile_error!("shadowed")
    };
}
macro_rules! vec {
    ($($t:tt)*) => {
        compile_error!("shadowed")
    };
}
macro_rules! env {
    ($($t:tt)*) => {
        compile_error!("shadowed")
    };
}

/// Notes.
#[capability(fs)]
pub struct Notes;

use things::Thing;

struct Own(Fs<Notes, ReadOnly>);

impl Extractor for Own {
    type From = Fs<Notes, ReadOnly>;
    fn extract(from: Self::From) -> ::mcp_secure::ToolResult<Self> {
        ::std::result::Result::Ok(Self(from))
    }
}

struct Server;

#[secure_server]
impl Server {
    #[init]
    async fn init(notes: Fs<Notes, ReadOnly>, #[handle] own: Own) -> ::mcp_secure::Result<Self> {
        let _ = (notes, own);
        ::std::result::Result::Ok(Server)
    }

    /// A tool.
    #[tool(public, timeout = "1s", read_only = false, unapproved = "why")]
    async fn tool(
        &self,
        #[arg(max_len = 5)] call: ::std::string::String,
        this: ::std::option::Option<u8>,
        out: Thing,
        notes: Fs<Notes, ReadWrite>,
        #[handle] own: Own,
        more: Approved<Fs<Notes, ReadWrite>>,
    ) -> ::mcp_secure::ToolResult<::mcp_secure::Json<Thing>> {
        let _ = (call, this, notes, own, more);
        ::std::result::Result::Ok(::mcp_secure::Json(out))
    }

    /// A prompt.
    #[prompt(public)]
    async fn prompt(&self, name: ::std::string::String) -> ::std::string::String {
        name
    }

    /// A resource.
    #[resource(uri = "x:{name}", scope = "a")]
    async fn resource(&self, name: ::std::string::String) -> ::std::string::String {
        name
    }

    #[completion(prompt = "prompt", arg = "name")]
    async fn completion(
        &self,
        prefix: ::std::string::String,
    ) -> ::std::vec::Vec<::std::string::String> {
        ::std::vec::Vec::from([prefix])
    }
}

// The derives of serde and schemars are not ours: they need `Some` and its like.
mod things {
    mod core {}
    mod std {}
    mod serde {}
    mod schemars {}
    mod mcp_secure {}
    struct Result;
    struct Option;
    struct String;

    /// Something.
    #[::mcp_secure::args]
    #[::mcp_secure::output]
    pub struct Thing {
        /// How many.
        #[serde(default)]
        count: u8,
        name: ::std::option::Option<::std::string::String>,
    }
}

mod primitive_types {
    struct str;
    struct bool;
    struct usize;

    /// Logs.
    #[::mcp_secure::capability(fs, private)]
    pub struct Logs;
}

fn main() {}
