//! Everything a server author names.

#[cfg(feature = "oauth")]
pub use crate::auth::ResourceServer;
#[cfg(feature = "exec")]
pub use crate::capability::exec::{Exec, Identifier, Text};
#[cfg(feature = "net")]
pub use crate::capability::net::{
    Connect, Delete, EgressRule, Get, Head, HttpsUrl, Net, Patch, Post, Put,
};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use crate::capability::sql::{Sql, Statement};
#[cfg(feature = "tcp")]
pub use crate::capability::tcp::Tcp;
#[cfg(feature = "cedar")]
pub use crate::policy::CedarPolicies;
#[cfg(feature = "tls")]
pub use crate::server::http::Tls;
#[cfg(feature = "http")]
pub use crate::server::http::{Http, Unix};
pub use crate::{
    Args, Error, Json, Limits, ResourceBody, SecureServer, ToolError, ToolResult, Untrusted,
    approval::{Approvals, By},
    auth::Principal,
    capability,
    capability::{
        Answer, Approved, Elicit, Extractor, Log, Progress, Sealed, Seals, Session,
        fs::{Fs, ReadOnly, ReadWrite, RelPath},
    },
    secure_server,
};
