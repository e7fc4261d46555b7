//! A server with one tool that reads and one that writes.

use std::path::Path;

use mcp_secure::{audit::FileAnchor, prelude::*, sandbox::Sandbox};

/// A folder.
#[capability(fs)]
struct Files;

struct Target;

#[secure_server(name = "audit-target")]
impl Target {
    /// Says a text back.
    #[tool(public)]
    async fn echo(&self, #[arg(max_len = 100)] text: String) -> String {
        text
    }

    /// Writes a file of this name.
    #[tool(public, unapproved = "nobody is asked in these tests")]
    async fn leave(&self, name: RelPath, files: Fs<Files, ReadWrite>) -> ToolResult<String> {
        files.write(&name, "here").await?;
        Ok("left".to_owned())
    }

    /// Panics.
    #[tool(public)]
    async fn fall(&self) -> String {
        #[allow(clippy::panic, reason = "that is what it is for")]
        {
            panic!("on purpose")
        }
    }
}

fn main() -> mcp_secure::Result<()> {
    let mut server = SecureServer::new(Target)
        .grant(Files::from_operator())
        // These tests poll and flood: how often one may ask is tested elsewhere.
        .limits(Limits {
            principal_per_minute: 1_000_000,
            principal_burst: 100_000,
            repeats_per_minute: 1_000_000,
            ..Limits::default()
        })
        .sandbox(Sandbox::new().keep_env(ANCHOR));
    // Where a test says so, code keeps the checkpoints.
    if let Some(path) = std::env::var_os(ANCHOR) {
        server = server.audit_anchor(FileAnchor::open(Path::new(&path))?);
    }
    server.stdio(Principal::local_user()).run()
}

const ANCHOR: &str = "AUDIT_ANCHOR";
